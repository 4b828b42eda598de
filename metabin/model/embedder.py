"""The embedder: backbone, average pooling, BNNeck, classifier."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from metabin.model.backbone import BACKBONES, build_backbone
from metabin.model.cpu.fused import outputs_made_again
from metabin.model.pretrained import NONE, load_pretrained
from metabin.model.swapping import swap_norms


class Embedder(nn.Module):
    """Images to features, and features to embeddings and logits.

        features  = mean over space of backbone(images)     (B, D)   the metric losses see these
        embedding = neck(features)                          (B, D)   the test compares these
        logits    = classifier(embedding)                   (B, C)   the cross-entropy sees these

    The neck is a BatchNorm whose bias stays 0 (the BNNeck of Luo et al. 2019), so that embeddings of identities spread
    around the origin; the classifier has no bias.

    With a `precision`, torch.bfloat16 say, the backbone's convolutions compute in it (torch.autocast); parameters and
    running statistics keep their type, and so do features and all that follows. Distances between features are
    differences of large numbers: half precision would swallow a triplet's margin.

    Source: MetaBIN, section 4.1; reference heads/metalearning_head.py. The classifier keeps torch's own
    initialisation, which is what the reference ends up with (see docs/method.md).
    """

    def __init__(
        self, backbone: nn.Module, num_features: int, num_classes: int, *, precision: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.backbone, self.precision = backbone, precision
        self.neck = nn.BatchNorm1d(num_features)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(num_features, num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> features (B, D), before the neck."""
        autocast = torch.autocast(images.device.type, self.precision, enabled=self.precision is not None)
        with autocast, outputs_made_again():
            maps = self.backbone(images)
        return maps.to(images.dtype).mean(dim=(2, 3))

    def classify(self, features: Tensor) -> Tensor:
        """(B, D) -> logits (B, C)."""
        return self.classifier(self.neck(features))

    @torch.inference_mode()
    def embed(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> embedding (B, D), after the neck. Call `eval()` first."""
        return self.neck(self(images))


def build_embedder(
    backbone: str,
    num_classes: int,
    *,
    norm: str = "bin",
    rho: float = 1.0,
    rho_per: Literal["channel", "layer"] = "channel",
    in_affine: Literal["identity", "copied"] = "identity",
    pretrained: str = NONE,
    precision: torch.dtype | None = None,
) -> Embedder:
    """An embedder before its training.

    Args:
        backbone: a name in `metabin.model.backbone.BACKBONES`.
        num_classes: training identities.
        norm: a name in `metabin.model.swapping.NORMS`, put in place of every BatchNorm of the backbone.
        rho, rho_per, in_affine: start of the norms' own parameters, see `metabin.model.swapping.NormStart`.
        pretrained: the backbone's start, see `metabin.model.pretrained.load_pretrained`. Of a BatchNorm it becomes the
            batch half of the norm in its place.
        precision: of the backbone's computation; None is that of its parameters.

    Raises:
        ValueError: an unknown name, a rho outside [0, 1], or a norm that the backbone cannot have.
        CheckpointError: the pretrained weights cannot be had or do not fit.
    """
    network, num_features = build_backbone(backbone)
    load_pretrained(network, pretrained)
    early_stages = BACKBONES[backbone].early_stages
    swap_norms(network, norm, rho=rho, rho_per=rho_per, in_affine=in_affine, early_stages=early_stages)
    return Embedder(network, num_features, num_classes, precision=precision)

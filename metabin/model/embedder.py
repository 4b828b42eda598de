"""The embedder: backbone, average pooling, BNNeck, classifier."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from metabin.backbones import BACKBONES, build_backbone
from metabin.model.fused.function import recompute_norms
from metabin.model.mixstyle import add_mixstyle
from metabin.model.pretrained import NONE, load_pretrained
from metabin.model.swapping import swap_norms

CLASSIFIER_PARTS = ("neck", "classifier")  # the submodules from features to logits, in order


class Embedder(nn.Module):
    """Network from images to features, and from features to embeddings and logits.

        features  = mean over space of backbone(images)     (B, D)   the metric losses see these
        embedding = neck(features)                          (B, D)   the test compares these
        logits    = classifier(embedding)                   (B, C)   the cross-entropy sees these

    The neck is a BatchNorm whose bias stays 0 (the BNNeck of Luo et al. 2019), so that the
    embeddings of the identities spread around the origin. The classifier has no bias.

    A `precision` such as torch.bfloat16 holds for the convolutions of the backbone
    (torch.autocast). Parameters, running statistics, features and all that is computed from the
    features keep their type. Distances between features are differences of large numbers: in half
    precision their rounding error is larger than a triplet's margin.

    Source: MetaBIN, section 4.1; reference heads/metalearning_head.py. The classifier keeps torch's
    own initialisation, with which the reference's classifier ends up too (see docs/method.md).
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_features: int,
        num_classes: int,
        *,
        precision: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.precision = precision
        self.neck = nn.BatchNorm1d(num_features)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(num_features, num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the features before the neck: (B, 3, H, W) -> (B, D)."""
        device = images.device.type
        autocast = torch.autocast(device, self.precision) if self.precision else nullcontext()
        # On CUDA, memory is large and a pass over the maps costs more than keeping its result.
        recomputing = images.is_cpu and torch.is_grad_enabled()
        saving = recompute_norms() if recomputing and not is_compiling() else nullcontext()
        with autocast, saving:
            maps = self.backbone(images)
        # The mean is taken in the type of the images, also where the maps are bfloat16.
        return maps.to(images.dtype).mean(dim=(2, 3))

    def classify(self, features: Tensor) -> Tensor:
        """Compute the logits of features: (B, D) -> (B, C)."""
        return self.classifier(self.neck(features))

    @torch.inference_mode()
    def embed(self, images: Tensor) -> Tensor:
        """Compute the embeddings after the neck: (B, 3, H, W) -> (B, D). Call `eval()` first."""
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
    mixstyle: float = 0.0,
    precision: torch.dtype | None = None,
) -> Embedder:
    """Build an embedder before its training.

    Args:
        backbone: a name in `metabin.backbones.BACKBONES`.
        num_classes: training identities.
        norm: a name in `metabin.model.swapping.NORMS`. It replaces every BatchNorm of the backbone.
        rho, rho_per, in_affine: start of the norms, see `metabin.model.swapping.NormStart`.
        pretrained: start of the backbone, see `metabin.model.pretrained.load_pretrained`. The
            values of a BatchNorm become those of the batch half of the norm that replaces it.
        mixstyle: probability of `metabin.model.mixstyle` in training.
        precision: type of the backbone's computation; None is the type of its parameters.

    Raises:
        ValueError: an unknown name, a rho outside [0, 1], or a norm that the backbone cannot have.
        CheckpointError: the pretrained weights are not available or do not fit.
    """
    network, num_features = build_backbone(backbone)
    # Published files have BatchNorms: they are loaded first, and the new norms take their values.
    load_pretrained(network, pretrained)
    swap_norms(
        network,
        norm,
        rho=rho,
        rho_per=rho_per,
        in_affine=in_affine,
        early_stages=BACKBONES[backbone].early_stages,
    )
    if mixstyle:
        add_mixstyle(network, BACKBONES[backbone].first_stages, mixstyle)
    return Embedder(network, num_features, num_classes, precision=precision)

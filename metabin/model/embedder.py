"""The embedder: backbone, average pooling, BNNeck, classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metabin.model.backbone import build_backbone, swap_norms


class Embedder(nn.Module):
    """Images to features, and features to embeddings and logits.

        features  = mean over space of backbone(images)     (B, D)   the metric losses see these
        embedding = neck(features)                          (B, D)   the test compares these
        logits    = classifier(embedding)                   (B, C)   the cross-entropy sees these

    The neck is a BatchNorm whose bias stays 0 (the BNNeck of Luo et al. 2019), so that embeddings of identities spread
    around the origin; the classifier has no bias.

    Source: MetaBIN, section 4.1; reference heads/metalearning_head.py. The classifier keeps torch's own
    initialisation, which is what the reference ends up with (see docs/method.md).
    """

    def __init__(self, backbone: nn.Module, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = nn.BatchNorm1d(num_features)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(num_features, num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> features (B, D), before the neck."""
        return self.backbone(images).mean(dim=(2, 3))

    def classify(self, features: Tensor) -> Tensor:
        """(B, D) -> logits (B, C)."""
        return self.classifier(self.neck(features))

    @torch.inference_mode()
    def embed(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> embedding (B, D), after the neck. Call `eval()` first."""
        return self.neck(self(images))


def build_embedder(backbone: str, num_classes: int, *, norm: str = "bin", rho: float = 1.0) -> Embedder:
    """An untrained embedder.

    Args:
        backbone: a name in `metabin.model.backbone.BACKBONES`.
        num_classes: training identities.
        norm: "bn", "in" or "bin", put in place of every BatchNorm of the backbone.
        rho: start value of the balance, in [0, 1]; "bin" only.
    """
    network, num_features = build_backbone(backbone)
    return Embedder(swap_norms(network, norm, rho=rho), num_features, num_classes)

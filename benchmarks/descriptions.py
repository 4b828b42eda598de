"""Descriptions of models with random weights."""

from __future__ import annotations

from metabin.backbones import BACKBONES
from metabin.data.batches.loading import PIXEL_MEAN, PIXEL_STD
from metabin.model.description import ModelDescription


def description_of(backbone: str, height: int, width: int) -> ModelDescription:
    """Return the description of a model with batch-instance norms and one identity."""
    return ModelDescription(
        method="metabin",
        fold="final",
        held_out=(),
        seed=0,
        step=0,
        domains={},
        training="",
        backbone=backbone,
        norm="bin",
        rho_per="channel",
        num_classes=1,
        embedding_size=BACKBONES[backbone].num_features,
        height=height,
        width=width,
        pixel_mean=tuple(PIXEL_MEAN.tolist()),
        pixel_std=tuple(PIXEL_STD.tolist()),
        sha256="",
    )

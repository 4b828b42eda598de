"""Descriptions of models that tests build."""

from metabin.data.batches.loading import PIXEL_MEAN, PIXEL_STD
from metabin.model.description import ModelDescription
from metabin.model.embedder import Embedder


def describe_network(
    network: Embedder, backbone: str, norm: str, height: int, width: int, **values
) -> ModelDescription:
    """The description of a network as if it was trained on two data sets."""
    defaults = {
        "method": "metabin",
        "fold": "final",
        "held_out": (),
        "seed": 0,
        "step": 10,
        "domains": {"left": "a" * 64, "right": "b" * 64},
        "training": "c" * 64,
        "backbone": backbone,
        "norm": norm,
        "rho_per": "channel",
        "num_classes": network.classifier.out_features,
        "embedding_size": network.neck.num_features,
        "height": height,
        "width": width,
        "pixel_mean": tuple(PIXEL_MEAN.tolist()),
        "pixel_std": tuple(PIXEL_STD.tolist()),
        "sha256": "",
    }
    return ModelDescription(**(defaults | values))

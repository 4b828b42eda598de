"""Networks with values as after a training, and one exported model for all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from metabin.data.batches.loading import PIXEL_MEAN, PIXEL_STD
from metabin.export.onnx_file import export_onnx
from metabin.model.description import ModelDescription
from metabin.model.embedder import Embedder, build_embedder
from metabin.model.mobilenet import build_mobilenet
from metabin.model.norm import rho_of
from metabin.model.swapping import swap_norms

HEIGHT = 32
WIDTH = 16


@pytest.fixture(scope="session")
def make_network() -> Callable[..., Embedder]:
    """Return a function that builds a network in evaluation mode, with values as after a training."""

    def make(backbone: str = "resnet_small", norm: str = "bin", rho: float | None = None, **options) -> Embedder:
        random = torch.Generator().manual_seed(0)
        if backbone == "mobilenet":  # narrow, so that tests are quick
            layers = build_mobilenet(0.25)
            swap_norms(layers, norm, rho=1, early_stages=("conv1", "conv2", "conv3"), **options)
            network = Embedder(layers, 320, 5)
        else:
            network = build_embedder(backbone, 5, norm=norm, **options)
        for name, value in (*network.named_parameters(), *network.named_buffers()):
            if name.endswith("running_var"):
                value.data.uniform_(0.3, 2, generator=random)
            elif value.dim() == 1:  # affines and running means
                value.data.add_(torch.randn(value.shape, generator=random), alpha=0.3)
        for value in rho_of(network).values():
            value.data.uniform_(0, 1, generator=random)
            if rho is not None:
                value.data.fill_(rho)
        return network.eval()

    return make


@pytest.fixture(scope="session")
def network(make_network) -> Embedder:
    """A network whose rho differ per channel, and are 1 in one layer and 0 in another."""
    network = make_network()
    network.backbone.get_submodule("block1.norm1").rho.data.fill_(1)
    network.backbone.get_submodule("block2.norm1").rho.data.fill_(0)
    return network


@pytest.fixture(scope="session")
def description() -> ModelDescription:
    return ModelDescription(
        method="metabin",
        fold="campus",
        held_out=("campus",),
        seed=0,
        step=180,
        domains={"mall": "0123"},
        training="4567",
        backbone="resnet_small",
        norm="bin",
        rho_per="channel",
        num_classes=5,
        embedding_size=128,
        height=HEIGHT,
        width=WIDTH,
        pixel_mean=tuple(PIXEL_MEAN.tolist()),
        pixel_std=tuple(PIXEL_STD.tolist()),
        sha256="89ab",
    )


@pytest.fixture(scope="session")
def exported(network, description, tmp_path_factory) -> Path:
    """The file of `network`. Tests must not change it."""
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(network, description, path)
    return path

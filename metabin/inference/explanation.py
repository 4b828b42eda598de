"""Explanation of a similarity: the image regions that raise or lower it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from metabin.data.batches.loading import normalise
from metabin.errors import ConfigError
from metabin.inference.images import AnyImage, to_pixels
from metabin.inference.model import ReIDModel, TorchBackend
from metabin.model.embedder import Embedder


@dataclass(frozen=True, slots=True)
class PairExplanation:
    """The regions of two images, A and B, that matter for their similarity.

    Attributes:
        similarity: Cosine similarity of the images.
        regions: Grad-CAM of A and of B, (2, h, w) float32: positive regions raise the similarity,
            negative ones lower it. In the last maps of the network, the regions of each image sum
            to the similarity.
        layer: Layer of the backbone whose maps are explained; "" for the last maps.
    """

    similarity: float
    regions: np.ndarray
    layer: str = ""


def explain_pair(
    model: ReIDModel, image_a: AnyImage, image_b: AnyImage, *, layer: str = ""
) -> PairExplanation:
    """Compute Grad-CAM of the cosine similarity of two images, with captum.

    Args:
        model: A model in PyTorch.
        layer: Submodule of the backbone whose maps are explained, such as "block2"; "" for the
            last maps. Maps of earlier layers are finer and less related to the similarity.

    Raises:
        ConfigError: The model is an ONNX file, captum is not installed, or the layer is unknown.
        DatasetError: An image cannot be read.

    Sources: Selvaraju et al. 2017 (Grad-CAM); Stylianou et al. 2019 (regions of a similarity).
    """
    network = torch_network(model)
    height = model.description.height
    width = model.description.width
    pixels = np.stack([to_pixels(image, height, width) for image in (image_a, image_b)])
    device = next(network.parameters()).device
    images = normalise(torch.from_numpy(pixels).to(device))
    regions = _Regions(network)
    target = _find_layer(network, layer) if layer else regions.maps
    with torch.no_grad():
        unit = nn.functional.normalize(regions(images))
    maps = _grad_cam(regions, target, images, unit.flip(0), layer)
    return PairExplanation(float(unit[0] @ unit[1]), maps, layer)


def torch_network(model: ReIDModel) -> Embedder:
    """Return the network of a model.

    Raises:
        ConfigError: The model is an ONNX file.
    """
    if not isinstance(model.backend, TorchBackend):
        raise ConfigError(
            "an ONNX file has no gradients and no rho of its own; explain the folder of the "
            "training from which it was exported"
        )
    return model.backend.network


class _Regions(nn.Module):
    """The embedder with the neck before the mean over space, so that each region has an embedding.

    In evaluation mode the neck is an affine per channel, which commutes with the mean:

        embedding = neck(mean_r maps_r) = mean_r neck(maps_r)
    """

    def __init__(self, network: Embedder) -> None:
        super().__init__()
        self.maps = nn.Sequential(network.backbone, _NeckPerRegion(network.neck))

    def forward(self, images: Tensor) -> Tensor:
        return self.maps(images).mean(dim=(2, 3))


class _NeckPerRegion(nn.Module):
    """The neck applied to every position of maps, (B, D, h, w) -> (B, D, h, w)."""

    def __init__(self, neck: nn.BatchNorm1d) -> None:
        super().__init__()
        self.neck = neck

    def forward(self, maps: Tensor) -> Tensor:
        return self.neck(maps.flatten(2)).unflatten(2, maps.shape[2:])


def _grad_cam(
    regions: _Regions, target: nn.Module, images: Tensor, others: Tensor, layer: str
) -> np.ndarray:
    """Return Grad-CAM of the similarity of each image with another one, (B, h, w).

    Args:
        others: Embeddings of the other images, of unit length, (B, D).
    """
    try:
        from captum.attr import LayerGradCam
    except ImportError:
        raise ConfigError(
            "explaining a pair of images needs captum; install it with "
            "`pip install 'metabin[explain]'`"
        ) from None

    def similarity(batch: Tensor) -> Tensor:
        # a.b / (|a| |b|) with |a| and |b| held constant. Otherwise the gradient would be orthogonal
        # to a, and 0 for equal images. So sum_r neck(maps_r).b / (h w |a| |b|) is the similarity.
        embeddings = regions(batch)
        return (embeddings * others).sum(dim=1) / embeddings.detach().norm(dim=1)

    maps = cast(Tensor, LayerGradCam(similarity, target).attribute(images))
    if maps.ndim != 4 or maps.shape[2] * maps.shape[3] == 1:
        raise ConfigError(f"the layer {layer} has no maps of the image; name another one")
    return maps.detach()[:, 0].float().cpu().numpy()


def _find_layer(network: Embedder, layer: str) -> nn.Module:
    try:
        return network.backbone.get_submodule(layer)
    except AttributeError:
        known = ", ".join(name for name, _ in network.backbone.named_children())
        raise ConfigError(
            f"unknown layer {layer}; the backbone has {known}, and layers in these such as "
            "block1.conv2"
        ) from None

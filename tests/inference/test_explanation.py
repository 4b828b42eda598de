"""Explanations of a model: the regions of a pair of images, and rho by layer."""

import sys

import numpy as np
import pytest
import torch
from descriptions import describe_network
from PIL import Image

from metabin.data.batches.loading import normalise
from metabin.errors import ConfigError
from metabin.inference.explanation import explain_pair, torch_network
from metabin.inference.model import ReIDModel, TorchBackend
from metabin.inference.rho_table import rho_table
from metabin.inference.similarity import similarity
from metabin.model.embedder import build_embedder
from metabin.model.norm import rho_of

HEIGHT, WIDTH = 64, 32


def make_model(backbone="resnet_small", norm="bin"):
    """A model with random weights, with running statistics of a few batches."""
    torch.manual_seed(0)
    network = build_embedder(backbone, 5, norm=norm, rho=0.5)
    with torch.no_grad():
        for _ in range(5):
            network.classify(network(torch.randn(8, 3, HEIGHT, WIDTH)))
        network.neck.weight.uniform_(0.5, 2)
    description = describe_network(network, backbone, norm, HEIGHT, WIDTH)
    return ReIDModel(description, TorchBackend(network.eval(), torch.device("cpu")))


def make_images(count=2, seed=0):
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 8, 4, 3), np.uint8)
    return [np.asarray(Image.fromarray(image).resize((WIDTH, HEIGHT))) for image in coarse]


def contributions(model, images):
    """The share of each region in the cosine, by its definition: neck(maps).b / (h w |a| |b|)."""
    network = torch_network(model)
    with torch.no_grad():
        maps = network.backbone(normalise(torch.from_numpy(np.stack(images)))).double()
    neck = network.neck
    scale = (neck.weight / (neck.running_var + neck.eps).sqrt()).double()
    regions = (maps - neck.running_mean[:, None, None]) * scale[:, None, None]
    embeddings = regions.mean(dim=(2, 3))
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    shares = torch.einsum("bdhw,bd->bhw", regions, unit.flip(0)) / embeddings.norm(dim=1)[:, None, None]
    return (shares / shares[0].numel()).detach().numpy()


@pytest.mark.parametrize(
    ("backbone", "norm"), [("resnet_small", "bin"), ("resnet_small", "bn"), ("mobilenetv2_1.0", "bin")]
)
def test_the_regions_of_each_image_are_its_shares_in_the_similarity(backbone, norm):
    pytest.importorskip("captum")
    model = make_model(backbone, norm)
    images = make_images()
    explanation = explain_pair(model, *images)
    expected = similarity(*model.embed(images)).item()
    assert explanation.similarity == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(explanation.regions.sum(axis=(1, 2)), expected, atol=1e-5)
    np.testing.assert_allclose(explanation.regions, contributions(model, images), atol=1e-5)
    assert np.ptp(explanation.regions) > 1e-3


def test_equal_images_have_regions_too():
    pytest.importorskip("captum")
    (image,) = make_images(1)
    explanation = explain_pair(make_model(), image, image)
    assert explanation.similarity == pytest.approx(1)
    np.testing.assert_array_equal(*explanation.regions)
    assert explanation.regions.sum() == pytest.approx(2, abs=1e-5)


def test_earlier_layers_have_finer_regions_and_no_gradient_is_left():
    pytest.importorskip("captum")
    model = make_model()
    images = make_images()
    assert explain_pair(model, *images).regions.shape == (2, 8, 4)
    assert explain_pair(model, *images, layer="block1").regions.shape == (2, 32, 16)
    assert explain_pair(model, *images, layer="block2.conv1").regions.shape == (2, 16, 8)
    assert all(parameter.grad is None for parameter in torch_network(model).parameters())


@pytest.mark.bad_input("command line")
def test_an_unknown_layer_and_one_without_maps_are_refused():
    pytest.importorskip("captum")
    model = make_model()
    with pytest.raises(ConfigError, match="unknown layer block9; the backbone has conv, norm, block1"):
        explain_pair(model, *make_images(), layer="block9")


def test_without_captum_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ConfigError, match=r"needs captum; install it with `pip install 'metabin\[explain\]'`"):
        explain_pair(make_model(), *make_images())


def test_a_model_without_a_network_is_refused():
    model = make_model()
    exported = ReIDModel(model.description, lambda pixels: np.ones((len(pixels), 4), np.float32))
    with pytest.raises(ConfigError, match="an ONNX file has no gradients .* explain the folder of the training"):
        explain_pair(exported, *make_images())


def test_the_table_of_rho_counts_the_channels_near_0_and_1():
    network = build_embedder("resnet_small", 5, norm="bin", rho=0.5)
    rho = rho_of(network)
    with torch.no_grad():
        rho["backbone.block4.norm1.rho"].copy_(torch.linspace(0, 1, 128))
        rho["backbone.norm.rho"].fill_(0.95)
    table = rho_table(network).set_index("layer")
    assert len(table) == len(rho) + 1
    assert table.index[[0, -1]].tolist() == ["norm", "all"]
    assert table.loc["norm"].tolist() == pytest.approx([16, 0.95, 0.95, 0.95, 0, 1])
    assert table.loc["block4.norm1"].tolist() == pytest.approx([128, 0.5, 0.1, 0.9, 13 / 128, 13 / 128])
    assert table.loc["all", "num_rho"] == 720
    assert table.loc["all", "near_1"] == pytest.approx((16 + 13) / 720)


def test_one_rho_per_layer_is_one_row_per_layer():
    table = rho_table(build_embedder("resnet_small", 5, norm="bin", rho=0.25, rho_per="layer"))
    assert set(table["num_rho"][:-1]) == {1}
    assert set(table["mean"]) == {0.25}


def test_a_model_without_rho_is_refused():
    with pytest.raises(ConfigError, match="the norms of this model have no rho; expected is a model"):
        rho_table(build_embedder("resnet_small", 5, norm="bn"))

import pytest
import torch
from torch import nn

from metabin.backbones import BACKBONES, build_backbone
from metabin.model.embedder import build_embedder
from metabin.model.norm import BatchInstanceNorm2d, rho_of
from metabin.model.swapping import swap_norms

# norm layers, and the channels under them: from the papers' tables, stage by stage
COUNTS = {
    "resnet18": (1 + 4 + 3 * 5, 64 + 4 * 64 + 5 * 128 + 5 * 256 + 5 * 512),
    "resnet34": (1 + 6 + 9 + 13 + 7, 64 + 6 * 64 + 9 * 128 + 13 * 256 + 7 * 512),
    # a bottleneck of width w has w + w + 4 w channels, a downsampling branch 4 w
    "resnet50": (53, 64 + (3 * 6 + 4) * 64 + (4 * 6 + 4) * 128 + (6 * 6 + 4) * 256 + (3 * 6 + 4) * 512),
    "resnet101": (104, 64 + (3 * 6 + 4) * 64 + (4 * 6 + 4) * 128 + (23 * 6 + 4) * 256 + (3 * 6 + 4) * 512),
    # the instance halves of the 13 IBN layers are no BatchNorm
    "resnet50_ibn": (53, 26560 - 3 * 32 - 4 * 64 - 6 * 128),
    # the authors' 17088 without the 32 of an expansion in the first block
    "mobilenetv2_torchvision_1.0": (52, 17088 - 32),
    # channels are multiples of 8: 48, 24, 32, 48, 88, 136, 224, 448, 1792; a block has 6 in + 6 in + out
    "mobilenetv2_torchvision_1.4": (
        52,
        48
        + (48 + 24)
        + (12 * 24 + 32 + 12 * 32 + 32)
        + (12 * 32 + 48 + 2 * (12 * 48 + 48))
        + (12 * 48 + 88 + 3 * (12 * 88 + 88))
        + (12 * 88 + 136 + 2 * (12 * 136 + 136))
        + (12 * 136 + 224 + 2 * (12 * 224 + 224))
        + (12 * 224 + 448)
        + 1792,
    ),
}


def count(network):
    layers = [module for module in network.modules() if isinstance(module, BatchInstanceNorm2d)]
    return len(layers), sum(layer.rho.numel() for layer in layers)


def test_the_small_net_has_12_norm_layers_and_720_rho():
    network, num_features = build_backbone("resnet_small")
    assert count(swap_norms(network, "bin", rho=0.5)) == (12, 720)
    assert network(torch.randn(2, 3, 64, 32)).shape == (2, num_features, 8, 4)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("resnet50", "resnet50"),
        ("mobilenetv2_1.0", "mobilenetv2_x1.0"),
        ("mobilenetv2_1.4", "mobilenetv2_x1.4"),
    ],
)
def test_the_authors_backbones_have_as_many_layers_rho_and_parameters_as_the_reference(name, key, reference):
    expected = reference["census"][key]
    network, num_features = build_backbone(name)
    assert count(swap_norms(network, "bin", rho=1.0)) == (expected["n_bin_layers"], expected["n_rho"])
    assert sum(parameter.numel() for parameter in network.parameters()) == expected["n_params_total"]
    with torch.inference_mode():
        assert list(network.eval()(torch.randn(1, 3, 256, 128)).shape) == expected["out_shape_256x128"]
    assert num_features == expected["out_shape_256x128"][1]


@pytest.mark.parametrize("name", COUNTS)
def test_every_torchvision_backbone_has_the_norm_layers_of_its_table_and_a_last_stride_of_one(name):
    network, num_features = build_backbone(name)
    assert count(swap_norms(network, "bin", rho=1.0)) == COUNTS[name]
    with torch.inference_mode():
        assert network.eval()(torch.randn(1, 3, 256, 128)).shape == (1, num_features, 16, 8)


def test_the_authors_mobilenet_is_torchvisions_when_its_additional_expansion_does_nothing():
    authors, torchvision = (
        build_backbone(name)[0].eval() for name in ("mobilenetv2_1.0", "mobilenetv2_torchvision_1.0")
    )
    state = authors.state_dict()
    shared = [name for name in state if not name.startswith("conv2.0.conv1.")]
    expansion = authors.get_submodule("conv2.0.conv1")
    with torch.no_grad():
        for name, value in zip(shared, torchvision.state_dict().values(), strict=True):
            state[name].copy_(value)
        expansion.conv.weight.copy_(torch.eye(32)[:, :, None, None])
        expansion.bn.running_var.fill_(1 - expansion.bn.eps)
        images = torch.randn(1, 3, 64, 32)
        torch.testing.assert_close(authors(images), torchvision(images), atol=1e-5, rtol=1e-4)


def test_the_ibn_backbone_has_an_ibn_layer_where_the_published_files_have_one():
    state = build_backbone("resnet50_ibn")[0].state_dict()
    halves = {name: tuple(value.shape) for name, value in state.items() if name.endswith((".IN.weight", ".BN.weight"))}
    assert halves == {
        f"layer{stage}.{block}.bn1.{half}.weight": (width // 2,)
        for stage, blocks, width in ((1, 3, 64), (2, 4, 128), (3, 6, 256))
        for block in range(blocks)
        for half in ("IN", "BN")
    }


@pytest.mark.parametrize("name", [name for name, backbone in BACKBONES.items() if backbone.early_stages])
def test_early_stages_are_submodules_of_their_backbone(name):
    network = build_backbone(name)[0]
    for stage in BACKBONES[name].early_stages:
        assert list(network.get_submodule(stage).parameters())


def test_rho_starts_at_one_by_default_and_is_listed_in_network_order():
    model = build_embedder("resnet_small", 4)
    rho = rho_of(model)
    assert all((value == 1).all() for value in rho.values())
    assert list(rho)[0] == "backbone.norm.rho"
    assert list(rho)[-1].startswith("backbone.block4.")


def test_no_batch_norm_is_left_in_the_backbone_and_the_neck_is_one():
    model = build_embedder("resnet_small", 4, norm="in")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.backbone.modules())
    assert isinstance(model.neck, nn.BatchNorm1d)
    assert not model.neck.bias.requires_grad
    assert model.classifier.bias is None


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown backbone 'vgg'; known are \['mobilenetv2_1.0', .*'resnet_small'\]"):
        build_backbone("vgg")
    with pytest.raises(
        ValueError, match=r"unknown norm 'group'; known are \['bin', 'bin_plain', 'bin_shared', 'bn', 'dual', 'half'"
    ):
        build_embedder("resnet_small", 4, norm="group")

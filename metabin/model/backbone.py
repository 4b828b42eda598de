"""Backbones: ordinary networks with BatchNorm, in which the norm layers are then swapped."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

from metabin.model.norm import BatchInstanceNorm2d

NORMS: dict[str, Callable[[int, float], nn.Module]] = {
    "bn": lambda num_features, rho: nn.BatchNorm2d(num_features),
    "in": lambda num_features, rho: nn.InstanceNorm2d(num_features, affine=True),
    "bin": lambda num_features, rho: BatchInstanceNorm2d(num_features, rho=rho),
}


def build_backbone(name: str) -> tuple[nn.Module, int]:
    """The named network, mapping (B, 3, H, W) to (B, D, h, w), and its D."""
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}; known are {sorted(BACKBONES)}")
    return BACKBONES[name]()


def swap_norms(network: nn.Module, norm: str, *, rho: float) -> nn.Module:
    """Put the named normalisation in place of every BatchNorm2d, in place. Weights elsewhere are untouched."""
    if norm not in NORMS:
        raise ValueError(f"unknown norm {norm!r}; known are {sorted(NORMS)}")
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.BatchNorm2d):
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, NORMS[norm](layer.num_features, rho))
    return network


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with norms and a shortcut."""

    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(num_out)
        self.conv2 = nn.Conv2d(num_out, num_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(num_out)
        self.relu = nn.ReLU()
        self.shortcut = (
            nn.Identity()
            if num_in == num_out and stride == 1
            else nn.Sequential(nn.Conv2d(num_in, num_out, 1, stride, bias=False), nn.BatchNorm2d(num_out))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class SmallResNet(nn.Module):
    """The net of the embedded benchmark: four residual blocks for images of 64x32, small enough for a CPU.

    (B, 3, 64, 32) -> (B, 128, 8, 4); 12 norm layers, 720 channels under them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.block1 = ResidualBlock(16, 16, stride=1)
        self.block2 = ResidualBlock(16, 32, stride=2)
        self.block3 = ResidualBlock(32, 64, stride=2)
        self.block4 = ResidualBlock(64, 128, stride=1)  # last stride 1, as in every ReID backbone
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv(images)))
        return self.block4(self.block3(self.block2(self.block1(x))))


def _resnet50() -> tuple[nn.Module, int]:
    from torchvision.models import resnet50  # costs seconds to import; the small net does without

    network = resnet50(weights=None)
    for name in ("layer4.0.conv2", "layer4.0.downsample.0"):
        convolution = network.get_submodule(name)
        assert isinstance(convolution, nn.Conv2d)
        convolution.stride = (1, 1)  # last stride 1: a finer map before pooling
    parts = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    return nn.Sequential(
        OrderedDict({name: getattr(network, name) for name in parts})
    ), 2048  # without pooling and classifier


BACKBONES: dict[str, Callable[[], tuple[nn.Module, int]]] = {
    "resnet_small": lambda: (SmallResNet(), 128),
    "resnet50": _resnet50,
}

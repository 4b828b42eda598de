"""torchvision's residual networks, with norm, shortcut and ReLU fused."""

from __future__ import annotations

from torch import Tensor
from torchvision.models import resnet

from metabin.model.fused.layers import norm_relu


class BasicBlock(resnet.BasicBlock):
    """Two 3x3 convolutions and a shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        y = norm_relu(self.bn1, self.conv1(x))
        return norm_relu(self.bn2, self.conv2(y), _shortcut(self, x))


class Bottleneck(resnet.Bottleneck):
    """A 1x1, a 3x3 and a 1x1 convolution and a shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        y = norm_relu(self.bn1, self.conv1(x))
        y = norm_relu(self.bn2, self.conv2(y))
        return norm_relu(self.bn3, self.conv3(y), _shortcut(self, x))


BLOCKS: dict[str, tuple[type[BasicBlock | Bottleneck], list[int]]] = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet101": (Bottleneck, [3, 4, 23, 3]),
}


class Trunk(resnet.ResNet):
    """Residual network by name, without pooling and classifier.

    Shapes: (N, 3, H, W) -> (N, D, H / 32, W / 32).
    """

    def __init__(self, name: str) -> None:
        block, depths = BLOCKS[name]
        super().__init__(block, depths)
        del self.relu, self.avgpool, self.fc

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(norm_relu(self.bn1, self.conv1(images)))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def _shortcut(block: BasicBlock | Bottleneck, x: Tensor) -> Tensor:
    return block.downsample(x) if block.downsample else x

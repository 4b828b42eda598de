"""MobileNetV2 as in deep-person-reid, the variant that MetaBIN's authors train."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from metabin.model.fused.layers import norm_relu

# Expansion, channels at width 1, blocks, stride of the first block. The last stride, that of 160
# channels, is 1 instead of 2, as in every ReID backbone: it gives a finer map before pooling.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 1),
    (6, 320, 1, 1),
)


class ConvNorm(nn.Module):
    """Convolution that keeps the size at stride 1, then a norm and a ReLU6."""

    def __init__(
        self, num_in: int, num_out: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            num_in, num_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(num_out)

    def forward(self, x: Tensor) -> Tensor:
        return norm_relu(self.bn, self.conv(x), ceiling=6.0)


class InvertedResidual(nn.Module):
    """Inverted residual: expanding 1x1, depthwise 3x3 and linear 1x1 convolution.

    A shortcut is added where input and output have the same shape.
    """

    def __init__(self, num_in: int, num_out: int, expansion: int, stride: int) -> None:
        super().__init__()
        num_inside = num_in * expansion
        self.conv1 = ConvNorm(num_in, num_inside, 1)
        self.dwconv2 = ConvNorm(num_inside, num_inside, 3, stride=stride, groups=num_inside)
        self.conv3 = nn.Sequential(
            nn.Conv2d(num_inside, num_out, 1, bias=False), nn.BatchNorm2d(num_out)
        )
        self.residual = stride == 1 and num_in == num_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv3(self.dwconv2(self.conv1(x)))
        return x + y if self.residual else y


def build_mobilenet(width: float) -> nn.Sequential:
    """Build MobileNetV2: (N, 3, 256, 128) -> (N, int(1280 * width), 16, 8); 53 norm layers.

    Two things differ from torchvision's network. The first block expands too (by 1, with a
    convolution and a norm), and numbers of channels are truncated to integers instead of multiples
    of 8. Submodules are named as in deep-person-reid's files. Convolutions have torch's
    initialisation, as in the reference.

    Args:
        width: factor of all numbers of channels; published files exist for 1.0 and 1.4.
    Source: reference modeling/backbones/mobilenet_v2.py with LAST_STRIDE 1.
    """
    num_in = int(32 * width)
    layers = OrderedDict[str, nn.Module](conv1=ConvNorm(3, num_in, 3, stride=2))
    for index, (expansion, channels, num_blocks, stride) in enumerate(STAGES, start=2):
        num_out = int(channels * width)
        first = InvertedResidual(num_in, num_out, expansion, stride)
        others = [InvertedResidual(num_out, num_out, expansion, 1) for _ in range(num_blocks - 1)]
        layers[f"conv{index}"] = nn.Sequential(first, *others)
        num_in = num_out
    layers["conv9"] = ConvNorm(num_in, int(1280 * width), 1)
    return nn.Sequential(layers)

"""The network of the synthetic benchmark."""

from __future__ import annotations

from torch import Tensor, nn

from metabin.model.fused.layers import norm_relu


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with norms and a shortcut."""

    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(num_out)
        self.conv2 = nn.Conv2d(num_out, num_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(num_out)
        self.shortcut = (
            nn.Identity()
            if num_in == num_out and stride == 1
            else nn.Sequential(
                nn.Conv2d(num_in, num_out, 1, stride, bias=False), nn.BatchNorm2d(num_out)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        y = norm_relu(self.norm1, self.conv1(x))
        return norm_relu(self.norm2, self.conv2(y), self.shortcut(x))


class SmallResNet(nn.Module):
    """Network of the synthetic benchmark: four residual blocks for images of 64x32.

    It is small enough to be trained on a CPU. It has 12 norm layers with 720 channels in total.

    Shapes: (B, 3, 64, 32) -> (B, 128, 8, 4).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.block1 = ResidualBlock(16, 16, stride=1)
        self.block2 = ResidualBlock(16, 32, stride=2)
        self.block3 = ResidualBlock(32, 64, stride=2)
        self.block4 = ResidualBlock(64, 128, stride=1)  # last stride 1, as in every ReID backbone
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = norm_relu(self.norm, self.conv(images))
        return self.block4(self.block3(self.block2(self.block1(x))))

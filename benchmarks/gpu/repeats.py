"""Equal bits: two trainings with the same seed end with the same weights, in every precision."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.gpu.fabricated import fabricated_images, short_config
from benchmarks.gpu.rows import Row
from benchmarks.gpu.setting import Precision, Setting
from metabin.engine.trainer import Trainer

BACKBONES = ("resnet50", "mobilenetv2_1.0")


def rows(setting: Setting) -> Iterator[Row]:
    backbones = ("resnet_small",) if setting.small else BACKBONES
    for backbone in backbones:
        for precision in setting.precisions:
            first, second = (train(setting, backbone, precision) for _ in range(2))
            num_different = sum(not torch.equal(first[name], second[name]) for name in first)
            yield Row(
                f"{backbone} {precision}: two trainings with the same seed",
                num_different,
                f"of {len(first)} tensors differ",
                at_most=0,
                is_check=True,
            )


def train(setting: Setting, backbone: str, precision: Precision) -> dict[str, Tensor]:
    """Train for a few iterations and return the state on the CPU."""
    changes = {"model.backbone": backbone, "compute.precision": precision}
    config = short_config(setting.device, steps=3 if setting.small else 6, changes=changes)
    data = fabricated_images({"a": (8, 32), "b": (8, 32), "c": (8, 32)}, height=64, width=32)
    state = Trainer(config, data, "metabin", 0).run().state_dict()
    return {name: value.cpu() for name, value in state.items()}

"""Equality of the device and the CPU: iterations in float64, and a short training in float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.fabricated import fabricated_images, short_config
from benchmarks.gpu.rows import Row
from benchmarks.gpu.setting import CPU, SMALL, Setting, optimizers, random_batch
from metabin.engine.base_step import base_step
from metabin.engine.trainer import Trainer
from metabin.episodes.meta_step import meta_step
from metabin.model.embedder import Embedder, build_embedder

BACKBONES = ("resnet_small", "resnet50", "mobilenetv2_1.0", "mobilenetv2_torchvision_1.0")
NUM_CLASSES = 20
# Networks with random weights amplify rounding errors. Between two CPU implementations of the norm,
# losses and weights differ by 2e-11 after an iteration in float64, and losses by 1e-5 after five
# iterations in float32. Each further iteration multiplies that by up to 30.
FLOAT64_GOAL = 1e-8
FLOAT32_GOAL = 1e-3
FLOAT32_STEPS = 5


def rows(setting: Setting) -> Iterator[Row]:
    for backbone in BACKBONES[:1] if setting.small else BACKBONES:
        losses, state = compare_iterations(backbone, setting.device)
        what = f"{backbone}: base and meta step in float64"
        against = f"largest relative difference between {setting.device} and cpu"
        yield Row(f"{what}, losses", losses, "", against, at_most=FLOAT64_GOAL, is_check=True)
        against = "norm of the difference / norm of the update"
        yield Row(f"{what}, weights", state, "", against, at_most=FLOAT64_GOAL, is_check=True)
    yield training_in_float32(setting)


def compare_iterations(backbone: str, device: torch.device) -> tuple[float, float]:
    """Take the same base and meta step on the device and on the CPU, in float64.

    Returns:
        The largest relative difference of a loss; and ||s - t|| / ||t - t_0|| of the states s on
        the device, t on the CPU and t_0 before.
    """
    before, expected, expected_losses = iterate(backbone, CPU)
    _, actual, actual_losses = iterate(backbone, device)
    difference = float(np.abs(actual_losses / expected_losses - 1).max())
    return difference, float((actual - expected).norm() / (expected - before).norm())


def iterate(backbone: str, device: torch.device) -> tuple[Tensor, Tensor, np.ndarray]:
    """Take a base and a meta step in float64 on small random images.

    Returns:
        The state before and after, weights and running statistics in one vector on the CPU; and
        all losses.
    """
    torch.manual_seed(0)
    model = build_embedder(backbone, NUM_CLASSES, rho=0.5).double().train().to(device)
    model.to(memory_format=torch.channels_last)
    weights, rho = optimizers(model, fused=True)
    sizes = replace(SMALL, height=64, width=32)
    generator = torch.Generator().manual_seed(0)
    base, train, test = (
        random_batch(count, sizes, generator, device, dtype=torch.float64) for count in (5, 3, 2)
    )
    before = state_vector(model)
    scalars = base_step(model, base, weights) | meta_step(model, train, test, rho, 0.01)
    losses = np.array([value.item() for value in scalars.values()])
    return before, state_vector(model), losses


def state_vector(model: Embedder) -> Tensor:
    """Return all weights and running statistics as one vector on the CPU."""
    values = model.state_dict().values()
    return torch.cat([value.flatten().cpu() for value in values if value.is_floating_point()])


def training_in_float32(setting: Setting) -> Row:
    """Compare the losses of a short training on the device and on the CPU."""
    data = fabricated_images({"a": (8, 32), "b": (8, 32), "c": (8, 32)}, height=64, width=32)
    tables = []
    for device in (setting.device, CPU):
        trainer = Trainer(short_config(device, steps=FLOAT32_STEPS), data, "metabin", 0)
        trainer.run()
        tables.append(trainer.history.losses_table().drop(columns="step").to_numpy())
    actual, expected = tables
    # a loss can be near 0: the difference relative to the mean of its column
    difference = np.abs(actual - expected) / np.abs(expected).mean(axis=0)
    return Row(
        f"resnet_small: {FLOAT32_STEPS} iterations in float32, losses",
        float(difference.max()),
        "",
        f"largest relative difference between {setting.device} and cpu",
        at_most=FLOAT32_GOAL,
        is_check=True,
    )

"""A training iteration of ResNet-50 and MobileNetV2, against the textbook's and the machine.

An iteration is a base step and a meta step in float32: 32 images of 256x128 and 4 domains, 3 of
them in meta-train. Weights and images are random, since the cost does not depend on their values.
The speed of the arithmetic is compared with that of the fastest convolution. It counts the 5
forward passes that an image costs at least: 3 in the base step and 2 in the meta step, which needs
no gradients of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import pairs

if TYPE_CHECKING:
    import torch

    from metabin.model.embedder import Embedder

BACKBONES = ("mobilenetv2_1.0", "resnet50")
# Times faster, times less memory.
GOALS = {"mobilenetv2_1.0": (4.0, 3.0), "resnet50": (2.0, 2.0)}
SHARE_GOALS = {"mobilenetv2_1.0": None, "resnet50": 0.8}
NUM_META_TRAIN = 3  # of 4 domains
IMAGES_PER_ID = 4
PASSES = 5
BATCH = 32


def rows() -> Iterator[pairs.Row]:
    fastest = fastest_convolution()
    for backbone in BACKBONES:
        time_goal, memory_goal = GOALS[backbone]
        time, memory = pairs.compare_processes(
            f"{backbone}: base + meta step",
            "the textbook's composition",
            "benchmarks.step",
            f"ours:{backbone}",
            f"textbook_iteration:{backbone}",
            goal=time_goal,
            memory_goal=memory_goal,
        )
        yield time
        yield memory
        speed = PASSES * BATCH * forward_flops(backbone) / time.ours / 1e9
        yield pairs.Row(
            f"{backbone}: arithmetic of the step",
            "the fastest convolution here",
            speed,
            fastest,
            "GFLOP/s",
            speed / fastest,
            SHARE_GOALS[backbone],
        )


def ours(
    backbone: str,
    *,
    batch: int = BATCH,
    num_domains: int = 4,
    num_classes: int = 1000,
) -> Callable[[], None]:
    """Return the iteration as the trainer runs it."""
    import torch

    from metabin.engine.base_step import base_step
    from metabin.episodes.meta_step import meta_step
    from metabin.model.embedder import build_embedder
    from metabin.model.norm import rho_of

    prepare_machine()
    memory_format = torch.channels_last
    model = build_embedder(backbone, num_classes).train().to(memory_format=memory_format)
    for parameter in rho_of(model).values():
        parameter.requires_grad_(False)  # the meta step learns it
    steps = (partial(base_step, model), partial(meta_step, model))
    return iteration(model, *steps, batch, num_domains, memory_format=memory_format, fused=True)


def textbook_iteration(
    backbone: str,
    *,
    batch: int = BATCH,
    num_domains: int = 4,
    num_classes: int = 1000,
) -> Callable[[], None]:
    """Return the iteration as it is commonly written, on a machine prepared in the same way."""
    import torch

    from benchmarks import textbook
    from metabin.model.embedder import build_embedder

    prepare_machine()
    memory_format = torch.contiguous_format
    model = textbook.with_textbook_norms(build_embedder(backbone, num_classes, norm="bn")).train()
    steps = (partial(textbook.base_step, model), partial(textbook.meta_step, model))
    return iteration(model, *steps, batch, num_domains, memory_format=memory_format, fused=False)


def iteration(
    model: Embedder,
    base_step: Callable[..., object],
    meta_step: Callable[..., object],
    batch: int,
    num_domains: int,
    *,
    memory_format: torch.memory_format,
    fused: bool,
) -> Callable[[], None]:
    """Return a function that takes one base and one meta step on the same random images."""
    import torch
    from torch.optim import SGD

    from metabin.model.norm import rho_of
    from metabin.types import Batch

    rho = rho_of(model)
    parameters = model.named_parameters()
    weights = [value for name, value in parameters if name not in rho and value.requires_grad]
    optimizer = SGD(weights, lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=fused)
    rho_optimizer = SGD(list(rho.values()), lr=0.1, fused=fused)
    label = torch.arange(batch // IMAGES_PER_ID).repeat_interleave(IMAGES_PER_ID)
    domain = label * num_domains * IMAGES_PER_ID // batch
    images = torch.randn(batch, 3, 256, 128).to(memory_format=memory_format)

    def part(mask: torch.Tensor) -> Batch:
        return Batch(images[mask], label[mask], torch.zeros_like(label[mask]), domain[mask])

    num_meta_train = num_domains * NUM_META_TRAIN // 4
    full_batch = part(domain >= 0)
    meta_train = part(domain < num_meta_train)
    meta_test = part(domain >= num_meta_train)

    def run() -> None:
        base_step(full_batch, optimizer)
        meta_step(meta_train, meta_test, rho_optimizer, 1e-3)

    return run


def prepare_machine() -> None:
    """Use one thread, and keep freed memory as a training of ours does."""
    import torch

    from metabin import compute
    from metabin.config import Compute

    compute.prepare(
        Compute(
            device="cpu",
            devices=1,
            nodes=1,
            statistics="global",
            num_threads=1,
            precision="float32",
        )
    )
    torch.manual_seed(0)


def forward_flops(backbone: str) -> int:
    """Return the operations of one image, two for every product and sum in a convolution."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from metabin.backbones import build_backbone

    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        build_backbone(backbone)[0].eval()(torch.zeros(1, 3, 256, 128))
    return counter.get_total_flops()


def fastest_convolution() -> float:
    """Return the GFLOP/s of the fastest of some convolutions of ResNet-50, on one thread."""
    import torch

    prepare_machine()
    best = 0.0
    # Channels in and out, size of the kernel, height of the maps; the width is half the height.
    shapes = ((64, 3, 64), (128, 3, 32), (256, 3, 16), (256, 1, 64), (1024, 1, 16))
    for channels, kernel, height in shapes:
        layer = torch.nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)
        layer = layer.to(memory_format=torch.channels_last)
        x = torch.randn(BATCH, channels, height, height // 2)
        work = partial(layer, x.to(memory_format=torch.channels_last))
        with torch.inference_mode():
            seconds = min(pairs.processor_seconds(work) for _ in range(5))
        # A product and a sum for each weight, at every pixel of every image.
        flops = 2 * channels * channels * kernel * kernel * BATCH * height * height // 2
        best = max(best, flops / seconds / 1e9)
    return best


if __name__ == "__main__":
    pairs.main(rows)

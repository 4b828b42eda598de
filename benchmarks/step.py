"""One training iteration of ResNet-50 and MobileNetV2: against the textbook's, and against the machine.

A base step and a meta step, batch 32 of 4 domains, 256x128, 3 domains in meta-train, float32. Random weights and
images: no step here depends on what is in them. The share of the machine is that of the fastest convolution found, for
the 5 forward passes that an image costs at least (3 in the base step; 2 in the meta step, which needs no gradients of
weights).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import pairs

BACKBONES = ("mobilenetv2_1.0", "resnet50")
GOALS = {"mobilenetv2_1.0": (4.0, 3.0), "resnet50": (2.0, 2.0)}  # times faster, times less memory
SHARE_GOALS = {"mobilenetv2_1.0": None, "resnet50": 0.8}
NUM_META_TRAIN, IMAGES_PER_ID = 3, 4
PASSES = 5


def rows() -> Iterator[pairs.Row]:
    fastest = fastest_convolution()
    for backbone in BACKBONES:
        faster, smaller = GOALS[backbone]
        time, memory = pairs.apart(
            f"{backbone}: base + meta step",
            "the textbook's composition",
            "benchmarks.step",
            f"ours:{backbone}",
            f"textbooks:{backbone}",
            goal=faster,
            memory_goal=smaller,
        )
        yield from (time, memory)
        reached = PASSES * 32 * forward_flops(backbone) / time.ours / 1e9
        yield pairs.Row(
            f"{backbone}: arithmetic of the step",
            "the fastest convolution here",
            reached,
            fastest,
            "GFLOP/s",
            reached / fastest,
            SHARE_GOALS[backbone],
        )


def ours(backbone: str, *, batch: int = 32, num_domains: int = 4, num_classes: int = 1000) -> Callable[[], None]:
    """The iteration as the trainer runs it."""
    import torch

    from metabin.engine.learner import base_step, meta_step, rho_of
    from metabin.model.embedder import build_embedder

    machine()
    model = build_embedder(backbone, num_classes).train().to(memory_format=torch.channels_last)
    for parameter in rho_of(model).values():
        parameter.requires_grad_(False)  # the meta step learns it
    steps = partial(base_step, model), partial(meta_step, model)
    return iteration(model, *steps, batch, num_domains, memory_format=torch.channels_last, fused=True)


def textbooks(backbone: str, *, batch: int = 32, num_domains: int = 4, num_classes: int = 1000) -> Callable[[], None]:
    """The iteration as it is commonly written, on a machine that is prepared as for ours."""
    import torch

    from benchmarks import textbook
    from metabin.model.embedder import build_embedder

    machine()
    model = textbook.with_textbook_norms(build_embedder(backbone, num_classes, norm="bn")).train()
    steps = partial(textbook.base_step, model), partial(textbook.meta_step, model)
    return iteration(model, *steps, batch, num_domains, memory_format=torch.contiguous_format, fused=False)


def iteration(model, base_step, meta_step, batch, num_domains, *, memory_format, fused) -> Callable[[], None]:
    """A function that does one base and one meta step on the same random images."""
    import torch
    from torch.optim import SGD

    from metabin.engine.learner import rho_of
    from metabin.types import Batch

    rho = rho_of(model)
    weights = [p for name, p in model.named_parameters() if name not in rho and p.requires_grad]
    optimizer = SGD(weights, lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=fused)
    rho_optimizer = SGD(list(rho.values()), lr=0.1, fused=fused)
    label = torch.arange(batch // IMAGES_PER_ID).repeat_interleave(IMAGES_PER_ID)
    domain = label * num_domains * IMAGES_PER_ID // batch
    images = torch.randn(batch, 3, 256, 128).to(memory_format=memory_format)

    def part(chosen: torch.Tensor) -> Batch:
        return Batch(images[chosen], label[chosen], torch.zeros_like(label[chosen]), domain[chosen])

    num_meta_train = num_domains * NUM_META_TRAIN // 4
    everything, meta_train, meta_test = part(domain >= 0), part(domain < num_meta_train), part(domain >= num_meta_train)

    def run() -> None:
        base_step(everything, optimizer)
        meta_step(meta_train, meta_test, rho_optimizer, 1e-3)

    return run


def machine() -> None:
    """One thread, and memory handled as in a training of ours."""
    import torch

    from metabin import compute
    from metabin.config import Compute

    compute.prepare(Compute(device="cpu", num_threads=1, precision="float32"))
    torch.manual_seed(0)


def forward_flops(backbone: str) -> int:
    """Of one image: two for every product and sum in a convolution."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from metabin.model.backbone import build_backbone

    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        build_backbone(backbone)[0].eval()(torch.zeros(1, 3, 256, 128))
    return counter.get_total_flops()


def fastest_convolution() -> float:
    """GFLOP/s of the best of a few 3x3 and 1x1 convolutions with the shapes of ResNet-50, batch 32, one thread."""
    import torch

    machine()
    best = 0.0
    for channels, kernel, height in ((64, 3, 64), (128, 3, 32), (256, 3, 16), (256, 1, 64), (1024, 1, 16)):
        layer = torch.nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)
        layer = layer.to(memory_format=torch.channels_last)
        x = torch.randn(32, channels, height, height // 2).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            seconds = min(pairs.processor_seconds(lambda layer=layer, x=x: layer(x)) for _ in range(5))
        flops = 2 * channels * channels * kernel * kernel * 32 * height * height // 2
        best = max(best, flops / seconds / 1e9)
    return best


if __name__ == "__main__":
    pairs.main(rows)

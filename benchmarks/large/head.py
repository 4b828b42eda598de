"""The classifier of many identities: one step of neck, classifier and cross-entropy.

The law is linear in the number of classes C, with D features and B images in a batch:

    memory        16 C D bytes        weight, gradient and the two moments of Adam, float32
                + 4 B C bytes         for each matrix of logits that is held at a time
    arithmetic    6 B C D             one product forward, two backward
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import pairs
from benchmarks.large.line import Line, computed
from benchmarks.step import prepare_machine

SIZES = (20_000, 50_000, 100_000)
TARGET = 1_000_000
NUM_FEATURES = 2048
NUM_IDS = 20
NUM_IMAGES = 4
BATCH = NUM_IDS * NUM_IMAGES
SAMPLED = 0.1  # share of the classes that a sampled step compares with
RANKS = 8


def rows() -> Iterator[Line]:
    seconds = {}
    peaks = {}
    for size in SIZES:
        with pairs.Worker("benchmarks.large.head", f"whole:{size}") as worker:
            runs = [worker.run() for _ in range(4)][1:]
        seconds[size] = min(run.seconds for run in runs)
        peaks[size] = max(run.peak for run in runs)
        yield Line(f"{size:,} classes: a step", seconds[size], "s")
        yield Line(f"{size:,} classes: peak memory", peaks[size] / 1e9, "GB")
    first, last = SIZES[0], SIZES[-1]
    per_class = (peaks[last] - peaks[first]) / (last - first)
    slope = (seconds[last] - seconds[first]) / (last - first)
    yield Line("memory per class", per_class, "bytes")
    yield computed("memory per class: weight, gradient, moments", 16 * NUM_FEATURES, "bytes")
    yield Line("time per 1,000 classes", 1e6 * slope, "ms")
    with pairs.Worker("benchmarks.large.head", f"sampled:{last}") as worker:
        runs = [worker.run() for _ in range(4)][1:]
    share = f"{SAMPLED:.0%} of {last:,} classes"
    yield Line(f"{share}: a step", min(run.seconds for run in runs), "s")
    yield Line(f"{share}: peak memory", max(run.peak for run in runs) / 1e9, "GB")
    memory = peaks[last] + per_class * (TARGET - last)
    target = f"{TARGET:,} classes"
    yield computed(f"{target}: a step", seconds[last] + slope * (TARGET - last), "s")
    yield computed(f"{target}: memory", memory / 1e9, "GB")
    yield computed(f"{target}, a part on each of {RANKS} ranks: memory", memory / RANKS / 1e9, "GB")
    features = 4e-6 * BATCH * NUM_FEATURES
    yield computed("a part on each rank: features and gradient, sent per step", 2 * features, "MB")
    weight = 4e-6 * TARGET * NUM_FEATURES
    yield computed("a copy on each rank: gradient of the weight, sent per step", weight, "MB")


def whole(num_classes: str) -> Callable[[], None]:
    """Return a function that takes a step of all classes. Its first call allocates the head."""
    import torch
    from torch import nn

    from metabin.losses.cross_entropy import cross_entropy_loss

    prepare_machine()
    features, label = inputs(int(num_classes))
    layers: list[nn.Module] = []
    optimizers: list[torch.optim.Optimizer] = []

    def run() -> None:
        if not layers:
            classifier = nn.Linear(NUM_FEATURES, int(num_classes), bias=False)
            layers.append(nn.Sequential(nn.BatchNorm1d(NUM_FEATURES), classifier))
            optimizers.append(torch.optim.Adam(layers[0].parameters(), 1e-3, fused=True))
        optimizers[0].zero_grad()
        cross_entropy_loss(layers[0](features), label, smoothing=0.1).backward()
        optimizers[0].step()

    return run


def sampled(num_classes: str) -> Callable[[], None]:
    """Return a function that takes a step of the batch's classes and of random others.

    The method of Partial FC (An et al. 2021): weight, gradient and moments of the other classes are
    not touched.
    """
    import torch
    from torch import nn

    from metabin.losses.cross_entropy import cross_entropy_loss

    prepare_machine()
    size = int(num_classes)
    features, label = inputs(size)
    neck = nn.BatchNorm1d(NUM_FEATURES)
    state: list[torch.Tensor] = []  # weight and two moments

    def run() -> None:
        if not state:
            state.append(torch.randn(size, NUM_FEATURES).mul_(0.01))
            state.extend(torch.zeros(size, NUM_FEATURES) for _ in range(2))
        others = torch.randint(size, (round(SAMPLED * size) - NUM_IDS,))
        classes, position = torch.unique(torch.cat([label, others]), return_inverse=True)
        weight, mean, square = (tensor[classes] for tensor in state)
        weight.requires_grad_()
        logits = nn.functional.linear(neck(features), weight)
        cross_entropy_loss(logits, position[:BATCH], smoothing=0.1).backward()
        assert weight.grad is not None
        with torch.no_grad():  # Adam without the correction of its start
            mean.lerp_(weight.grad, 0.1)
            square.lerp_(weight.grad.square_(), 0.001)
            weight.addcdiv_(mean, square.sqrt().add_(1e-8), value=-1e-3)
            for tensor, changed in zip(state, (weight, mean, square), strict=True):
                tensor[classes] = changed

    return run


def inputs(num_classes: int) -> tuple:
    """Return features (B, D) with a gradient, and the labels of random identities (B,)."""
    import torch

    torch.manual_seed(0)
    label = torch.randperm(num_classes)[:NUM_IDS].repeat_interleave(NUM_IMAGES)
    return torch.randn(BATCH, NUM_FEATURES).requires_grad_(), label


if __name__ == "__main__":
    pairs.main(rows)

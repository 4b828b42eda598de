"""One training on several ranks: what they exchange in a step, and how much faster they are.

    python -m benchmarks.ranks                       on a CPU and on all GPUs of this machine
    python -m benchmarks.ranks --backbone resnet50

Bytes are those that a rank sends in an iteration, by kind, with the usual algorithms: a sum of n
bytes over R ranks sends 2 n (R - 1) / R of them, a gathering of n bytes from each R - 1 times n.
They are counted with torch's fake process group, in which a single process plays one of the ranks.
Every rank has as many images, so the batch grows with their number; efficiency is the time of one
rank alone over that of several.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stages import cli

if TYPE_CHECKING:
    import torch

RANKS = (2, 4, 8, 64)
IDS_PER_RANK, IMAGES_PER_ID, NUM_DOMAINS, NUM_META_TRAIN = 8, 4, 4, 3
SIZES = {
    "cpu": (64, 32),
    "cuda": (256, 128),
}  # height and width; what is sent does not depend on it
NUM_CLASSES = 1000
REPEATS = {"cpu": 3, "cuda": 20}
KINDS = (GRADIENTS, STATISTICS, FEATURES) = ("gradients", "statistics of norms", "features")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="mobilenetv2_1.0", help="as model.backbone")
    parser.add_argument("--rank-on", choices=SIZES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rank_on:
        measure_rank(args.backbone, args.rank_on)
        return
    print(communication(args.backbone))
    print(scaling(args.backbone))


def communication(backbone: str) -> str:
    """Return a Markdown table of the megabytes that a rank sends in an iteration."""
    import torch
    from torch import distributed as dist
    from torch.testing._internal.distributed.fake_pg import FakeStore

    lines = ["| ranks | operations | " + " | ".join(f"{kind}, MB" for kind in KINDS) + " |"]
    lines.append("| ---: " * (2 + len(KINDS)) + "|")
    for num_ranks in RANKS:
        dist.init_process_group("fake", rank=0, world_size=num_ranks, store=FakeStore())
        iterate = iteration(backbone, torch.device("cpu"))
        with counted(num_ranks) as (sent, operations):
            iterate()
        dist.destroy_process_group()
        cells = " | ".join(f"{sent[kind] / 1e6:.2f}" for kind in KINDS)
        lines.append(f"| {num_ranks} | {operations['all']} | {cells} |")
    return "\n".join(lines)


@contextmanager
def counted(num_ranks: int) -> Iterator[tuple[Counter[str], Counter[str]]]:
    """Count bytes by kind, and operations, within the context."""
    from torch import distributed as dist

    sent: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    all_reduce, all_gather = dist.all_reduce, dist.all_gather

    def count_sum(tensor: torch.Tensor, *arguments: Any) -> Any:
        # A sum of two numbers per channel is that of a norm; those of gradients are flat.
        kind = STATISTICS if tensor.ndim == 2 and len(tensor) == 2 else GRADIENTS
        sent[kind] += round(2 * tensor.nbytes * (num_ranks - 1) / num_ranks)
        operations["all"] += 1
        return all_reduce(tensor, *arguments)

    def count_gathering(parts: list[torch.Tensor], tensor: torch.Tensor, *arguments: Any) -> Any:
        sent[STATISTICS if tensor.ndim == 3 else FEATURES] += tensor.nbytes * (num_ranks - 1)
        operations["all"] += 1
        return all_gather(parts, tensor, *arguments)

    dist.all_reduce, dist.all_gather = count_sum, count_gathering
    try:
        yield sent, operations
    finally:
        dist.all_reduce, dist.all_gather = all_reduce, all_gather


def scaling(backbone: str) -> str:
    """Return a Markdown table of the seconds of an iteration on 1, 2, 4 ... devices."""
    import torch

    lines = ["| device | ranks | seconds | efficiency |", "| --- | ---: | ---: | ---: |"]
    numbers = {"cpu": min(os.cpu_count() or 1, 4), "cuda": torch.cuda.device_count()}
    for device, number in numbers.items():
        alone = 0.0
        for num_ranks in [2**power for power in range(number.bit_length()) if number]:
            seconds = timed(backbone, device, num_ranks)
            alone = alone or seconds
            lines.append(f"| {device} | {num_ranks} | {seconds:.3g} | {alone / seconds:.2f} |")
    return "\n".join(lines)


def timed(backbone: str, device: str, num_ranks: int) -> float:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_ranks}"]
    rank = ["-m", "benchmarks.ranks", "--backbone", backbone, "--rank-on", device]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launcher, *rank], env=environment, check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure_rank(backbone: str, device: str) -> None:
    """Time iterations on this rank; the first one prints the median."""
    import torch

    from metabin.model.distributed import process_group, rank

    torch.set_num_threads(1)
    with process_group(device):
        iterate = iteration(backbone, torch.device(device))
        iterate()
        seconds = []
        for _ in range(REPEATS[device]):
            start = time.perf_counter()
            iterate()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        if rank() == 0:
            print(sorted(seconds)[len(seconds) // 2])


def iteration(backbone: str, device: torch.device) -> Callable[[], None]:
    """Return a base step and a meta step on this rank's share of random batches."""
    import torch

    from metabin.engine.base_step import base_step
    from metabin.episodes.meta_step import meta_step
    from metabin.model.distributed import num_ranks
    from metabin.model.embedder import build_embedder
    from metabin.model.joined import join_statistics
    from metabin.model.norm import rho_of
    from metabin.types import Batch

    torch.manual_seed(0)
    model = build_embedder(backbone, NUM_CLASSES, rho=0.5).train()
    if num_ranks() > 1:
        join_statistics(model.backbone)
    model = model.to(device).to(memory_format=torch.channels_last)
    weights = [value for name, value in model.named_parameters() if not name.endswith("rho")]
    optimizer = torch.optim.SGD(weights, lr=1e-3)
    rho_optimizer = torch.optim.SGD(list(rho_of(model).values()), lr=0.1)

    def batch(first: int, num_domains: int) -> Batch:
        num_ids = IDS_PER_RANK * num_domains // NUM_DOMAINS
        label = torch.arange(num_ids * num_ranks()).repeat_interleave(IMAGES_PER_ID).to(device)
        images = torch.randn(num_ids * IMAGES_PER_ID, 3, *SIZES[device.type], device=device)
        images = images.to(memory_format=torch.channels_last)
        return Batch(images, label, torch.zeros_like(label), first + label % num_domains)

    batches = batch(0, NUM_DOMAINS), batch(0, NUM_META_TRAIN), batch(NUM_META_TRAIN, 1)

    def iterate() -> None:
        base_step(model, batches[0], optimizer)
        meta_step(model, *batches[1:], rho_optimizer, 0.1)

    return iterate


if __name__ == "__main__":
    cli.run(main)

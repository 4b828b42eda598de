"""Time and peak memory of one training iteration: base step and meta step, ResNet-50 and MobileNetV2, batch 32.

Each backbone is measured in a process of its own, on one thread: seconds are processor seconds, medians over the
repeats; the peak is what the process holds at most, less what it held before its first step. Prints a table, and the
same as JSON with --json. Random weights and images: no step here depends on what is in them.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

BACKBONES = ("resnet50", "mobilenetv2_1.0")
NUM_DOMAINS, NUM_META_TRAIN, IDS_PER_DOMAIN, IMAGES_PER_ID = 4, 3, 2, 4
NUM_CLASSES, HEIGHT, WIDTH = 1000, 256, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="iterations that count, after one that does not")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--measure", choices=BACKBONES, help=argparse.SUPPRESS)  # the process of one backbone
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args.repeats)))
        return
    rows = []
    for name in BACKBONES:
        command = [sys.executable, "-m", "benchmarks.step", "--measure", name, "--repeats", str(args.repeats)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'backbone':<18}{'base s':>9}{'meta s':>9}{'sum s':>9}{'peak GB':>10}")
    for row in rows:
        total = row["base_seconds"] + row["meta_seconds"]
        print(
            f"{row['backbone']:<18}{row['base_seconds']:>9.2f}{row['meta_seconds']:>9.2f}{total:>9.2f}"
            f"{row['peak_bytes'] / 1e9:>10.2f}"
        )


def measure(backbone: str, repeats: int) -> dict[str, object]:
    """Median processor seconds of the two steps, and the peak memory that they add, of one backbone."""
    import torch
    from torch.optim import SGD

    from metabin.engine.learner import base_step, meta_step, rho_of
    from metabin.model.embedder import build_embedder
    from metabin.types import Batch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build_embedder(backbone, NUM_CLASSES).train()
    rho = rho_of(model)
    for parameter in rho.values():
        parameter.requires_grad_(False)
    weights = SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3, momentum=0.9, weight_decay=5e-4)
    rho_optimizer = SGD(list(rho.values()), lr=0.1)
    label = torch.arange(NUM_DOMAINS * IDS_PER_DOMAIN).repeat_interleave(IMAGES_PER_ID)
    domain = label // IDS_PER_DOMAIN
    images = torch.randn(len(label), 3, HEIGHT, WIDTH)

    def part(chosen: torch.Tensor) -> Batch:
        return Batch(images[chosen], label[chosen], torch.zeros_like(label[chosen]), domain[chosen])

    before = peak_bytes()
    seconds: dict[str, list[float]] = {"base": [], "meta": []}
    for _ in range(repeats + 1):
        start = time.process_time()
        base_step(model, part(domain >= 0), weights)
        middle = time.process_time()
        meta_step(model, part(domain < NUM_META_TRAIN), part(domain >= NUM_META_TRAIN), rho_optimizer, 1e-3)
        seconds["base"].append(middle - start)
        seconds["meta"].append(time.process_time() - middle)
    return {
        "backbone": backbone,
        "batch": len(label),
        "base_seconds": statistics.median(seconds["base"][1:]),
        "meta_seconds": statistics.median(seconds["meta"][1:]),
        "peak_bytes": peak_bytes() - before,
    }


def peak_bytes() -> int:
    """The most memory that this process has held so far (Linux counts kilobytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()

"""One part of the command, in a process with a device of its own: a failure ends no other part.

python -m benchmarks.gpu.part norm [--small]      prints rows, one JSON object per line
"""

from __future__ import annotations

import argparse
import importlib
import json
from dataclasses import asdict

import torch

from benchmarks.gpu.setting import Setting
from stages import cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a module of benchmarks/gpu with a function `rows`")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = importlib.import_module(f"benchmarks.gpu.{arguments.name}")
    for row in module.rows(Setting(device, arguments.small)):
        print(json.dumps(asdict(row)), flush=True)


if __name__ == "__main__":
    cli.run(main)

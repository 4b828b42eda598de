"""The GPUs of this machine, without importing torch, which takes 3 s."""

from __future__ import annotations

import os
import subprocess
from itertools import cycle, islice, takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metabin.config import Compute


def visible_gpus() -> list[str]:
    """Return the names by which CUDA_VISIBLE_DEVICES selects the GPUs that this process may use.

    These are the entries of CUDA_VISIBLE_DEVICES if it is set, and otherwise the numbers of the
    GPUs that nvidia-smi lists; [] without either.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        names = [name.strip() for name in listed.split(",")]
        return list(takewhile(lambda name: name not in ("", "-1"), names))  # CUDA stops there too
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    except OSError:  # no driver
        return []
    # "GPU 0: NVIDIA H100 (UUID: ...)"; the lines of MIG partitions are indented
    gpus = [line for line in done.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(gpus))]


def job_environments(compute: Compute, jobs: int | None) -> list[dict[str, str]]:
    """Return the additions to the environment of every job that runs at the same time.

    Args:
        compute: on "auto" and "cuda" a job sees as many GPUs as a training has devices, if there
            are any.
        jobs: their number. None: as many as there are GPUs for, since a training leaves no room for
            another, or cores.
    """
    gpus = visible_gpus() if compute.device != "cpu" else []
    size = compute.devices
    if not gpus:
        return [{}] * (jobs or max((os.cpu_count() or 1) // size, 1))
    groups = [",".join(gpus[first : first + size]) for first in range(0, len(gpus), size)]
    whole = groups[: len(gpus) // size] or groups  # with too few GPUs, the training says so
    return [{"CUDA_VISIBLE_DEVICES": group} for group in islice(cycle(whole), jobs or len(whole))]

"""The GPUs of this machine, without importing torch, which takes 3 s."""

from __future__ import annotations

import os
import subprocess
from itertools import cycle, islice, takewhile


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


def job_environments(device: str, jobs: int | None) -> list[dict[str, str]]:
    """Return the additions to the environment of every job that runs at the same time.

    Args:
        device: compute.device; on "auto" and "cuda" a job sees one GPU, if there are any.
        jobs: their number. None: one per GPU, since a training leaves no room for another, or one
            per core.
    """
    gpus = visible_gpus() if device != "cpu" else []
    if not gpus:
        return [{}] * (jobs or os.cpu_count() or 1)
    return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in islice(cycle(gpus), jobs or len(gpus))]

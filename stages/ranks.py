"""Start the ranks that share one training: one per device, on one machine or several.

torch's elastic agent, which `torchrun` runs too, starts the ranks, watches them, and ends all of
them when one fails. `compute.devices` and `compute.nodes` say how many. On several machines without
Slurm, run this on each of them, with the address of one:

    python -m stages.ranks --endpoint HOST:29400 -- stages.train --fold campus --seed 0
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from metabin.errors import ConfigError, UserError
from stages import cli

if TYPE_CHECKING:
    from metabin.config import Compute

ERROR_FILE = "TORCHELASTIC_ERROR_FILE"  # set by the agent: where a rank reports why it failed
PORT = 29400  # of the machine where the ranks meet


def main() -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--endpoint", required=True, help="HOST:PORT where the machines meet")
    parser.add_argument("--id", default="metabin", help="of the training; the same on each machine")
    parser.add_argument("command", nargs="+", help="module of the stage, and its arguments")
    args = parser.parse_args()

    from metabin.config import load_config

    run_ranks(load_config().compute, args.command, args.endpoint, args.id)


def share_with_ranks(compute: Compute, module: str, arguments: Sequence[str]) -> None:
    """Run this command on ranks and exit, if there are several and this process is none of them.

    Raises:
        ConfigError: several machines, but no job of Slurm with as many.
    """
    if "WORLD_SIZE" in os.environ or compute.devices * compute.nodes == 1:
        return
    if compute.nodes == 1:
        run_ranks(compute, [module, *arguments], "", "metabin")
    if (given := os.environ.get("SLURM_JOB_NUM_NODES", "no job")) != str(compute.nodes):
        raise ConfigError(
            f"compute.nodes is {compute.nodes}, but Slurm gives {given}; submit with "
            f"sbatch --nodes={compute.nodes}, or start python -m stages.ranks on each machine"
        )
    job = os.environ["SLURM_JOB_ID"]
    meeting = ["--endpoint", f"{os.uname().nodename}:{PORT + int(job) % 1000}", "--id", job]
    on_each = ["srun", f"--nodes={given}", f"--ntasks={given}", "--ntasks-per-node=1"]
    ranks = [sys.executable, "-m", "stages.ranks", *meeting, "--", module, *arguments]
    sys.exit(subprocess.run([*on_each, *ranks]).returncode)


def run_ranks(compute: Compute, command: Sequence[str], endpoint: str, identity: str) -> NoReturn:
    """Run a command on the ranks of this machine, and exit with 0 when all have ended.

    Args:
        endpoint: where machines meet; "" if there is only one.
        identity: of the training, the same on all machines.
    Raises:
        UserError: a rank has failed, or the machines do not meet.
    """
    if endpoint:
        _check_address(endpoint)
    # Else torch prints a stack trace for every attempt to connect.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # what it says is said below
    os.environ.setdefault("OMP_NUM_THREADS", str(compute.num_threads))
    config = LaunchConfig(
        min_nodes=compute.nodes,
        max_nodes=compute.nodes,
        nproc_per_node=compute.devices,
        run_id=identity,
        rdzv_backend="c10d",
        rdzv_endpoint=endpoint or "localhost:0",
        rdzv_configs={"join_timeout": 300},  # seconds
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", *command)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        report: Any = failure.message  # a text, or what `reported_failure` has written
        text = report if isinstance(report, str) else report["message"]
        raise UserError(f"rank {rank} of the training failed: {text}") from None
    except RendezvousError as error:
        raise UserError(
            f"{compute.nodes} machines did not meet at {endpoint} ({error}); the address must be "
            "that of one of them, its port free, and every machine must run the same command"
        ) from None
    except SignalException as error:
        sys.exit(128 + error.sigval)
    sys.exit(0)


def _check_address(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.getaddrinfo(host, int(port))
    except (OSError, ValueError) as error:
        raise UserError(
            f"--endpoint is {endpoint} ({error}); expected is HOST:PORT, the name of one of the "
            "machines as all of them know it, and a free port there"
        ) from None


@contextmanager
def reported_failure() -> Iterator[None]:
    """Report the failure of a rank to the agent, which prints one message for all ranks."""
    path = os.environ.get(ERROR_FILE)
    try:
        yield
    except Exception as error:
        if not path:
            raise
        is_expected = isinstance(error, (UserError, FloatingPointError))
        text = str(error) if is_expected else traceback.format_exc()
        # When a rank fails, the others lose their connection to it, which is no cause.
        delay = 60 if not is_expected and "distributed" in text else 0
        extra = {"timestamp": str(int(time.time()) + delay)}
        Path(path).write_text(json.dumps({"message": {"message": text, "extraInfo": extra}}))
        sys.exit(1)


if __name__ == "__main__":
    cli.run(main)

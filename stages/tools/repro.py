"""Run the whole pipeline, with its trainings and evaluations side by side.

DVC runs stages one after the other. The trainings do not depend on one another, and the evaluations
only on the trainings of their fold, so several `dvc repro --single-item` run at once; a plain
`dvc repro` then runs the other stages. Stages that are up to date are skipped. What other
configurations left behind is removed first: see `stages.tools.remove_leftovers`.

Several machines share the trainings: each runs `--shard 1/4`, `--shard 2/4` ..., which pushes the
results to the DVC remote; then one runs `--pull`, which restores them and runs the rest.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from metabin.errors import UserError
from stages import cli, layout, shards, workspace
from stages.fork_client import fork_server
from stages.live_view import LiveView
from stages.side_by_side import EVALUATIONS, FINAL_TRAININGS, TRAININGS, reproduce_all
from stages.stage_times import StageTimes, duration
from stages.tools import remove_leftovers
from stages.tools.gpus import job_environments

if TYPE_CHECKING:
    from metabin.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        help="trainings at a time (default: one per GPU, or without a GPU one per core)",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--shard", metavar="I/N", help="run and push the I-th of N parts of the trainings"
    )
    group.add_argument("--pull", action="store_true", help="restore what the shards have pushed")
    args = parser.parse_args()

    from metabin.config import load_config

    start = time.monotonic()
    config = load_config()
    shard = shards.parse(args.shard) if args.shard else None
    if shard or args.pull:
        shards.require_remote()
    with workspace.only_run():
        run_all(config, shard, args.jobs, pull=args.pull)
    result = conclusion() if not shard else f"part {args.shard} of the trainings is in the remote."
    print(f"== {result} Took {duration(time.monotonic() - start)}.")


def run_all(config: Config, shard: tuple[int, int] | None, jobs: int | None, *, pull: bool) -> None:
    """Run all stages, or push a part of the trainings.

    Raises:
        UserError: a stage that ran beside others has failed.
    """
    remove_leftovers.remove_leftovers()
    # All trainings read the folds that partition writes, so it runs first and alone.
    cli.dvc("repro", "partition")
    stale = json.loads(cli.dvc("status", "--json", capture=True))
    if shard:
        trainings = shards.trainings(*shard)
        run(config, [name for name in trainings if name in stale], jobs, pull=True)
        shards.push(trainings)
        return
    prefixes = (*FINAL_TRAININGS, *TRAININGS, *EVALUATIONS)
    names = [name for prefix in prefixes for name in stale if name.startswith(prefix)]
    if failed := run(config, names, jobs, pull=pull):
        reasons = "".join(f"\n  {name}: {text}" for name, text in failed.items())
        raise UserError(
            f"{len(failed)} of {len(names)} trainings and evaluations have not succeeded:{reasons}"
            "\nThe whole output of each is above. Run one alone with "
            f"`dvc repro --single-item {next(iter(failed))}`; the same command as now runs these "
            "and what is left"
        )
    workspace.require_no_other()
    cli.dvc("repro")  # what is left, as the report


def run(config: Config, names: Sequence[str], jobs: int | None, *, pull: bool) -> dict[str, str]:
    """Run stages side by side, the longest trainings first. Return those that failed, and why.

    Args:
        names: of the stages; evaluations after trainings.
        jobs: stages at a time; None: as many as the machine has devices for.
        pull: restore results from the remote where they are there.
    """
    if not names:
        return {}
    slots = job_environments(config.compute, jobs)
    times = StageTimes(config, len(slots))
    trainings = [name for name in names if not name.startswith(EVALUATIONS)]
    trainings.sort(key=lambda name: -(times.expected(name) or 0))
    names = [*trainings, *(name for name in names if name.startswith(EVALUATIONS))]
    view = LiveView(names, len(slots), times)
    title = f"{len(names)} trainings and evaluations, {len(slots)} at a time"
    print(f"== {title}{view.estimate()}", flush=True)
    with fork_server(), view.shown() as environment:
        failed = reproduce_all(names, [slot | environment for slot in slots], view, pull=pull)
    remove_leftovers.tidy_lock()
    return failed


def conclusion() -> str:
    """Return what was best, and where to look."""
    from metabin.report.style import styles_for
    from metabin.stage_files import read_json

    summary = read_json(layout.REPORTS / "summary.json")
    unseen = {
        name: values["unseen"]["mAP"] for name, values in summary.items() if "unseen" in values
    }
    ranked = sorted((name for name in unseen if unseen[name] is not None), key=unseen.__getitem__)
    styles = styles_for(ranked)
    means = ", ".join(f"{styles[name].label} {100 * unseen[name]:.1f}" for name in ranked[::-1])
    return (
        f"Unseen mAP in percent: {means}. "
        f"Report: {layout.REPORTS / 'index.html'}; all runs: `make ui`."
    )


if __name__ == "__main__":
    cli.run(main)

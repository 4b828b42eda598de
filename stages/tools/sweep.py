"""Search for good parameters of one method, on the sources alone.

Optuna proposes values, the folds are trained with them, and a trial's score is the mean source mAP
of the folds: on identities of the training domains that were held out. No image of a held-out
domain is read. After every fold a trial that is worse than the median of the others is stopped.

A sweep that was stopped goes on by the same command. Every whole trial becomes a DVC experiment
NAME-0, NAME-1 ... of this repository; its trainings and score are in MLflow. The table of all
trials is sweeps/NAME.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages import cli, layout

RESULTS = Path("sweeps")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="what to try, as examples/sweep.yaml")
    parser.add_argument("--name", help="of the sweep (default: that of the file)")
    parser.add_argument("--trials", type=int, help="in all (default: as the file says)")
    parser.add_argument(
        "-j", "--jobs", type=int, help="trainings at a time: see stages.tools.repro"
    )
    args = parser.parse_args()
    name = args.name or args.file.stem
    root = Path.cwd()

    from metabin import locks
    from metabin.config import load_config, read_values
    from metabin.config.editing import flatten
    from metabin.tracking import share_store
    from stages.fork_client import fork_server
    from stages.sweeps import plan, results, study, workspace
    from stages.sweeps.trials import Sweep
    from stages.tools.gpus import job_environments

    config = load_config()
    values = flatten(read_values(Path("params.yaml")))
    sweep_plan = plan.read_plan(args.file, trials=args.trials)
    plan.require_fit(sweep_plan, config, values)
    with locks.hold(root / layout.lock(f"sweep-{name}"), f"runs the sweep {name}"):
        workspace.require_ready()
        share_store()
        commit = workspace.enter(name)
        workspace.link_weights(root, config.pretrained_files)
        params = (root / workspace.PARAMS).read_text()
        slots = job_environments(config.compute, args.jobs)
        sweep = Sweep(name, sweep_plan, config, root, commit, params, slots)
        folder = root / RESULTS
        folder.mkdir(exist_ok=True)
        inputs = workspace.inputs(sweep_plan.parameters, values, sweep.folds)
        trials = study.open_study(folder / f"{name}.journal", sweep_plan, inputs)
        study.propose_again(trials, sweep_plan, values)
        with fork_server():
            study.run_trials(trials, sweep, folder / f"{name}.csv")
    print(results.conclusion(trials, name))


if __name__ == "__main__":
    cli.run(main)

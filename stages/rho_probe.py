"""What the learned rho of a fold's trainings does: the networks scored with their rho forced or shifted."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stages import cli, layout, leftovers

if TYPE_CHECKING:
    from metabin.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", required=True, help="the held-out domain")
    fold = parser.parse_args().fold

    import pandas as pd

    from metabin import compute, tracking
    from metabin.config import load_config
    from metabin.data import store
    from metabin.evaluation import rho_probe, scoring
    from metabin.files import write_text
    from metabin.model.weights import load_model

    config = load_config()
    leftovers.remove(layout.MODELS / fold, leftovers.model_outputs(config))
    device, seed = compute.prepare(config.compute), config.protocol.seeds[0]
    manifest = store.load_manifest(layout.PARTITION, fold)
    tests = [rho_probe.smaller(test) for test in scoring.load_tests(layout.PARTITION, manifest) if not test.trial]
    rows = []
    for name in explained_methods(config):
        method, own = config.of(name)
        model = load_model(layout.training(fold, name, seed) / "weights.safetensors", own.model, method, device)
        forced = rho_probe.forced(model) if name == config.protocol.meta_learned[0] else []  # most of the work
        changes = rho_probe.shifted(model) + forced
        key = {"fold": fold, "method": name, "seed": seed}
        with cli.progress(f"explain {fold}/{name}", len(changes) * len(tests), "test") as done:
            for row in rho_probe.score(model, changes, tests, device):
                rows.append(key | row)
                done(1)
    columns = [*rho_probe.COLUMNS]
    table = pd.DataFrame(rows, columns=columns)
    text = table.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    write_text(layout.rho_probe(fold) / "rho.csv", text)
    with tracking.open_run("explain", fold, tags={"fold": fold}) as run:
        run.table("rho", table)
        shifts = table[table["kind"] == "shift"].groupby(["method", "role", "value"])["mAP"].mean().reset_index()
        for row in shifts.to_dict("records"):
            run.metrics({f"shift.{row['method']}/{row['role']}/{row['value']:+.2f}": row["mAP"]})


def explained_methods(config: Config) -> tuple[str, ...]:
    """The first of those that learn rho in episodes, and the one that learns it jointly, if they are run."""
    from metabin.engine import methods

    learned = [name for name in config.protocol.methods if methods.find(config.of(name)[0]).rho_learner]
    return tuple(name for name in ("bin_joint", config.protocol.meta_learned[0]) if name in learned)


if __name__ == "__main__":
    cli.run(main)

"""Score the networks of one fold with their rho forced or shifted after training."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stages import cli, layout, leftovers
from stages.trained import load_trained

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from metabin.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", required=True, help="the held-out domain")
    fold = parser.parse_args().fold

    from metabin import compute
    from metabin.config import load_config
    from metabin.files import write_csv

    config = load_config()
    leftovers.remove(layout.MODELS / fold, leftovers.model_outputs(config))
    table = probe(config, fold, compute.prepare(config.compute))
    write_csv(layout.rho_probe(fold) / "rho.csv", table)


def probe(config: Config, fold: str, device: torch.device) -> pd.DataFrame:
    """Score every change of rho of every probed method, with the first seed."""
    import pandas as pd

    from metabin.data import store
    from metabin.evaluation import rho_probe
    from metabin.evaluation.scoring import load_tests

    seed = config.protocol.seeds[0]
    tests = load_tests(layout.PARTITION, store.load_manifest(layout.PARTITION, fold))
    # Of several trials, the first is enough.
    reduced = [rho_probe.reduce_test(test) for test in tests if test.trial in (None, 0)]
    rows = []
    for name in probed_methods(config):
        model = load_trained(fold, name, seed, device)
        changes = rho_probe.shifted_rho(model)
        if name == config.protocol.meta_learned[0]:  # forcing groups takes most of the time
            changes += rho_probe.forced_rho(model)
        key = {"fold": fold, "method": name, "seed": seed}
        total = len(changes) * len(reduced)
        with cli.progress(f"rho probe {fold}/{name}", total, "test") as advance:
            for row in rho_probe.score_changes(model, changes, reduced, device):
                rows.append(key | row)
                advance(1)
    return pd.DataFrame(rows, columns=list(rho_probe.COLUMNS))


def probed_methods(config: Config) -> tuple[str, ...]:
    """Return BIN joint and the first meta-learned method, if they are run and learn rho."""
    from metabin.registry import find_method

    names = ("bin_joint", config.protocol.meta_learned[0])
    run = config.protocol.methods
    return tuple(
        name for name in names if name in run and find_method(config.of(name)[0]).learns_rho
    )


if __name__ == "__main__":
    cli.run(main)

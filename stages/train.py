"""Train one method on the sources of a fold with one seed; choose a checkpoint on the sources."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from stages import cli, layout, ranks
from stages import training_records as records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from metabin.config import Config
    from metabin.engine.trainer import Trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", required=True, help="the held-out domain; final: hold none out")
    parser.add_argument(
        "--method", default="metabin", help="bn, in, bin_joint, metabin ...: see docs/method.md"
    )
    parser.add_argument("--seed", type=int, required=True, help="of the training")
    args = parser.parse_args()

    from metabin.config import load_config

    pipeline = load_config()
    ranks.share_with_ranks(pipeline.compute, "stages.train", sys.argv[1:])

    from metabin.model.distributed import process_group

    with ranks.reported_failure(), process_group(pipeline.compute.device):
        train(pipeline, args.fold, args.method, args.seed)


def train(pipeline: Config, fold: str, method: str, seed: int) -> None:
    """Train, and write what comes out if this is the first rank or the only one."""
    from metabin import locks
    from metabin.card.training import CARD
    from metabin.data import store
    from metabin.engine.run import Folders, take_part, train_and_select
    from metabin.files import write_text
    from metabin.model import distributed

    key = (fold, method, seed)
    manifest = store.load_manifest(layout.PARTITION, fold)
    training = prepare(pipeline, manifest, method, seed)
    folders = Folders(layout.training(*key), layout.PARTITION, layout.resume_states())
    code = layout.training_code()
    if distributed.rank() > 0:
        take_part(training, manifest, folders, code)
        return
    title = f"{fold}/{method}/seed-{seed}"
    with (
        locks.hold(layout.lock(f"{fold}-{method}-{seed}"), f"trains {title}"),
        records.open_training(pipeline, manifest, method, seed) as run,
        cli.progress(title, training.times.num_steps, "step") as advance,
    ):
        watch = records.watcher(run, advance)
        table = train_and_select(
            training, manifest, method, folders, code, watch, lambda past: records.record(run, past)
        )
        write_text(folders.output / CARD, card(pipeline, training, manifest, folders.output, table))
        records.record_end(run, *key)


def prepare(pipeline: Config, manifest: Mapping[str, Any], name: str, seed: int) -> Trainer:
    """Return the training of a method or variant on the sources of a fold."""
    from metabin.data.batches import loading
    from metabin.engine.run import source_names
    from metabin.engine.trainer import Trainer
    from metabin.model.pretrained import require_unchanged
    from metabin.registry import find_method

    method_name, config = pipeline.of(name)
    method = find_method(method_name)
    require_unchanged(config.model.pretrained_file, manifest["files"])
    names = source_names(config.optim.num_sources, manifest)
    sources = loading.load_part(layout.PARTITION, manifest, names, "train")
    target = None
    if method.learns_on_target:  # the ceiling, which trains on the queries held out
        targets = tuple(manifest["targets"])
        target = loading.load_part(layout.PARTITION, manifest, targets, "query")
    return Trainer(config, sources, method, seed, target=target)


def card(
    pipeline: Config,
    training: Trainer,
    manifest: Mapping[str, Any],
    folder: Path,
    selection: pd.DataFrame,
) -> str:
    """Return the model card of a training that wrote its results into a folder."""
    from metabin.card.training import TrainingFacts, training_card
    from metabin.model.description import read_description
    from metabin.stage_files import read_csv

    description = read_description(folder / "config.json")
    counts = {name: manifest["domains"][name]["counts"]["train"] for name in description.domains}
    facts = TrainingFacts(
        description=description,
        config=training.config,
        method=training.method.name,
        num_parameters=sum(parameter.numel() for parameter in training.model.parameters()),
        domains={name: (count["ids"], count["images"]) for name, count in counts.items()},
        synthetic=[name for name in counts if name not in pipeline.data.local],
        selection=selection,
        source_scores=read_csv(folder / "source_scores.csv"),
        rho_histograms=training.history.histogram_table(),
    )
    return training_card(facts)


if __name__ == "__main__":
    cli.run(main)

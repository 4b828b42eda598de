"""Train one method on the sources of a fold with one seed; choose a checkpoint on the sources."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from stages import cli, layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from metabin.config import Config
    from metabin.engine.trainer import Trainer, Watcher
    from metabin.tracking import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", required=True, help="the held-out domain; final: hold none out")
    parser.add_argument(
        "--method", default="metabin", help="bn, in, bin_joint, metabin ...: see docs/method.md"
    )
    parser.add_argument("--seed", type=int, required=True, help="of the training")
    args = parser.parse_args()

    from metabin import tracking
    from metabin.card.training import CARD
    from metabin.config import load_config
    from metabin.data import store
    from metabin.engine.run import Folders, train_and_select
    from metabin.files import write_text

    pipeline = load_config()
    key = (args.fold, args.method, args.seed)
    manifest = store.load_manifest(layout.PARTITION, args.fold)
    training = prepare(pipeline, manifest, args.method, args.seed)

    title = f"{args.fold}/{args.method}/seed-{args.seed}"
    tags = {"fold": args.fold, "method": args.method, "seed": str(args.seed)}
    with (
        tracking.open_run("train", title, tags=tags) as run,
        cli.progress(title, training.times.num_steps, "step") as advance,
    ):
        run.params(training.config.model_dump())
        describe_data(run, pipeline, manifest, training.config.optim.num_sources)
        folders = Folders(layout.training(*key), layout.PARTITION, layout.resume_states())
        watch = watcher(run, advance)
        table = train_and_select(
            training, manifest, args.method, folders, layout.training_code(), watch
        )
        run.table("rho/histograms", training.history.histogram_table())
        run.table("selection", table)
        write_text(folders.output / CARD, card(pipeline, training, manifest, folders.output, table))
        # model.safetensors has the weights of the last step
        scores = {"source_mAP": float(table["source_mAP"].iloc[-1])}
        tracking.log_model(run, folders.output, scores)


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


def describe_data(
    run: Run, config: Config, manifest: Mapping[str, Any], num_sources: int | str
) -> None:
    """Record which data the training reads."""
    from metabin.data import store
    from metabin.engine.run import source_names

    domains = manifest["domains"]
    run.tags({f"fingerprint.{name}": domains[name]["fingerprint"] for name in domains})
    folders = layout.raw_folders(config.protocol)
    for name in source_names(num_sources, manifest):
        run.dataset(
            store.records_table(layout.PARTITION, name),
            name=name,
            source=str(folders[name]),
            digest=domains[name]["sha256"],
            context="train",
        )


def card(
    pipeline: Config,
    training: Trainer,
    manifest: Mapping[str, Any],
    folder: Path,
    selection: pd.DataFrame,
) -> str:
    """Return the model card of a training that wrote its results into a folder."""
    import pandas as pd

    from metabin.card.training import TrainingFacts, training_card
    from metabin.model.description import read_description

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
        source_scores=pd.read_csv(folder / "source_scores.csv"),
        rho_histograms=training.history.histogram_table(),
    )
    return training_card(facts)


def watcher(run: Run, advance: Callable[[int], None]) -> Watcher:
    """Return the function that reports every step to the progress bar and to MLflow."""
    reached = 0

    def watch(step: int, scalars: dict[str, float], rho: dict[str, np.ndarray]) -> None:
        nonlocal reached
        advance(step + 1 - reached)  # more than one where a killed training resumes
        reached = step + 1
        run.metrics(scalars, step)
        run.rho(rho, step)

    return watch


if __name__ == "__main__":
    cli.run(main)

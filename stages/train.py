"""Train one method on the sources of a fold with one seed; choose a checkpoint on the sources."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from stages import cli, layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from metabin.config import Config
    from metabin.data.batches.loading import ImageSet
    from metabin.engine.trainer import Watcher
    from metabin.tracking import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", required=True, help="the held-out domain")
    parser.add_argument(
        "--method", default="metabin", help="bn, in, bin_joint, metabin ...: see docs/method.md"
    )
    parser.add_argument("--seed", type=int, required=True, help="of the training")
    args = parser.parse_args()

    from metabin import tracking
    from metabin.config import load_config
    from metabin.data import store
    from metabin.data.batches import loading
    from metabin.engine.run import Folders, source_names, train_and_select
    from metabin.engine.trainer import Trainer
    from metabin.model.pretrained import require_unchanged
    from metabin.registry import find_method

    pipeline = load_config()
    key = (args.fold, args.method, args.seed)
    name, config = pipeline.of(args.method)
    method = find_method(name)
    manifest = store.load_manifest(layout.PARTITION, args.fold)
    require_unchanged(config.model.pretrained_file, manifest["files"])
    names = source_names(config.optim.num_sources, manifest)
    sources = loading.load_part(layout.PARTITION, manifest, names, "train")
    target = load_target(manifest) if method.learns_on_target else None
    training = Trainer(config, sources, method, args.seed, target=target)

    title = f"{args.fold}/{args.method}/seed-{args.seed}"
    tags = {"fold": args.fold, "method": args.method, "seed": str(args.seed)}
    with (
        tracking.open_run("train", title, tags=tags) as run,
        cli.progress(title, training.times.num_steps, "step") as advance,
    ):
        run.params(config.model_dump())
        describe_data(run, pipeline, manifest, names)
        folders = Folders(layout.training(*key), layout.PARTITION, layout.resume_states())
        watch = watcher(run, advance)
        table = train_and_select(training, manifest, folders, layout.training_code(), watch)
        run.table("rho/histograms", training.history.histogram_table())
        run.table("selection", table)
        run.file(layout.weights(*key), "model")


def load_target(manifest: Mapping[str, Any]) -> ImageSet:
    """Return the queries of the held-out domains, for the ceiling that learns on them."""
    from metabin.data.batches import loading

    return loading.load_part(layout.PARTITION, manifest, tuple(manifest["targets"]), "query")


def describe_data(
    run: Run, config: Config, manifest: Mapping[str, Any], sources: tuple[str, ...]
) -> None:
    """Record which data the training reads."""
    from metabin.data import store

    domains = manifest["domains"]
    run.tags({f"fingerprint.{name}": domains[name]["fingerprint"] for name in domains})
    folders = layout.raw_folders(config.protocol)
    for name in sources:
        run.dataset(
            store.records_table(layout.PARTITION, name),
            name=name,
            source=str(folders[name]),
            digest=domains[name]["sha256"],
            context="train",
        )


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

"""The MLflow run of a training: recorded while it runs, or from its files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from metabin.types import FINAL
from stages import layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from metabin.config import Config
    from metabin.engine.history import History
    from metabin.engine.trainer import Watcher
    from metabin.progress import Advance
    from metabin.rho_channels import RhoChannels
    from metabin.tracking import Run


@contextmanager
def open_training(
    pipeline: Config, manifest: Mapping[str, Any], method: str, seed: int, *, is_live: bool = True
) -> Iterator[Run]:
    """Open the run of a training, and record what the training reads.

    Args:
        pipeline: all parameters.
        manifest: of the fold.
        is_live: whether the training takes place now.
    """
    from metabin import tracking

    fold = manifest["fold"]
    _, config = pipeline.of(method)
    key = {"fold": fold, "method": method, "seed": str(seed)}
    tags = {**key, **_fingerprints(manifest), "recorded": "live" if is_live else "from its files"}
    title = f"{fold}/{method}/seed-{seed}"
    name = run_name(pipeline, fold, method, seed)
    with tracking.open_run("train", title, name=name, tags=tags, is_live=is_live) as run:
        run.params({**key, **run.changes.values})
        run.document("params.yaml", config.model_dump(mode="json"))
        describe_data(run, pipeline, manifest, config.optim.num_sources)
        yield run


def run_name(pipeline: Config, fold: str, method: str, seed: int) -> str:
    """Return the name of a training for people, e.g. "MetaBIN, campus held out"."""
    from metabin.registry import find_method

    label = method if method in pipeline.variants else find_method(method).label
    trained_on = "all domains" if fold == FINAL else f"{fold} held out"
    which = f", seed {seed}" if len(pipeline.protocol.seeds) > 1 else ""
    return f"{label}, {trained_on}{which}"


def describe_data(
    run: Run, config: Config, manifest: Mapping[str, Any], num_sources: int | str
) -> None:
    """Record which data the training reads."""
    from metabin.data import store
    from metabin.engine.run import source_names

    domains = manifest["domains"]
    folders = layout.raw_folders(config.protocol)
    for name in source_names(num_sources, manifest):
        run.dataset(
            store.records_table(layout.PARTITION, name),
            name=name,
            source=str(folders[name]),
            digest=domains[name]["sha256"],
            context="train",
        )


def watcher(run: Run, advance: Advance) -> Watcher:
    """Return the function that reports every step to the progress bar and to MLflow."""
    reached = 0
    text = ""

    def watch(step: int, scalars: dict[str, float], rho: dict[str, np.ndarray]) -> None:
        nonlocal reached, text
        if scalars:
            losses = [(name, value) for name, value in scalars.items() if name[:3] != "lr/"]
            text = ", ".join(f"{name} {value:.2f}" for name, value in losses)
        advance(step + 1 - reached, text)  # more than one step where a killed training resumes
        reached = step + 1
        run.metrics(scalars, step)
        run.rho(rho, step)

    return watch


def record(run: Run, history: History) -> None:
    """Record what a training did before it was killed: its new run has none of it."""
    _record_curves(run, history.losses, history.rho_channels())


def _record_curves(run: Run, losses: Sequence[Mapping[Any, Any]], channels: RhoChannels) -> None:
    for row in losses:
        scalars = {str(name): value for name, value in row.items() if value == value}
        run.metrics(scalars, int(scalars.pop("step")))
    for index, step in enumerate(channels.steps):
        run.rho({name: rho[index] for name, rho in channels.layers.items()}, int(step))


def record_end(run: Run, fold: str, method: str, seed: int) -> None:
    """Record what a training has written: tables, and the model."""
    from metabin.stage_files import read_csv

    folder = layout.training(fold, method, seed)
    histograms = read_csv(folder / "rho_histograms.csv", ("step", "layer", "count"))
    selection = read_csv(folder / "selection.csv", ("step", "source_mAP"))
    if not histograms.empty:
        run.table("rho/histograms", histograms)
    run.table("selection", selection)
    # model.safetensors has the weights of the last step
    run.model(folder, {"source_mAP": 100 * float(selection["source_mAP"].iloc[-1])})


def record_from_files(pipeline: Config, fold: str, method: str, seed: int) -> None:
    """Record a finished training that has no run, for `tracking.deliver`.

    Training curves and pictures of rho come from the files of its history.
    """
    from metabin.data import store
    from metabin.rho_channels import FILE, read_channels
    from metabin.stage_files import read_csv

    folder = layout.training(fold, method, seed)
    manifest = store.load_manifest(layout.PARTITION, fold)
    with open_training(pipeline, manifest, method, seed, is_live=False) as run:
        losses = read_csv(folder / "losses.csv", ("step",)).to_dict("records")
        _record_curves(run, losses, read_channels(folder / FILE))
        record_end(run, fold, method, seed)


def _fingerprints(manifest: Mapping[str, Any]) -> dict[str, str]:
    domains = manifest["domains"].items()
    return {f"fingerprint.{name}": entry["fingerprint"] for name, entry in domains}

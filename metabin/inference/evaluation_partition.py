"""The data sets of a partition, with their tests in its folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metabin.data import store
from metabin.errors import ConfigError, DatasetError
from metabin.files import resolve_local
from metabin.inference.evaluation_data import EvaluationData, Source


def from_partition(
    partition: Path, names: Sequence[str], *, fold: str = "", preferred: Sequence[str] = ()
) -> list[EvaluationData]:
    """Return data sets of a partition with their tests in a fold.

    Args:
        partition: Folder that the stage `partition` wrote.
        names: Of the data sets; empty for all that the fold tests.
        fold: Of the partition. "" chooses, for each data set, the first fold that tests it: of
            `preferred`, then of those that hold it out, then of the others.
        preferred: Folds, such as the one that a model was trained for; unknown ones are ignored.

    Raises:
        DatasetError: The partition is missing or incomplete.
        ConfigError: A fold or a data set is unknown, or is not tested.
    """
    manifests = _load_manifests(partition)
    if fold and fold not in manifests:
        raise ConfigError(f"unknown fold {fold}; {partition} has {', '.join(manifests)}")
    preferred = [name for name in preferred if name in manifests]
    if names:
        folds = [fold or _find_fold(partition, manifests, name, preferred) for name in names]
    elif fold or preferred:
        chosen = fold or preferred[0]
        manifest = manifests[chosen]
        domains = (*manifest["targets"], *manifest["sources"])
        names = [name for name in domains if _is_tested(manifest, name)]
        if not names:
            raise ConfigError(
                f"the fold {chosen} tests nothing: all images train. Name data sets with --domain, "
                f"of {', '.join(_domains(manifests))}"
            )
        folds = [chosen] * len(names)
    else:
        raise ConfigError(
            f"{partition} does not have the model's fold; name data sets with --domain, of "
            f"{', '.join(_domains(manifests))}"
        )
    return [
        _read(partition, manifests, chosen, name) for name, chosen in zip(names, folds, strict=True)
    ]


def _load_manifests(partition: Path) -> dict[str, dict[str, Any]]:
    """Return the manifests of all folds by name."""
    names = sorted(path.stem for path in (partition / "folds").glob("*.json"))
    if not names:
        raise DatasetError(
            f"{partition} is no partition: it has no folds/*.json. Run `dvc repro partition` in "
            "the folder of the project, name a partition with --partition, or a folder of data "
            "sets with --data"
        )
    return {name: store.load_manifest(partition, name) for name in names}


def _domains(manifests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted({name for manifest in manifests.values() for name in manifest["domains"]})


def _is_tested(manifest: Mapping[str, Any], name: str) -> bool:
    """Return whether a fold has query images of a data set."""
    entry = manifest["domains"].get(name, {})
    return bool(entry) and bool(entry["rows"]["query"] or entry.get("trials"))


def _find_fold(
    partition: Path,
    manifests: Mapping[str, Mapping[str, Any]],
    name: str,
    preferred: Sequence[str],
) -> str:
    # A held-out data set is tested with all its people, a source only with those that do not train.
    targets = [fold for fold, manifest in manifests.items() if name in manifest["targets"]]
    for fold in (*preferred, *targets, *manifests):
        if _is_tested(manifests[fold], name):
            return fold
    _require_known(partition, manifests, name)
    raise ConfigError(
        f"no fold of {partition} tests {name}: all its images train. Set "
        "partition.num_train_ids to a number, or add it to protocol.domains"
    )


def _require_known(partition: Path, manifests: Mapping[str, Mapping[str, Any]], name: str) -> None:
    known = _domains(manifests)
    if name not in known:
        raise ConfigError(
            f"unknown domain {name}; {partition} has {', '.join(known)}. For a data set outside of "
            "the partition give its folder with --data"
        )


def _read(
    partition: Path, manifests: Mapping[str, Mapping[str, Any]], fold: str, name: str
) -> EvaluationData:
    """Return a data set with its tests in a fold."""
    manifest = manifests[fold]
    if not _is_tested(manifest, name):
        _require_known(partition, manifests, name)
        tested = [domain for domain in manifest["domains"] if _is_tested(manifest, domain)]
        raise ConfigError(
            f"the fold {fold} does not test {name}; it tests {', '.join(tested) or 'nothing'}"
        )
    num_trials = store.num_trials(manifest, name)
    trials = range(num_trials) if num_trials else [None]
    domains = manifest["domains"]
    records, pixels = store.load_domain(partition, name)
    return EvaluationData(
        name,
        domains[name]["fingerprint"],
        records,
        _image_folder(partition, name),
        [
            (
                store.part_rows(manifest, name, "query", trial),
                store.part_rows(manifest, name, "gallery", trial),
            )
            for trial in trials
        ],
        has_trials=bool(num_trials),
        pixels=pixels,
        fold=fold,
        sources={
            source: Source(
                domains[source]["fingerprint"], domains[source]["counts"]["train"]["ids"]
            )
            for source in manifest["sources"]
        },
    )


def _image_folder(partition: Path, name: str) -> Path:
    """Return the folder of a data set's images: relative to the working folder or the project."""
    root = store.load_image_roots(partition)[name]
    folder = resolve_local(root)
    in_project = partition.resolve().parents[1] / root  # the project has data/partition
    return in_project if in_project.is_dir() and not folder.is_dir() else folder

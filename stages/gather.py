"""The inputs of the report: the outputs of all configured folds, methods and seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages import layout
from stages.gather_records import load_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from metabin.config import Config
    from metabin.report.inputs import ReportInputs

SYNTHETIC = "A program renders the people, the sites and the images; no real person is shown."
NUM_SAMPLES = 16  # images per domain


def gather(config: Config) -> ReportInputs:
    """Return the inputs of the report."""
    from metabin.data import store
    from metabin.data.partition.folds import datasets, describe, leave_one_out
    from metabin.data.partition.protocols import summary
    from metabin.report.inputs import ReportInputs
    from metabin.report.provenance import provenance
    from metabin.results import published, tables

    protocol = config.protocol
    folds = leave_one_out(protocol.domains, protocol.sources, protocol.groups, protocol.sources_of)
    names = [fold.name for fold in folds]
    domains = datasets(folds)
    roots = store.load_image_roots(layout.PARTITION)
    images = {name: store.load_records(layout.PARTITION, name)[:NUM_SAMPLES] for name in domains}
    manifests = [store.load_manifest(layout.PARTITION, name) for name in names]
    data = [entry for manifest in manifests for entry in manifest["domains"].items()]
    digests = {name: entry["sha256"] for name, entry in data}
    memberships = [manifest["protocol"] for manifest in manifests]
    protocol_name = common_protocol(memberships)
    records = load_records(config, names)
    scores = records["scores"]
    table = published.load(layout.PROTOCOLS / "published.csv")
    return ReportInputs(
        title=f"MetaBIN, {describe(*folds) if len(folds) == 1 else 'leave one domain out'}",
        note=note(config, roots, list(map(summary, folds, memberships)), protocol_name),
        folds=tuple(names),
        domains=domains,
        methods=protocol.methods,
        bases={name: changes["method"] for name, changes in config.variants.items()},
        column_groups=column_groups(tables.cells_of(scores, "unseen", names, domains)),
        image_root=layout.ROOT,
        image_folders=tuple(roots.values()),
        samples={name: [str(roots[name] / row.path) for row in images[name]] for name in domains},
        published=published.compare(scores, table, protocol_name, backbone=config.model.backbone),
        provenance=provenance(config.model_dump(), digests, layout.ROOT),
        **records,
    )


def note(config: Config, roots: Mapping[str, Path], summaries: Sequence[str], protocol: str) -> str:
    """Return a remark on the data: people are rendered, or the protocol of each fold.

    Args:
        roots: data set -> folder of its images.
        summaries: one text per fold, with its protocol.
        protocol: the protocol that all folds follow; "" for none.
    """
    if is_synthetic(roots):
        return f"{SYNTHETIC} Protocol: {protocol}." if protocol else SYNTHETIC
    unfit = [name for name in config.data.accept_unfit if name in roots]
    failed = [f"used although the data set check fails: {', '.join(unfit)}"] if unfit else []
    return ". ".join([*summaries, *failed]) + "."


def common_protocol(memberships: Sequence[Mapping[str, Any]]) -> str:
    """Return the one protocol of the folds without deviations; "" if there are none or several."""
    names = {item["name"] for item in memberships if not item["deviations"]}
    return names.pop() if len(names) == 1 else ""


def column_groups(unseen: Iterable[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Return the unseen cells of each style distance that occurs, near first; {} for one alone."""
    from metabin.synthetic import DISTANCES, style_distance

    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in DISTANCES.values()}
    for fold, domain in unseen:
        groups[style_distance(domain)].append((fold, domain))
    groups = {name: cells for name, cells in groups.items() if cells}
    return groups if len(groups) > 1 else {}


def is_synthetic(roots: Mapping[str, Path]) -> bool:
    """Return whether all data sets are synthetic, so that no image shows a real person.

    Args:
        roots: data set -> folder of its images, as in `store.load_image_roots`.
    """
    from metabin.synthetic import is_site

    return all(is_site(name) and root.is_relative_to(layout.RAW) for name, root in roots.items())

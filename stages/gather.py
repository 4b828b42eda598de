"""What the configured folds, methods and seeds left behind, for the report. Nothing is found by listing folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stages import layout, records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from metabin.config import Config
    from metabin.report.inputs import ReportInputs

NOTE = "The people, the sites and the images are drawn by a program; no real person is shown."


def gather(config: Config) -> ReportInputs:
    """Scores, records and images of every training, and what was run."""
    import pandas as pd

    from metabin.data import store
    from metabin.data.partition import protocols
    from metabin.data.partition.folds import datasets, describe, leave_one_out
    from metabin.report.inputs import ReportInputs
    from metabin.report.provenance import provenance
    from metabin.results import published

    protocol, methods = config.protocol, config.protocol.methods
    folds = leave_one_out(protocol.domains, protocol.sources, protocol.groups, protocol.sources_of)
    domains = datasets(folds)
    images = {name: store.load_records(layout.PARTITION, name) for name in domains}
    roots = store.load_image_roots(layout.PARTITION)
    manifests = [store.load_manifest(layout.PARTITION, fold.name) for fold in folds]
    digests = {name: entry["sha256"] for manifest in manifests for name, entry in manifest["domains"].items()}
    ranked = [json.loads((layout.results(fold.name) / "ranked_lists.json").read_text()) for fold in folds]
    scores = pd.concat([pd.read_csv(layout.results(fold) / "scores.csv") for fold in protocol.domains])
    followed = {manifest["protocol"]["name"] for manifest in manifests if not manifest["protocol"]["deviations"]}
    whose = followed.pop() if len(followed) == 1 else ""
    told = [protocols.summary(fold, manifest["protocol"]) for fold, manifest in zip(folds, manifests, strict=True)]
    return ReportInputs(
        title=f"MetaBIN, {'leave one domain out' if len(folds) > 1 else ''.join(map(describe, folds))}",
        note=note(config, roots, told, whose),
        folds=tuple(fold.name for fold in folds),
        domains=domains,
        methods=methods,
        bases={name: changes["method"] for name, changes in config.variants.items()},
        image_root=layout.ROOT,
        image_folders=tuple(roots.values()),
        scores=scores,
        queries=records.of_folds(protocol.domains, "queries"),
        rho_probe=records.of_explained(protocol.domains),
        candidates=records.of_folds(protocol.domains, "selection"),
        published=published.compare(
            scores, published.load(layout.PROTOCOLS / "published.csv"), whose, backbone=config.model.backbone
        ),
        overlaps=[
            {"fold": fold, **leak} for fold in protocol.domains for leak in store.load_overlaps(layout.PARTITION, fold)
        ],
        without_overlap=records.of_folds(protocol.domains, "without_overlap"),
        ranked_lists=[entry for entries in ranked for entry in entries],
        **{name: records.of_trainings(config, methods, name) for name in ("losses", "rho", "rho_histograms")},
        samples={name: [str(roots[name] / record.path) for record in images[name][:16]] for name in domains},
        provenance=provenance(config.model_dump(), digests, layout.ROOT),
    )


def note(config: Config, roots: Mapping[str, Path], told: Sequence[str], whose: str) -> str:
    """What a reader has to know: that people are drawn; or whose protocol each fold is, and what failed its check."""
    if is_synthetic(roots):
        return f"{NOTE} Protocol: {whose}." if whose else NOTE
    unfit = [name for name in config.data.accept_unfit if name in roots]
    failed = [f"used although the check of the copy fails: {', '.join(unfit)}"] if unfit else []
    return ". ".join([*told, *failed]) + "."


def is_synthetic(roots: Mapping[str, Path]) -> bool:
    """Return whether the embedded benchmark rendered every data set, so that no image shows a real person.

    Args:
        roots: data set -> folder of its images, as in `store.load_image_roots`.
    """
    from metabin.synthetic import is_site

    return all(is_site(name) and root.is_relative_to(layout.RAW) for name, root in roots.items())

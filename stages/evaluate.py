"""Score every method of one fold on the held-out domain and on the sources' held-out identities."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from stages import cli, layout, leftovers
from stages.trained import load_candidates, load_source_scores, load_trained

if TYPE_CHECKING:
    import torch

    from metabin.config import Config
    from metabin.config.protocol import Protocol
    from metabin.evaluation.score_fold import FoldInputs, FoldTables

TABLES = (
    *("scores", "trials", "without_overlap", "queries", "selection"),
    *("camera_pairs", "verification", "embedding_map"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", required=True, help="the held-out domain")
    fold = parser.parse_args().fold

    from metabin import compute
    from metabin.config import load_config
    from metabin.data import store
    from metabin.evaluation.score_fold import score_fold

    config = load_config()
    leftovers.remove(layout.MODELS / fold, leftovers.model_outputs(config))
    device = compute.prepare(config.compute)
    manifest = store.load_manifest(layout.PARTITION, fold)
    inputs = load_inputs(config, fold, manifest, device)
    with cli.progress(f"evaluate {fold}", len(inputs.trainings), "model") as advance:
        tables = score_fold(inputs, device, advance)
    write(fold, tables)


def load_inputs(
    config: Config, fold: str, manifest: Mapping[str, Any], device: torch.device
) -> FoldInputs:
    """Load the tests of a fold, and return them with the functions that load its models."""
    from metabin.data import store
    from metabin.evaluation.score_fold import FoldInputs
    from metabin.evaluation.scoring import load_tests

    protocol = config.protocol
    domains = manifest["domains"].items()
    return FoldInputs(
        fold=fold,
        trainings=[(method, seed) for method in protocol.methods for seed in protocol.seeds],
        example=(protocol.meta_learned[0], protocol.seeds[0]),
        baseline=compared_baseline(protocol),
        mapped=[(method, protocol.seeds[0]) for method in mapped_methods(protocol)],
        tests=load_tests(layout.PARTITION, manifest),
        overlaps=store.load_overlaps(layout.PARTITION, fold),
        fingerprints={name: entry["fingerprint"][:16] for name, entry in domains},
        image_roots=store.load_image_roots(layout.PARTITION),
        load_records=partial(store.load_records, layout.PARTITION),
        load_model=partial(load_trained, fold, device=device),
        load_candidates=partial(load_candidates, fold),
        load_source_scores=partial(load_source_scores, fold),
    )


def compared_baseline(protocol: Protocol) -> tuple[str, int] | None:
    """Return the training whose ranked lists stand beside those of the example: BIN joint.

    Without BIN joint, the first baseline; None without baselines.
    """
    names = sorted(protocol.baselines, key=lambda name: name != "bin_joint")
    return (names[0], protocol.seeds[0]) if names else None


def mapped_methods(protocol: Protocol) -> list[str]:
    """Return the methods with a map of embeddings: the first meta-learned one and BN.

    Without BN, the first baseline.
    """
    baselines = sorted(protocol.baselines, key=lambda name: name != "bn")
    return [protocol.meta_learned[0], *baselines[:1]]


def write(fold: str, tables: FoldTables) -> None:
    """Write the outputs of the stage."""
    from metabin.files import write_csv, write_text

    for name in TABLES:
        write_csv(layout.results(fold) / f"{name}.csv", getattr(tables, name))
    text = json.dumps(tables.ranked_lists, indent=1) + "\n"
    write_text(layout.results(fold) / "ranked_lists.json", text)


if __name__ == "__main__":
    cli.run(main)

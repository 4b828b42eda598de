"""Every candidate of a fold's trainings on its held-out domains: what `metabin.results.selection` compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stages import layout

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from metabin.config import Config
    from metabin.evaluation.scoring import TestSet


def score(
    fold: str, config: Config, tests: Sequence[TestSet], scores: pd.DataFrame, device: torch.device
) -> pd.DataFrame:
    """Write selection.csv of a fold: the unseen scores of every candidate, each with its score on the sources.

    Args:
        scores: of the last candidates, as in scores.csv; these are not computed again.
    """
    import pandas as pd

    from metabin.evaluation import scoring
    from metabin.files import write_text
    from metabin.model.weights import load_model
    from metabin.results.selection import COLUMNS

    unseen = [test for test in tests if test.unseen]
    tables = []
    for method in config.protocol.methods:
        for seed in config.protocol.seeds:
            key = {"fold": fold, "method": method, "seed": seed}
            kept = pd.read_csv(layout.training(fold, method, seed) / "selection.csv")
            *earlier, last = zip(kept["step"].tolist(), kept["source_mAP"].tolist(), strict=True)
            for step, source_mAP in earlier:  # noqa: N806 (the column's name)
                path = layout.weights(fold, method, seed, step)
                base, own = config.of(method)
                model = load_model(path, own.model, base, device)
                rows = []
                for test in unseen:
                    found = scoring.retrieval_scores(*scoring.embed_test(model, test), device)
                    rows.append(key | scoring.score_row(found, test))
                table = scoring.mean_over_trials(pd.DataFrame(rows))
                tables.append(table.assign(step=step, source_mAP=source_mAP))
            own = (scores["method"] == method) & (scores["seed"] == seed) & (scores["role"] == "unseen")
            tables.append(scores[own].assign(step=last[0], source_mAP=last[1]))
    table = pd.concat(tables)[list(COLUMNS)]
    text = table.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    write_text(layout.results(fold) / "selection.csv", text)
    return table

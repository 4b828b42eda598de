"""Selection of one step of a training by its scores on one kind of data."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

DIGITS = 6  # as in the written tables: the numbers that a reader sees decide the selection


def best_step(values: Mapping[int, float]) -> int:
    """Return the step with the highest value, rounded to DIGITS.

    Of equal values the later step is returned; the last step if no step has a value.

    Args:
        values: step -> score, NaN if there is none; not empty.
    """
    known = {step: round(value, DIGITS) for step, value in values.items() if not pd.isna(value)}
    return max(known, key=lambda step: (known[step], step)) if known else max(values)


def selection_table(source_mAP: Mapping[int, float]) -> pd.DataFrame:  # noqa: N803 (the column's name)
    """Return the candidates of a training as step, source_mAP, chosen.

    Args:
        source_mAP: step -> mean mAP on the sources' held-out identities, NaN where there are none.
    """
    chosen = best_step(source_mAP)
    rows = [(step, value, step == chosen) for step, value in sorted(source_mAP.items())]
    return pd.DataFrame(rows, columns=["step", "source_mAP", "chosen"])

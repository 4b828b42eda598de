"""Which of a training's candidates is taken, by what it scores on one kind of data."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

DIGITS = 6  # as the tables are written: what a reader finds there is what decided


def choose(values: Mapping[int, float]) -> int:
    """The step with the highest value, rounded to DIGITS; the later one of equals, and the last if there is no value.

    Args:
        values: step: a score, NaN if there is none; not empty.
    """
    known = {step: round(value, DIGITS) for step, value in values.items() if not pd.isna(value)}
    return max(known, key=lambda step: (known[step], step)) if known else max(values)


def table(source_mAP: Mapping[int, float]) -> pd.DataFrame:  # noqa: N803 (the column's name)
    """step, source_mAP, chosen: a training's candidates, as it leaves them behind.

    Args:
        source_mAP: step: mean mAP on the sources' held-out identities, NaN where they have none.
    """
    chosen = choose(source_mAP)
    rows = [(step, value, step == chosen) for step, value in sorted(source_mAP.items())]
    return pd.DataFrame(rows, columns=["step", "source_mAP", "chosen"])

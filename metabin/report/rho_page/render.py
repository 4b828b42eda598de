"""The page rho.html: its arrays, encoded for the script of the page."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from metabin.report.inputs import ReportInputs
from metabin.report.style import SEQUENTIAL, styles_for
from metabin.rho_channels import RhoChannels
from metabin.rho_summary import NUM_BINS

FILE = "rho.html"
FOLDER = Path(__file__).parent
NUM_COLOURS = 32
MAX_LEVELS = 6_000_000  # rho values in the page, one byte each; 4/3 of it as text


def rho_page(inputs: ReportInputs) -> str:
    """Return the page as HTML; every name from the inputs is escaped.

    The page has all methods that learn rho, in all folds, with the first seed. It loads nothing.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page, style, script = (
        (FOLDER / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    data = page_data(inputs)
    # Inside <script>, HTML ends at the first "</script": without "<" no name can hold one.
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return environment.from_string(page).render(
        title=inputs.title,
        fold_word="Held out" if inputs.named_by_target else "Fold",
        has_records=bool(data["records"]),
        style=style,
        script=script,
        data=text,
    )


def page_data(inputs: ReportInputs) -> dict[str, Any]:
    """Return the plain values that the script of the page reads; page.js describes them."""
    records = inputs.rho_channels
    num_values = sum(
        values.shape[1] for channels in records.values() for values in channels.layers.values()
    )
    max_steps = max(2, MAX_LEVELS // max(1, num_values))
    return {
        "bins": NUM_BINS,
        "colours": [to_hex(SEQUENTIAL(value)) for value in np.linspace(0, 1, NUM_COLOURS)],
        "records": [
            training_record(inputs, key, channels, max_steps) for key, channels in records.items()
        ],
    }


def training_record(
    inputs: ReportInputs, key: tuple[str, str, int], channels: RhoChannels, max_steps: int
) -> dict[str, Any]:
    """Return the values of one training at no more than `max_steps` of its recorded steps.

    Args:
        key: fold, method and seed.
    """
    fold, method, seed = key
    style = styles_for(inputs.rows)[method]
    picks = select_steps(len(channels.steps), max_steps)
    steps = channels.steps[picks].tolist()
    names = list(channels.layers)
    rho = _rows(inputs.rho, key).pivot(index="step", columns="layer", values="mean")
    rows = _rows(inputs.rho_histograms, key)
    counts = rows.pivot(index=["step", "layer"], columns="bin_left", values="count")
    counts = counts.sort_index(axis=1).loc[pd.MultiIndex.from_product([steps, names])]
    levels = [
        np.rint(values[picks].astype(np.float32) * 255) for values in channels.layers.values()
    ]
    return {
        "fold": fold,
        "method": style.label,
        "colour": style.color,
        "seed": seed,
        "recorded": len(channels.steps),
        "steps": steps,
        "layers": [
            {"name": name, "channels": values.shape[1]} for name, values in channels.layers.items()
        ],
        "means": rho.loc[steps, names].round(4).to_numpy().tolist(),
        "counts": _base64(counts.to_numpy().astype("<u2")),
        "levels": _base64(np.concatenate([values.ravel() for values in levels]).astype(np.uint8)),
    }


def select_steps(count: int, limit: int) -> NDArray[np.intp]:
    """Return at most `limit` of `count` indices, evenly spaced, with the first and the last."""
    return np.linspace(0, count - 1, min(count, limit)).round().astype(np.intp)


def _rows(table: pd.DataFrame, key: tuple[str, str, int]) -> pd.DataFrame:
    fold, method, seed = key
    return table[(table["fold"] == fold) & (table["method"] == method) & (table["seed"] == seed)]


def _base64(values: NDArray[Any]) -> str:
    return b64encode(values.tobytes()).decode("ascii")

"""The style of methods and charts: labels, colours and markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import LinearSegmentedColormap

from metabin.registry import METHODS, find_method

INK = "#22262b"
MUTED = "#6a7078"
HAIRLINE = "#d9dcdf"
MISSING = "#eceded"

SEQUENTIAL = LinearSegmentedColormap.from_list(
    "metabin", ["#f7f8f5", "#e2ede9", "#bfd9d6", "#8dbcc0", "#5796a6", "#2f6f8a", "#1b4c69"]
)

CHART_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # names come from the data and may hold a dollar sign
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.edgecolor": "#9aa0a6",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceef0",
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


@dataclass(frozen=True, slots=True)
class MethodStyle:
    """Label, colour, marker and meaning of a method, the same in the whole report.

    `short` replaces a label that is too long for a chart.
    """

    label: str
    color: str
    marker: str
    meaning: str = ""
    short: str = ""


UNTRAINED = ("stripes", "mean_colour", "chance")


def _registered() -> dict[str, MethodStyle]:
    """Return the styles that the registered methods state in their classes."""
    methods = {name: find_method(name) for name in METHODS}
    return {
        name: MethodStyle(method.label, method.color, method.marker, method.meaning, method.short)
        for name, method in methods.items()
    }


# Okabe and Ito's colours, with darker and paler ones as far from them: distinct for all common
# kinds of colour vision.
METHOD_STYLES: dict[str, MethodStyle] = {
    **_registered(),
    "stripes": MethodStyle(
        "Colour stripes", "#6b7280", "P", "mean colour of 8 stripes, nothing trained"
    ),
    "mean_colour": MethodStyle(
        "Mean colour", "#878d96", "*", "mean colour of the image, nothing trained"
    ),
    "chance": MethodStyle("Chance", "#a3a9b1", "X", "a random order of the gallery"),
}

# Colour and marker for methods without a style.
SPARE_LOOKS = (
    *(("#882255", "8"), ("#332288", "H"), ("#999933", "h"), ("#E377C2", "p")),
    *(("#117733", "*"), ("#CC6677", "X"), ("#B699E8", "P")),
)


def styles_for(methods: Sequence[str]) -> Mapping[str, MethodStyle]:
    """Return a style for every method; one without a style gets the next spare look."""
    unknown = [method for method in methods if method not in METHOD_STYLES]
    spare = {
        name: MethodStyle(name.replace("_", " "), *SPARE_LOOKS[index % len(SPARE_LOOKS)])
        for index, name in enumerate(unknown)
    }
    return {method: METHOD_STYLES.get(method) or spare[method] for method in methods}

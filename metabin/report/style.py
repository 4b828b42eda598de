"""One home for how a method looks: its label, colour, marker and one-line description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import LinearSegmentedColormap

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
    """How one method is named and drawn, everywhere in the report; `short` where the label is too long for a chart."""

    label: str
    color: str
    marker: str
    meaning: str = ""
    short: str = ""


BASELINES = ("stripes", "mean_colour", "chance")

# Okabe and Ito's colours, and darker or paler ones as far from them: told apart with any common colour vision.
METHOD_STYLES: dict[str, MethodStyle] = {
    "bn": MethodStyle("BN", "#0072B2", "o", "batch norm in every layer (rho = 1)"),
    "in": MethodStyle("IN", "#56B4E9", "s", "instance norm in every layer (rho = 0)"),
    "half": MethodStyle(
        "BN+IN half", "#BDAB61", "h", "batch norm in half of the channels, instance norm in the others"
    ),
    "dualnorm": MethodStyle("DualNorm", "#2418E8", "p", "instance norm in the early layers, batch norm in the others"),
    "bin_fixed": MethodStyle("BIN fixed", "#E69F00", "^", "a mixture of both, rho set and never learned"),
    "bin_shared": MethodStyle(
        "BIN shared affine", "#454B11", "d", "BIN joint, one scale and shift for both halves", "BIN shared"
    ),
    "bin_joint": MethodStyle("BIN joint", "#009E73", "D", "a mixture, rho learned together with the weights"),
    "metabin": MethodStyle("MetaBIN", "#D55E00", "v", "a mixture, rho learned in meta-train and meta-test episodes"),
    "metabin_shared": MethodStyle(
        "MetaBIN shared affine", "#6E3A36", "<", "MetaBIN, one scale and shift for both halves", "MetaBIN shared"
    ),
    "mldg": MethodStyle("MLDG", "#8A0F78", ">", "a mixture, every parameter learned in the episodes, not only rho"),
    "bin_target": MethodStyle(
        "Ceiling: sees the test", "#111111", "x", "rho learned on the held-out domain itself: NOT PERMITTED", "ceiling"
    ),
    "stripes": MethodStyle("Colour stripes", "#6b7280", "P", "mean colour of 8 stripes, nothing trained"),
    "mean_colour": MethodStyle("Mean colour", "#878d96", "*", "mean colour of the image, nothing trained"),
    "chance": MethodStyle("Chance", "#a3a9b1", "X", "a random order of the gallery"),
}

SPARE_LOOKS = (
    ("#882255", "8"), ("#332288", "H"), ("#999933", "h"), ("#E377C2", "p"),
)  # fmt: skip


def styles_for(methods: Sequence[str]) -> Mapping[str, MethodStyle]:
    """A style for every method; a name not in METHOD_STYLES gets the next spare colour."""
    unknown = [method for method in methods if method not in METHOD_STYLES]
    spare = {
        name: MethodStyle(name.replace("_", " "), *SPARE_LOOKS[index % len(SPARE_LOOKS)])
        for index, name in enumerate(unknown)
    }
    return {method: METHOD_STYLES.get(method) or spare[method] for method in methods}

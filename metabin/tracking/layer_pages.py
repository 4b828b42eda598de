"""The layout of histograms of layers: rows of layers, and pages of rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from metabin.rho_summary import layer_groups

MAX_COLUMNS = 4
MAX_ROWS = 4  # more are unreadable in a tile of the MLflow UI


@dataclass(frozen=True, slots=True)
class LayerRow:
    """Layers of one block.

    Attributes:
        block: the parts of the name that the layers share; "" if their names have one part.
        layers: last part of the name -> the layer's name. At most MAX_COLUMNS.
    """

    block: str
    layers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LayerPage:
    """The layers of one picture."""

    title: str
    rows: tuple[LayerRow, ...]


def layer_pages(names: Sequence[str]) -> list[LayerPage]:
    """Arrange layers on pages: one row per block, at most MAX_ROWS per page.

    A group of layers (see `layer_groups`) with more rows is split evenly. Small groups that follow
    each other share a page.

    Args:
        names: dotted names, in network order.
    """
    labels = short_names(names)
    pages = []
    for group, members in layer_groups(names).items():
        rows = _rows({labels[name]: name for name in members})
        count = math.ceil(len(rows) / MAX_ROWS)
        for index in range(count):
            title = group if count == 1 else f"{group} {index + 1} of {count}"
            start, end = (len(rows) * part // count for part in (index, index + 1))
            pages.append(LayerPage(title, rows[start:end]))
    return _merge(pages)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return short names: without first parts that all share, nor last parts that say nothing.

    The result for a layer is the shortest beginning that no other layer has: "layer1.0.downsample"
    for "layer1.0.downsample.1".
    """
    paths = [tuple(name.split(".")) for name in names]
    counts = Counter(path[:depth] for path in paths for depth in range(1, len(path) + 1))
    shared = 0
    while all(len(path) > shared + 1 and path[shared] == paths[0][shared] for path in paths):
        shared += 1
    short = {}
    for name, path in zip(names, paths, strict=True):
        depths = range(shared + 1, len(path) + 1)
        end = next((depth for depth in depths if counts[path[:depth]] == 1), len(path))
        short[name] = ".".join(path[shared:end])
    return short


def _rows(layers: Mapping[str, str]) -> tuple[LayerRow, ...]:
    """Return the rows of layers, short name -> name."""
    rows = []
    for block, labels in groupby(layers, key=lambda label: label.rpartition(".")[0]):
        columns = {label.rpartition(".")[2]: layers[label] for label in labels}
        items = list(columns.items())
        rows += [
            LayerRow(block, dict(items[start : start + MAX_COLUMNS]))
            for start in range(0, len(items), MAX_COLUMNS)
        ]
    return tuple(rows)


def _merge(pages: list[LayerPage]) -> list[LayerPage]:
    """Merge neighbours, the smallest first, while their rows fit on one page."""
    pages = list(pages)
    while len(pages) > 1:
        sums = [len(first.rows) + len(second.rows) for first, second in pairwise(pages)]
        if min(sums) > MAX_ROWS:
            break
        place = sums.index(min(sums))
        first, last = pages[place : place + 2]
        title = f"{first.title.split(' to ')[0]} to {last.title.split(' to ')[-1]}"
        pages[place : place + 2] = [LayerPage(title, first.rows + last.rows)]
    return pages

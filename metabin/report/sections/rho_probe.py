"""rho, explained: what the trained networks score with another rho, and where each test domain would have it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from metabin.report.display import DASH, Cell, Row, Table, points
from metabin.report.inputs import ReportInputs
from metabin.report.style import INK, MUTED, styles_for
from metabin.results import rho_probe

TITLE = "rho, explained"
CHANGES = ("fold", "method", "kind", "group", "value", "test_domain", "role", "mAP", "change")
LAYERS = ("fold", "method", "seed", "layer", "num_channels", "mean", "q10", "q90")
LINES = {"unseen": "-", "seen": (0, (2, 2))}


@dataclass(frozen=True, slots=True)
class ExplainedBlock:
    """The section: what is shown, one table of forced layers a method, and the preferences."""

    explanation: str
    forced: Sequence[tuple[str, Table]]
    preferences: Table | None  # None where domains are many
    depth: str


def block(inputs: ReportInputs) -> ExplainedBlock | None:
    """The section; None where no rho was explained."""
    if inputs.rho_probe.empty:
        return None
    methods = _methods(inputs)
    labels = styles_for(inputs.rows)
    return ExplainedBlock(
        explanation(inputs),
        [(labels[name].label, forced_table(inputs, name)) for name in methods if name in _forced(inputs)],
        None if inputs.is_large else preferences_table(inputs),
        depth(inputs),
    )


def explanation(inputs: ReportInputs) -> str:
    """What was done, on which tests."""
    ids = sorted(set(inputs.rho_probe.loc[inputs.rho_probe["mAP"].notna(), "num_ids"])) or [0]
    people = f"{ids[0]}" if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"
    return (
        "The trained networks are scored again with another rho (1 = batch norm, 0 = instance norm); nothing is "
        f"trained, and the weights had grown used to the rho that they were trained with. Tests of {people} people, so "
        "levels differ from those of the results; changes are in points of mAP, of the first seed."
    )


def shift_figure(inputs: ReportInputs) -> Figure:
    """Change of mAP when all rho are shifted: a line for each method and role, thin ones for single unseen tests."""
    styles, found = styles_for(inputs.rows), rho_probe.changes(inputs.rho_probe).query("kind == 'shift'")
    figure = Figure(figsize=(5.9, 3.1), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color=INK, lw=0.8, zorder=1)
    for method in _methods(inputs):
        mine, style = found[found["method"] == method], styles[method]
        for _, one in mine[mine["role"] == "unseen"].groupby(["fold", "test_domain"]):
            axes.plot(one["value"], 100 * one["change"], color=style.color, lw=0.5, alpha=0.35, zorder=2)
        for role, line in LINES.items():
            mean = mine[mine["role"] == role].groupby("value")["change"].mean()
            if len(mean):
                label = f"{style.label}, {role}"
                axes.plot(
                    mean.index, 100 * mean, color=style.color, ls=line, lw=2, marker="o", ms=4, label=label, zorder=3
                )
    axes.set_xticks(sorted(found["value"].unique()))
    axes.set_xlabel("all rho shifted by   (left: towards instance norm, right: towards batch norm)")
    axes.set_ylabel("change of mAP, points", color=MUTED)
    figure.legend(loc="outside upper left", ncols=2, fontsize=8.5)
    return figure


def forced_table(inputs: ReportInputs, method: str) -> Table:
    """A group of layers a row: change of unseen and seen mAP with its rho at 0, 0.5 and 1, the others as learned."""
    means = rho_probe.forced_groups(inputs.rho_probe, method)
    roles = [role for role in LINES if role in means.columns.get_level_values("role")]
    values = sorted(set(means.columns.get_level_values("value")))
    columns = [[Cell(points(change)) for change in means[role, value]] for role in roles for value in values]
    names = [str(name) for name in means.index]
    return Table(
        corner="Layers",
        groups=tuple((f"{role.capitalize()}, change of mAP", len(values)) for role in roles),
        columns=tuple(f"{role}, rho = {value:g}" for role in roles for value in values),
        rows=tuple(
            Row("all layers" if name == "all" else name, tuple(column[index] for column in columns))
            for index, name in enumerate(names)
        ),
    )


def preferences_table(inputs: ReportInputs) -> Table:
    """Methods by test domain: the shift of all rho that it likes best, as unseen and as seen domain."""
    found = rho_probe.preferences(inputs.rho_probe)
    tests = [
        (role, name)
        for role in LINES
        for name in inputs.domains
        if ((found["role"] == role) & (found["test_domain"] == name)).any()
    ]
    best = found.set_index(["method", "role", "test_domain"])["shift"]
    rows = []
    for method in _methods(inputs):
        shifts = [best.get((method, role, name)) for role, name in tests]
        cells = tuple(Cell("" if shift is None else _shift_text(shift)) for shift in shifts)
        rows.append(Row(styles_for(inputs.rows)[method].label, cells, method))
    counts = {role: sum(one == role for one, _ in tests) for role in LINES}
    return Table(
        corner="Method",
        groups=tuple((f"{role.capitalize()}: the best shift", count) for role, count in counts.items() if count),
        columns=tuple(name if role == "unseen" else f"{name}, seen" for role, name in tests),
        rows=tuple(rows),
    )


def depth(inputs: ReportInputs) -> str:
    """How rho goes with depth, in a sentence for each method; "" where no rho was recorded."""
    if inputs.rho.empty:
        return ""
    found, styles = rho_probe.depth_correlation(inputs.rho).dropna(), styles_for(inputs.rows)
    parts = []
    for method, values in found.groupby("method", sort=False)["correlation"]:
        over = f" (from {values.min():+.2f} to {values.max():+.2f} over {len(values)} trainings)"
        parts.append(f"{styles[str(method)].label} {values.mean():+.2f}{over if len(values) > 1 else ''}")
    if not parts:
        return ""
    return (
        f"Rank correlation of a layer's mean rho with its depth: {'; '.join(parts)}. Above 0: more batch norm in the "
        "deeper layers."
    )


def files(inputs: ReportInputs) -> dict[str, pd.DataFrame]:
    """Tables for a notebook: change of mAP of every test with every other rho; rho of every layer at the last step."""
    found = pd.DataFrame(columns=CHANGES) if inputs.rho_probe.empty else rho_probe.changes(inputs.rho_probe)
    layers = pd.DataFrame(columns=LAYERS)
    if not inputs.rho.empty:
        last = inputs.rho.groupby(rho_probe.RUN)["step"].transform("max")
        layers = inputs.rho[inputs.rho["step"] == last]
    return {"rho_changes.csv": found[list(CHANGES)], "rho_layers.csv": layers[list(LAYERS)]}


def _shift_text(shift: float) -> str:
    return DASH if math.isnan(shift) else f"{shift:+.2f}" if shift else "0"


def _forced(inputs: ReportInputs) -> set[str]:
    return set(inputs.rho_probe.loc[inputs.rho_probe["kind"] == "force", "method"])


def _methods(inputs: ReportInputs) -> tuple[str, ...]:
    explained = set(inputs.rho_probe["method"])
    return tuple(name for name in inputs.trained if name in explained)

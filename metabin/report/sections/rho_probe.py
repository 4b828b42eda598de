"""Section "Effect of changing rho after training": scores with forced and shifted rho."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from metabin.report.display import Cell, Row, Table, points, signed
from metabin.report.inputs import ReportInputs
from metabin.report.section import (
    CaptionedChart,
    Chart,
    DataTable,
    Heading,
    Paragraph,
    Part,
    Section,
)
from metabin.report.style import INK, MUTED, styles_for
from metabin.results import rho_probe

TITLE = "Effect of changing rho after training"
CAPTION = (
    "Thick: mean over unseen tests (solid) and over seen tests (dashed). Thin: single unseen "
    "tests. A maximum to the left of 0 means that more instance norm gives a higher mAP there."
)
LINES = {"unseen": "-", "seen": (0, (2, 2))}


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None if the rho of no training was changed."""
    if inputs.rho_probe.empty:
        return None
    alt = "Change of mAP when all rho are shifted, a line for each method and role."
    chart = Chart("rho_shifts", alt, partial(shifts_figure, inputs))
    parts: list[Part] = [
        Paragraph(explanation(inputs)),
        CaptionedChart(chart, [Paragraph(CAPTION)]),
    ]
    if not inputs.is_large:
        parts += [
            Heading("Best rho shift per domain"),
            DataTable(
                best_shifts_table(inputs),
                "The shift of all rho with the highest mAP, by test domain",
            ),
        ]
    parts += forced_parts(inputs)
    if correlation := depth_correlation(inputs):
        parts.append(Paragraph(correlation))
    return Section(TITLE, "rho_probe", "Changing rho", parts)


def explanation(inputs: ReportInputs) -> str:
    """Return what was changed, and on which tests."""
    counts = inputs.rho_probe.loc[inputs.rho_probe["mAP"].notna(), "num_ids"]
    ids = sorted(set(counts)) or [0]
    people = f"{ids[0]}" if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"
    return (
        "The trained networks are scored again with another rho (1 = batch norm, 0 = instance "
        "norm). Nothing is trained; the weights are adapted to the rho of their training. Tests "
        f"have {people} people, so levels differ from those of the results. Changes are in points "
        "of mAP, for the first seed."
    )


def forced_parts(inputs: ReportInputs) -> list[Part]:
    """Return one table per method with forced rho."""
    is_forced = inputs.rho_probe["kind"] == "force"
    forced = set(inputs.rho_probe.loc[is_forced, "method"])
    methods = [name for name in _methods(inputs) if name in forced]
    if not methods:
        return []
    styles = styles_for(inputs.rows)
    parts: list[Part] = [
        Heading("Change of mAP with rho forced in some layers, points"),
        Paragraph("The other layers have the learned rho."),
    ]
    for name in methods:
        label = styles[name].label
        caption = f"{label}: change of mAP with rho forced in some layers"
        parts += [
            Heading(label, name, level=4),
            DataTable(forced_table(inputs, name), caption),
        ]
    return parts


def forced_table(inputs: ReportInputs, method: str) -> Table:
    """Return groups of layers by the change of unseen and seen mAP with their rho at a value."""
    means = rho_probe.forced_groups(inputs.rho_probe, method)
    roles = [role for role in LINES if role in means.columns.get_level_values("role")]
    values = sorted(set(means.columns.get_level_values("value")))
    columns = [
        [Cell(points(change)) for change in means[role, value]]
        for role in roles
        for value in values
    ]
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


def best_shifts_table(inputs: ReportInputs) -> Table:
    """Return methods by test domain: the shift of all rho with the highest mAP."""
    shifts = rho_probe.best_shifts(inputs.rho_probe)
    by_test = shifts.set_index(["method", "role", "test_domain"])["shift"]
    present = set(zip(shifts["role"], shifts["test_domain"], strict=True))
    # Columns: unseen tests, then seen ones, in the order of the domains.
    tests = [(role, name) for role in LINES for name in inputs.domains if (role, name) in present]
    rows = []
    for method in _methods(inputs):
        values = [by_test.get((method, role, name)) for role, name in tests]
        cells = tuple(Cell("" if shift is None else signed(shift)) for shift in values)
        rows.append(Row(styles_for(inputs.rows)[method].label, cells, method))
    counts = {role: sum(role == of_test for of_test, _ in tests) for role in LINES}
    return Table(
        corner="Method",
        groups=tuple(
            (f"{role.capitalize()}: best shift", count) for role, count in counts.items() if count
        ),
        columns=tuple(name if role == "unseen" else f"{name}, seen" for role, name in tests),
        rows=tuple(rows),
    )


def depth_correlation(inputs: ReportInputs) -> str:
    """Return the correlation of rho with depth for each method; "" without records of rho."""
    if inputs.rho.empty:
        return ""
    correlations = rho_probe.depth_correlation(inputs.rho).dropna()
    styles = styles_for(inputs.rows)
    texts = []
    for method, values in correlations.groupby("method", sort=False)["correlation"]:
        text = f"{styles[str(method)].label} {signed(values.mean())}"
        if len(values) > 1:
            ends = f"from {signed(values.min())} to {signed(values.max())}"
            text += f" ({ends} over {len(values)} trainings)"
        texts.append(text)
    if not texts:
        return ""
    return (
        f"Rank correlation of a layer's mean rho with its depth: {'; '.join(texts)}. Above 0: more "
        "batch norm in deeper layers."
    )


def shifts_figure(inputs: ReportInputs) -> Figure:
    """Draw the change of mAP by the shift of all rho: means by method and role, single tests."""
    styles = styles_for(inputs.rows)
    shifts = rho_probe.score_changes(inputs.rho_probe).query("kind == 'shift'")
    figure = Figure(figsize=(5.9, 3.1), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color=INK, lw=0.8, zorder=1)
    for method in _methods(inputs):
        rows = shifts[shifts["method"] == method]
        style = styles[method]
        for _, test in rows[rows["role"] == "unseen"].groupby(["fold", "test_domain"]):
            change = 100 * test["change"]
            axes.plot(test["value"], change, color=style.color, lw=0.5, alpha=0.35, zorder=2)
        for role, line in LINES.items():
            mean: pd.Series = rows[rows["role"] == role].groupby("value")["change"].mean()
            if len(mean):
                axes.plot(
                    mean.index,
                    100 * mean,
                    color=style.color,
                    ls=line,
                    lw=2,
                    marker="o",
                    ms=4,
                    label=f"{style.label}, {role}",
                    zorder=3,
                )
    axes.set_xticks(sorted(shifts["value"].unique()))
    axes.set_xlabel("all rho shifted by   (left: towards instance norm, right: towards batch norm)")
    axes.set_ylabel("change of mAP, points", color=MUTED)
    figure.legend(loc="outside upper left", ncols=2, fontsize=8.5)
    return figure


def _methods(inputs: ReportInputs) -> tuple[str, ...]:
    present = set(inputs.rho_probe["method"])
    return tuple(name for name in inputs.trained if name in present)

"""The report as files: one page that needs nothing beside it, a text for a terminal, tables for `dvc`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from metabin.files import write_bytes, write_text
from metabin.report import curves, display, figures, heatmaps, markdown
from metabin.report.display import Table
from metabin.report.inputs import ReportInputs
from metabin.report.pictures import Thumbnails, data_uri, png_size
from metabin.report.provenance import flatten_sections
from metabin.report.sections import comparisons, overlap, published, rho_probe, selection
from metabin.report.style import BASELINES, styles_for
from metabin.results import comparisons as compared
from metabin.results import tables

TEMPLATE = Path(__file__).with_name("template.html")
KIND_LABELS = {"typical": "Typical query", "worst": "Worst query", "best": "Best query"}


@dataclass(frozen=True, slots=True)
class Chart:
    """An embedded chart: its data URI, its size in CSS pixels, what a reader who cannot see it is told."""

    uri: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True, slots=True)
class MatrixBlock:
    """One method's heat map and the tables beside and under it."""

    method: str
    label: str
    chart: Chart
    held_out: Table
    cells: Table


@dataclass(frozen=True, slots=True)
class PublishedBlock:
    """The run beside published results, and what a reader has to know of them."""

    table: Table
    caveats: str
    methods: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RankedList:
    """One query and what was found, nearest first."""

    method: str
    label: str
    average_precision: str
    query: Mapping[str, Any]
    gallery: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SharedBlock:
    """What sources and held-out domains share: tables, remarks, and pairs of images by what they are pairs of."""

    pairs: Table
    scores: Table | None
    remarks: Sequence[str]
    examples: Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """The figures and the page of a report: `charts` show numbers, `pictures` show images of the data sets."""

    charts: tuple[Path, ...]
    pictures: tuple[Path, ...]


def write_report(inputs: ReportInputs, directory: Path) -> ReportFiles:
    """Write index.html, report.md, metrics.json, summary.json, matrix.csv, unseen.csv, rho_*.csv and figures/*.png.

    Each file is replaced in one step; the same inputs give the same bytes.

    Returns: the figures and the page.
    Raises:
        DatasetError: an image of `ranked`, `leaks` or `samples` is missing.
    """
    thumbnails = Thumbnails(inputs.image_root, inputs.image_folders)
    strips = _sample_strips(inputs, thumbnails)
    drawn = figures.draw_figures(inputs)
    page = render_page(inputs, drawn, thumbnails)
    charts = {directory / "figures" / f"{name}.png": content for name, content in drawn.items()}
    samples = {directory / "figures" / f"{name}.png": content for name, content in strips.items()}
    for path, content in (charts | samples).items():
        write_bytes(path, content)
    summary = dict(tables.summary(inputs.scores, inputs.trained))
    if inputs.evidence:
        summary["differences"] = compared.summary(inputs.evidence)
    cells = tables.tidy_matrix(inputs.scores, inputs.rows, inputs.folds, inputs.tested)
    unseen = tables.unseen_means(inputs.scores, inputs.rows)
    texts = {
        "index.html": page,
        "report.md": markdown.report_text(inputs),
        "metrics.json": _json(tables.headline(inputs.scores, inputs.trained)),
        "summary.json": _json(summary),
        "matrix.csv": cells.to_csv(index=False, lineterminator="\n"),
        "unseen.csv": unseen.to_csv(index=False, lineterminator="\n"),
        **{name: _csv(table) for name, table in rho_probe.files(inputs).items()},
    }
    for name, text in texts.items():
        write_text(directory / name, text)
    return ReportFiles(tuple(charts), (*samples, directory / "index.html"))


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.6f", lineterminator="\n")


def render_page(inputs: ReportInputs, drawn: Mapping[str, bytes], thumbnails: Thumbnails) -> str:
    """The page as HTML; every name and value from the inputs is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    weighed = comparisons.block(inputs)
    return template.render(
        inputs=inputs,
        styles=styles_for(inputs.rows),
        sizes=tables.gallery_sizes(inputs.scores),
        headline=display.headline(inputs),
        paired=display.paired(inputs),
        published=_published(inputs),
        worth=weighed,
        rho_probe=rho_probe.block(inputs),
        rho_probe_title=rho_probe.TITLE,
        shifts_chart=_chart(
            drawn, "rho_shifts", "Change of mAP when all rho are shifted, a line for each method and role."
        ),
        checkpoints=selection.table(inputs),
        checkpoints_title=selection.TITLE,
        checkpoints_explanation=selection.explanation(inputs) if not inputs.candidates.empty else "",
        worth_title=comparisons.TITLE,
        spreads_title=comparisons.SPREADS_TITLE,
        worth_chart=_chart(drawn, "differences", "Mean difference and intervals of every pair; numbers in the table."),
        noise_warning="" if weighed else display.noise_warning(inputs.num_seeds),
        runs="held-out domains and seeds" if inputs.named_by_target else "folds and seeds",
        num_unseen=len({domain for _, domain in inputs.unseen}),
        summary_chart=_chart(
            drawn,
            "unseen_and_seen",
            f"Mean mAP of every method, unseen{' and seen' if inputs.has_seen else ''}; numbers in the table above.",
        ),
        paired_chart=_chart(
            drawn, "paired_differences", "Differences for each held-out domain and their mean; numbers in the table."
        ),
        matrices=[_matrix_block(inputs, drawn, method) for method in inputs.rows if inputs.has_matrix],
        baselines=BASELINES,
        loss_charts=_loss_charts(inputs, drawn),
        rho_charts=_rho_charts(inputs, drawn),
        histograms=_histogram_charts(inputs, drawn),
        ranked_lists=_ranked_by_cell(inputs, thumbnails),
        shared=_shared_block(inputs, thumbnails),
        shared_title=overlap.TITLE,
        shared_explanation=overlap.EXPLANATION,
        checked=overlap.checked(inputs),
        remarks=overlap.remarks(inputs),
        samples={
            domain: [thumbnails.uri(path) for path in inputs.samples.get(domain, ())] for domain in inputs.pictured
        },
        provenance=flatten_sections(inputs.provenance),
    )


def _sample_strips(inputs: ReportInputs, thumbnails: Thumbnails) -> dict[str, bytes]:
    strips: dict[str, bytes] = {}
    for domain in inputs.pictured:
        name = f"samples_{figures.slug(domain)}"
        if name in strips:
            raise ValueError(f"two sample strips would be named {name!r}; rename the domain {domain!r}")
        if inputs.samples.get(domain):
            strips[name] = thumbnails.strip(inputs.samples[domain])
    return strips


def _chart(drawn: Mapping[str, bytes], name: str, alt: str) -> Chart | None:
    if name not in drawn:
        return None
    width, height = png_size(drawn[name])
    scale = figures.DPI // 100
    return Chart(data_uri(drawn[name], "png"), width // scale, height // scale, alt)


def _matrix_block(inputs: ReportInputs, drawn: Mapping[str, bytes], method: str) -> MatrixBlock:
    label = styles_for(inputs.rows)[method].label
    rows = "held-out" if inputs.named_by_target else "fold"
    chart = _chart(
        drawn, figures.matrix_name(method), f"{label}: mAP, {rows} by test domain; numbers in the table below."
    )
    assert chart is not None
    return MatrixBlock(
        method, label, chart, display.held_out_table(inputs, method), display.matrix_table(inputs, method)
    )


def _published(inputs: ReportInputs) -> PublishedBlock | None:
    table = published.table(inputs)
    return None if table is None else PublishedBlock(table, published.caveats(inputs), published.methods(inputs))


def _loss_charts(inputs: ReportInputs, drawn: Mapping[str, bytes]) -> list[Chart | None]:
    return [
        _chart(drawn, figures.loss_name(column), f"{column} over training steps, a line for each method.")
        for column in curves.loss_columns(inputs.losses)
    ]


def _rho_charts(inputs: ReportInputs, drawn: Mapping[str, bytes]) -> dict[str, Chart | None]:
    return {
        "profile": _chart(
            drawn, "rho_profile", "rho at the last step in every layer, mean and 10 to 90 % of channels."
        ),
        "steps": _chart(drawn, "rho_steps", "rho over training steps, a panel for each layer."),
    }


def _histogram_charts(inputs: ReportInputs, drawn: Mapping[str, bytes]) -> list[tuple[str, str, Chart | None]]:
    styles = styles_for(inputs.rows)
    return [
        (
            method,
            styles[method].label,
            _chart(
                drawn,
                figures.histogram_name(method),
                f"{styles[method].label}: share of channels by rho at the last step, a row for each layer.",
            ),
        )
        for method in heatmaps.histogram_methods(inputs)
    ]


def _shared_block(inputs: ReportInputs, thumbnails: Thumbnails) -> SharedBlock | None:
    found = overlap.found(inputs)
    if not found:
        return None
    examples = {
        name: [
            {**example, **{side: thumbnails.uri(example[side]) for side in ("source", "target")}}
            for example in leak["examples"]
        ]
        for name, leak in zip(overlap.names(inputs), found, strict=True)
    }
    return SharedBlock(overlap.pairs_table(inputs), overlap.scores_table(inputs), overlap.remarks(inputs), examples)


def _ranked_by_cell(inputs: ReportInputs, thumbnails: Thumbnails) -> dict[str, dict[str, list[RankedList]]]:
    """{name of the unseen cell: {kind: lists in the order of the methods}}, each from the lowest seed that there is."""
    chosen: dict[tuple[str, str, str, str], Mapping[str, Any]] = {}
    for item in sorted(inputs.ranked_lists, key=lambda item: item["seed"]):
        chosen.setdefault((item["fold"], item["test_domain"], item["kind"], item["method"]), item)
    kinds = sorted({key[2] for key in chosen}, key=lambda kind: (kind not in KIND_LABELS, kind))
    found: dict[str, dict[str, list[RankedList]]] = {}
    for cell, name in zip(inputs.unseen, display.cell_names(inputs.unseen), strict=True):
        if cell[1] not in inputs.pictured:
            continue
        for kind in kinds:
            lists = [
                _ranked_list(inputs, chosen[*cell, kind, method], thumbnails)
                for method in inputs.rows
                if (*cell, kind, method) in chosen
            ]
            if lists:
                found.setdefault(name, {})[KIND_LABELS.get(kind, kind)] = lists
    return found


def _ranked_list(inputs: ReportInputs, item: Mapping[str, Any], thumbnails: Thumbnails) -> RankedList:
    method = item["method"]
    gallery = [{**found, "uri": thumbnails.uri(found["path"])} for found in item["gallery"]]
    query = {**item["query"], "uri": thumbnails.uri(item["query"]["path"])}
    label = styles_for(inputs.rows)[method].label
    return RankedList(method, label, display.percent(item["average_precision"]), query, gallery)

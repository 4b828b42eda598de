"""The page rho.html: its arrays, its names, and that it needs nothing beside it."""

import json
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_page import Outline

from metabin.report.inputs import ReportInputs
from metabin.report.rho_page import render
from metabin.rho_channels import RhoChannels
from metabin.rho_summary import summarize_rho

Make = Callable[..., ReportInputs]
HOSTILE = "</script><script>alert(1)</script>"
RESNET50 = [64] + [width for stage in range(4) for width in [64 << stage, 64 << stage, 256 << stage, 256 << stage]] + [
    width for stage, blocks in enumerate((2, 3, 5, 2)) for width in [64 << stage, 64 << stage, 256 << stage] * blocks
]  # fmt: skip


def made_up(keys: list[tuple[str, str, int]], sizes: list[int], steps: list[int]) -> dict[str, Any]:
    """The fields of rho for trainings with made-up values, the tables as the stage train writes them."""
    random = np.random.default_rng(0)
    channels, rho, histograms = {}, [], []
    for fold, method, seed in keys:
        # Network order is not the order of the alphabet: layer10 comes after layer9.
        layers = {f"layer{index}": random.random((len(steps), size), np.float32) for index, size in enumerate(sizes)}
        half = {name: values.astype(np.float16) for name, values in layers.items()}
        channels[fold, method, seed] = RhoChannels(np.array(steps), half)
        for place, step in enumerate(steps):
            for name, values in layers.items():
                key = {"fold": fold, "method": method, "seed": seed, "step": step, "layer": name}
                summary = summarize_rho(values[place])
                quantiles = {"mean": summary.mean, "q10": summary.q10, "q90": summary.q90}
                rho.append({**key, "num_channels": values.shape[1], **quantiles})
                bins = enumerate(summary.histogram)
                histograms += [{**key, "bin_left": index / 20, "count": count} for index, count in bins]
    return {"rho_channels": channels, "rho": pd.DataFrame(rho), "rho_histograms": pd.DataFrame(histograms)}


def data_of(page: str) -> dict[str, Any]:
    """The values that the script of a page reads."""
    texts = re.findall(r'<script type="application/json" id="records">(.*?)</script>', page, re.DOTALL)
    assert len(texts) == 1
    return json.loads(texts[0])


def test_every_array_of_every_training_survives_the_page(make_inputs: Make) -> None:
    keys = [("harbour", "bin_joint", 3), ("harbour", "metabin", 3), ("night", "metabin", 3)]
    steps = [0, 40, 79]
    fields = made_up(keys, [5] * 11 + [1], steps)
    data = data_of(render.rho_page(make_inputs(**fields)))
    assert [(item["fold"], item["method"], item["seed"]) for item in data["records"]] == [
        ("harbour", "BIN joint", 3), ("harbour", "MetaBIN", 3), ("night", "MetaBIN", 3)
    ]  # fmt: skip
    for key, item in zip(keys, data["records"], strict=True):
        channels = fields["rho_channels"][key]
        assert item["steps"] == steps
        assert [(layer["name"], layer["channels"]) for layer in item["layers"]] == [
            (name, values.shape[1]) for name, values in channels.layers.items()
        ]
        levels = np.frombuffer(b64decode(item["levels"]), np.uint8) / 255
        expected = np.concatenate([values.ravel() for values in channels.layers.values()])
        np.testing.assert_allclose(levels, expected, atol=0.501 / 255)
        of_training = [frame.set_index(["fold", "method", "seed"]).loc[key] for frame in
                       (fields["rho"], fields["rho_histograms"])]  # fmt: skip
        np.testing.assert_allclose(np.ravel(item["means"]), of_training[0]["mean"], atol=5e-5)
        counts = np.frombuffer(b64decode(item["counts"]), "<u2")
        assert counts.tolist() == of_training[1]["count"].tolist()


def test_a_page_of_53_layers_has_as_many_steps_as_fit(make_inputs: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (len(RESNET50), sum(RESNET50)) == (53, 26_560)
    monkeypatch.setattr(render, "MAX_LEVELS", 3 * 2 * 26_560)
    fields = made_up([("night", "bin_joint", 0), ("night", "metabin", 0)], RESNET50, [0, 10, 20, 30, 39])
    page = render.rho_page(make_inputs(**fields))
    for item in data_of(page)["records"]:
        assert (item["steps"], item["recorded"]) == ([0, 20, 39], 5)
        assert len(b64decode(item["levels"])) == 3 * 26_560
        assert len(item["means"]) == 3
    assert len(page) < 400_000


def test_names_of_domains_are_text_and_never_markup(make_inputs: Make) -> None:
    domains = (HOSTILE, "a&amp;b")
    fields = made_up([(name, "metabin", 0) for name in domains], [2], [0])
    page = render.rho_page(make_inputs(domains=domains, title=f"<b>{HOSTILE}", **fields))
    assert [item["fold"] for item in data_of(page)["records"]] == list(domains)
    scripts = [attributes.get("type") for tag, attributes in Outline(page).tags if tag == "script"]
    assert scripts == ["application/json", None]
    assert "<b>" not in page


def test_the_page_loads_nothing_and_is_linked_from_the_report(report: tuple[ReportInputs, Path]) -> None:
    _, directory = report
    page = (directory / "rho.html").read_text(encoding="utf-8")
    assert len(data_of(page)["records"]) == 6  # three folds, two methods, the first of two seeds
    assert not re.search(r"https?:|url\(|@import|<img|\bsrc=|fetch\(", page)
    assert "default-src 'none'" in page
    links = [attributes["href"] for tag, attributes in Outline(page).tags if "href" in attributes]
    assert links == ["data:,"]
    main_page = Outline((directory / "index.html").read_text(encoding="utf-8"))
    assert ("a", {"href": "rho.html"}) in main_page.tags


def test_a_run_that_learns_no_rho_has_a_page_that_says_so(make_inputs: Make) -> None:
    page = render.rho_page(make_inputs(methods=("bn",)))
    assert "No method of this run learns rho" in page
    assert "<script" not in page

"""Plausible results of invented runs, and small rendered pictures."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from metabin.report.inputs import ReportInputs
from metabin.report.markdown import report_text
from metabin.report.page import write_report
from metabin.report.sections import build_sections
from metabin.rho_channels import RhoChannels

LEVEL = {"bn": 0.36, "in": 0.38, "bin_fixed": 0.43, "bin_joint": 0.42, "metabin": 0.42, "stripes": 0.17, "chance": 0.03}
LEARNED = ("bin_joint", "metabin")
TRAINED = ("bn", "in", "bin_fixed", "bin_joint", "metabin")
Folds = Mapping[str, Sequence[str]]  # name: what it holds out
LOSSES = {
    "base/ce": TRAINED, "base/triplet": TRAINED, "meta_train/scatter": ("metabin",), "meta_train/shuffle": ("metabin",),
    "meta_train/triplet": ("metabin",), "meta_test/triplet": ("metabin",), "lr/base": TRAINED, "lr/inner": ("metabin",),
}  # fmt: skip


def generator(*labels: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(labels).encode()))


def fake_scores(folds: Folds, domains: Sequence[str], methods: Sequence[str], seeds: Sequence[int]) -> pd.DataFrame:
    rows = []
    for method in (*methods, "stripes", "chance"):
        for seed in seeds if method not in ("stripes", "chance") else (-1,):
            for fold, targets in folds.items():
                for test in domains:
                    role = "unseen" if test in targets else "seen"
                    shift = generator("domain", test).normal(0, 0.05) + generator(method, fold, test, seed).normal(
                        0, 0.015
                    )
                    value = float(np.clip(LEVEL.get(method, 0.3) + shift + (0.12 if role == "seen" else 0), 0.01, 0.99))
                    rows.append(
                        {
                            "fold": fold, "method": method, "seed": seed, "test_domain": test, "role": role,
                            "num_ids": 100 if role == "unseen" else 60, "num_query": 400 if role == "unseen" else 240,
                            "mAP": value, "mINP": value * 0.55, "rank1": min(1.0, value * 1.35),
                            "rank5": min(1.0, value * 1.6), "rank10": min(1.0, value * 1.75),
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


def fake_queries(scores: pd.DataFrame, num_ids: int = 8) -> pd.DataFrame:
    """Three queries per identity of every unseen test of a trained method; their mean is the test's mAP."""
    tests = scores[(scores["role"] == "unseen") & (scores["seed"] >= 0) & scores["mAP"].notna()]
    parts = []
    for fold, method, seed, domain, value in tests[["fold", "method", "seed", "test_domain", "mAP"]].itertuples(
        index=False
    ):
        pid = np.repeat(np.arange(num_ids), 3)
        looks = generator("looks", method, domain).normal(0, 0.05, num_ids)
        parts.append(pd.DataFrame({
            "fold": fold, "method": method, "seed": seed, "test_domain": domain, "trial": -1, "pid": pid,
            "query": np.arange(len(pid)), "AP": value + (looks - looks.mean())[pid],
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def fake_losses(folds: Folds, methods: Sequence[str], seeds: Sequence[int], steps: range) -> pd.DataFrame:
    rows = []
    for number, method in enumerate(methods):
        for fold in folds:
            for seed in seeds:
                noise = generator("loss", method, fold, seed)
                for step in steps:
                    row: dict[str, Any] = {"fold": fold, "method": method, "seed": seed, "step": step}
                    for order, (name, users) in enumerate(LOSSES.items()):
                        fall = (1 + 0.3 * order) * np.exp(-step / (80 + 20 * number)) + 0.1 * order + 0.03 * number
                        rate = 3e-4 * min(1.0, (step + 1) / 40)
                        value = rate if name.startswith("lr") else fall * (1 + 0.08 * noise.normal())
                        row[name] = value if method in users or method not in TRAINED else np.nan
                    rows.append(row)
    return pd.DataFrame(rows)


def fake_rho(
    folds: Folds, methods: Sequence[str], seeds: Sequence[int], steps: range, num_layers: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[tuple[str, str, int], RhoChannels]]:
    """The tables of rho and of its histograms, and the channels of the first seed."""
    rows, bins = [], []
    channels: dict[tuple[str, str, int], RhoChannels] = {}
    edges = np.linspace(0, 1, 21)
    for method in [name for name in methods if name in LEARNED]:
        for fold in folds:
            for seed in seeds:
                layers: dict[str, list[np.ndarray]] = {}
                for step in steps:
                    for index in range(num_layers):
                        layer, depth = f"layer{1 + index // 3}.{index % 3}.bn2", index / num_layers
                        drift = (step / steps[-1]) * (0.15 if method == "metabin" else 0.08)
                        noise = generator("rho", method, fold, seed, index)
                        values = np.clip(
                            0.5 + drift * (depth - 0.6) * 3 + noise.normal(0, 0.02 + drift * 0.7, 32), 0, 1
                        )
                        key = {"fold": fold, "method": method, "seed": seed, "step": step, "layer": layer}
                        layers.setdefault(layer, []).append(values.astype(np.float16))
                        low, high = np.quantile(values, [0.1, 0.9])
                        rows.append({**key, "num_channels": 32, "mean": values.mean(), "q10": low, "q90": high})
                        counts = np.histogram(values, edges)[0]
                        bins += [
                            {**key, "bin_left": left, "count": count}
                            for left, count in zip(edges[:-1], counts, strict=True)
                        ]
                if seed == seeds[0]:
                    values_of = {layer: np.array(values) for layer, values in layers.items()}
                    channels[fold, method, seed] = RhoChannels(np.array(steps), values_of)
    return pd.DataFrame(rows), pd.DataFrame(bins), channels


def render_images(root: Path, domains: Sequence[str], num_ids: int = 2) -> dict[str, list[str]]:
    """Eight pictures of each of a few stick people per domain, 64 wide and 128 high."""
    samples: dict[str, list[str]] = {}
    for number, domain in enumerate(domains):
        folder = root / f"d{number}"
        folder.mkdir(parents=True, exist_ok=True)
        tint = tuple(int(value) for value in generator("tint", domain).integers(60, 200, 3))
        for pid in range(num_ids):
            shirt = tuple(int(value) for value in generator("shirt", domain, pid).integers(0, 255, 3))
            for index in range(8):
                image = Image.new("RGB", (64, 128), tint)
                pen = ImageDraw.Draw(image)
                pen.ellipse((26 + index % 3, 10, 38 + index % 3, 24), fill=(230, 190, 160))
                pen.rectangle((20 + index % 4, 26, 44 + index % 4, 72), fill=shirt)
                pen.rectangle((23, 72, 41, 118), fill=(40, 40, 60))
                image.save(folder / f"{pid:04d}_c{index % 4}_{index}.jpg", quality=90)
                samples.setdefault(domain, []).append(f"d{number}/{pid:04d}_c{index % 4}_{index}.jpg")
    return samples


def fake_ranked(
    folds: Folds, methods: Sequence[str], seeds: Sequence[int], samples: dict[str, list[str]]
) -> list[dict[str, Any]]:
    lists = []
    for fold, target in [(fold, target) for fold, targets in folds.items() for target in targets]:
        paths = samples[target]
        for method in methods:
            for kind in ("worst", "typical"):
                noise = generator("rank", target, method, kind)
                gallery = []
                for place in range(8):
                    path = paths[int(noise.integers(0, len(paths)))]
                    pid = int(path.split("/")[1][:4])
                    gallery.append(
                        {
                            "path": path,
                            "pid": pid,
                            "camid": place % 4,
                            "distance": 0.2 + 0.05 * place,
                            "correct": pid == 0,
                        }
                    )
                query = {"path": paths[0], "pid": 0, "camid": 0}
                share = 0.41 if kind == "typical" else 0.02
                lists.append(
                    {"fold": fold, "test_domain": target, "method": method, "seed": seeds[0], "kind": kind,
                     "average_precision": share, "query": query, "gallery": gallery}
                )  # fmt: skip
    return lists


def fake_inputs(
    root: Path,
    *,
    domains: Sequence[str] = ("harbour", "market", "night"),
    folds: Folds | None = None,
    seen: bool = True,
    methods: Sequence[str] = TRAINED,
    seeds: Sequence[int] = (0,),
    steps: range = range(0, 101, 20),
    num_layers: int = 4,
    num_ids: int = 2,
    **changes: Any,
) -> ReportInputs:
    """Without `folds`, each of the domains is held out once. Without `seen`, no source has a test."""
    folds = {name: (name,) for name in domains} if folds is None else folds
    samples = render_images(root, domains, num_ids)
    scores = fake_scores(folds, domains, methods, seeds)
    rho, histograms, channels = fake_rho(folds, methods, seeds, steps, num_layers)
    fields: dict[str, Any] = {
        "title": "MetaBIN on six rendered camera sites",
        "note": "The benchmark is synthetic: every pedestrian is rendered, no picture shows a real person.",
        "folds": tuple(folds),
        "domains": tuple(domains),
        "methods": tuple(methods),
        "scores": scores if seen else scores[scores["role"] == "unseen"],
        "queries": fake_queries(scores),
        "losses": fake_losses(folds, methods, seeds, steps),
        "rho": rho,
        "rho_histograms": histograms,
        "rho_channels": channels,
        "ranked_lists": fake_ranked(folds, methods, seeds, samples),
        "samples": samples,
        "image_root": root,
        "provenance": {
            "commit": "4f2c9d1", "dirty": False,
            "params": {"train": {"steps": 300, "base_lr": 3e-4}, "rho": {"start": 0.5, "lr": 12.0}},
            "data": {"benchmark": "md5:0c6f9d8c1be14e6d8a2e6a7c8d1e5f00"},
            "versions": {"python": "3.11", "torch": "2.14.1", "pandas": "3.1.1"},
        },
    }  # fmt: skip
    return ReportInputs(**{**fields, **changes})


@pytest.fixture
def text_of() -> Callable[[ReportInputs], str]:
    """report.md of some inputs."""
    return lambda inputs: report_text(inputs, build_sections(inputs))


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportInputs, Path]:
    """Written once: three domains, two seeds, a method missing in one fold, an unknown method."""
    root = tmp_path_factory.mktemp("report")
    inputs = fake_inputs(root / "images", methods=("in", "bin_joint", "metabin", "my_new_norm"), seeds=(0, 1))
    scores = inputs.scores
    scores = scores[~((scores["method"] == "in") & (scores["fold"] == "night"))]
    inputs = replace(inputs, scores=scores, queries=fake_queries(scores))
    write_report(inputs, root / "out")
    return inputs, root / "out"


@pytest.fixture
def make_inputs(tmp_path: Path) -> Callable[..., ReportInputs]:
    """`fake_inputs` with its pictures under tmp_path / "images"."""
    return lambda **changes: fake_inputs(tmp_path / "images", **changes)

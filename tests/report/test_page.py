"""The files of the report."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from metabin.errors import DatasetError
from metabin.report import charts
from metabin.report.inputs import ReportInputs
from metabin.report.page import write_report
from metabin.report.pictures import Thumbnails
from metabin.report.provenance import flatten_sections

Written = tuple[ReportInputs, Path]
Make = Callable[..., ReportInputs]
VOID = {"meta", "link", "img", "use", "path", "br", "input"}


class Outline(HTMLParser):
    """Tags in order, text, and whether every tag that opens is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_every_file_is_written(report: Written) -> None:
    _, directory = report
    names = set(files(directory))
    assert {"index.html", "report.md", "metrics.json", "summary.json", "matrix.csv", "unseen.csv"} <= names
    pictures = {name.removeprefix("figures/").removesuffix(".png") for name in names if name.startswith("figures/")}
    assert {
        "unseen_and_seen",
        "paired_differences",
        "differences",
        "rho_profile",
        "rho_steps",
        "samples_night",
    } <= pictures
    assert {"matrix_metabin", "matrix_my_new_norm", "matrix_chance", "rho_final_bin_joint"} <= pictures
    assert {"curve_base_ce", "curve_meta_train_shuffle", "curve_lr_inner"} <= pictures
    assert not [name for name in names if "partial" in name]


def test_the_same_inputs_give_the_same_bytes(report: Written, tmp_path: Path) -> None:
    inputs, directory = report
    write_report(inputs, tmp_path)
    assert files(tmp_path) == files(directory)


def test_the_page_needs_nothing_beside_it(report: Written) -> None:
    inputs, directory = report
    page = (directory / "index.html").read_text(encoding="utf-8")
    assert "http://" not in page
    assert "https://" not in page
    assert "url(" not in page
    assert "@import" not in page
    outline = Outline(page)
    assert outline.stack == []
    assert "script" not in {tag for tag, _ in outline.tags}
    for tag, attributes in outline.tags:
        assert (attributes.get("src") or "data:").startswith("data:")
        href = attributes.get("href") or "#"
        # rho.html is a page of its own; this one is complete without it.
        assert href.startswith("#") or (tag, href) in {("link", "data:,"), ("a", "rho.html")}
    assert str(inputs.image_root) not in page
    assert len(page) < 3_000_000


def test_every_picture_has_a_text_and_every_link_a_target(report: Written) -> None:
    _, directory = report
    outline = Outline((directory / "index.html").read_text(encoding="utf-8"))
    assert all(attributes.get("alt") for tag, attributes in outline.tags if tag == "img")
    ids = {attributes["id"] for _, attributes in outline.tags if "id" in attributes}
    links = {attributes["href"] or "" for tag, attributes in outline.tags if tag in ("a", "use")}
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    assert [link for link in links if not link.startswith("#")] == ["rho.html"]
    assert (directory / "rho.html").is_file()
    assert [tag for tag, _ in outline.tags].count("h1") == 1


def test_the_page_has_a_dash_for_missing_scores_and_no_unsupported_verdict(report: Written) -> None:
    _, directory = report
    text = Outline((directory / "index.html").read_text(encoding="utf-8")).text
    assert "\u2013" in text
    assert "2 of 3" in text
    assert "No difference shown between MetaBIN and BIN joint" in text
    assert "no verdict is claimed" not in text
    assert "every pedestrian is rendered" in text
    assert "nan" not in text.lower().split()


def test_summary_and_matrix_hold_the_numbers_of_the_scores(report: Written) -> None:
    inputs, directory = report
    metabin = inputs.scores[(inputs.scores["method"] == "metabin") & (inputs.scores["role"] == "unseen")]
    summary = json.loads((directory / "summary.json").read_text())
    assert list(summary) == sorted(summary)
    assert summary["metabin"]["unseen"]["mAP"] == pytest.approx(metabin["mAP"].mean(), abs=1e-6)
    metrics = json.loads((directory / "metrics.json").read_text())
    trained = summary.keys() - {"differences"}
    assert list(metrics) == ["unseen_mAP", "seen_mAP"]
    for role in ("unseen", "seen"):
        assert metrics[f"{role}_mAP"] == {name: summary[name][role]["mAP"] for name in trained}
    pairs = {f"{name}_minus_{other}" for name in ("metabin", "my_new_norm") for other in ("bin_joint", "in")}
    assert set(summary["differences"]) == pairs  # every method that is no baseline is compared with them
    joint = inputs.scores[(inputs.scores["method"] == "bin_joint") & (inputs.scores["role"] == "unseen")]
    difference = summary["differences"]["metabin_minus_bin_joint"]
    assert difference["difference"] == pytest.approx(metabin["mAP"].mean() - joint["mAP"].mean(), abs=1e-6)
    assert difference["low"] < difference["difference"] < difference["high"]
    matrix = pd.read_csv(directory / "matrix.csv").set_index(["method", "held_out", "test_domain"])
    night = metabin[metabin["fold"] == "night"]["rank1"].mean()
    assert matrix.loc[("metabin", "night", "night"), "rank1"] == pytest.approx(night, abs=1e-6)
    assert matrix.loc["in"].loc["night"]["mAP"].isna().all()
    assert len(matrix) == 6 * 3 * 3


def test_png_files_hold_no_metadata(report: Written) -> None:
    _, directory = report
    for path in (directory / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert not image.info.keys() & {"Software", "Creation Time", "date"}


def test_hostile_names_are_escaped(make_inputs: Make, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>&\"'"
    inputs = make_inputs(
        domains=(evil, "$\\frac", "c"), methods=("bn",), title=evil, note=evil, losses=pd.DataFrame(),
        provenance={evil: {evil: evil}, "params": {"list": [evil]}},
    )  # fmt: skip
    write_report(inputs, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    outline = Outline(page)
    assert evil in outline.text
    assert not [attributes for _, attributes in outline.tags if "onerror" in attributes]


def test_the_least_that_can_be_reported_is_a_table(make_inputs: Make, tmp_path: Path) -> None:
    empty = pd.DataFrame()
    inputs = make_inputs(
        methods=("bn",),
        losses=empty,
        rho=empty,
        rho_histograms=empty,
        ranked_lists=(),
        samples={},
        provenance={},
        note="",
    )
    write_report(inputs, tmp_path / "out")
    outline = Outline((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    sections = [attributes["id"] for tag, attributes in outline.tags if tag == "section"]
    assert sections == ["results", "matrices", "run"]


def test_one_fold_with_several_targets_and_no_seen_scores_is_reported(make_inputs: Make, tmp_path: Path) -> None:
    inputs = make_inputs(folds={"small_sets": ("market", "night")}, methods=("bn", "bin_joint"), seen=False)
    write_report(inputs, tmp_path / "out")
    text = Outline((tmp_path / "out" / "index.html").read_text(encoding="utf-8")).text
    assert "2 domains are held out: every method is trained on other domains" in text
    assert "mAP by fold and test domain" in text
    assert "night, held out" in text
    assert "Seen" not in text
    assert "Hollow" not in text
    matrix = pd.read_csv(tmp_path / "out" / "matrix.csv")
    assert set(matrix["test_domain"]) == {"market", "night"}
    assert set(matrix["role"]) == {"unseen"}


def test_a_single_cell_is_reported_without_matrices(make_inputs: Make, tmp_path: Path) -> None:
    inputs = make_inputs(folds={"night": ("night",)}, methods=("bn", "bin_joint"), seeds=(0, 1), seen=False)
    write_report(inputs, tmp_path / "out")
    outline = Outline((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert "One domain is held out" in outline.text
    assert "matrices" not in {attributes.get("id") for _, attributes in outline.tags}
    assert not list((tmp_path / "out" / "figures").glob("matrix_*"))


@pytest.mark.bad_input("file of a stage")
def test_a_missing_image_is_named(make_inputs: Make, tmp_path: Path) -> None:
    inputs = make_inputs(methods=("bn",), samples={"night": ["night/0007_c2_1.jpg"]}, losses=pd.DataFrame())
    with pytest.raises(DatasetError, match=r"night/0007_c2_1\.jpg"):
        write_report(inputs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.bad_input("file of a stage")
@pytest.mark.parametrize("path", ["../secret.jpg", "/etc/hostname", "../data/../secret.jpg"])
def test_an_image_outside_of_the_project_and_of_local_data_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="is outside of the project"):
        Thumbnails(tmp_path, [Path("../data"), Path("/data")]).uri(path)


def test_images_of_a_local_data_set_may_lie_anywhere(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "data").mkdir()
    Image.new("RGB", (4, 8), "red").save(tmp_path / "data/a.png")
    for folder in (Path("../data"), tmp_path / "data"):
        image = Thumbnails(tmp_path / "project", [folder]).image(f"{folder.as_posix()}/a.png")
        assert image.getpixel((0, 0)) == (255, 0, 0)


def test_two_names_that_give_the_same_file_are_refused(make_inputs: Make, tmp_path: Path) -> None:
    inputs = make_inputs(methods=("a b", "a/b"), losses=pd.DataFrame(), ranked_lists=())
    with pytest.raises(ValueError, match="matrix_a_b"):
        write_report(inputs, tmp_path / "out")
    with pytest.raises(ValueError, match="samples_a_b"):
        write_report(make_inputs(domains=("a b", "a/b"), methods=("bn",)), tmp_path / "out")


def test_a_slug_is_a_safe_file_name() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", charts.slug("../meta train/<x>"))
    assert charts.slug("bin_joint") == "bin_joint"


def test_provenance_is_flattened_into_sections() -> None:
    sections = flatten_sections(
        {"params": {"train": {"steps": 3, "ids": [1, 2]}}, "commit": "abc", "dirty": True, "x": {}}
    )
    assert sections == {"": {"commit": "abc", "dirty": "yes"}, "params": {"train.steps": "3", "train.ids": "1, 2"}}
    assert next(iter(sections)) == ""

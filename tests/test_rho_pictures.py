"""The pictures of rho in a run: which layers are where, what the bars show, and what the MLflow UI gets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageColor

from metabin.tracking.layer_pages import MAX_COLUMNS, MAX_ROWS, layer_pages, short_names
from metabin.tracking.rho_pictures import BLUE, GREY, HEADER, HEIGHT, RED, WIDTH, RhoAtStep, rho_pictures
from metabin.tracking.step_pictures import FOLDER, SCALE, TAG, TILE_HEIGHT, save_pictures

SMALL = ("norm", *(f"block{block}.{norm}" for block in (1, 2) for norm in ("norm1", "norm2", "shortcut.1")))


def resnet_names(*depths: int) -> list[str]:
    """Layers of a ResNet with bottlenecks, with so many blocks in each stage."""
    names = ["bn1"]
    for stage, depth in enumerate(depths, 1):
        for block in range(depth):
            names += [f"layer{stage}.{block}.bn{place}" for place in (1, 2, 3)]
            names += [f"layer{stage}.{block}.downsample.1"] if block == 0 else []
    return names


def mask(picture: Image.Image, colour: str) -> np.ndarray:
    """Which pixels have a colour, (height, width)."""
    return (np.asarray(picture) == ImageColor.getrgb(colour)).all(axis=2)


def bins(picture: Image.Image, selected: np.ndarray) -> tuple[float, float]:
    """The first and the last place of selected pixels on the axis, which has 20 bins."""
    grey = mask(picture, GREY)
    axis = np.flatnonzero(grey[grey.sum(axis=1).argmax()])
    columns = np.nonzero(selected)[1]
    scale = 20 / (axis.max() + 1 - axis.min())
    return (columns.min() - axis.min()) * scale, (columns.max() + 1 - axis.min()) * scale


def test_the_53_layers_of_a_resnet_50_need_five_pages():
    names = resnet_names(3, 4, 6, 3)
    pages = layer_pages(names)
    assert len(names) == 53
    assert [page.title for page in pages] == ["stem to layer1", "layer2", "layer3 1 of 2", "layer3 2 of 2", "layer4"]
    assert [layer for page in pages for row in page.rows for layer in row.layers.values()] == names
    stem, first, *_ = pages[0].rows
    assert (stem.block, dict(stem.layers)) == ("", {"bn1": "bn1"})
    assert (first.block, list(first.layers)) == ("layer1.0", ["bn1", "bn2", "bn3", "downsample"])


@pytest.mark.parametrize(
    "names",
    [
        resnet_names(3, 4, 23, 3),
        [f"features.{place}.1" for place in range(30)],  # every group is a layer
        [str(place) for place in range(30)],
        ["a.norm"],
    ],
    ids=["deep", "flat", "numbers", "single"],
)
def test_every_layer_has_one_place_on_a_page_of_few_rows(names):
    pages = layer_pages(names)
    assert [layer for page in pages for row in page.rows for layer in row.layers.values()] == names
    assert max(len(page.rows) for page in pages) <= MAX_ROWS
    assert max(len(row.layers) for page in pages for row in page.rows) <= MAX_COLUMNS
    assert len({page.title for page in pages}) == len(pages)


def test_a_short_name_is_the_beginning_that_no_other_layer_has():
    names = ["net.conv1.bn", "net.conv2.0.conv.1", "net.conv2.0.conv.3", "net.conv2.0.down.1"]
    assert list(short_names(names).values()) == ["conv1", "conv2.0.conv.1", "conv2.0.conv.3", "conv2.0.down"]


def test_each_layer_is_drawn_at_its_own_place():
    values = {name: np.full(8, 0.975) for name in SMALL}
    before = rho_pictures(values, 0)
    boxes = []
    for name in SMALL:
        after = rho_pictures(values | {name: np.full(8, 0.025)}, 0)
        changed = [key for key in after if ImageChops.difference(before[key], after[key]).getbbox()]
        assert changed[0] == "Rho layers/0 all layers"
        (key,) = changed[1:]
        boxes.append((key, ImageChops.difference(before[key], after[key]).getbbox()))
    for place, (key, (left, top, right, bottom)) in enumerate(boxes):
        for other, box in boxes[:place]:
            overlaps = left < box[2] and box[0] < right and top < box[3] and box[1] < bottom
            assert key != other or not overlaps


@pytest.mark.parametrize(("value", "place"), [(0.0, 0), (0.525, 10), (1.0, 19)])
def test_bars_and_mean_are_between_instance_and_batch(value, place):
    picture = rho_pictures({"a": np.full(8, value)}, 0)["Rho layers/1 stem"]
    assert bins(picture, mask(picture, BLUE)) == pytest.approx((place, place + 1), abs=0.3)  # the line hides a part
    line = mask(picture, RED)
    line[:, line.sum(axis=0) < line.sum(axis=0).max()] = False  # without the number
    assert bins(picture, line) == pytest.approx((20 * value, 20 * value), abs=0.3)


def test_steps_differ_in_the_header_alone():
    values = {name: np.linspace(0, 1, 9) for name in SMALL}
    for now, later in zip(rho_pictures(values, 0).values(), rho_pictures(values, 4000).values(), strict=True):
        assert now.size == (WIDTH * SCALE, HEIGHT * SCALE)
        box = ImageChops.difference(now, later).getbbox()
        assert box
        assert box[3] <= HEADER * SCALE


def test_an_earlier_step_is_outlined_in_grey():
    end = {"a": np.full(8, 0.975)}
    rho = np.full(8, 0.525)
    start = RhoAtStep(0, {"a": rho})
    rho[:] = 0.2  # as a training changes its rho
    alone, both = (rho_pictures(end, 900, earlier)["Rho layers/1 stem"] for earlier in (None, start))
    outline = mask(both, GREY) & ~mask(alone, GREY)
    outline[: HEADER * SCALE] = False
    outline[-HEIGHT * SCALE // 2 :] = False  # the lower half, with the axis
    assert bins(alone, outline) == pytest.approx((10, 11), abs=0.2)


class Client:
    """The files and the tags that a client would record."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, Image.Image] = {}
        self.tags: dict[str, str] = {}
        self.folder = folder

    @contextmanager
    def _log_artifact_helper(self, run_id: str, artifact_file: str) -> Iterator[Path]:
        path = self.folder / Path(artifact_file).name
        yield path
        self.files[artifact_file] = Image.open(path).copy()

    def set_tag(self, run_id: str, key: str, value: object, synchronous: bool = True) -> None:
        self.tags[key] = str(value)


def test_the_ui_gets_the_files_of_log_image_with_a_tile_that_begins_with_the_picture(tmp_path):
    from mlflow import MlflowClient

    key = "Rho layers/1 stem"
    picture = rho_pictures({"a": np.linspace(0, 1, 9)}, 25)[key]
    ours = tmp_path / "ours"
    ours.mkdir()
    save_pictures({key: picture}, 25, ours)
    files = {f"{FOLDER}/{path.name}": Image.open(path) for path in ours.iterdir()}
    theirs = Client(tmp_path)
    MlflowClient.log_image(theirs, "run", picture, key=key, step=25, synchronous=True)  # pyright: ignore
    assert theirs.tags == {TAG: "True"}
    plain = [
        sorted(re.sub(r"timestamp\+[0-9]{13}\+[0-9a-f-]{36}", "unique", name) for name in names)
        for names in (files, theirs.files)
    ]
    assert plain[0] == plain[1]
    tile, full = sorted(files.values(), key=lambda image: image.width)
    assert full.tobytes() == picture.tobytes()
    assert tile.size == (WIDTH, TILE_HEIGHT)
    top = tile.convert("RGB").crop((0, 0, WIDTH, HEIGHT))
    assert top.tobytes() == picture.reduce(SCALE).tobytes()
    assert tile.convert("L").crop((0, HEIGHT, WIDTH, TILE_HEIGHT)).getextrema() == (255, 255)

"""Tests of one image: its bytes depend on its arguments only."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metabin.synthetic import NUM_CAMS, SITES, RenderSettings, render_image

PINNED = json.loads(Path(__file__).with_name("pinned.json").read_text())
SETTINGS = RenderSettings(num_ids=10)


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize("key", PINNED["sha256"])
def test_the_bytes_are_those_that_were_pinned(key):
    """Compare exact bytes; after an intended change, write the new digests into pinned.json."""
    for package, pinned in PINNED["versions"].items():
        if version(package) != pinned:
            pytest.skip(f"pinned with {package} {pinned}, this is {version(package)}")
    site, pid, camid, shot = key.split("/")
    content = render_image(RenderSettings(), site, int(pid), int(camid), int(shot))
    assert hashlib.sha256(content).hexdigest() == PINNED["sha256"][key]


@pytest.mark.parametrize("site", SITES)
def test_an_image_is_a_jpeg_of_128_by_64_pixels_with_something_on_it(site):
    content = render_image(SETTINGS, site, 1, 0, 0)
    image = Image.open(io.BytesIO(content))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 128))
    assert pixels(content).std() > 10.0


def test_the_order_of_rendering_does_not_matter():
    keys = [(pid, camid) for pid in (1, 2, 7) for camid in range(NUM_CAMS)]
    forwards = {key: render_image(SETTINGS, "night", *key, 1) for key in keys}
    backwards = {key: render_image(SETTINGS, "night", *key, 1) for key in reversed(keys)}
    assert forwards == backwards


def test_every_argument_changes_the_image():
    base = render_image(SETTINGS, "mall", 3, 1, 0)
    others = [
        render_image(replace(SETTINGS, seed=1), "mall", 3, 1, 0),
        render_image(SETTINGS, "plaza", 3, 1, 0),
        render_image(SETTINGS, "mall", 4, 1, 0),
        render_image(SETTINGS, "mall", 3, 2, 0),
        render_image(SETTINGS, "mall", 3, 1, 1),
        render_image(replace(SETTINGS, gap=0.0), "mall", 3, 1, 0),
        render_image(replace(SETTINGS, spread=0.0), "mall", 3, 1, 0),
    ]
    assert len({base, *others}) == len(others) + 1


def test_the_numbers_of_identities_and_shots_do_not_change_an_image():
    more = replace(SETTINGS, num_ids=200, num_shots=5)
    assert render_image(SETTINGS, "winter", 5, 3, 1) == render_image(more, "winter", 5, 3, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("beach", 1, 0, 0), "beach.*campus"),
        (("mall", 0, 0, 0), "pid"),
        (("mall", 11, 0, 0), r"pid is 11.*\[1, 10\]"),
        (("mall", 1, 4, 0), "camid"),
        (("mall", 1, 0, 2), "shot"),
    ],
)
def test_an_argument_out_of_range_is_named_in_the_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        render_image(SETTINGS, *arguments)


def test_colour_alone_does_not_identify_people():
    """Rank by colour; images of the same identity by the same camera are left out (Market rule)."""
    num_ids = 20
    pids = range(1, num_ids + 1)
    keys = [(pid, camid, shot) for pid in pids for camid in range(NUM_CAMS) for shot in range(2)]
    settings = RenderSettings(num_ids=num_ids)
    pid, camid, _ = np.array(keys).T
    same_person = pid[:, None] == pid
    same_camera = camid[:, None] == camid
    rank1: dict[str, list[float]] = {"colour": [], "stripes": []}
    for site in ("campus", "plaza"):
        images = np.stack([pixels(render_image(settings, site, *key)) for key in keys]) / 255.0
        middle = images[:, :, 16:48].reshape(len(keys), 8, 16, 32, 3)
        features = {
            "colour": images.mean((1, 2)),
            "stripes": middle.mean((2, 3)).reshape(len(keys), -1),
        }
        for name, feature in features.items():
            distance = ((feature[:, None] - feature) ** 2).sum(-1)
            nearest = np.where(same_person & same_camera, np.inf, distance).argmin(1)
            rank1[name].append(float((pid[nearest] == pid).mean()))
    chance = 6 / (len(keys) - 2)  # an identity's other images among those that are ranked
    assert np.mean(rank1["colour"]) < 3.0 * chance
    assert np.mean(rank1["stripes"]) > 4.0 * chance  # colour with its place is informative

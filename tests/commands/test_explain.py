"""`metabin explain`: the picture of a pair of images, and the table of rho."""

import numpy as np
import pytest
from PIL import Image
from tiny import refuse, succeed, write_images, write_model

import metabin
from metabin.commands.region_picture import GAP, HEIGHT, MARGIN, TITLE, draw_regions
from metabin.inference.explanation import PairExplanation

WIDTH = HEIGHT // 2


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photos(tmp_path):
    return write_images(tmp_path, ["a.png", "b.png"])


def test_the_picture_is_written_and_the_similarity_is_that_of_the_api(model, photos):
    pytest.importorskip("captum")
    result = succeed("explain", model, photos / "a.png", photos / "b.png", "--picture", photos / "out/regions.png")
    embeddings = metabin.load(model, device="cpu").embed([photos / "a.png", photos / "b.png"])
    expected = metabin.similarity(*embeddings).item()
    assert result.stdout.splitlines()[0] == f"cosine similarity {expected:.4f}"
    with Image.open(photos / "out/regions.png") as picture:
        assert picture.size[0] == 2 * (2 * WIDTH + GAP) + 3 * MARGIN


def draw(path, regions, similarity=0.5, layer=""):
    """Draw the regions of a white and of a grey image; return the parts of the picture with images."""
    images = [Image.new("RGB", (10, 20), colour) for colour in ("white", "grey")]
    explanation = PairExplanation(similarity, np.asarray(regions, np.float32), layer)
    draw_regions(path, explanation, images, ["a.png", "a long name " * 20], WIDTH)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)[TITLE : TITLE + HEIGHT]
    lefts = [MARGIN, MARGIN + WIDTH + GAP, 2 * MARGIN + 2 * WIDTH + GAP, 2 * MARGIN + 3 * WIDTH + 2 * GAP]
    return [pixels[:, left : left + WIDTH] for left in lefts]


def test_regions_that_raise_are_orange_and_those_that_lower_are_blue(tmp_path):
    image_a, regions_a, image_b, regions_b = draw(tmp_path / "out.png", [[[0.1], [-0.1]], [[0.0], [0.05]]])
    assert (image_a == 255).all()
    assert (image_b == 128).all()
    red, _, blue = np.moveaxis(regions_a, -1, 0)
    assert (red[:100] > blue[:100] + 100).all()
    assert (blue[-100:] > red[-100:] + 100).all()
    grey = regions_b[0, 0]
    assert grey.max() == grey.min()  # 0 has no colour
    weak = regions_b[-1, 0]
    assert 20 < weak[0] - weak[2] < 100  # half as strong as the strongest region of both images


def test_regions_without_any_effect_have_no_colour(tmp_path):
    _, regions, *_ = draw(tmp_path / "out.jpg", np.zeros((2, 2, 1)))
    assert np.ptp(regions) == 0


def test_rho_prints_one_line_per_layer_and_needs_no_image(model):
    lines = succeed("explain", model, "--rho").stdout.splitlines()
    assert lines[0].split("  ")[0] == "layer"
    assert lines[1].split() == ["norm", "16", "0.50", "0.50", "0.50", "0.0", "0.0"]
    assert lines[-1].split()[:2] == ["all", "720"]
    assert len(lines) == 1 + 12 + 1


@pytest.mark.bad_input("command line")
@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ((), (), "found 0 images; expected are two images, or --rho, or both"),
        (("a.png",), ("--rho",), "found 1 images; expected are two images"),
        (("a.png", "b.png"), ("--picture", "out.doc"), "--picture is out.doc; expected is a name that ends with"),
        (("a.png", "none.png"), (), "none.png cannot be read as an image"),
        (("a.png", "b.png"), ("--layer", "block9"), "unknown layer block9"),
    ],
)
def test_bad_input_is_one_clear_line(model, photos, images, options, message, monkeypatch):
    monkeypatch.chdir(photos)
    assert message in refuse("explain", model, *images, *options)

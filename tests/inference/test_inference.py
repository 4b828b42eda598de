"""Use of a trained model: what it takes, what it returns, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from descriptions import describe_network
from PIL import Image

import metabin
from metabin.errors import CheckpointError, ConfigError, DatasetError
from metabin.inference.images import Reader
from metabin.model.embedder import build_embedder
from metabin.model.weights import save_model

SIZE = (32, 16)  # height, width


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a model whose norms are in the state after some batches."""
    torch.manual_seed(0)
    network = build_embedder("resnet_small", 5, norm="bin", rho=0.5)
    with torch.no_grad():
        for _ in range(3):
            network.classify(network(torch.randn(8, 3, *SIZE)))
    path = tmp_path_factory.mktemp("model")
    save_model(path, network, describe_network(network, "resnet_small", "bin", *SIZE))
    return path


@pytest.fixture(scope="module")
def model(folder):
    return metabin.load(folder, device="cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Paths of ten photographs of other sizes than the model's."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("photos")
    for number in range(10):
        pixels = random.integers(0, 256, (6 + number, 5, 3), np.uint8)
        Image.fromarray(pixels).resize((60, 90 + number)).save(path / f"{number}.png")
    return sorted(path.glob("*.png"))


def test_embeddings_have_unit_length_and_one_row_per_image(model, photos):
    embeddings = model.embed(photos)
    assert embeddings.shape == (10, model.description.embedding_size)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    assert len(np.unique(embeddings.round(4), axis=0)) == 10


def test_every_form_of_an_image_gives_the_same_embedding(model, photos):
    expected = model.embed(photos)
    pillow = [Image.open(path) for path in photos]
    arrays = [np.asarray(image) for image in pillow]
    resized = np.stack([np.asarray(image.resize((16, 32), Image.Resampling.BICUBIC)) for image in pillow])
    for images in ([str(path) for path in photos], pillow, arrays, resized, iter(photos), (path for path in photos)):
        np.testing.assert_array_equal(model.embed(images), expected)
    for image in (photos[3], str(photos[3]), pillow[3], arrays[3]):
        np.testing.assert_allclose(model.embed(image), expected[3:4], atol=1e-6)


def test_a_turned_photograph_is_embedded_as_a_viewer_shows_it(model, photos, tmp_path):
    upright = Image.open(photos[0])
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: viewers rotate by 90 degrees clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    expected = model.embed(photos[0])
    np.testing.assert_array_equal(model.embed(tmp_path / "turned.png"), expected)
    np.testing.assert_array_equal(model.embed(Image.open(tmp_path / "turned.png")), expected)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_the_batch_size_does_not_matter(batch_size, model, photos):
    np.testing.assert_allclose(model.embed(photos, batch_size=batch_size), model.embed(photos), atol=1e-6, rtol=0)


def test_worker_processes_read_the_same_images(model, photos):
    np.testing.assert_array_equal(model.embed(photos, batch_size=4, workers=2), model.embed(photos, batch_size=4))
    with pytest.raises(ConfigError, match="workers is 2, which needs a list of images"):
        model.embed(iter(photos), workers=2)


def test_no_image_gives_no_row(model):
    assert model.embed([]).shape == (0, model.description.embedding_size)


def test_batches_are_read_as_they_are_needed(model, photos):
    read = []

    def images():
        for path in photos:
            read.append(path)
            yield path

    first = next(model.embed_batches(images(), batch_size=4))
    assert first.index.tolist() == [0, 1, 2, 3]
    assert len(read) == 4


@pytest.mark.bad_input("image")
def test_unreadable_images_are_an_error_or_are_named(model, photos, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    images = [photos[0], tmp_path / "text.jpg", photos[1], np.zeros((4, 4), np.uint8)]
    with pytest.raises(DatasetError, match=r"text\.jpg cannot be read as an image: text, not an image"):
        model.embed(images)
    (batch,) = model.embed_batches(images, skip_unreadable=True)
    assert batch.index.tolist() == [0, 2]
    np.testing.assert_allclose(batch.embeddings, model.embed(photos[:2]), atol=1e-6)
    assert list(batch.unreadable) == [1, 3]
    assert "image 3: found an array of shape (4, 4), uint8" in batch.unreadable[3]


def test_only_unreadable_images_give_an_empty_batch(model, tmp_path):
    (batch,) = model.embed_batches([tmp_path / "absent.jpg"], skip_unreadable=True)
    assert batch.embeddings.shape == (0, model.description.embedding_size)
    assert "absent.jpg" in batch.unreadable[0]


@pytest.mark.bad_input("image")
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 4)), r"array of shape \(4, 4\)"),
        ([np.zeros((4, 4, 3), np.float32)], r"\(4, 4, 3\), float32; expected are paths"),
        ([b"bytes"], "found bytes; expected are paths"),
    ],
)
def test_other_objects_are_refused(images, message, model):
    with pytest.raises(DatasetError, match=message):
        model.embed(images)


def test_a_folder_of_images_is_refused_with_what_to_pass(model, tmp_path):
    with pytest.raises(DatasetError, match="is a folder; pass the paths of the images in it"):
        model.embed(tmp_path)


def test_the_weights_file_stands_for_its_folder(folder, model, photos):
    other = metabin.load(folder / "model.safetensors", device="cpu")
    np.testing.assert_array_equal(other.embed(photos), model.embed(photos))


@pytest.mark.bad_input("weights or model")
def test_what_is_no_model_is_refused(folder, tmp_path):
    with pytest.raises(CheckpointError, match="does not exist; expected is the folder of a training"):
        metabin.load(tmp_path / "absent")
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        metabin.load(tmp_path)
    (tmp_path / "model.pth").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"model\.pth is not the model\.safetensors of a training"):
        metabin.load(tmp_path / "model.pth")
    with pytest.raises(ConfigError, match="the device is 'gpu'; expected is auto"):
        metabin.load(folder, device="gpu")


def test_similarity_is_the_cosine():
    query = np.array([[3.0, 0.0], [0.0, 0.0]])
    gallery = np.array([[1.0, 0.0], [-2.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(metabin.similarity(query, gallery), [[1, -1, 0.5**0.5], [0, 0, 0]], atol=1e-6)
    assert metabin.similarity(query[0], gallery).shape == (1, 3)
    with pytest.raises(ConfigError, match="have 2 and 3 values; compare embeddings of the same model"):
        metabin.similarity(query, np.ones((4, 3)))


def test_pixels_are_resized_like_those_of_the_partition(photos):
    (batch,) = Reader(*SIZE, batch_size=16).read(photos)
    for pixels, path in zip(batch.pixels, photos, strict=True):
        expected = Image.open(path).convert("RGB").resize((16, 32), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(pixels, np.asarray(expected))


def test_the_import_costs_nothing_and_names_are_there():
    code = "import sys, metabin; print(sorted({'torch', 'numpy', 'pydantic', 'mlflow'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "[]\n"
    assert set(metabin.__all__) <= set(dir(metabin))
    for name in metabin.__all__:
        assert getattr(metabin, name) is not None
    assert not hasattr(metabin, "absent")

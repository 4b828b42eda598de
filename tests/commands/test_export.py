"""`metabin export`: the ONNX file that it writes is a model for all commands."""

import numpy as np
import pytest
from tiny import refuse, succeed, write_images, write_model

import metabin


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


def test_the_file_gives_the_embeddings_of_the_model(model, tmp_path):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    path = tmp_path / "model.onnx"
    result = succeed("export", model, path)
    assert result.stdout == f"{path}: {path.stat().st_size / 1e6:.1f} MB\n"
    photos = write_images(tmp_path / "photos", ["a.png", "b.png"])
    succeed("embed", path, photos, "--output", tmp_path / "embedded")
    images = sorted(photos.iterdir())
    expected = metabin.load(model, device="cpu").embed(images)
    np.testing.assert_allclose(metabin.load(path).embed(images), expected, atol=1e-5)
    # Embeddings of the file are embeddings of the model.
    matches = succeed("search", model, photos, tmp_path / "embedded", "--top", 1, "--format", "csv").stdout
    assert matches.splitlines()[1:] == ["a.png,1,a.png,1.0000", "b.png,1,b.png,1.0000"]
    assert refuse("export", path, tmp_path / "again.onnx") == (
        f"{path} is an ONNX file already; pass the folder of a training"
    )


@pytest.mark.bad_input("command line")
def test_another_suffix_is_refused(model, tmp_path):
    message = refuse("export", model, tmp_path / "model.pt")
    assert message == f"OUTPUT is {tmp_path / 'model.pt'}; expected is a name that ends with .onnx"


@pytest.mark.bad_input("command line")
def test_a_missing_model_is_refused(tmp_path):
    message = refuse("export", tmp_path / "absent", tmp_path / "model.onnx")
    assert message.startswith(f"{tmp_path / 'absent'} does not exist; expected is the folder of a training")

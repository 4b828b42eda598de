"""Files that hold no model of ours are refused, with what was found, expected and to do."""

import sys

import numpy as np
import onnx
import pytest
import torch

from metabin.data.batches.loading import normalise
from metabin.errors import CheckpointError, ConfigError
from metabin.export.onnx_backend import OnnxBackend


def changed(exported, folder, change):
    """The path of a copy of a file after a change of its model."""
    model = onnx.load(exported)
    change(model)
    path = folder / "changed.onnx"
    onnx.save(model, path)
    return path


def test_pixels_are_normalised_as_in_the_pipeline(exported):
    backend = OnnxBackend(exported, num_threads=1)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 16, 3), np.uint8)
    images = normalise(torch.from_numpy(pixels)).contiguous().numpy()
    np.testing.assert_array_equal(backend(pixels), backend.run(images))


@pytest.mark.bad_input("weights or model")
def test_a_file_without_a_description_is_refused(exported, tmp_path):
    path = changed(exported, tmp_path, lambda model: model.metadata_props.pop())
    with pytest.raises(CheckpointError, match=r"has no description .*\(keys: none\); .*`metabin export` wrote"):
        OnnxBackend(path)


@pytest.mark.bad_input("weights or model")
def test_a_file_of_a_newer_version_is_refused(exported, tmp_path):
    def change(model):
        entry = model.metadata_props[0]
        entry.value = entry.value.replace('"format": 1', '"format": 2')

    with pytest.raises(CheckpointError, match=r"has the format 2, .*install a newer version"):
        OnnxBackend(changed(exported, tmp_path, change))


@pytest.mark.bad_input("weights or model")
def test_a_description_of_another_network_is_refused(exported, tmp_path):
    def change(model):
        entry = model.metadata_props[0]
        entry.value = entry.value.replace('"height": 32', '"height": 64')

    with pytest.raises(CheckpointError, match=r"\[3, 32, 16\].*says .*\[3, 64, 16\]"):
        OnnxBackend(changed(exported, tmp_path, change))


@pytest.mark.bad_input("weights or model")
def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="absent.onnx does not exist"):
        OnnxBackend(tmp_path / "absent.onnx")


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize("content", [b"", b"no model", None])
def test_a_damaged_file_is_refused(content, exported, tmp_path):
    path = tmp_path / "damaged.onnx"
    path.write_bytes(exported.read_bytes()[:1000] if content is None else content)
    with pytest.raises(CheckpointError, match=r"damaged.onnx is not a readable ONNX file: .*export the model again"):
        OnnxBackend(path)


def test_onnx_runtime_is_named_where_it_is_missing(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"package onnxruntime,.*metabin\[export\]"):
        OnnxBackend(exported)

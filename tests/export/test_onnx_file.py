"""An exported model gives the embeddings of PyTorch, for any number of images."""

import sys
from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from metabin.errors import CheckpointError, ConfigError
from metabin.export import onnx_file
from metabin.export.onnx_backend import OnnxBackend


@pytest.fixture(scope="module")
def backend(exported):
    return OnnxBackend(exported, num_threads=1)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_embeddings_are_those_of_pytorch_with_unit_length(batch, network, backend):
    images = torch.randn(batch, 3, 32, 16, generator=torch.Generator().manual_seed(batch))
    embeddings = backend.run(images.numpy())
    expected = nn.functional.normalize(network.embed(images))
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, expected.numpy(), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-6)


def test_the_file_has_the_fewest_norm_operations(exported):
    model = onnx.load(exported)
    counts = Counter(node.op_type for node in model.graph.node)
    assert counts["Conv"] == 12
    assert counts["InstanceNormalization"] == 11  # one of 12 layers has rho = 1: part of its convolution
    assert counts["BatchNormalization"] == 0
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", onnx_file.OPSET)]


def test_the_description_is_in_the_metadata(exported, description, backend):
    metadata = {entry.key: entry.value for entry in onnx.load(exported).metadata_props}
    assert metadata == {"metabin": description.text()}
    assert backend.description == description


def test_equal_models_give_equal_bytes_without_a_path_of_the_machine(exported, network, description, root):
    content = exported.read_bytes()
    assert onnx_file.onnx_bytes(network, description) == content
    assert str(root).encode() not in content
    assert b"site-packages" not in content


def test_a_file_with_other_embeddings_is_not_written(
    exported, network, description, make_network, tmp_path, monkeypatch
):
    other = make_network(rho=0.5)
    monkeypatch.setattr(onnx_file, "onnx_bytes", lambda *_: exported.read_bytes())
    path = tmp_path / "model.onnx"
    with pytest.raises(CheckpointError, match=r"model.onnx was not written.*cosine of .*at least 0.9999"):
        onnx_file.export_onnx(other, description, path)
    assert not list(tmp_path.iterdir())
    onnx_file.export_onnx(network, description, path)
    assert path.read_bytes() == exported.read_bytes()


def test_embeddings_that_are_no_numbers_do_not_pass_the_check(backend, make_network):
    broken = make_network()
    broken.neck.weight.data[0] = torch.nan
    with pytest.raises(CheckpointError, match="cosine of nan"):
        onnx_file.check_parity(broken, backend)


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    package, network, description, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf'package {package},.*pip install "metabin\[export\]"'):
        onnx_file.export_onnx(network, description, tmp_path / "model.onnx")

"""Weights with values that no training gives are refused by the tensor's name, wherever they come from."""

import hashlib
import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from descriptions import describe_network
from safetensors.torch import load_file, save, save_file

import metabin
from metabin.backbones import BACKBONES
from metabin.errors import CheckpointError
from metabin.model.embedder import build_embedder
from metabin.model.pretrained import load_pretrained
from metabin.model.weights import save_model

CONV = "block1.conv1.weight"
VAR = "block1.norm1.running_var"
RHO = "backbone.block1.norm1.rho"
COUNTER = "neck.num_batches_tracked"


def first(value):
    def change(tensor):
        tensor = tensor.clone()
        tensor.view(-1)[0] = value
        return tensor

    return change


NOT_FINITE = "values that are NaN or infinite"
CHANGES = {
    "nan": (CONV, first(math.nan), NOT_FINITE),
    "infinite": (CONV, first(math.inf), NOT_FINITE),
    "infinite in float32": (CONV, lambda tensor: first(1e300)(tensor.double()), NOT_FINITE),
    "nan variance": (VAR, first(math.nan), NOT_FINITE),
    "negative variance": (VAR, first(-0.5), r"values outside \[0, inf\], such as -0.5"),
    "int8": (CONV, lambda tensor: tensor.to(torch.int8), "is of type torch.int8; expected are float32"),
    "bool": (CONV, lambda tensor: tensor.bool(), "is of type torch.bool"),
    "float8": (CONV, lambda tensor: tensor.to(torch.float8_e4m3fn), "is of type torch.float8_e4m3fn"),
    "complex": (CONV, lambda tensor: tensor.to(torch.complex64), "is of type torch.complex64"),
    "shape": (CONV, lambda tensor: tensor[:1].clone(), r"has shape \(1, "),
    "one number": (CONV, lambda tensor: torch.tensor(1.0), r"has shape \(\), expected"),
    "no tensor": (CONV, None, "is not in the file"),
}
OF_A_MODEL = {
    "rho above 1": (RHO, first(1.5), r"values outside \[0, 1\], such as 1.5"),
    "rho below 0": (RHO, first(-0.1), r"values outside \[0, 1\], such as -0.1"),
    "rho nan": (RHO, first(math.nan), NOT_FINITE),
    "counter": (COUNTER, lambda tensor: tensor.float(), "is of type torch.float32; expected are int64"),
}
OF_TORCH = {  # safetensors has no such tensors
    "sparse": (CONV, lambda tensor: tensor.to_sparse(), "is a sparse, nested or meta"),
    "meta": (CONV, lambda tensor: tensor.to("meta"), "is a sparse, nested or meta"),
    "quantised": (CONV, lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8), "type torch.qint8"),
}


def changed(tensors, name, change):
    others = {key: value for key, value in tensors.items() if key != name}
    if change is None:
        return others
    return others | {name: change(tensors[name])}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    network = build_embedder("resnet_small", 5, norm="bin", rho=0.5)
    save_model(folder, network, describe_network(network, "resnet_small", "bin", 32, 16))
    return folder


def with_content(model, folder, content, **values):
    """A copy of a model with other weights, which its description names, and with other values there."""
    shutil.copytree(model, folder)
    (folder / "model.safetensors").write_bytes(content)
    description = json.loads((model / "config.json").read_text())
    description |= {"sha256": hashlib.sha256(content).hexdigest()} | values
    (folder / "config.json").write_text(json.dumps(description))
    return folder


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize("case", CHANGES | OF_A_MODEL)
def test_a_trained_model_with_impossible_weights_is_not_loaded(model, tmp_path, case):
    name, change, message = (CHANGES | OF_A_MODEL)[case]
    name = name if case in OF_A_MODEL else f"backbone.{name}"
    tensors = changed(load_file(model / "model.safetensors"), name, change)
    with pytest.raises(CheckpointError, match=f"model.safetensors.*{name} .*{message}"):
        metabin.load(with_content(model, tmp_path / "model", save(tensors)), device="cpu")


@pytest.mark.bad_input("weights or model")
@pytest.mark.filterwarnings("ignore::UserWarning")  # of kinds of tensors that it will drop
@pytest.mark.parametrize(
    ("case", "suffix"),
    [*((case, ".safetensors") for case in CHANGES), *((case, ".pt") for case in CHANGES | OF_TORCH)],
)
def test_a_training_does_not_start_from_impossible_weights(tmp_path, case, suffix):
    name, change, message = (CHANGES | OF_TORCH)[case]
    network = BACKBONES["resnet_small"].build()
    before = network.state_dict()[VAR].clone()
    tensors = changed(network.state_dict(), name, change)
    path = tmp_path / f"start{suffix}"
    save_file(tensors, path) if suffix == ".safetensors" else torch.save(tensors, path)
    with pytest.raises(CheckpointError, match=f"start{suffix}.*{name} .*{message}"):
        load_pretrained(network, str(path))
    assert torch.equal(network.state_dict()[VAR], before)


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backbone": "resnet_huge"}, "unknown backbone 'resnet_huge'"),
        ({"norm": "group"}, "unknown norm 'group'"),
        ({"num_classes": -3}, "num_classes: Input should be greater than or equal to 1"),
        ({"num_classes": 10**13}, "num_classes: Input should be less than or equal to"),
        ({"embedding_size": 7}, "embedding_size is 7, and resnet_small has 128"),
        ({"height": 0}, "height: Input should be greater"),
        ({"pixel_std": [0, 1, 1]}, "pixel_std.0: Input should be greater than 0"),
        ({"pixel_mean": [math.nan, 1, 1]}, "pixel_mean.0: Input should be a finite number"),
    ],
)
def test_a_description_of_an_impossible_model_is_refused(model, tmp_path, values, message):
    content = (model / "model.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match=f"config.json.*{message}"):
        metabin.load(with_content(model, tmp_path / "model", content, **values), device="cpu")

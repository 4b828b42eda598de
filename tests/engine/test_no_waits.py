"""No step reads a value of the device or copies one to it, so that the host never waits for the device.

The device `meta` has shapes and no values: it raises where a step reads one. On CUDA, torch itself raises.
"""

import pytest
import torch
from torch.optim import SGD
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from metabin.engine.base_step import base_step
from metabin.engine.history import History
from metabin.engine.reference_step import reference_step
from metabin.engine.trainer import Trainer
from metabin.episodes.meta_step import EpisodeSettings, meta_step
from metabin.episodes.mldg_step import mldg_step
from metabin.episodes.target_step import target_step
from metabin.losses.inputs import WeightedLosses
from metabin.model.embedder import build_embedder
from metabin.model.norm import rho_of
from metabin.registry import EPISODE_LOSSES, VIEW_LOSSES, find_method
from metabin.types import Batch

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
META = torch.device("meta")
ALL_LOSSES = WeightedLosses(dict.fromkeys(EPISODE_LOSSES, 1.0))


class NoTensorOfTheHost(TorchDispatchMode):
    """Raises where an operation reads a tensor of the host, which a copy to the device does."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for value in tree_leaves((args, kwargs)):
            assert not isinstance(value, torch.Tensor) or value.device == META, f"{function} reads {value}"
        return function(*args, **kwargs)


@pytest.fixture
def on_the_device():
    with NoTensorOfTheHost():
        yield


def build(backbone="resnet_small"):
    with META:
        return build_embedder(backbone, num_classes=8, norm="bin", rho=0.6)


def batch(size=16, num_views=1):
    with META:
        column = torch.zeros(size, dtype=torch.int64)
        return Batch(torch.zeros(num_views * size, 3, 64, 32), column, column, column, num_views)


def learned(model, *, rho):
    return [value for name, value in model.named_parameters() if name.endswith(".rho") == rho]


def optimizers(model):
    return [SGD(learned(model, rho=False), lr=0.1, momentum=0.9), SGD(learned(model, rho=True), lr=0.1)]


@pytest.mark.parametrize(
    "read",
    [lambda x: x.max().item(), lambda x: x[x > 0], lambda x: x.nonzero(), lambda x: bool(x.sum()), torch.Tensor.cpu],
    ids=["item", "boolean index", "nonzero", "bool", "cpu"],
)
def test_the_device_meta_raises_where_a_value_is_read(read):
    with pytest.raises((RuntimeError, NotImplementedError)):
        read(torch.zeros(4, device=META))


def test_a_copy_to_the_device_raises(on_the_device):
    with pytest.raises(AssertionError, match="reads"):
        torch.ones(2).to(META)


@pytest.mark.parametrize("backbone", ["resnet_small", "resnet18", "mobilenetv2_1.0"])
def test_a_base_step_reads_no_value(backbone, on_the_device):
    model = build(backbone)
    scalars = base_step(model, batch(), optimizers(model), WeightedLosses({"ce": 1.0, "triplet": 1.0}))
    assert {scalar.device for scalar in scalars.values()} == {META}


def test_a_base_step_of_two_views_reads_no_value(on_the_device):
    model = build()
    losses = WeightedLosses({"ce": 1.0, "triplet": 1.0, **dict.fromkeys(VIEW_LOSSES, 1.0)})
    scalars = base_step(model, batch(num_views=2), optimizers(model), losses)
    assert {scalar.device for scalar in scalars.values()} == {META}
    assert len(scalars) == 2 + len(VIEW_LOSSES)


@pytest.mark.parametrize("step", [1, 2])
def test_the_base_step_in_the_authors_order_reads_no_value(step, on_the_device):
    with META:
        model = build_embedder("resnet_small", num_classes=8, norm="bin_plain", rho=0.6)
    weights, rho = optimizers(model)
    for _ in range(step):
        scalars = reference_step(model, batch(), weights, rho)
    assert {scalar.device for scalar in scalars.values()} == {META}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="default"),
        pytest.param({"second_order": True}, id="second order"),
        pytest.param({"combined": True, "train_losses": ALL_LOSSES, "test_losses": ALL_LOSSES}, id="all losses"),
        pytest.param({"statistics": "running"}, id="running"),
        pytest.param({"statistics": "meta_train"}, id="meta_train"),
    ],
)
def test_a_meta_step_reads_no_value(options, on_the_device):
    model = build()
    optimizer = SGD(list(rho_of(model).values()), lr=0.1)
    scalars = meta_step(model, batch(), batch(8), optimizer, 0.1, EpisodeSettings(**options))
    assert {scalar.device for scalar in scalars.values()} == {META}


@pytest.mark.parametrize("step", [mldg_step, target_step])
def test_the_steps_of_mldg_and_of_the_ceiling_read_no_value(step, on_the_device):
    model = build()
    if step is mldg_step:
        scalars = mldg_step(model, batch(), batch(8), optimizers(model), 0.1)
    else:
        scalars = target_step(model, batch(), optimizers(model)[1], margin=0.3)
    assert {scalar.device for scalar in scalars.values()} == {META}


def test_the_history_reads_all_values_at_once_and_not_before_it_is_asked(monkeypatch):
    history = History()
    history.add_pending(0, {"base/ce": torch.tensor(0.5, device=META)})
    with pytest.raises((RuntimeError, NotImplementedError)):
        history.check_pending()
    history = History()
    for step in range(3):
        history.add_pending(step, {"a": torch.tensor(step + 0.5), "lr": 0.1, "b": torch.tensor(2.0 * step)})
    reads = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda values: (reads.append(values.shape), tolist(values))[1])
    monkeypatch.setattr(torch.Tensor, "item", None, raising=False)
    assert history.add_losses() == {"a": 2.5, "lr": 0.1, "b": 4.0}
    assert reads == [(6,)]
    assert history.check_pending() == {}


ALL_PARTS = {
    "model__mixstyle": 1.0,
    "optim__averaging": "ema",
    "optim__losses": {"ce": 1.0, "triplet": 1.0, **dict.fromkeys(VIEW_LOSSES, 1.0)},
    "augment__strong": 0.5,
    "augment__amplitude_mix": 1.0,
}


@needs_cuda
@pytest.mark.parametrize("parts", [{}, ALL_PARTS], ids=["plain", "all parts"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("method", ["bn", "bin_joint", "bin_joint_reference", "metabin", "mldg", "bin_target"])
def test_between_two_records_no_iteration_on_cuda_waits_loading_included(
    method, optimizer, parts, make_tiny, tiny_images
):
    recording = {"record__loss_every": 100, "record__rho_every": 100}
    config = make_tiny(compute__device="cuda", optim__optimizer=optimizer, **recording, **parts)
    target = tiny_images if find_method(method).learns_on_target else None

    def watch(step, scalars, rho):  # the first step prepares the optimisers, the first and the last are recorded
        torch.cuda.set_sync_debug_mode("default" if step == config.optim.duration - 2 else "error")

    try:
        Trainer(config, tiny_images, method, 0, target=target).run(watch=watch)
    finally:
        torch.cuda.set_sync_debug_mode("default")

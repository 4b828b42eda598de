import hashlib
import re
from itertools import islice
from types import SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from trainings import Killed, assert_same_bits, killer, state

from metabin import compute
from metabin.engine import resume, run
from metabin.engine.history import History
from metabin.engine.resume import identity
from metabin.engine.trainer import Trainer
from metabin.errors import CheckpointError, ConfigError, DatasetError
from metabin.model import weights
from metabin.model.description import read_description
from metabin.model.norm import rho_of
from metabin.model.weights import load_model
from metabin.registry import METHODS, find_method
from metabin.rho_channels import read_channels

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
CPU = torch.device("cpu")
ALL_METHODS = [name for name in METHODS if name != "dualnorm"]  # that one is for MobileNetV2


@pytest.mark.parametrize("method", ALL_METHODS)
def test_equal_seeds_give_equal_bits_and_other_seeds_others(method, tiny_config, tiny_images):
    target = tiny_images if find_method(method).learns_on_target else None
    first, again, other = (
        state(Trainer(tiny_config, tiny_images, method, seed, target=target).run()) for seed in (3, 3, 4)
    )
    assert_same_bits(first, again)
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


@pytest.mark.parametrize("method", ALL_METHODS)
def test_a_killed_training_resumes_and_ends_with_the_bits_of_an_uninterrupted_one(
    method, tiny_config, tiny_images, tmp_path
):
    target = tiny_images if find_method(method).learns_on_target else None

    def trainer():
        return Trainer(tiny_config, tiny_images, method, 0, target=target)

    unbroken = trainer()
    expected = state(unbroken.run())
    path = tmp_path / "state.pt"
    with pytest.raises(Killed):
        trainer().run(watch=killer(5), state_path=path, digest="d")
    resumed, steps = trainer(), []
    earlier = []
    actual = state(
        resumed.run(
            watch=lambda step, *_: steps.append(step),
            resumed=lambda history: earlier.extend(row["step"] for row in history.losses),
            state_path=path,
            digest="d",
        )
    )
    assert earlier == [0, 1, 2]
    assert steps == [3, 4, 5, 6, 7]
    assert_same_bits(actual, expected)
    assert resumed.history == unbroken.history
    for name, history in (("resumed", resumed.history), ("unbroken", unbroken.history)):
        history.save(tmp_path / name)
    for file in (tmp_path / "unbroken").iterdir():
        assert (tmp_path / "resumed" / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_killed_sgd_training_with_milestones_resumes_as_well(make_config, tiny_config, tiny_images, tmp_path):
    optim = tiny_config.optim.model_copy(
        update={
            "optimizer": "sgd",
            "schedule": "warmup_milestones",
            "warmup": 2,
            "milestones": [5],
            "bias_lr_factor": 2.0,
            "lr": 0.01,
        }
    )
    config = tiny_config.model_copy(update={"optim": optim})
    unbroken = Trainer(config, tiny_images, "metabin", 0)
    expected = state(unbroken.run())
    assert [row["lr/base"] for row in unbroken.history.losses] == pytest.approx(
        [0.0001, 0.00505, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001]
    )
    with pytest.raises(Killed):
        Trainer(config, tiny_images, "metabin", 0).run(watch=killer(6), state_path=tmp_path / "s.pt", digest="d")
    assert_same_bits(
        state(Trainer(config, tiny_images, "metabin", 0).run(state_path=tmp_path / "s.pt", digest="d")), expected
    )


@pytest.mark.parametrize("method", ["bn", "metabin"])
def test_a_state_is_saved_after_seconds_too_and_changes_no_number(
    method, tiny_config, tiny_images, tmp_path, monkeypatch
):
    seconds = iter(range(1000))
    monkeypatch.setattr("metabin.engine.trainer.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    steps = []

    def run_with(limit, **options):
        record = tiny_config.record.model_copy(update={"checkpoint_every": 100, "checkpoint_seconds": limit})
        training = Trainer(tiny_config.model_copy(update={"record": record}), tiny_images, method, 0)
        monkeypatch.setattr("metabin.engine.trainer.save_state", lambda *_: steps.append(training.step))
        return training, state(training.run(state_path=tmp_path / "s.pt", **options))

    without, expected = run_with(0)
    assert steps == []
    training, actual = run_with(2)
    assert steps == [2, 4, 6, 8]
    assert_same_bits(actual, expected)
    assert training.history == without.history


def test_a_state_of_another_configuration_is_not_resumed(tiny_config, tiny_images, tmp_path):
    with pytest.raises(Killed):
        Trainer(tiny_config, tiny_images, "bn", 0).run(watch=killer(5), state_path=tmp_path / "s.pt", digest="old")
    steps = []
    Trainer(tiny_config, tiny_images, "bn", 0).run(
        watch=lambda step, *_: steps.append(step), state_path=tmp_path / "s.pt", digest="new"
    )
    assert steps == list(range(8))


def test_the_digest_follows_what_decides_the_outcome_and_nothing_else(make_config):
    def digest(method="metabin", seed=0, **changes):
        return resume.state_digest(identity(make_config(**changes), find_method(method), seed, {"fold": "night"}), [])

    assert digest() == digest()
    assert len({digest(), digest(meta__inner_lr=0.5), digest(optim__lr=0.1), digest(seed=1), digest("bn")}) == 5
    assert digest("bn") == digest("bn", meta__inner_lr=0.5)
    assert digest() == digest(record__checkpoint_every=7, record__checkpoint_seconds=7)
    assert digest() != digest(record__loss_every=7)  # it decides what losses.csv contains


def test_rho_is_fixed_or_moves_jointly_or_by_the_meta_step_as_the_method_says(tiny_config, tiny_images):
    moved = {}
    for method in ("bin_fixed", "bin_joint", "metabin"):
        rho = rho_of(Trainer(tiny_config, tiny_images, method, 0).run())
        moved[method] = sum(int((value != 0.5).sum()) for value in rho.values())
        assert all(value.min() >= 0 and value.max() <= 1 for value in rho.values())
    assert moved["bin_fixed"] == 0
    assert moved["bin_joint"] > 300
    assert moved["metabin"] > 300
    for method in ("bn", "in"):
        assert not rho_of(Trainer(tiny_config, tiny_images, method, 0).model)


def test_methods_see_the_same_images_in_the_same_order(tiny_config, tiny_images):
    bn, metabin = (
        [batches["base"].pixels for batches in Trainer(tiny_config, tiny_images, method, 0).host_batches()]
        for method in ("bn", "metabin")
    )
    assert len(bn) == 8
    assert all(torch.equal(first, second) for first, second in zip(bn, metabin, strict=True))
    assert not torch.equal(bn[0], bn[1])


def test_each_iteration_splits_the_domains_anew_and_uses_every_one(tiny_config, tiny_images):
    parts = {"meta-train": [], "meta-test": []}
    for batches in islice(Trainer(tiny_config, tiny_images, "metabin", 0).batch_indices(), 8):
        for purpose, domains in parts.items():
            domains.append(frozenset(tiny_images.domain[batches[purpose]].tolist()))
    for train, test in zip(parts["meta-train"], parts["meta-test"], strict=True):
        assert (len(train), len(test)) == (2, 1)  # auto: half of 3, rounded up
        assert train | test == {0, 1, 2}
    assert len(set(parts["meta-test"])) == 3


def test_the_history_has_a_row_for_every_recorded_step(tiny_config, tiny_images):
    trainer = Trainer(tiny_config, tiny_images, "metabin", 0)
    trainer.run()
    losses, rho, bins = (getattr(trainer.history, f"{name}_table")() for name in ("losses", "rho", "histogram"))
    assert losses["step"].tolist() == list(range(8))
    assert {
        "base/ce",
        "base/triplet",
        "meta_train/scatter",
        "meta_train/shuffle",
        "meta_train/triplet",
        "meta_test/triplet",
        "lr/base",
        "lr/inner",
    } == set(losses.columns) - {"step"}
    assert sorted(set(rho["step"])) == [0, 2, 4, 6, 7]
    assert rho["layer"].nunique() == 12
    totals = bins.groupby(["step", "layer"], sort=False)["count"].sum()
    assert totals.tolist() == rho["num_channels"].tolist()


def test_the_history_has_the_rho_of_every_channel_in_network_order(tiny_config, tiny_images, tmp_path):
    trainer = Trainer(tiny_config, tiny_images, "metabin", 0)
    model = trainer.run()
    trainer.history.save(tmp_path)
    channels = read_channels(tmp_path / "rho_channels.npz")
    assert channels.steps.tolist() == [0, 2, 4, 6, 7]
    assert list(channels.layers) == trainer.history.rho_table()["layer"].drop_duplicates().tolist()
    for values, rho in zip(channels.layers.values(), rho_of(model).values(), strict=True):
        assert values.shape == (5, rho.numel())
        assert np.array_equal(values[-1], rho.detach().numpy().astype(np.float16))
    recorded = trainer.history.rho_table().pivot(index="step", columns="layer", values="mean")
    for name, values in channels.layers.items():
        assert values.astype(float).mean(axis=1) == pytest.approx(recorded[name].to_numpy(), abs=3e-4)


def test_the_file_of_channels_has_no_time_of_its_making_and_no_layers_without_a_learned_rho(tmp_path):
    History().save(tmp_path)
    path = tmp_path / "rho_channels.npz"
    assert read_channels(path).layers == {}
    with ZipFile(path) as content:  # else the same training would have other bytes at another time
        assert {entry.date_time for entry in content.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_training_learns(make_config, tiny_images):
    config = make_config(
        optim__duration=40,
        optim__ids_per_batch=6,
        optim__images_per_id=2,
        meta__ids_per_domain=2,
        record__loss_every=1,
    )
    trainer = Trainer(config, tiny_images, "metabin", 0)
    trainer.run()
    losses = trainer.history.losses_table()
    assert losses["base/ce"].iloc[-5:].mean() < 0.8 * losses["base/ce"].iloc[:5].mean()


def test_a_loss_that_is_not_finite_stops_with_its_name_and_step(make_config, tiny_config, tiny_images):
    optim = tiny_config.optim.model_copy(update={"lr": 1e30, "schedule": "warmup_milestones", "optimizer": "sgd"})
    with pytest.raises(FloatingPointError, match=r"at step [1-7]: base/ce = nan"):
        Trainer(tiny_config.model_copy(update={"optim": optim}), tiny_images, "bn", 0).run()


def test_batches_that_cannot_be_made_are_refused_before_training(make_config, tiny_images):
    with pytest.raises(DatasetError, match=r"optim\.ids_per_batch asks for 20 .* have 12"):
        Trainer(make_config(), tiny_images, "bn", 0)
    with pytest.raises(DatasetError, match=r"site0 has 4 training identities; meta\.ids_per_domain asks for 5"):
        Trainer(make_config(optim__ids_per_batch=4, meta__ids_per_domain=5), tiny_images, "metabin", 0)


@pytest.fixture
def describe(tiny_images):
    """A function that describes a training on `tiny_images`."""

    def describe_training(training, name):
        domain = {"fingerprint": "x"}
        manifest = {
            "fold": "held",
            "sources": tiny_images.names,
            "targets": ["held"],
            "domains": dict.fromkeys(tiny_images.names, domain),
        }
        return run.describe(training, manifest, name, "digest")

    return describe_training


def test_a_saved_model_comes_back_bit_for_bit_and_its_files_are_the_same_each_time(
    tiny_config, tiny_images, describe, tmp_path
):
    training = Trainer(tiny_config, tiny_images, "metabin", 0)
    model = training.run()
    for name in ("one", "two"):
        saved = weights.save_model(tmp_path / name, model, describe(training, "metabin"))
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert_same_bits(state(load_model(tmp_path / "one", CPU)), state(model))
    assert read_description(tmp_path / "one" / "config.json") == saved
    assert saved.sha256 == hashlib.sha256((tmp_path / "one" / "model.safetensors").read_bytes()).hexdigest()
    assert (saved.norm, saved.backbone, saved.held_out) == ("bin", tiny_config.model.backbone, ("held",))
    assert (saved.height, saved.width, saved.num_classes) == (32, 16, 12)


@pytest.mark.bad_input("weights or model")
def test_weights_that_are_missing_damaged_or_of_another_net_are_refused_with_the_reason(
    tiny_config, tiny_images, describe, tmp_path
):
    training = Trainer(tiny_config, tiny_images, "bn", 0)
    path = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match=r"config\.json is missing; expected is the folder of a training"):
        load_model(tmp_path, CPU)
    weights.save_model(tmp_path, training.model, describe(training, "bn"))
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(CheckpointError, match="model.safetensors is not a readable weights file"):
        load_model(tmp_path, CPU)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(CheckpointError, match="not a readable weights file"):
        load_model(tmp_path, CPU)
    other = Trainer(tiny_config, tiny_images, "bn", 1)
    weights.save_weights(path, other.model)
    with pytest.raises(CheckpointError, match="is not the file that config.json beside it describes"):
        load_model(tmp_path, CPU)
    path.write_bytes(content)
    description = tmp_path / "config.json"
    description.write_text(description.read_text().replace('"norm": "bn"', '"norm": "bin"'))
    with pytest.raises(
        CheckpointError, match=r"does not fit the network: backbone.norm.rho is not in the file.* and \d+ more"
    ):
        load_model(tmp_path, CPU)


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged: Expecting property name"),
        ("[]", "does not describe a model of this project"),
        ('{"architectures": ["ViT"]}', "does not describe a model of this project"),
        ('{"format": 99}', "has the format 99, and this version of metabin reads up to 1; install a newer"),
        ('{"format": 1, "method": 3}', r"config\.json: method: Input should be a valid string"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_with_the_reason(text, message, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load_model(tmp_path, CPU)


@pytest.mark.bad_input("weights or model")
def test_the_folder_of_an_earlier_version_is_refused_with_what_to_run(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="earlier version of this project.*train again with `dvc repro`"):
        load_model(tmp_path, CPU)


def test_cuda_is_refused_where_there_is_none(make_config):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ConfigError, match="compute.device is cuda, but torch finds no CUDA device"):
        compute.prepare(make_config(compute__device="cuda").compute)


def test_a_loss_that_is_not_finite_is_found_between_two_records_and_no_state_is_kept(
    tiny_config, tiny_images, tmp_path
):
    optim = tiny_config.optim.model_copy(update={"lr": 1e30, "schedule": "warmup_milestones", "optimizer": "sgd"})
    record = tiny_config.record.model_copy(update={"loss_every": 100, "checkpoint_every": 4})
    config = tiny_config.model_copy(update={"optim": optim, "record": record})
    with pytest.raises(FloatingPointError, match=r"at step [1-3]: base/ce = nan"):
        Trainer(config, tiny_images, "bn", 0).run(state_path=tmp_path / "s.pt", digest="d")
    assert not (tmp_path / "s.pt").exists()


@pytest.mark.bad_input("file of a stage")
@pytest.mark.parametrize("content", [b"", b"garbage", "cut", "no candidate"])
def test_a_training_with_a_state_of_no_use_says_so_and_starts_anew(content, tiny_config, tiny_images, tmp_path, caplog):
    path = tmp_path / "state.pt"
    expected = state(Trainer(tiny_config, tiny_images, "metabin", 0).run())
    (tmp_path / "candidates").mkdir()
    candidate = tmp_path / "candidates/step-2.safetensors"
    candidate.touch()
    with pytest.raises(Killed):
        Trainer(tiny_config, tiny_images, "metabin", 0).run(watch=killer(5), state_path=path, digest="d")
    if content == "no candidate":
        candidate.unlink()
    else:
        path.write_bytes(path.read_bytes()[:1000] if content == "cut" else content)
    again = Trainer(tiny_config, tiny_images, "metabin", 0)
    assert_same_bits(state(again.run(state_path=path, digest="d")), expected)
    reason = "lacks candidates/step-2.safetensors" if content == "no candidate" else r"is damaged \(\w+\)"
    assert re.search(rf"state.pt {reason}, so the training starts from its first step", caplog.text)


def test_weights_that_the_last_step_destroys_are_an_error_and_no_result(tiny_config, tiny_images):
    training = Trainer(tiny_config, tiny_images, "bn", 0)

    def destroy(step, scalars, rho):
        if step == 6:
            training.model.backbone.norm.running_var.fill_(torch.inf)

    message = r"at step 7: 1 of \d+ tensors of the model are not finite: backbone.norm.running_var;"
    with pytest.raises(FloatingPointError, match=message):
        training.run(watch=destroy)

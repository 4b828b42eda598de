"""What each method builds, which images it takes, and what its step gets: without a training."""

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from metabin.data.batches.sampling import DomainSampler, IdentitySampler
from metabin.engine.schedule import inner_step_size
from metabin.episodes import meta_step, mldg_step, target_step
from metabin.errors import ConfigError
from metabin.losses.inputs import WeightedLosses
from metabin.methods.method import Method
from metabin.model import embedder
from metabin.registry import METHODS, find_method
from metabin.seeding import derive_seed, generator

LEARNED_IN_EPISODES = ("metabin", "metabin_shared", "mldg")


@pytest.fixture
def training(make_config):
    """What a method reads of a trainer: three domains of 4 identities with 3 images each."""
    config = make_config(
        meta__ids_per_domain=2, optim__images_per_id=2, optim__margin=0.7, optim__rho_lr=0.2, meta__outer_lr=0.4,
        meta__train_losses={"scatter": 1.0}, meta__test_losses={"triplet": 2.0}, meta__num_meta_train=2,
        meta__statistics="batch", meta__second_order=True, meta__combined=True,
    )  # fmt: skip
    label = np.random.default_rng(0).permutation(np.arange(12).repeat(3))
    read = []

    def losses(terms):
        read.append(dict(terms))
        return WeightedLosses(dict(terms), margin=0.7)

    return SimpleNamespace(
        config=config,
        data=SimpleNamespace(label=label, domain=label // 4, names=("a", "b", "c")),
        target=SimpleNamespace(label=label),
        seed=7,
        step=5,
        times=SimpleNamespace(inner_period=20),
        losses=losses,
        read=read,
        model="model",
        optimizer="optimizer",
        rho_optimizer="rho optimizer",
    )


@pytest.fixture
def step(monkeypatch):
    """The steps of episodes keep their arguments instead."""
    calls = []

    def keep(*arguments, **options):
        calls.append((arguments, options))
        return {"loss": 1.0}

    for module, name in ((meta_step, "meta_step"), (mldg_step, "mldg_step"), (target_step, "target_step")):
        monkeypatch.setattr(module, name, keep)
    return calls


@pytest.mark.parametrize("name", LEARNED_IN_EPISODES)
def test_an_episode_splits_the_domains_of_each_batch_by_the_streams_of_its_seed(training, name):
    sampler = DomainSampler(training.data.label, training.data.domain, 2, 2, derive_seed(7, "meta-batches"))
    batches = find_method(name).batches(training)
    for number, index in enumerate(islice(sampler, 6)):
        order = generator(7, "meta-split", number).permutation(3)
        by_domain = index.reshape(3, 4)
        batch = next(batches)
        assert list(batch) == ["meta-train", "meta-test"]
        assert np.array_equal(batch["meta-train"], np.concatenate([by_domain[row] for row in order[:2]]))
        assert np.array_equal(batch["meta-test"], by_domain[order[2]])


@pytest.mark.parametrize("name", LEARNED_IN_EPISODES)
def test_episodes_check_their_losses_and_domains_before_the_first_step(training, name):
    find_method(name).batches(training)
    assert training.read == [{"scatter": 1.0}, {"triplet": 2.0}]
    training.data.names = ("a", "b")
    with pytest.raises(ConfigError, match="num_meta_train is 2, but there are 2 source domains"):
        find_method(name).batches(training)
    training.data.names = ("a", "b", "c")
    training.config = training.config.model_copy(
        update={"meta": training.config.meta.model_copy(update={"ids_per_domain": 9})}
    )
    with pytest.raises(Exception, match="source domain a has 4 training identities"):
        find_method(name).batches(training)


@pytest.mark.parametrize("name", ["metabin", "metabin_shared"])
def test_a_meta_step_gets_the_settings_of_the_section_meta(training, step, name):
    scalars = find_method(name).step(training, {"meta-train": "train", "meta-test": "test"})
    size = inner_step_size(training.config.meta, 5, 20)
    assert scalars == {"loss": 1.0, "lr/inner": size}
    settings = meta_step.EpisodeSettings(
        WeightedLosses({"scatter": 1.0}, margin=0.7), WeightedLosses({"triplet": 2.0}, margin=0.7),
        statistics="batch", second_order=True, combined=True,
    )  # fmt: skip
    assert step == [(("model", "train", "test", "rho optimizer", size, settings), {})]
    meta = training.config.meta.model_copy(update={"statistics": "running", "second_order": False, "combined": False})
    training.config = training.config.model_copy(update={"meta": meta})
    find_method(name).step(training, {"meta-train": "train", "meta-test": "test"})
    changed = step[1][0][-1]
    assert (changed.statistics, changed.second_order, changed.combined) == ("running", False, False)


def test_mldg_gets_both_optimisers(training, step):
    find_method("mldg").step(training, {"meta-train": "train", "meta-test": "test"})
    size = inner_step_size(training.config.meta, 5, 20)
    losses = (WeightedLosses({"scatter": 1.0}, margin=0.7), WeightedLosses({"triplet": 2.0}, margin=0.7))
    assert step == [(("model", "train", "test", ["optimizer", "rho optimizer"], size, *losses), {})]


def test_mldg_normalises_with_the_batch_alone(make_config):
    method = find_method("mldg")
    method.check("own", make_config())
    config = make_config(meta__statistics="running")
    message = "^meta.statistics is running, but own of protocol.meta_learned always normalises with the batch's; set it"
    with pytest.raises(ConfigError, match=message):
        method.check("own", config)


def test_the_ceiling_takes_images_of_the_target_alone(training, step):
    sampler = IdentitySampler(training.target.label, 4, 2, derive_seed(7, "meta-batches"))
    batches = find_method("bin_target").batches(training)
    for index in islice(sampler, 3):
        (item,) = next(batches).items()
        assert item[0] == "target"
        assert np.array_equal(item[1], index)
    assert find_method("bin_target").step(training, {"target": "batch"}) == {"loss": 1.0}
    assert step == [(("model", "batch", "rho optimizer"), {"margin": 0.7})]


def test_a_baseline_has_no_second_step(training):
    method = find_method("bn")
    assert list(islice(method.batches(training), 3)) == [{}, {}, {}]
    with pytest.raises(NotImplementedError, match="^BN has batches and no step$"):
        method.step(training, {})


def test_dualnorm_is_defined_for_mobilenetv2_alone(make_config):
    method = find_method("dualnorm")
    config = make_config()
    mobile = config.model_copy(update={"model": config.model.model_copy(update={"backbone": "mobilenetv2_1.0"})})
    method.check("own", mobile)
    residual = config.model_copy(update={"model": config.model.model_copy(update={"backbone": "resnet18"})})
    message = "^protocol.baselines has own, which is defined for MobileNetV2; model.backbone is resnet18$"
    with pytest.raises(ConfigError, match=message):
        method.check("own", residual)


@pytest.mark.parametrize("name", list(METHODS))
def test_a_network_is_built_from_the_parameters(make_config, monkeypatch, name):
    """rho starts where it is learned, stays where it is not, and has a gradient only in the base step."""
    calls = []
    build = embedder.build_embedder

    def keep(*arguments, **options):
        calls.append((arguments, options))
        return build("resnet_small", 5, norm="bin")

    monkeypatch.setattr(embedder, "build_embedder", keep)
    config = make_config(
        model__rho_init=0.8, model__rho_fixed=0.3, model__rho_per="layer", model__in_affine="copied",
        compute__precision="bfloat16", model__mixstyle=0.25, optim__rho_lr=0.2, meta__outer_lr=0.4,
    )  # fmt: skip
    method = find_method(name)
    network = method.build(config, 12)
    learns = name in ("bin_joint", "bin_joint_reference", "bin_shared", *LEARNED_IN_EPISODES, "bin_target")
    options = {
        "norm": method.norm, "rho": 0.8 if learns else 0.3, "rho_per": "layer", "in_affine": "copied",
        "pretrained": config.model.pretrained, "mixstyle": 0.25, "precision": torch.bfloat16,
    }  # fmt: skip
    assert calls == [((config.model.backbone, 12), options)]
    in_base_step = name in ("bin_joint", "bin_joint_reference", "bin_shared")
    rho = [parameter for key, parameter in network.named_parameters() if key.endswith(".rho")]
    assert {parameter.requires_grad for parameter in rho} == {in_base_step}
    assert method.rho_lr(config) == (0.2 if in_base_step or not learns else 0.4)
    method.build(make_config(), 12)
    assert calls[1][1]["precision"] is None
    assert (method.name, repr(method)) == (name, name)


def test_a_key_without_effect_is_found_by_its_section_and_not_by_its_first_letters():
    class Narrow(Method):
        without_effect = ("meta", "model.rho_fixed")

    keys = ["meta.inner_lr", "metadata.a", "model.rho_fixed", "model.rho_fixed2", "model.rho_init", "meta"]
    assert Narrow("narrow").unread(keys) == ["meta.inner_lr", "model.rho_fixed", "meta"]

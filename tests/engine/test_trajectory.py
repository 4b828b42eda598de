"""Whole trainings, value by value, against the slow one of tests/slow_training.py."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from slow_training import WIDER_NUDGE, Episode, Recipe, SlowTraining, gradient, tiny_mobilenet, tiny_resnet, triangle
from torch import nn

from metabin.backbones import BACKBONES, Backbone
from metabin.data.batches.loading import HostBatch
from metabin.engine.base_step import base_step
from metabin.engine.optimizers import rho_optimizer, weights_optimizer, weights_schedule
from metabin.engine.schedule import Timeline
from metabin.engine.trainer import Trainer
from metabin.episodes.meta_step import EpisodeSettings, meta_step
from metabin.episodes.mldg_step import mldg_step
from metabin.losses.inputs import WeightedLosses
from metabin.methods.mldg import MLDG
from metabin.model.embedder import Embedder
from metabin.model.swapping import swap_norms
from metabin.types import Batch

NUM_DOMAINS, NUM_ITERATIONS, FIRST_BASE_STEPS = 3, 3, 2
RATES = {"lr": 0.05, "rho_lr": 0.2, "warmup": 2, "milestones": (2,)}  # far enough for every mistake to show
UNEQUAL = {
    "base": {"ce": 0.7, "triplet": 1.3},
    "train": {"scatter": 2.0, "shuffle": 0.5, "triplet": 0.25, "ce": 0.75},
    "test": {"triplet": 1.5, "ce": 0.4},
}


def conv_norm(num_in, num_out, size, *, stride=1, groups=1):
    convolution = nn.Conv2d(num_in, num_out, size, stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(num_out))


class TinyResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv_norm(3, 3, 3)
        self.reduce = conv_norm(3, 2, 1)
        self.middle = conv_norm(2, 2, 3, stride=2)
        self.expand = conv_norm(2, 4, 1)
        self.shortcut = conv_norm(3, 4, 1, stride=2)

    def forward(self, images):
        x = self.stem(images).relu()
        y = self.middle(self.reduce(x).relu()).relu()
        return (self.expand(y) + self.shortcut(x)).relu()


class TinyMobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv_norm(3, 2, 3)
        self.expand = conv_norm(2, 4, 1)
        self.depthwise = conv_norm(4, 4, 3, groups=4)
        self.project = conv_norm(4, 2, 1)

    def forward(self, images):
        x = nn.functional.relu6(self.stem(images))
        y = nn.functional.relu6(self.expand(x))
        return x + self.project(nn.functional.relu6(self.depthwise(y)))


NETS = {"resnet": (TinyResNet, 4, tiny_resnet), "mobilenet": (TinyMobileNet, 2, tiny_mobilenet)}


def start_values(model, random):
    """Values at which nothing is 0 or 1 by accident; a third of rho starts at 0.5 and a third at the border."""

    def draw(name, shape):
        if name.endswith("rho"):
            return np.array([(0.5, 1.0, random.uniform(0.1, 0.9))[i % 3] for i in range(*shape)])
        if name == "neck.bias":
            return np.zeros(shape)
        if "running_var" in name:
            return random.uniform(0.5, 1.5, shape)
        if len(shape) == 1:
            return random.normal(0.0 if "bias" in name or "mean" in name else 1.0, 0.3, shape)
        return random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)

    return {name: draw(name, value.shape) for name, value in values_of(model).items()}


def draw_episode(random, domains=range(NUM_DOMAINS)):
    """Two identities with two images each of every domain, which has a gain and an offset of its own."""
    domain = np.repeat(domains, 4)
    label = 2 * domain + np.tile([0, 0, 1, 1], len(domains))
    style = domain[:, None, None, None]
    images = random.normal(size=(len(domain), 3, 6, 4)) * (1 + 0.5 * style) + 0.3 * style
    return Episode(images, label.tolist(), domain.tolist())


def as_batch(episode):
    label, domain = torch.tensor(episode.label), torch.tensor(episode.domain)
    return Batch(torch.from_numpy(episode.images), label, torch.zeros_like(label), domain)


def assert_equal(model, slow, scalars, expected):
    """Check for the same parameters and buffers, and for the same losses among the scalars."""
    state = values_of(model)
    assert state.keys() == slow.values.keys()
    for name, value in slow.values.items():
        np.testing.assert_allclose(state[name], value, rtol=0, atol=1e-6, err_msg=name)
    losses = {name: float(scalar) for name, scalar in scalars.items() if not name.startswith("lr/")}
    assert losses == pytest.approx(expected, rel=0, abs=1e-6)


def values_of(model):
    """Parameters and buffers without torch's counters of batches, which nothing reads."""
    state = model.state_dict().items()
    return {name: value.numpy().copy() for name, value in state if not name.endswith("num_batches_tracked")}


class Fast:
    """The package's own steps behind the slow training's interface."""

    def __init__(self, model, optim, recipe):
        self.model, self.recipe = model, recipe
        self.weights = weights_optimizer(model, optim)
        self.schedule = weights_schedule(self.weights, optim, Timeline(9, recipe.warmup, recipe.milestones, 9))
        self.rho = rho_optimizer(model, recipe.rho_lr)
        self.settings = {"smoothing": recipe.smoothing, "margin": recipe.margin}

    def losses(self, weights):
        return WeightedLosses(weights, **self.settings)

    def base_update(self, batch):
        optimizers = [self.weights, self.rho] if self.recipe.joint else [self.weights]
        return base_step(self.model, as_batch(batch), optimizers, self.losses(self.recipe.base))

    def meta_update(self, train, test, step):
        recipe = self.recipe
        settings = EpisodeSettings(
            self.losses(recipe.train),
            self.losses(recipe.test),
            second_order=recipe.second_order,
            combined=recipe.combined,
        )
        return meta_step(self.model, as_batch(train), as_batch(test), self.rho, step, settings)

    def mldg_update(self, train, test, step):
        optimizers = [self.weights, self.rho]
        losses = (self.losses(self.recipe.train), self.losses(self.recipe.test))
        return mldg_step(self.model, as_batch(train), as_batch(test), optimizers, step, *losses)


def optim_of(recipe):
    """The changes to params.yaml that give the recipe's optimisers."""
    return {
        "optim__optimizer": "sgd",
        "optim__lr": recipe.lr,
        "optim__bias_lr_factor": 2.0,
        "optim__weight_decay": recipe.weight_decay,
        "optim__decay_norms": recipe.decay_norms,
        "optim__schedule": "warmup_milestones",
        "optim__warmup": recipe.warmup,
        "optim__milestones": list(recipe.milestones),
        "optim__rho_lr": recipe.rho_lr,
        "meta__outer_lr": recipe.rho_lr,
    }


@pytest.fixture
def make_pair(make_config):
    """A function that gives the slow and the package's training of a net, from the same start."""

    def make(net, random, **changes):
        network, num_features, slow_net = NETS[net]
        recipe = Recipe(**RATES, **changes)
        model = Embedder(swap_norms(network(), "bin", rho=1.0), num_features, 2 * NUM_DOMAINS).double()
        values = start_values(model, random)
        model.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()}, strict=False)
        return SlowTraining(slow_net, values, recipe), Fast(model, make_config(**optim_of(recipe)).optim, recipe)

    return make


def test_the_slow_second_order_gradient_is_that_of_both_steps_as_one_function(make_pair):
    random = np.random.default_rng(0)
    slow, _ = make_pair("mobilenet", random)
    inside = {name: np.full(value.shape, 0.4) for name, value in slow.values.items() if name.endswith("rho")}
    slow.values |= inside  # where no clip is in the way
    train, test, step = draw_episode(random, [0, 1]), draw_episode(random, [2]), 0.5
    train_loss, test_loss = slow.loss(train, slow.recipe.train), slow.loss(test, slow.recipe.test)

    def both(values):
        slopes = gradient(train_loss, values, inside, WIDER_NUDGE)
        return test_loss(values | {name: values[name] - step * slopes[name] for name in inside})

    expected = gradient(both, slow.values, inside, 1e-4)
    second, first = (
        slow.outer_slopes(train, test, step, list(inside), second_order=o, combined=False)[0] for o in (True, False)
    )
    for name, slopes in expected.items():
        np.testing.assert_allclose(second[name], slopes, rtol=0, atol=1e-6)
    assert max(abs(first[name] - slopes).max() for name, slopes in expected.items()) > 1e-3


# Seeds at which no ReLU and no hardest pair changes sides within reach of a difference.
CASES = [
    ("meta_update", {}, "first order"),
    ("meta_update", {"second_order": True}, "second order"),
    ("meta_update", {"combined": True}, "combined"),
    ("meta_update", {**UNEQUAL, "second_order": True, "combined": True}, "everything"),
    (None, {"joint": True, "decay_norms": False}, "joint"),
]


@pytest.mark.parametrize(
    ("net", "update", "changes", "seed"),
    [
        *(pytest.param(net, *case, 0, id=f"{net}-{name}") for net in NETS for *case, name in CASES),
        pytest.param("resnet", "mldg_update", {}, 0, id="resnet-mldg"),
        pytest.param("mobilenet", "mldg_update", UNEQUAL, 3, id="mobilenet-mldg with cross-entropy"),
    ],
)
def test_every_value_and_loss_of_every_iteration_equals_the_slow_training(net, update, changes, seed, make_pair):
    random = np.random.default_rng(seed)
    slow, fast = make_pair(net, random, **changes)
    for iteration in range(NUM_ITERATIONS):
        for _ in range(FIRST_BASE_STEPS if iteration == 0 else 1):
            batch = draw_episode(random)
            losses, scalars = slow.base_update(batch), fast.base_update(batch)
            assert_equal(fast.model, slow, scalars, losses)
        if update:
            unseen = (iteration + 1) % NUM_DOMAINS
            train = draw_episode(random, [domain for domain in range(NUM_DOMAINS) if domain != unseen])
            test, step = draw_episode(random, [unseen]), triangle(iteration + 1, 4, 0.01, 0.1)
            losses, scalars = (getattr(training, update)(train, test, step) for training in (slow, fast))
            assert_equal(fast.model, slow, scalars, losses)
        slow.iteration += 1
        fast.schedule.step()


class Replay:
    """A trainer whose batches are recorded, and made float64, to be trained on slowly after every step."""

    def __init__(self, trainer, slow_net, recipe, monkeypatch):
        self.trainer = trainer
        self.recorded = []
        copy = HostBatch.to
        monkeypatch.setattr(HostBatch, "to", lambda host, device: self.record(copy(host, device)))
        self.slow = SlowTraining(slow_net, values_of(trainer.model.double()), recipe)

    def record(self, batch):
        batch = replace(batch, images=batch.images.double())
        self.recorded.append(Episode(batch.images.numpy(), batch.label.tolist(), batch.domain.tolist()))
        return batch

    def compare(self, step, scalars, rho):
        """The trainer's watcher."""
        num_base = FIRST_BASE_STEPS if step == 0 else 1
        base, episode = self.recorded[:num_base], self.recorded[num_base:]
        assert len(self.recorded) == num_base + (2 if self.trainer.method.is_episodic else 0)
        for batch in base:
            losses = self.slow.base_update(batch)
        if episode:
            update = self.slow.mldg_update if isinstance(self.trainer.method, MLDG) else self.slow.meta_update
            losses |= update(*episode, triangle(step + 1, 4, 0.001, 0.1))
        self.slow.iteration += 1
        self.recorded.clear()
        assert_equal(self.trainer.model, self.slow, scalars, losses)


@pytest.mark.parametrize("method", ["metabin", "bin_joint", "mldg"])
def test_the_trainer_equals_the_slow_training_on_the_same_batches(method, make_config, make_images, monkeypatch):
    build, num_features, slow_net = NETS["mobilenet"]
    monkeypatch.setitem(BACKBONES, "resnet_small", Backbone(f"{build.__module__}:{build.__name__}", num_features))
    recipe = Recipe(**RATES, joint=method == "bin_joint")
    config = make_config(
        **optim_of(recipe),
        optim__duration=NUM_ITERATIONS,
        optim__first_base_steps=FIRST_BASE_STEPS,
        optim__ids_per_batch=6,
        optim__images_per_id=2,
        meta__inner_lr=0.1,
        meta__inner_period=4,
        meta__ids_per_domain=2,
        record__loss_every=1,
    )
    images = make_images(num_domains=NUM_DOMAINS, num_ids=2, num_images=2, height=6, width=4)
    trainer = Trainer(config, images, method, 0)  # a seed as in CASES; other batches may need another seed
    trainer.run(watch=Replay(trainer, slow_net, recipe, monkeypatch).compare)

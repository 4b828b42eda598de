"""A second, slow implementation of the training: numpy and loops; every gradient is a central difference of the loss.

It is written from the method's description, not from the package. `values` maps the names of a network's parameters and
buffers to float64 arrays; a "net" is a function of (values, images, moments) that gives the pooled features and leaves
the batch statistics of every layer in `moments`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import oracles

Values = dict[str, np.ndarray]
Weights = Mapping[str, float]  # of the terms of a loss
Net = Callable[..., np.ndarray]

EPS = 1e-5  # of every norm layer
# Of a central difference: small enough that hardly any ReLU or hardest pair changes sides.
NUDGE = 1e-6
# Of a difference of two gradients, where rounding counts more: their distance, and the nudge of each.
SWING = 3e-5
WIDER_NUDGE = 1e-5


class Episode(NamedTuple):
    """Images (N, 3, H, W) with a label and a domain each."""

    images: np.ndarray
    label: list[int]
    domain: list[int]


@dataclass(frozen=True)
class Recipe:
    """The settings of a training, with the names of the method."""

    lr: float = 0.01
    rho_lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: int = 0
    milestones: tuple[int, ...] = ()
    smoothing: float = 0.1
    margin: float = 0.3
    base: Weights = field(default_factory=lambda: {"ce": 1, "triplet": 1})
    train: Weights = field(default_factory=lambda: {"scatter": 1, "shuffle": 1, "triplet": 1})
    test: Weights = field(default_factory=lambda: {"triplet": 1})
    second_order: bool = False
    combined: bool = False
    joint: bool = False
    decay_norms: bool = True


@dataclass
class SlowTraining:
    """A training under way: the values, the momentum of the weights, the number of schedule steps."""

    net: Net
    values: Values
    recipe: Recipe
    iteration: int = 0
    velocity: Values = field(default_factory=dict)

    def base_update(self, batch: Episode) -> dict[str, float]:
        """Weights follow the base loss, running statistics move; rho follows it in joint training alone."""
        losses = self._losses(self.values, batch, self.recipe.base)
        moments: dict = {}
        classify(self.values, self.net(self.values, batch.images, moments), moments)
        learned = [name for name in self.trainable() if self.recipe.joint or not is_rho(name)]
        slopes = gradient(self.loss(batch, self.recipe.base), self.values, learned)
        self._descend(slopes)
        move_running(self.values, moments)
        return {f"base/{term}": loss for term, loss in losses.items()}

    def meta_update(self, train: Episode, test: Episode, step: float) -> dict[str, float]:
        """rho follows the meta-test loss at the rho that one step down the meta-train loss gives."""
        rho = [name for name in self.trainable() if is_rho(name)]
        how = {"second_order": self.recipe.second_order, "combined": self.recipe.combined}
        return self._learn_to_learn(train, test, *self.outer_slopes(train, test, step, rho, **how))

    def mldg_update(self, train: Episode, test: Episode, step: float) -> dict[str, float]:
        """Every parameter follows meta-train plus meta-test loss, the latter through the inner step."""
        how = {"second_order": True, "combined": True}
        return self._learn_to_learn(train, test, *self.outer_slopes(train, test, step, self.trainable(), **how))

    def trainable(self) -> list[str]:
        return [name for name in self.values if "running" not in name and name != "neck.bias"]

    def outer_slopes(
        self, train: Episode, test: Episode, step: float, learned: list[str], *, second_order: bool, combined: bool
    ) -> tuple[Values, Values]:
        """The outer gradient, and the values one inner step ahead."""
        train_loss = self.loss(train, self.recipe.train)
        test_loss = self.loss(test, self.recipe.test)
        inner = gradient(train_loss, self.values, learned)
        ahead = clipped(self.values | {name: self.values[name] - step * inner[name] for name in learned})
        outer = gradient(test_loss, ahead, learned)
        if second_order:  # d test(x - step * dtrain(x)) = dtest - step * H dtest; the clip counts as the identity
            bend = directional(train_loss, self.values, outer)
            outer = {name: outer[name] - step * bend[name] for name in learned}
        if combined:
            outer = {name: outer[name] + inner[name] for name in learned}
        return outer, ahead

    def _learn_to_learn(self, train: Episode, test: Episode, outer: Values, ahead: Values) -> dict[str, float]:
        train_losses = self._losses(self.values, train, self.recipe.train)
        test_losses = self._losses(ahead, test, self.recipe.test)
        self._descend(outer)
        return {
            **{f"meta_train/{term}": loss for term, loss in train_losses.items()},
            **{f"meta_test/{term}": loss for term, loss in test_losses.items()},
        }

    def loss(self, episode: Episode, weights: Weights) -> Callable[[Values], float]:
        def total(values: Values) -> float:
            losses = self._losses(values, episode, weights)
            return sum(weights[term] * loss for term, loss in losses.items())

        return total

    def _losses(self, values: Values, episode: Episode, terms: Iterable[str]) -> dict[str, float]:
        features = self.net(values, episode.images)
        rows = features.tolist()
        label = episode.label
        recipe = self.recipe
        compute = {
            "ce": lambda: oracles.cross_entropy(classify(values, features).tolist(), label, recipe.smoothing),
            "triplet": lambda: oracles.triplet(rows, label, recipe.margin),
            "scatter": lambda: oracles.scatter(rows, episode.domain),
            "shuffle": lambda: oracles.shuffle(rows, label, episode.domain),
        }
        return {term: compute[term]() for term in terms}

    def _descend(self, slopes: Mapping[str, np.ndarray]) -> None:
        """Move rho by plain descent, all others with momentum, decay and twice the rate for biases; then clip rho."""
        rate = self.recipe.lr * schedule(self.iteration, self.recipe.warmup, self.recipe.milestones)
        for name, slope in slopes.items():
            if is_rho(name):
                self.values[name] = self.values[name] - self.recipe.rho_lr * slope
            else:
                decays = self.recipe.decay_norms or self.values[name].ndim > 1
                pull = slope + self.recipe.weight_decay * self.values[name] * decays
                self.velocity[name] = self.recipe.momentum * self.velocity.get(name, 0.0) + pull
                scaled_rate = 2 * rate if "bias" in name else rate
                self.values[name] = self.values[name] - scaled_rate * self.velocity[name]
        self.values = clipped(self.values)


def schedule(iteration: int, warmup: int, milestones: Iterable[int]) -> float:
    """The factor of the learning rate: 0.01 rising to 1 in a line, then a tenth at every milestone."""
    rise = 1.0 if iteration >= warmup else 0.01 * (1 - iteration / warmup) + iteration / warmup
    return rise * 0.1 ** sum(milestone <= iteration for milestone in milestones)


def triangle(step: int, period: int, low: float, high: float) -> float:
    """The cyclic inner step size of meta update `step`, counted from 1."""
    up = period // 2
    phase = step % period
    height = phase / up if phase <= up else (period - phase) / (period - up)
    return low + (high - low) * height


def gradient(function: Callable[[Values], float], values: Values, names: Iterable[str], nudge: float = NUDGE) -> Values:
    """Central differences of a function in every entry of the named values."""
    slopes = {name: np.zeros(values[name].shape) for name in names}
    for name, slope in slopes.items():
        for place in np.ndindex(slope.shape):
            above = values[name].copy()
            below = values[name].copy()
            above[place] += nudge
            below[place] -= nudge
            slope[place] = (function(values | {name: above}) - function(values | {name: below})) / (2 * nudge)
    return slopes


def directional(function: Callable[[Values], float], values: Values, direction: Values) -> Values:
    """The Hessian of a function times a direction: how its gradient changes along it."""
    length = np.sqrt(sum((arrow * arrow).sum() for arrow in direction.values()))

    def slopes_at(distance: float) -> Values:
        moved = {name: values[name] + distance * arrow / length for name, arrow in direction.items()}
        return gradient(function, values | moved, direction, WIDER_NUDGE)

    ahead = slopes_at(SWING)
    behind = slopes_at(-SWING)
    return {name: (ahead[name] - behind[name]) / (2 * SWING) * length for name in direction}


def is_rho(name: str) -> bool:
    return name.endswith(".rho")


def clipped(values: Values) -> Values:
    return {name: np.clip(value, 0, 1) if is_rho(name) else value for name, value in values.items()}


def move_running(values: Values, moments: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Move the running mean and variance a tenth of the way to those of the batch."""
    for layer, (mean, variance) in moments.items():
        values[f"{layer}.running_mean"] = 0.9 * values[f"{layer}.running_mean"] + 0.1 * mean
        values[f"{layer}.running_var"] = 0.9 * values[f"{layer}.running_var"] + 0.1 * variance


def tiny_resnet(values: Values, images: np.ndarray, moments: dict | None = None) -> np.ndarray:
    """A stem and one bottleneck of stride 2."""
    x = relu(conv_norm(values, images, "stem", moments))
    y = relu(conv_norm(values, x, "reduce", moments))
    y = relu(conv_norm(values, y, "middle", moments, stride=2))
    y = conv_norm(values, y, "expand", moments)
    return relu(y + conv_norm(values, x, "shortcut", moments, stride=2)).mean(axis=(2, 3))


def tiny_mobilenet(values: Values, images: np.ndarray, moments: dict | None = None) -> np.ndarray:
    """A stem and one inverted residual."""
    x = relu6(conv_norm(values, images, "stem", moments))
    y = relu6(conv_norm(values, x, "expand", moments))
    y = relu6(conv_norm(values, y, "depthwise", moments, depthwise=True))
    return (x + conv_norm(values, y, "project", moments)).mean(axis=(2, 3))


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def relu6(x: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(x, 0), 6)


def conv_norm(values: Values, x: np.ndarray, name: str, moments: dict | None, **how) -> np.ndarray:
    x = convolve(x, values[f"backbone.{name}.0.weight"], **how)
    return batch_instance_norm(values, x, f"backbone.{name}.1", moments)


def convolve(x: np.ndarray, weight: np.ndarray, *, stride: int = 1, depthwise: bool = False) -> np.ndarray:
    """Zeros around the image keep its size at stride 1; depthwise, every channel has its own kernel."""
    num_out, _, size, _ = weight.shape
    num_images, num_in, height, width = x.shape
    margin = size // 2
    padded = np.zeros((num_images, num_in, height + 2 * margin, width + 2 * margin))
    padded[:, :, margin : margin + height, margin : margin + width] = x
    y = np.zeros((num_images, num_out, -(-height // stride), -(-width // stride)))
    for source in range(num_in):
        shifted = np.stack(
            [
                padded[:, source, row : row + height : stride, column : column + width : stride].ravel()
                for row in range(size)
                for column in range(size)
            ]
        )
        for out in [source] if depthwise else range(num_out):
            kernel = weight[out, 0 if depthwise else source].ravel()
            y[:, out] += (kernel @ shifted).reshape(y[:, out].shape)
    return y


def batch_instance_norm(values: Values, x: np.ndarray, layer: str, moments: dict | None) -> np.ndarray:
    """rho times the batch's normalisation plus 1 - rho times the image's own, each with its own affine."""
    y = np.empty_like(x)
    rho = values[f"{layer}.rho"]
    for c in range(x.shape[1]):
        batch = values[f"{layer}.bn_weight"][c] * standardise(x[:, c], (0, 1, 2)) + values[f"{layer}.bn_bias"][c]
        image_half = values[f"{layer}.in_weight"][c] * standardise(x[:, c], (1, 2)) + values[f"{layer}.in_bias"][c]
        y[:, c] = rho[c] * batch + (1 - rho[c]) * image_half
    note_moments(moments, layer, x)
    return y


def classify(values: Values, features: np.ndarray, moments: dict | None = None) -> np.ndarray:
    """Logits after the neck, a batch norm whose bias stays 0."""
    embedding = standardise(features, (0,)) * values["neck.weight"]
    note_moments(moments, "neck", features)
    return embedding @ values["classifier.weight"].T


def standardise(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """x with mean 0 and variance 1 over the axes."""
    total = x.sum(axis=axes, keepdims=True)
    count = x.size // total.size
    centred = x - total / count
    variance = (centred * centred).sum(axis=axes, keepdims=True) / count
    return centred / np.sqrt(variance + EPS)


def note_moments(moments: dict | None, layer: str, x: np.ndarray) -> None:
    """Mean and unbiased variance of every channel, for the running statistics."""
    if moments is not None:
        channels = [x[:, c] for c in range(x.shape[1])]
        moments[layer] = np.array([c.mean() for c in channels]), np.array([c.var(ddof=1) for c in channels])

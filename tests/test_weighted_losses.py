"""Weighted sums of losses: what each loss gets, and what params.yaml may say."""

import oracles
import pytest
import torch

from metabin.episodes.losses import scatter, shuffle
from metabin.errors import ConfigError
from metabin.losses import cross_entropy, inputs, triplet
from metabin.losses.inputs import LossInputs, WeightedLosses, scalars
from metabin.types import Batch

FEATURES = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABEL, DOMAIN = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 0, 0, 1, 1, 1])
BATCH = Batch(torch.zeros(6, 3, 2, 2), LABEL, torch.zeros(6), DOMAIN)


@pytest.fixture
def calls(monkeypatch):
    """Every loss is a function that keeps what it gets, and returns 1, 2, 3 ..."""
    calls = []

    def find(name):
        assert name in ("first", "second", "third", "plain", "strong")

        def loss(inputs, power=2.0, base=1.0):
            calls.append((name, inputs, power, base))
            return torch.tensor(float(len(calls)))

        return loss

    monkeypatch.setattr(inputs, "find_loss", find)
    return calls


def classify(features):
    return 2 * features


def test_losses_are_read_from_weights_and_from_weights_with_options(calls):
    terms = {"first": 0.5, "second": {"weight": 2.0, "power": 3.0}, "third": {"weight": 1.0}}
    losses = WeightedLosses.of(terms, margin=0.7, smoothing=0.2)
    assert losses == WeightedLosses(
        {"first": 0.5, "second": 2.0, "third": 1.0}, 0.7, 0.2, {"second": {"power": 3.0}, "third": {}}
    )


def test_each_loss_gets_the_batch_and_its_own_options_and_none_of_weight_zero_is_computed(calls):
    losses = WeightedLosses({"off": 0.0, "plain": 1.0, "strong": 0.5}, 0.7, 0.2, {"strong": {"power": 3.0}})
    values = losses.compute(FEATURES, BATCH, classify)
    assert values == {"plain": torch.tensor(1.0), "strong": torch.tensor(2.0)}
    expected = LossInputs(FEATURES, BATCH, classify, 0.7, 0.2)
    assert calls == [("plain", expected, 2.0, 1.0), ("strong", expected, 3.0, 1.0)]
    assert losses.total(values).item() == 1.0 * 1 + 0.5 * 2


def test_an_unknown_option_is_refused_with_the_known_ones(calls):
    terms = {"first": {"weight": 1.0, "power": 1.0, "size": 2, "Base": 3}}
    message = "^the loss first has no option size, Base; expected weight, power, base$"
    with pytest.raises(ConfigError, match=message):
        WeightedLosses.of(terms, margin=0.3, smoothing=0.1)


def test_scalars_are_detached_and_named_by_their_batch():
    value = torch.tensor(2.0, requires_grad=True)
    (item,) = (named := scalars("meta_test", {"triplet": value})).values()
    assert list(named) == ["meta_test/triplet"]
    assert item == 2
    assert not item.requires_grad


def test_every_loss_takes_what_it_needs_from_the_inputs():
    given = LossInputs(FEATURES, BATCH, classify, margin=0.7, smoothing=0.2)
    rows, label, domain = FEATURES.tolist(), LABEL.tolist(), DOMAIN.tolist()
    expected = oracles.cross_entropy((2 * FEATURES).tolist(), label, 0.2)
    assert cross_entropy.loss(given).item() == pytest.approx(expected)
    assert triplet.loss(given).item() == pytest.approx(oracles.triplet(rows, label, 0.7))
    assert scatter.loss(given).item() == pytest.approx(oracles.scatter(rows, domain))
    assert shuffle.loss(given).item() == pytest.approx(oracles.shuffle(rows, label, domain))


@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_smoothing_is_shared_by_the_other_classes(num_classes, smoothing):
    logits = torch.randn(4, num_classes, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    label = torch.arange(4) % num_classes
    expected = oracles.cross_entropy(logits.tolist(), label.tolist(), smoothing)
    value = cross_entropy.cross_entropy_loss(logits, label, smoothing=smoothing)
    assert value.item() == pytest.approx(expected)


def test_a_single_class_costs_nothing():
    assert cross_entropy.cross_entropy_loss(torch.randn(3, 1), torch.zeros(3, dtype=torch.int64), smoothing=0.1) == 0


def test_a_zero_vector_has_no_direction_and_changes_no_other():
    features = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    # centroid (1/3, 1/3): both others are at 45 degrees, the zero vector at a cosine of 0
    assert scatter.scatter_loss(features, torch.zeros(3)).item() == pytest.approx(2 * 0.5**0.5 / 3, abs=1e-6)


@pytest.mark.parametrize("loss", [cross_entropy.loss, triplet.loss, scatter.loss, shuffle.loss])
def test_a_loss_is_computed_where_its_inputs_are(loss):
    """The meta device refuses tensors of the CPU, as a GPU does."""
    columns = (getattr(BATCH, name).to("meta") for name in ("images", "label", "camid", "domain"))
    given = LossInputs(FEATURES.to("meta"), Batch(*columns), classify, margin=0.7, smoothing=0.2)
    assert loss(given).device.type == "meta"

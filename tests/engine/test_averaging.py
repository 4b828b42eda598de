"""The average of weights over steps: what it holds, what is saved of it, and how it resumes."""

import pytest
import torch
from trainings import Killed, assert_same_bits, killer, state

from metabin.engine.trainer import Trainer


def trained(config, images, method="metabin", **options):
    """The state after every step, and the resulting model."""
    states = []
    trainer = Trainer(config, images, method, 0)
    model = trainer.run(watch=lambda step, scalars, rho: states.append(state(trainer.model)), **options)
    return states, model


def floats(values):
    return {name: value for name, value in values.items() if value.is_floating_point()}


def assert_near(actual, expected):
    for name, value in floats(expected).items():
        torch.testing.assert_close(actual[name], value, atol=1e-6, rtol=1e-6, msg=name)


def test_ema_is_the_decaying_average_of_every_step_and_leaves_the_training_as_it_is(make_tiny, tiny_images):
    plain, _ = trained(make_tiny(), tiny_images)
    states, model = trained(make_tiny(optim__averaging="ema", optim__average_decay=0.7), tiny_images)
    for before, after in zip(plain, states, strict=True):
        assert_same_bits(before, after)
    expected = floats(states[0])
    for later in states[1:]:
        expected = {name: 0.7 * value + 0.3 * later[name] for name, value in expected.items()}
    assert_near(model.state_dict(), expected)
    assert not model.training


def test_swa_is_the_mean_of_the_last_steps(make_tiny, tiny_images):
    states, model = trained(make_tiny(optim__averaging="swa", optim__average_from=0.5), tiny_images)
    last = states[4:]
    assert len(states) == 8
    expected = {name: sum(values[name] for values in last) / 4 for name in floats(states[0])}
    assert_near(model.state_dict(), expected)
    moved = {name for name in expected if not torch.equal(states[4][name], states[7][name])}
    assert {name.rpartition(".")[2] for name in moved} >= {"weight", "rho", "running_mean", "running_var"}


def test_a_candidate_before_the_average_begins_is_the_model_itself(make_tiny, tiny_images):
    kept = {}
    config = make_tiny(optim__averaging="swa", optim__average_from=0.5, record__candidates=4)
    states, _ = trained(config, tiny_images, keep=lambda step, model: kept.update({step: state(model)}))
    assert list(kept) == [2, 4, 6]
    assert_same_bits(kept[4], states[3])
    assert_near(kept[6], {name: (states[4][name] + states[5][name]) / 2 for name in floats(states[4])})


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_a_killed_training_resumes_its_average_with_the_same_bits(averaging, make_tiny, tiny_images, tmp_path):
    config = make_tiny(optim__averaging=averaging, optim__average_from=0.25)
    _, expected = trained(config, tiny_images)
    path = tmp_path / "state.pt"
    with pytest.raises(Killed):
        Trainer(config, tiny_images, "metabin", 0).run(watch=killer(5), state_path=path, digest="d")
    resumed = Trainer(config, tiny_images, "metabin", 0).run(state_path=path, digest="d")
    assert_same_bits(state(resumed), state(expected))

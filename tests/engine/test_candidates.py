"""The candidates of a training are the weights of their steps, and saving them changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainings import Killed, assert_same_bits, killer, state

from metabin.engine.schedule import candidate_steps
from metabin.engine.trainer import Trainer
from metabin.errors import ConfigError


@pytest.mark.parametrize(
    ("num_steps", "count", "expected"),
    [(180, 4, (45, 90, 135, 180)), (10, 4, (2, 5, 7, 10)), (3, 4, (1, 2, 3)), (7, 1, (7,)), (1, 4, (1,))],
)
def test_candidates_by_hand(num_steps, count, expected):
    assert candidate_steps(num_steps, count) == expected


@given(st.integers(1, 10_000), st.integers(1, 50))
def test_candidates_are_evenly_spaced_and_end_with_the_training(num_steps, count):
    steps = candidate_steps(num_steps, count)
    assert len(steps) == min(num_steps, count)
    assert steps[-1] == num_steps
    gaps = [later - step for step, later in zip((0, *steps), steps, strict=False)]
    assert min(gaps) >= 1
    assert max(gaps) - min(gaps) <= 1


def test_zero_candidates_are_refused(make_config):
    with pytest.raises(ConfigError, match="record.candidates is 0"):
        make_config(record__candidates=0)


def collector(saved):
    def keep(step, model):
        saved[step] = state(model)

    return keep


@pytest.mark.parametrize("method", ["bn", "bin_joint", "metabin", "mldg"])
def test_candidates_are_the_weights_and_statistics_of_their_step_and_do_not_change_the_outcome(
    method, tiny_config, tiny_images
):
    without = state(Trainer(tiny_config, tiny_images, method, 0).run())
    trainer, saved, seen = Trainer(tiny_config, tiny_images, method, 0), {}, {}

    def watch(step, *_):
        seen[step + 1] = state(trainer.model)  # called at the end of a step

    outcome = state(trainer.run(watch=watch, keep=collector(saved)))
    assert trainer.candidates == (2, 4, 6, 8)
    assert sorted(saved) == [2, 4, 6]  # the last one is returned
    for step, weights in saved.items():
        assert_same_bits(weights, seen[step])
        assert any("running_mean" in name for name in weights)
    assert_same_bits(outcome, without)
    assert_same_bits(outcome, seen[8])
    assert not all((saved[2][name] == value).all() for name, value in saved[4].items() if "running_mean" in name)


@pytest.mark.parametrize("method", ["bn", "metabin"])
def test_a_killed_and_a_resumed_training_save_together_the_candidates_of_an_uninterrupted_one(
    method, tiny_config, tiny_images, tmp_path
):
    expected, first, second = {}, {}, {}
    Trainer(tiny_config, tiny_images, method, 0).run(keep=collector(expected))
    path = tmp_path / "state.pt"
    with pytest.raises(Killed):
        Trainer(tiny_config, tiny_images, method, 0).run(
            watch=killer(4), keep=collector(first), state_path=path, digest="d"
        )
    Trainer(tiny_config, tiny_images, method, 0).run(keep=collector(second), state_path=path, digest="d")
    assert sorted(first) == [2, 4]  # the resumed state is of step 3, so that 4 is saved again
    assert sorted(second) == [4, 6]
    for step, weights in {**first, **second}.items():
        assert_same_bits(weights, expected[step])
    assert_same_bits(first[4], second[4])


def test_a_state_is_written_after_the_candidate_of_its_step(tiny_config, tiny_images, tmp_path):
    """In the other order, a kill between the two would lose the candidate."""
    config = tiny_config.model_copy(update={"record": tiny_config.record.model_copy(update={"checkpoint_every": 2})})
    path, states = tmp_path / "state.pt", {}

    def keep(step, model):
        states[step] = path.read_bytes() if path.is_file() else b""

    Trainer(config, tiny_images, "bn", 0).run(keep=keep, state_path=path, digest="d")
    assert states[2] == b""
    assert states[4] != states[6]

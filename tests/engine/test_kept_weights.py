"""The weights that a training keeps on its way are those of that step, and keeping them changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainings import Killed, assert_same_bits, killer, state

from metabin.engine.schedule import candidate_steps
from metabin.engine.trainer import Trainer
from metabin.errors import ConfigError


@pytest.mark.parametrize(
    ("num_steps", "count", "wanted"),
    [(180, 4, (45, 90, 135, 180)), (10, 4, (2, 5, 7, 10)), (3, 4, (1, 2, 3)), (7, 1, (7,)), (1, 4, (1,))],
)
def test_candidates_by_hand(num_steps, count, wanted):
    assert candidate_steps(num_steps, count) == wanted


@given(st.integers(1, 10_000), st.integers(1, 50))
def test_candidates_are_evenly_spaced_and_end_with_the_training(num_steps, count):
    steps = candidate_steps(num_steps, count)
    assert len(steps) == min(num_steps, count)
    assert steps[-1] == num_steps
    gaps = [later - step for step, later in zip((0, *steps), steps, strict=False)]
    assert min(gaps) >= 1
    assert max(gaps) - min(gaps) <= 1


def test_no_candidate_at_all_is_refused(make_config):
    with pytest.raises(ConfigError, match="record.candidates is 0"):
        make_config(record__candidates=0)


def collector(kept):
    def keep(step, model):
        kept[step] = state(model)

    return keep


@pytest.mark.parametrize("method", ["bn", "bin_joint", "metabin", "mldg"])
def test_kept_weights_and_statistics_are_those_of_the_step_and_the_outcome_has_the_same_bits(
    method, tiny_config, tiny_images
):
    without = state(Trainer(tiny_config, tiny_images, method, 0).run())
    trainer, kept, seen = Trainer(tiny_config, tiny_images, method, 0), {}, {}

    def watch(step, *_):
        seen[step + 1] = state(trainer.model)  # told of a step when it is done

    outcome = state(trainer.run(watch=watch, keep=collector(kept)))
    assert trainer.candidates == (2, 4, 6, 8)
    assert sorted(kept) == [2, 4, 6]  # the last one is returned
    for step, found in kept.items():
        assert_same_bits(found, seen[step])
        assert any("running_mean" in name for name in found)
    assert_same_bits(outcome, without)
    assert_same_bits(outcome, seen[8])
    assert not all((kept[2][name] == value).all() for name, value in kept[4].items() if "running_mean" in name)


@pytest.mark.parametrize("method", ["bn", "metabin"])
def test_a_killed_training_and_the_one_that_goes_on_keep_together_what_an_unbroken_one_keeps(
    method, tiny_config, tiny_images, tmp_path
):
    wanted, first, second = {}, {}, {}
    Trainer(tiny_config, tiny_images, method, 0).run(keep=collector(wanted))
    path = tmp_path / "state.pt"
    with pytest.raises(Killed):
        Trainer(tiny_config, tiny_images, method, 0).run(
            watch=killer(4), keep=collector(first), state_path=path, digest="d"
        )
    Trainer(tiny_config, tiny_images, method, 0).run(keep=collector(second), state_path=path, digest="d")
    assert sorted(first) == [2, 4]  # the state that is resumed was taken at 3: 4 is made once more
    assert sorted(second) == [4, 6]
    for step, found in {**first, **second}.items():
        assert_same_bits(found, wanted[step])
    assert_same_bits(first[4], second[4])


def test_a_state_is_written_after_the_candidate_of_its_step(tiny_config, tiny_images, tmp_path):
    """The other way round a kill between the two would lose the candidate for ever."""
    config = tiny_config.model_copy(update={"record": tiny_config.record.model_copy(update={"checkpoint_every": 2})})
    path, there = tmp_path / "state.pt", {}

    def keep(step, model):
        there[step] = path.read_bytes() if path.is_file() else b""

    Trainer(config, tiny_images, "bn", 0).run(keep=keep, state_path=path, digest="d")
    assert there[2] == b""
    assert there[4] != there[6]

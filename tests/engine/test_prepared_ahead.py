"""A training whose batches a thread prepares ahead, as on CUDA."""

import threading

import pytest
import torch
from trainings import Killed, assert_same_bits, killer, state

from metabin.engine import trainer
from metabin.engine.trainer import Trainer

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture
def prepare_ahead(monkeypatch):
    """A function that lets trainings on the CPU prepare batches ahead."""
    return lambda: monkeypatch.setitem(trainer.ITERATIONS_AHEAD, "cpu", 2)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("method", ["bn", "metabin"])
def test_the_bits_are_those_of_a_training_that_loads_when_it_needs_the_images(
    method, prepare_ahead, tiny_config, tiny_images
):
    expected = state(Trainer(tiny_config, tiny_images, method, 0).run())
    prepare_ahead()
    used = []
    model = Trainer(tiny_config, tiny_images, method, 0).run(watch=lambda *_: used.append(len(threads())))
    assert_same_bits(state(model), expected)
    assert used == [1] * 8
    assert threads() == []


def test_a_killed_training_ends_its_thread_and_resumes_with_the_same_bits(
    prepare_ahead, tiny_config, tiny_images, tmp_path
):
    expected = state(Trainer(tiny_config, tiny_images, "metabin", 0).run())
    prepare_ahead()
    with pytest.raises(Killed):
        Trainer(tiny_config, tiny_images, "metabin", 0).run(watch=killer(5), state_path=tmp_path / "s.pt", digest="d")
    assert threads() == []
    resumed = Trainer(tiny_config, tiny_images, "metabin", 0)
    assert_same_bits(state(resumed.run(state_path=tmp_path / "s.pt", digest="d")), expected)


def test_an_error_of_loading_is_raised_at_the_step_of_the_batch(prepare_ahead, tiny_config, tiny_images, monkeypatch):
    load_batch = trainer.load_batch
    loaded = []

    def fail_at_the_fourth(*arguments):
        loaded.append(arguments)
        if len(loaded) == 4:
            raise OSError("the images are gone")
        return load_batch(*arguments)

    monkeypatch.setattr(trainer, "load_batch", fail_at_the_fourth)
    prepare_ahead()
    steps = []
    with pytest.raises(OSError, match="the images are gone"):
        Trainer(tiny_config, tiny_images, "bn", 0).run(watch=lambda step, *_: steps.append(step))
    assert steps == [0, 1, 2]
    assert threads() == []


def test_a_resumed_training_loads_no_image_of_the_steps_before_its_state(
    tiny_config, tiny_images, tmp_path, monkeypatch
):
    with pytest.raises(Killed):
        Trainer(tiny_config, tiny_images, "bn", 0).run(watch=killer(6), state_path=tmp_path / "s.pt", digest="d")
    loaded = []
    load_batch = trainer.load_batch
    monkeypatch.setattr(trainer, "load_batch", lambda *args: (loaded.append(args), load_batch(*args))[1])
    Trainer(tiny_config, tiny_images, "bn", 0).run(state_path=tmp_path / "s.pt", digest="d")
    assert len(loaded) == 2  # steps 6 and 7


@needs_cuda
def test_on_cuda_batches_wait_in_pinned_memory(tiny_config, tiny_images):
    compute = tiny_config.compute.model_copy(update={"device": "cuda"})
    config = tiny_config.model_copy(update={"compute": compute})
    batch = next(Trainer(config, tiny_images, "bn", 0).host_batches())["base"]
    assert batch.pixels.is_pinned()
    assert batch.columns.is_pinned()

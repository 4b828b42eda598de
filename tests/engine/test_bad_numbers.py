"""A training that leaves the numbers, or the memory, ends with what, when, and what to do."""

import numpy as np
import pytest
import torch

from metabin import compute
from metabin.engine.history import tensor_sizes
from metabin.engine.trainer import Trainer
from metabin.errors import MemoryLimitError
from metabin.evaluation.scoring import embed
from metabin.model.embedder import build_embedder

CONV = "backbone.block1.conv1.weight"


def with_bad_gradient(training, after, value):
    """A function to watch a training, after one step of which a layer's gradient has a value that is not finite."""

    def watch(step, scalars, rho):
        if step == after:
            training.model.get_parameter(CONV).register_hook(lambda gradient: gradient * value)

    return watch


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("method", ["bn", "metabin"])
def test_a_gradient_that_is_not_finite_names_its_tensor_and_step_although_losses_are_read_later(
    method, value, make_config, tiny_config, tiny_images, tmp_path
):
    """At step 7, when the losses are read, all tensors are NaN."""
    record = tiny_config.record.model_copy(update={"loss_every": 100})
    training = Trainer(tiny_config.model_copy(update={"record": record}), tiny_images, method, 0)
    path = tmp_path / "state.pt"
    message = rf"at step 4: 1 of \d+ tensors of the model are not finite: {CONV}; lower optim.lr, .*"
    with pytest.raises(FloatingPointError, match=f"{message}The last saved state is {path} after step 2$"):
        training.run(watch=with_bad_gradient(training, 3, value), state_path=path, digest="d")


def test_without_a_saved_state_the_message_says_so(tiny_config, tiny_images):
    training = Trainer(tiny_config, tiny_images, "bn", 0)
    with pytest.raises(FloatingPointError, match="The last saved state is none$"):
        training.run(watch=with_bad_gradient(training, 1, float("nan")))


def test_the_check_reads_no_value_of_the_device():
    model = build_embedder("resnet_small", 4, norm="bin").to("meta")
    assert all(size.is_meta for size in tensor_sizes(model).values())


def test_the_check_covers_parameters_and_running_statistics():
    model = build_embedder("resnet_small", 4, norm="bin")
    counters = {name for name in model.state_dict() if name.endswith("num_batches_tracked")}
    assert tensor_sizes(model).keys() == model.state_dict().keys() - counters


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:83] data. DefaultCPUAllocator: not enough memory: you tried to"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
]


def failing(error):
    def fail(*arguments, **options):
        raise error

    return fail


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: f"{type(error).__name__} {error}"[:40])
def test_a_batch_that_does_not_fit_names_the_parameters_to_lower(error, tiny_config, tiny_images, monkeypatch):
    monkeypatch.setattr("metabin.engine.base_step.base_step", failing(error))
    message = "a step of the training on cpu does not fit into memory .*; lower optim.ids_per_batch, optim.images"
    with pytest.raises(MemoryLimitError, match=message):
        Trainer(tiny_config, tiny_images, "bn", 0).run()


def test_images_that_do_not_fit_in_evaluation_are_counted(tiny_images, monkeypatch):
    monkeypatch.setattr("metabin.evaluation.scoring.embed_pixels", failing(OUT_OF_MEMORY[0]))
    model = build_embedder("resnet_small", 4).eval()
    with pytest.raises(MemoryLimitError, match="a batch of 36 images does not fit into memory .*compute.device"):
        embed(model, tiny_images)


def test_memory_that_torch_and_numpy_cannot_get_is_recognised_and_another_error_stays():
    for allocate in (lambda: torch.empty(1 << 60, dtype=torch.uint8), lambda: np.empty(1 << 60, np.uint8)):
        message = "a batch does not fit .*; lower it"
        with pytest.raises(MemoryLimitError, match=message), compute.memory_limit("a batch", "lower it"):
            allocate()
    with pytest.raises(RuntimeError, match="sizes do not match"), compute.memory_limit("a batch", "lower it"):
        raise RuntimeError("sizes do not match")


@pytest.mark.parametrize("method", ["bn", "in", "metabin", "mldg"])
def test_constant_images_train_with_finite_numbers(method, tiny_config, tiny_images):
    """Every feature has the variance 0, and every distance is 0."""
    for pixels in tiny_images.pixels:
        pixels.fill(128)
    training = Trainer(tiny_config, tiny_images, method, 0)
    training.run()
    assert training.step == 8

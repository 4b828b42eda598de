"""On a CUDA device everything computes what it computes on a CPU, which other tests compare with the authors' code."""

import numpy as np
import pytest
import torch

from benchmarks.gpu.parity import BACKBONES, FLOAT64_GOAL, compare_iterations
from metabin.config import Augment
from metabin.data.batches.loading import load_batch
from metabin.engine.trainer import Trainer
from metabin.evaluation.scoring import embed, retrieval_scores
from metabin.model.embedder import build_embedder
from metabin.types import Embeddings

pytestmark = pytest.mark.cuda
CUDA = torch.device("cuda")
CPU = torch.device("cpu")


@pytest.mark.parametrize("backbone", BACKBONES)
def test_base_and_meta_steps_of_whole_backbones_agree_in_float64(backbone):
    losses, state = compare_iterations(backbone, CUDA)
    assert losses < FLOAT64_GOAL
    assert state < FLOAT64_GOAL


@pytest.mark.parametrize("method", ["bn", "in", "half", "bin_fixed", "bin_shared", "bin_joint", "metabin", "mldg"])
def test_the_losses_of_a_short_training_agree_in_float32(method, on_device, tiny_config, tiny_images):
    losses = []
    for device in ("cuda", "cpu"):
        trainer = Trainer(on_device(tiny_config, device, lr=1e-3), tiny_images, method, 0)
        trainer.run()
        losses.append(trainer.history.losses_table())
    actual, expected = losses
    # each iteration multiplies the differences, which are rounding errors, by up to 30
    np.testing.assert_allclose(actual[:1], expected[:1], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(actual[:3], expected[:3], rtol=0.01, atol=0.01)


def test_a_batch_on_the_device_has_the_values_of_one_on_the_cpu(tiny_images):
    settings = Augment(flip=0.5, pad=2, colour_jitter=True, erasing=0.5, strong=0.0, amplitude_mix=0.0)
    index = np.arange(len(tiny_images))
    batch = load_batch(tiny_images, index, np.random.default_rng(0), settings)
    expected = batch.to(CPU)
    actual = batch.pin().to(CUDA)
    for name in ("images", "label", "camid", "domain"):
        value = getattr(actual, name)
        assert value.is_cuda
        torch.testing.assert_close(value.cpu(), getattr(expected, name), rtol=1e-6, atol=1e-6)
    assert actual.images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_embeddings_agree_in_float32(backbone, make_images):
    images = make_images(num_domains=1, num_ids=4, num_images=3, height=64, width=32)
    torch.manual_seed(0)
    model = build_embedder(backbone, 8, rho=0.5).eval()
    torch.backends.cudnn.fp32_precision = "ieee"
    expected = embed(model, images).features
    actual = embed(model.to(CUDA), images).features
    error = np.linalg.norm(actual - expected) / np.linalg.norm(expected)
    assert error < 1e-4


def test_scores_by_distances_of_the_device_are_those_of_numpy():
    random = np.random.default_rng(0)
    query, gallery = (
        Embeddings(
            random.standard_normal((count, 64), np.float32),
            random.integers(0, 20, count),
            random.integers(0, 4, count),
        )
        for count in (50, 400)
    )
    actual, expected = (retrieval_scores(query, gallery, device) for device in (CUDA, None))
    assert actual.num_query == expected.num_query
    assert actual.mAP == pytest.approx(expected.mAP, rel=1e-4)
    assert actual.mINP == pytest.approx(expected.mINP, rel=1e-3)
    assert actual.cmc == pytest.approx(expected.cmc, abs=0.02)  # one query of 50

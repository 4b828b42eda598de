"""Both sides of a benchmark compute the same, and a ratio above 1 means that ours is better."""

import time

import pytest
import torch
from torch.optim import SGD

from benchmarks import pairs, ranking, step, textbook
from benchmarks.__main__ import table
from metabin.engine.base_step import base_step
from metabin.episodes.meta_step import meta_step
from metabin.evaluation import metrics
from metabin.model.embedder import build_embedder
from metabin.model.norm import rho_of
from metabin.types import Batch

RENAMED = {"bn_": "batch.", "in_": "instance.", "running_": "batch.running_"}


@pytest.fixture
def models():
    """Ours and the textbook's with the same weights, float64, rho inside (0, 1)."""
    torch.manual_seed(0)
    ours = build_embedder("resnet_small", 8).double()
    other = textbook.with_textbook_norms(build_embedder("resnet_small", 8, norm="bn")).double()
    for value in rho_of(ours).values():
        value.data.uniform_(0.1, 0.9)
    other.load_state_dict({in_textbook(name): value for name, value in ours.state_dict().items()}, strict=False)
    return ours.train(), other.train()


def in_textbook(name):
    layer, _, last = name.rpartition(".")
    if name.startswith("backbone."):
        for ours, other in RENAMED.items():
            last = last.replace(ours, other) if last.startswith(ours) else last
    return f"{layer}.{last}"


def batch(domains):
    domain = torch.tensor(domains).repeat_interleave(4)
    label = 2 * domain + torch.tensor([0, 0, 1, 1]).repeat(len(domains))
    images = torch.randn(len(label), 3, 32, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return Batch(images, label, torch.zeros_like(label), domain)


def assert_equal(ours, other):
    state = other.state_dict()
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(state[in_textbook(name)], value, msg=lambda text, name=name: f"{name}: {text}")


def test_the_steps_of_the_textbook_equal_ours(models):
    ours, other = models
    start = {name: value.clone() for name, value in rho_of(ours).items()}
    weights = [
        SGD([p for name, p in model.named_parameters() if not name.endswith("rho") and p.requires_grad], lr=0.1)
        for model in models
    ]
    rho = [SGD([p for name, p in model.named_parameters() if name.endswith("rho")], lr=5.0) for model in models]
    base_step(ours, batch([0, 1, 2, 3]), weights[0])
    textbook.base_step(other, batch([0, 1, 2, 3]), weights[1])
    assert_equal(ours, other)
    meta_step(ours, batch([0, 1, 2]), batch([3]), rho[0], 0.5)
    textbook.meta_step(other, batch([0, 1, 2]), batch([3]), rho[1], 0.5)
    assert_equal(ours, other)
    assert any((value != start[name]).any() for name, value in rho_of(ours).items())


@pytest.mark.parametrize("side", [step.ours, step.textbook_iteration])
def test_both_sides_of_the_step_prepare_the_machine_in_the_same_way(side, monkeypatch):
    prepared = []
    monkeypatch.setattr(step, "prepare_machine", lambda: prepared.append(side))
    side("resnet_small", batch=16, num_domains=2)
    assert prepared == [side]


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_ratio_above_one_means_that_ours_is_better():
    row = pairs.compare("work", "more work", lambda: burn(0.01), lambda: burn(0.05), repeats=3)
    assert row.ratio > 2
    assert row.ours < row.other


def slow():
    return lambda: burn(0.5)


def large():
    return lambda: burn(0.001) or bytearray(100_000_000)


def test_each_process_has_a_time_and_a_memory_of_its_own():
    time, memory = pairs.compare_processes(
        "work", "other", "tests.test_benchmarks", "large", "slow", warm_ups=1, repeats=1
    )
    assert time.ratio > 2
    assert memory.ours > 0.09 > memory.other


def test_the_table_has_one_line_per_row():
    row = {"what": "a", "against": "b", "ours": 1.0, "other": 2.5, "unit": "s", "ratio": 2.5, "goal": None}
    assert table([row, row | {"goal": 2.0}]).splitlines()[2:] == [
        "| a | b | 1 s | 2.5 s | 2.50 |  |",
        "| a | b | 1 s | 2.5 s | 2.50 | 2 |",
    ]


def test_the_sorting_evaluator_computes_our_map():
    case = ranking.distances("Market-1501", 5)
    assert ranking.by_sorting(*case) == pytest.approx(metrics.score(*case).mAP, rel=1e-12)

"""What the benchmarks compare computes the same, and their harness tells which side is better."""

import time

import pytest
import torch
from torch.optim import SGD

from benchmarks import pairs, ranking, step, textbook
from benchmarks.__main__ import table
from metabin.engine.learner import base_step, meta_step, rho_of
from metabin.evaluation import metrics
from metabin.model.embedder import build_embedder
from metabin.types import Batch

RENAMED = {"bn_": "batch.", "in_": "instance.", "running_": "batch.running_"}


@pytest.fixture
def models():
    """Ours and the textbook's with the same weights, float64, rho inside (0, 1)."""
    torch.manual_seed(0)
    mine = build_embedder("resnet_small", 8).double()
    its = textbook.with_textbook_norms(build_embedder("resnet_small", 8, norm="bn")).double()
    for value in rho_of(mine).values():
        value.data.uniform_(0.1, 0.9)
    its.load_state_dict({in_textbook(name): value for name, value in mine.state_dict().items()}, strict=False)
    return mine.train(), its.train()


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


def assert_equal(mine, its):
    state = its.state_dict()
    for name, value in mine.state_dict().items():
        torch.testing.assert_close(state[in_textbook(name)], value, msg=lambda text, name=name: f"{name}: {text}")


def test_the_textbooks_steps_are_ours(models):
    mine, its = models
    start = {name: value.clone() for name, value in rho_of(mine).items()}
    weights = [
        SGD([p for name, p in model.named_parameters() if not name.endswith("rho") and p.requires_grad], lr=0.1)
        for model in models
    ]
    rho = [SGD([p for name, p in model.named_parameters() if name.endswith("rho")], lr=5.0) for model in models]
    base_step(mine, batch([0, 1, 2, 3]), weights[0])
    textbook.base_step(its, batch([0, 1, 2, 3]), weights[1])
    assert_equal(mine, its)
    meta_step(mine, batch([0, 1, 2]), batch([3]), rho[0], 0.5)
    textbook.meta_step(its, batch([0, 1, 2]), batch([3]), rho[1], 0.5)
    assert_equal(mine, its)
    assert any((value != start[name]).any() for name, value in rho_of(mine).items())


@pytest.mark.parametrize("side", [step.ours, step.textbooks])
def test_both_sides_of_the_step_run_on_a_machine_that_is_prepared_in_the_same_way(side, monkeypatch):
    prepared = []
    monkeypatch.setattr(step, "machine", lambda: prepared.append(side))
    side("resnet_small", batch=16, num_domains=2)
    assert prepared == [side]


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_ratio_above_one_says_that_ours_is_better():
    row = pairs.seconds("work", "more work", lambda: burn(0.01), lambda: burn(0.05), repeats=3)
    assert row.ratio > 2
    assert row.ours < row.other


def slow():
    return lambda: burn(0.5)


def large():
    return lambda: burn(0.001) or bytearray(100_000_000)


def test_a_side_in_a_process_of_its_own_has_its_own_time_and_memory():
    time, memory = pairs.apart("work", "other", "tests.test_benchmarks", "large", "slow", warm_ups=1, repeats=1)
    assert time.ratio > 2
    assert memory.ours > 0.09 > memory.other


def test_the_table_has_a_line_a_row():
    row = {"what": "a", "against": "b", "ours": 1.0, "other": 2.5, "unit": "s", "ratio": 2.5, "goal": None}
    assert table([row, row | {"goal": 2.0}]).splitlines()[2:] == [
        "| a | b | 1 s | 2.5 s | 2.50 |  |",
        "| a | b | 1 s | 2.5 s | 2.50 | 2 |",
    ]


def test_the_sorting_evaluator_finds_our_map():
    case = ranking.distances("Market-1501", 5)
    assert ranking.by_sorting(*case) == pytest.approx(metrics.score(*case).mAP, rel=1e-12)

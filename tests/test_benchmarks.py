"""Both sides of a benchmark compute the same, and a ratio above 1 means that ours is better."""

import json
import math
import subprocess
import sys
import time
from dataclasses import asdict
from importlib import import_module

import numpy as np
import pytest
import torch
from torch.optim import SGD

from benchmarks import pairs, ranking, ranks, step, textbook
from benchmarks.__main__ import table
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import packages, results, rows, setting, steps, trainings
from benchmarks.large import __main__ as large_sizes
from benchmarks.large import cameras, line
from metabin.engine.base_step import base_step
from metabin.episodes.meta_step import meta_step
from metabin.errors import UserError
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


def test_the_table_of_large_sizes_tells_computed_values_from_measured_ones():
    lines = [asdict(line.Line("a", 2.5, "s")), asdict(line.computed("b", 1234.4, "GB"))]
    assert large_sizes.table(lines).splitlines()[2:] == ["| a | 2.5 s | measured |", "| b | 1,234 GB | computed |"]


def test_every_camera_of_the_sampler_sees_forty_identities_twice():
    label, camera = cameras.labels(100)
    for number in range(100):
        _, counts = np.unique(label[camera == number], return_counts=True)
        assert counts.tolist() == [2] * 40


def test_the_sorting_evaluator_computes_our_map():
    case = ranking.distances("Market-1501", 5)
    assert ranking.by_sorting(*case) == pytest.approx(metrics.score(*case).mAP, rel=1e-12)


@pytest.mark.timeout(1200)
def test_the_command_for_a_gpu_runs_every_part_with_tiny_sizes_and_without_a_gpu(root, tmp_path):
    path = tmp_path / "gpu.json"
    before = results.RESULTS.read_bytes() if results.RESULTS.exists() else None
    command = [sys.executable, "-m", "benchmarks.gpu", "--small", "--output", path]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    parts = results.read(path)
    assert list(parts) == list(gpu.LIMITS)
    for name, part in parts.items():
        assert part.rows, name
        assert all(math.isfinite(row.value) for row in part.rows), name
        assert f"== {name}" in done.stdout
    assert before == (results.RESULTS.read_bytes() if results.RESULTS.exists() else None)


def test_the_results_of_a_gpu_come_from_a_gpu_at_full_sizes_alone(tmp_path):
    path = tmp_path / "gpu.json"
    assert gpu.output_path(None, on_device=True, small=False) == results.RESULTS
    assert gpu.output_path(None, on_device=True, small=True) is None
    assert gpu.output_path(path, on_device=False, small=True) == path
    with pytest.raises(UserError, match="finds no CUDA device .* --small"):
        gpu.output_path(path, on_device=False, small=False)
    with pytest.raises(UserError, match="--small measures nothing, choose another --output"):
        gpu.output_path(results.RESULTS, on_device=True, small=True)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(packages, "PACKAGES", {"json": "json", "absent.part": "absent-part", "missing": "missing"})
    missing = packages.missing_packages()
    assert missing == ["absent-part", "missing"]
    assert "-m pip install absent-part missing" in packages.explain(missing)


@pytest.mark.parametrize(
    ("goal", "is_met"),
    [({}, None), ({"at_most": 2.0}, True), ({"at_most": 1.9}, False), ({"at_least": 2.0}, True)],
)
def test_a_goal_holds_for_the_ratio_and_without_one_for_the_value(goal, is_met):
    assert rows.Row("a", 2.0, **goal).is_met is is_met
    assert rows.Row("a", 9.0, ratio=2.0, **goal).is_met is is_met
    assert not rows.Row("a", math.nan, **goal).is_met


def test_a_part_fails_with_an_error_its_limit_or_a_check_and_not_with_a_missed_goal():
    missed = rows.Row("slow", 2.0, at_most=1.0)
    failing = rows.Row("wrong", 2.0, at_most=1.0, is_check=True)
    assert gpu.explain_failure("norm", 0, [missed], was_killed=False) == ""
    assert gpu.explain_failure("norm", 0, [missed, failing], was_killed=False) == "checks not passed: wrong"
    assert gpu.explain_failure("norm", 3, [], was_killed=False) == "ended with the exit code 3"
    assert gpu.explain_failure("norm", -9, [], was_killed=True) == f"ended after its limit of {gpu.LIMITS['norm']} s"


def test_the_parts_are_modules_and_take_nine_minutes_at_most():
    assert sum(gpu.LIMITS.values()) <= 9 * 60
    for name in gpu.LIMITS:
        assert callable(import_module(f"benchmarks.gpu.{name}").rows)


def test_results_are_read_as_they_were_written_and_only_the_second_half_of_the_page_changes(tmp_path):
    part = results.PartResult({"device": "GPU"}, 1.5, "", [rows.Row("a", 2.0, "ms", "b", 4.0, 2.0, at_least=3.0)])
    results.write(tmp_path / "gpu.json", {"norm": part})
    assert results.read(tmp_path / "gpu.json") == {"norm": part}
    assert json.loads((tmp_path / "gpu.json").read_text())["norm"]["machine"] == {"device": "GPU"}
    page = tmp_path / "gpu.md"
    page.write_text(f"by hand\n{results.BEGIN}\nold\n")
    for _ in range(2):
        results.write_page(page, {"norm": part})
    head, _, tail = page.read_text().partition(results.BEGIN)
    assert head == "by hand\n"
    assert "| a | 2 ms | b | 4 ms | 2.00 | >= 3: not met |" in tail
    assert "old" not in tail


def test_the_page_of_the_gpu_has_a_generated_half(root):
    assert results.BEGIN in (root / "docs/gpu.md").read_text()


def test_the_operations_of_an_image_are_those_that_torch_counts():
    assert steps.work_of("resnet_small", 256, 128).operations == step.forward_flops("resnet_small")


def test_the_hours_of_a_preset_are_those_of_the_published_data_sets():
    on_cpu = setting.Setting(setting.CPU, small=False)
    preset = trainings.PRESETS[0]
    data = trainings.published_images(on_cpu, preset)
    assert (data.num_classes, len(data)) == (18_530, 121_765)
    config = trainings.preset_config(on_cpu, preset, "float32")
    # at least a batch of 80 for every 80 images, in each of 100 epochs; more, since images are repeated
    assert 150_000 < trainings.num_steps(config, data) < 200_000


def test_what_ranks_send_is_every_gradient_of_the_backbone_once_and_no_part_of_the_classifier(monkeypatch):
    monkeypatch.setattr(ranks, "RANKS", (4,))
    head, _, row = ranks.communication("resnet_small").splitlines()
    columns = dict(zip(head.split("|"), row.split("|"), strict=True))
    sent = {name.strip(): float(cell) for name, cell in columns.items() if cell.strip()}
    model = build_embedder("resnet_small", 10)
    num_rho = sum(rho.numel() for rho in rho_of(model).values())
    # the base step: all of the backbone; the meta step: rho, twice
    numbers = sum(parameter.numel() for parameter in model.backbone.parameters()) + 2 * num_rho
    megabytes = 2 * 3 / 4 * 4 * numbers / 1e6
    assert sent["gradients, MB"] == pytest.approx(megabytes, abs=0.01)
    assert sent["features, MB"] == pytest.approx(3 * 4 * 2 * 32 * model.neck.num_features / 1e6, abs=0.01)

"""`make repro` says how long it will take, what runs, and how far each stage is."""

import socket
import time

import pytest

from metabin.config import load_config
from stages.live_view import LiveView
from stages.progress_messages import ADDRESS, receive, reported_progress
from stages.stage_times import REFERENCE, StageTimes, duration, remaining

NAMES = ["train@campus-metabin-0", "baseline@campus-bn-0", "evaluate@campus"]


@pytest.fixture
def times(root, monkeypatch, tmp_path):
    monkeypatch.chdir(root)
    return StageTimes(load_config(), 2, tmp_path / "seconds.json")


def test_the_time_is_estimated_before_the_first_run_from_the_reference_and_then_from_this_machine(times, tmp_path):
    expected = [180 * REFERENCE["train"], 180 * REFERENCE["baseline"], 5 * REFERENCE["evaluate"]]
    assert [times.expected(name) for name in NAMES] == pytest.approx(expected)
    times.remember("final@metabin", 90)
    times.save()
    again = StageTimes(load_config(), 2, tmp_path / "seconds.json")
    assert again.expected("train@plaza-metabin-0") == pytest.approx(90)
    assert again.expected("baseline@plaza-bn-0") == times.expected("baseline@campus-bn-0")
    assert again.expected("train@place-0-no-scatter-1") == pytest.approx(90)  # hyphens in a fold and in a variant
    assert StageTimes(load_config(), 3, tmp_path / "seconds.json").expected("final@metabin") is None
    (tmp_path / "seconds.json").write_text("{")
    assert StageTimes(load_config(), 2, tmp_path / "seconds.json").expected(NAMES[0]) == pytest.approx(expected[0])


def test_the_remaining_time_shares_the_work_and_is_not_below_the_longest_stage():
    assert remaining({"a": 10, "b": 10, "c": 10}, {"a": 4}, 2) == 13
    assert remaining({"a": 100, "b": 10}, {"a": 4}, 2) == 96
    assert remaining({"a": 10, "b": None}, {}, 2) is None
    assert [duration(seconds) for seconds in (5, 99, 100, 3599, 7530)] == [
        "5 s",
        "99 s",
        "2 min",
        "1 h 0 min",
        "2 h 6 min",
    ]


def test_the_table_has_the_steps_the_rate_and_the_losses_of_a_running_stage(times, monkeypatch, capsys):
    view = LiveView(NAMES, 2, times)
    assert view.estimate() == ", about 76 s"
    with view.shown() as environment:
        for name, text in environment.items():
            monkeypatch.setenv(name, text)
        monkeypatch.setenv("DVC_STAGE", NAMES[0])
        monkeypatch.setattr("stages.progress_messages.SECONDS", 0)
        view.begin(NAMES[0])
        view.begin(NAMES[1])
        with reported_progress("campus", 180, "step") as advance:
            for _ in range(3):
                advance(10, "base/ce 1.25")
                time.sleep(0.05)
        deadline = time.monotonic() + 5
        while "30 of 180" not in (text := shown(view)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert all(part in text for part in (NAMES[0], "30 of 180 steps", "steps/s", "base/ce 1.25"))
        assert f"{NAMES[1]} starting" in " ".join(text.split())
        view.end(NAMES[0], f"{NAMES[0]} done in 70 s\nnot recorded in MLflow", succeeded=True)
        assert NAMES[0] not in shown(view)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{NAMES[0]} done in 70 s (1 of 3, about ")
    assert lines[1] == "not recorded in MLflow"


def shown(view):
    from rich.console import Console

    console = Console(width=200)
    with console.capture() as capture:
        console.print(view.table())
    return capture.get()


def test_a_stage_does_not_wait_for_a_receiver_that_is_full_or_gone(tmp_path, monkeypatch):
    address = str(tmp_path / "progress")
    monkeypatch.setenv(ADDRESS, address)
    monkeypatch.setattr("stages.progress_messages.SECONDS", 0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(address)
        with reported_progress("campus", 10_000, "step") as advance:
            for _ in range(10_000):
                advance(1)
        assert receive(channel).done == 1
    with reported_progress("campus", 2, "step") as advance:
        advance(2)

"""Tests of a site's directory: complete or absent, and equal for any number of workers."""

from __future__ import annotations

import pytest

from metabin.synthetic import NUM_CAMS, RenderSettings, image_name, render_image, render_site

SETTINGS = RenderSettings(num_ids=7, num_shots=2)
NUM_IMAGES = 7 * NUM_CAMS * 2


def test_two_workers_write_every_image_as_render_image_returns_it(tmp_path):
    counts: list[int] = []
    directory = tmp_path / "raw" / "station"
    num_images = render_site(SETTINGS, "station", directory, workers=2, on_image=counts.append)
    assert num_images == sum(counts) == NUM_IMAGES
    expected = {
        image_name(pid, camid, shot): (pid, camid, shot)
        for pid in range(1, 8)
        for camid in range(NUM_CAMS)
        for shot in range(2)
    }
    assert {path.name for path in directory.iterdir()} == set(expected)
    for name, key in expected.items():
        assert (directory / name).read_bytes() == render_image(SETTINGS, "station", *key)
    assert [path.name for path in directory.parent.iterdir()] == ["station"]


def stop(num_new):
    raise KeyboardInterrupt(f"after {num_new} images")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_rendering_that_is_stopped_leaves_nothing(tmp_path, workers):
    with pytest.raises(KeyboardInterrupt):
        render_site(SETTINGS, "mall", tmp_path / "mall", workers=workers, on_image=stop)
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_a_killed_run_are_replaced(tmp_path):
    unfinished = tmp_path / ".mall.unfinished"
    unfinished.mkdir()
    (unfinished / "9999_c1_1.jpg").write_bytes(b"half a file")
    render_site(RenderSettings(num_ids=1, num_shots=1), "mall", tmp_path / "mall", workers=1)
    assert len(list((tmp_path / "mall").iterdir())) == NUM_CAMS
    assert not unfinished.exists()


def test_an_empty_directory_is_filled_and_a_full_one_is_refused(tmp_path):
    settings = RenderSettings(num_ids=1, num_shots=1)
    (tmp_path / "night").mkdir()
    render_site(settings, "night", tmp_path / "night", workers=1)
    with pytest.raises(FileExistsError, match="is not empty; remove it to render night again"):
        render_site(settings, "night", tmp_path / "night", workers=1)
    assert len(list((tmp_path / "night").iterdir())) == NUM_CAMS


def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="beach"):
        render_site(SETTINGS, "beach", tmp_path / "beach", workers=1)
    with pytest.raises(ValueError, match="workers"):
        render_site(SETTINGS, "mall", tmp_path / "mall", workers=0)
    assert list(tmp_path.iterdir()) == []

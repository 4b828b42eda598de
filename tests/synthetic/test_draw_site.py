"""A site's directory: complete or absent, and the same whoever draws it."""

import pytest

from metabin.synthetic import NUM_CAMS, DrawSettings, draw_image, draw_site, image_name

SETTINGS = DrawSettings(num_ids=7, num_shots=2)
NUM_IMAGES = 7 * NUM_CAMS * 2


def test_two_workers_write_every_image_as_draw_image_gives_it(tmp_path):
    counts: list[int] = []
    directory = tmp_path / "raw" / "station"
    assert draw_site(SETTINGS, "station", directory, workers=2, on_image=counts.append) == NUM_IMAGES
    assert sum(counts) == NUM_IMAGES
    wanted = {
        image_name(pid, camid, shot): (pid, camid, shot)
        for pid in range(1, 8)
        for camid in range(NUM_CAMS)
        for shot in range(2)
    }
    assert {path.name for path in directory.iterdir()} == set(wanted)
    for name, key in wanted.items():
        assert (directory / name).read_bytes() == draw_image(SETTINGS, "station", *key)
    assert [path.name for path in directory.parent.iterdir()] == ["station"]


def stop(num_new):
    raise KeyboardInterrupt(f"after {num_new} images")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_drawing_that_is_stopped_leaves_nothing(tmp_path, workers):
    with pytest.raises(KeyboardInterrupt):
        draw_site(SETTINGS, "mall", tmp_path / "mall", workers=workers, on_image=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_replaced(tmp_path):
    left = tmp_path / ".mall.unfinished"
    left.mkdir()
    (left / "9999_c1_1.jpg").write_bytes(b"half a file")
    draw_site(DrawSettings(num_ids=1, num_shots=1), "mall", tmp_path / "mall", workers=1)
    assert len(list((tmp_path / "mall").iterdir())) == NUM_CAMS
    assert not left.exists()


def test_an_empty_directory_is_filled_but_a_full_one_is_kept(tmp_path):
    settings = DrawSettings(num_ids=1, num_shots=1)
    (tmp_path / "night").mkdir()
    draw_site(settings, "night", tmp_path / "night", workers=1)
    with pytest.raises(FileExistsError, match="night"):
        draw_site(settings, "night", tmp_path / "night", workers=1)
    assert len(list((tmp_path / "night").iterdir())) == NUM_CAMS


def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="beach"):
        draw_site(SETTINGS, "beach", tmp_path / "beach", workers=1)
    with pytest.raises(ValueError, match="workers"):
        draw_site(SETTINGS, "mall", tmp_path / "mall", workers=0)
    assert list(tmp_path.iterdir()) == []

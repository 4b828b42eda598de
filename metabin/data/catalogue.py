"""Which domains exist, how each comes to disk, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from metabin.config import Benchmark
from metabin.data import copies
from metabin.data.doctor import fingerprint
from metabin.data.synthetic import NUM_CAMS, SITES, DrawSettings, draw_site, is_site
from metabin.errors import DatasetError
from metabin.types import Domain, ImageRecord

IMAGE_NAME = re.compile(r"^(?P<pid>\d+)_c(?P<camera>\d+)_\d+\.jpg$")


def is_drawn(name: str, folder: Path) -> bool:
    """Whether a domain is a site of the embedded benchmark, and not the user's copy of a data set.

    Args:
        folder: of the user's copies.
    Raises:
        DatasetError: it is neither, or both.
    """
    if is_site(name):
        if copies.is_own(name, folder):
            raise DatasetError(f"{folder} has data of the name {name}, which is a site of the benchmark; rename yours")
        return True
    if name in copies.READERS or copies.is_own(name, folder):
        return False
    raise DatasetError(
        f"unknown domain {name}; known are {', '.join(SITES)} and place-0, place-0-far ... (drawn), "
        f"{', '.join(copies.READERS)} (your copies), "
        f"and your own data as {folder / name}.csv or a folder {folder / name}"
    )


def draw_settings(benchmark: Benchmark) -> DrawSettings:
    """The parameters of the embedded benchmark as its renderer takes them."""
    return DrawSettings(**{**benchmark.model_dump(), "num_changes": tuple(benchmark.num_changes)})


def num_images(settings: DrawSettings) -> int:
    """Images of one site."""
    return settings.num_ids * NUM_CAMS * settings.num_shots


def draw(
    name: str, directory: Path, settings: DrawSettings, *, workers: int, on_image: Callable[[int], None] | None = None
) -> int:
    """Draw a site's images into `directory`; returns how many there are."""
    try:
        return draw_site(settings, name, directory, workers=workers, on_image=on_image)
    except FileExistsError as error:
        raise DatasetError(f"domain {name}: {error}") from None


def read(name: str, directory: Path) -> Domain:
    """A domain as the download stage left it in `directory`: the images of a drawn site, or the records of a copy."""
    if (found := copies.load_copy(directory, name)) is not None:
        return found
    records = read_drawn(name, directory)
    return Domain(records, directory, "drawn", fingerprint(directory, records))


def read_drawn(name: str, directory: Path) -> tuple[ImageRecord, ...]:
    """The records of a drawn site: `<pid>_c<camera>_<shot>.jpg`, cameras counted from 1."""
    if not directory.is_dir():
        raise DatasetError(f"domain {name}: no folder {directory}; run `dvc repro download@{name}` first")
    paths = sorted(path.name for path in directory.iterdir() if path.suffix == ".jpg")
    records = []
    for path in paths:
        if (match := IMAGE_NAME.match(path)) is None:
            raise DatasetError(f"{directory / path}: the name should look like 0007_c2_1.jpg (pid, camera, shot)")
        records.append(ImageRecord(path, int(match["pid"]), int(match["camera"]) - 1, name))
    if not records:
        raise DatasetError(f"domain {name}: no .jpg images in {directory}; run `dvc repro download@{name}` first")
    return tuple(records)

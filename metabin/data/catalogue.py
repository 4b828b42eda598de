"""Which domains exist, how each comes to disk, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from metabin.config import Benchmark
from metabin.data.synthetic import NUM_CAMS, SITES, DrawSettings, draw_site
from metabin.errors import DatasetError
from metabin.types import ImageRecord

IMAGE_NAME = re.compile(r"^(?P<pid>\d+)_c(?P<camera>\d+)_\d+\.jpg$")


def check_domains(names: list[str]) -> None:
    """Raises DatasetError for a name that no domain has."""
    if unknown := [name for name in names if name not in SITES]:
        raise DatasetError(f"unknown domain {', '.join(unknown)}; known are {', '.join(SITES)}")


def draw_settings(benchmark: Benchmark) -> DrawSettings:
    """The parameters of the embedded benchmark as its renderer takes them."""
    return DrawSettings(**{**benchmark.model_dump(), "num_changes": tuple(benchmark.num_changes)})


def num_images(settings: DrawSettings) -> int:
    """Images of one site."""
    return settings.num_ids * NUM_CAMS * settings.num_shots


def fetch(
    name: str, directory: Path, settings: DrawSettings, *, workers: int, on_image: Callable[[int], None] | None = None
) -> int:
    """Bring a domain's images into `directory` and return how many there are. The synthetic sites are drawn."""
    check_domains([name])
    try:
        return draw_site(settings, name, directory, workers=workers, on_image=on_image)
    except FileExistsError as error:
        raise DatasetError(f"domain {name}: {error}") from None


def read(name: str, directory: Path) -> tuple[ImageRecord, ...]:
    """The records of a domain's folder, sorted by file name: `<pid>_c<camera>_<shot>.jpg`, cameras counted from 1."""
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

"""Which domains exist, how each comes to disk, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from metabin.config import Benchmark, Data
from metabin.data.acquisition import local_datasets
from metabin.data.acquisition.check import fingerprint
from metabin.errors import ConfigError, DatasetError
from metabin.files import resolve_local
from metabin.synthetic import NUM_CAMS, SITES, DrawSettings, draw_site, is_site
from metabin.types import Domain, ImageRecord

IMAGE_NAME = re.compile(r"^(?P<pid>\d+)_c(?P<camera>\d+)_\d+\.jpg$")


def is_drawn(name: str, data: Data) -> bool:
    """Whether a domain is a site of the embedded benchmark, and not a local data set.

    Raises:
        ConfigError: the name is unknown, or both a site and a local data set have it.
    """
    folder = resolve_local(Path(data.folder))
    local = name in data.local or name in local_datasets.READERS or local_datasets.is_own(name, folder)
    if not is_site(name) and not local:
        raise ConfigError(
            f"unknown domain {name}; known are {', '.join(SITES)} and place-0, place-0-far ... (drawn), "
            f"{', '.join(local_datasets.READERS)} (local data sets), and your own data as {folder / name}.csv or a folder "
            f"{folder / name}"
        )
    if is_site(name) and local:
        raise ConfigError(f"{name} is a site of the embedded benchmark; give your data in {folder} another name")
    return is_site(name)


def require_listed(names: Iterable[str], data: Data) -> None:
    """Check that data.local lists every local data set among the domains of a protocol.

    Raises:
        ConfigError: names the missing ones; or a name is unknown (`is_drawn`).
    """
    if missing := [name for name in names if not is_drawn(name, data) and name not in data.local]:
        entries = ", ".join([*data.local, *missing])
        raise ConfigError(
            f"data.local does not list {', '.join(missing)}: it names your data sets and files, so that `dvc repro` "
            f"notices when they change. Set data.local: [{entries}], or give -S 'data.local=[{entries}]'"
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
    """Return a drawn site as the download stage left it in `directory`."""
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

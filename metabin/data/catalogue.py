"""The known domains: sites of the synthetic benchmark and local data sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from metabin import synthetic
from metabin.config import Benchmark, Data
from metabin.data.acquisition import local_datasets
from metabin.data.acquisition.check import fingerprint
from metabin.errors import ConfigError, DatasetError
from metabin.files import resolve_local
from metabin.types import Domain, ImageRecord

IMAGE_NAME = re.compile(r"^(?P<pid>\d+)_c(?P<camera>\d+)_\d+\.jpg$")


def is_rendered(name: str, data: Data) -> bool:
    """Return whether a domain is a site of the synthetic benchmark, not a local data set.

    Raises:
        ConfigError: The name is unknown, or both a site and a local data set have it.
    """
    folder = resolve_local(Path(data.folder))
    is_site = synthetic.is_site(name)
    is_local = (
        name in data.local
        or name in local_datasets.READERS
        or local_datasets.is_custom(name, folder)
    )
    if not is_site and not is_local:
        raise ConfigError(
            f"unknown domain {name}; known are {synthetic.KNOWN_SITES} (rendered), "
            f"{', '.join(local_datasets.READERS)} (local data sets), "
            f"and custom data sets as {folder / name}.csv or a folder {folder / name}"
        )
    if is_site and is_local:
        raise ConfigError(
            f"{name} is a site of the synthetic benchmark; give the data set in {folder} another "
            "name"
        )
    return is_site


def require_listed(names: Iterable[str], data: Data) -> None:
    """Check that data.local lists every local data set among the domains of a protocol.

    Raises:
        ConfigError: Some are not listed, or a name is unknown (see `is_rendered`).
    """
    missing = [name for name in names if not is_rendered(name, data) and name not in data.local]
    if missing:
        entries = ", ".join([*data.local, *missing])
        raise ConfigError(
            f"data.local does not list {', '.join(missing)}: it names your data sets and files, so "
            f"that `dvc repro` notices when they change. Set data.local: [{entries}], or give "
            f"-S 'data.local=[{entries}]'"
        )


def render_settings(benchmark: Benchmark) -> synthetic.RenderSettings:
    """Return the parameters of the synthetic benchmark as its renderer takes them."""
    values = benchmark.model_dump()
    values["num_changes"] = tuple(benchmark.num_changes)
    return synthetic.RenderSettings(**values)


def num_images(settings: synthetic.RenderSettings) -> int:
    """Return the number of images of one site."""
    return settings.num_ids * synthetic.NUM_CAMS * settings.num_shots


def render_site(
    name: str,
    directory: Path,
    settings: synthetic.RenderSettings,
    *,
    workers: int,
    on_image: Callable[[int], None] | None = None,
) -> int:
    """Render a site's images into `directory` and return their number.

    Raises:
        DatasetError: The directory holds other files.
    """
    try:
        return synthetic.render_site(settings, name, directory, workers=workers, on_image=on_image)
    except FileExistsError as error:
        raise DatasetError(f"domain {name}: {error}") from None


def read(name: str, directory: Path) -> Domain:
    """Return a rendered site from the output of the stage `download` in `directory`."""
    records = read_rendered(name, directory)
    return Domain(records, directory, "rendered", fingerprint(directory, records))


def read_rendered(name: str, directory: Path) -> tuple[ImageRecord, ...]:
    """Return the records of a rendered site, from its images `<pid>_c<camera>_<shot>.jpg`.

    Raises:
        DatasetError: There is no folder or no image, or an image has another name.
    """
    advice = f"run `dvc repro download@{name}` first"
    if not directory.is_dir():
        raise DatasetError(f"domain {name}: no folder {directory}; {advice}")
    records = []
    for path in sorted(path.name for path in directory.iterdir() if path.suffix == ".jpg"):
        match = IMAGE_NAME.match(path)
        if match is None:
            raise DatasetError(
                f"{directory / path}: expected a name like 0007_c2_1.jpg (pid, camera, shot)"
            )
        # File names count cameras from 1, records from 0.
        records.append(ImageRecord(path, int(match["pid"]), int(match["camera"]) - 1, name))
    if not records:
        raise DatasetError(f"domain {name}: no .jpg images in {directory}; {advice}")
    return tuple(records)

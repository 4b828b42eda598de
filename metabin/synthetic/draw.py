"""Drawing: one image's bytes, or all images of a site into a directory."""

import multiprocessing
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

from .camera import camera_of
from .clothing import draw_atlas
from .colour import Pixels
from .identity import Person, person_of
from .imaging import take_image
from .places import style_of
from .settings import NUM_CAMS, DrawSettings, image_name
from .shot import draw_shot
from .sites import site_index
from .streams import Stream, generator

_IDS_PER_TASK = 5  # enough that a worker's cameras and scenes are drawn for many images


def draw_image(settings: DrawSettings, site: str, pid: int, camid: int, shot: int) -> bytes:
    """The bytes of one image, a JPEG file of 128 x 64 pixels.

    They depend on the arguments only: not on the order of calls, nor on the process. (Of the
    settings, `num_ids` and `num_shots` only bound the arguments.)

    Args:
        settings: the benchmark's knobs.
        site: one of `SITES`, or a place.
        pid: identity, in [1, settings.num_ids].
        camid: camera, in [0, NUM_CAMS).
        shot: image of this identity by this camera, in [0, settings.num_shots).

    Raises:
        ValueError: for an argument out of its range.
    """
    key = site_index(site)
    _require("pid", pid, 1, settings.num_ids)
    _require("camid", camid, 0, NUM_CAMS - 1)
    _require("shot", shot, 0, settings.num_shots - 1)
    person, atlas = _dressed(settings, site, pid)
    camera = camera_of(settings, site, camid)
    rng = generator(settings.seed, Stream.SHOT, key, pid, camid, shot)
    picture = draw_shot(rng, person, atlas, style_of(settings, site), camera)
    return take_image(rng, picture, camera)


def _require(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} is {value}, but must be in [{lowest}, {highest}]")


@lru_cache(maxsize=4)
def _dressed(settings: DrawSettings, site: str, pid: int) -> tuple[Person, Pixels]:
    person = person_of(settings, site, pid)
    return person, draw_atlas(person, generator(settings.seed, Stream.CLOTH, site_index(site), pid))


def draw_site(settings: DrawSettings, site: str, directory: Path, *, workers: int,
              on_image: Callable[[int], None] | None = None) -> int:  # fmt: skip
    """Draws all images of a site into a new directory.

    The directory appears, complete, at the very end: images are drawn into a hidden one beside it,
    which is renamed. What a killed run left there is removed by the next one.

    Args:
        settings: the benchmark's knobs.
        site: one of `SITES`, or a place.
        directory: where to; must not exist, or be empty. Its parent is made if need be.
        workers: number of processes, >= 1; with 1, this process draws.
        on_image: called in this process with the number of images that are new, as they come.

    Returns:
        The number of images: num_ids x NUM_CAMS x num_shots.

    Raises:
        ValueError: for an unknown site or workers < 1.
        FileExistsError: if the directory has something in it.
    """
    site_index(site)
    if workers < 1:
        raise ValueError(f"workers is {workers}, but must be at least 1")
    if directory.exists() and any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty; remove it to draw {site} anew")
    unfinished = directory.with_name(f".{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        num_images = _draw_all(settings, site, unfinished, workers, on_image or _ignore)
        unfinished.replace(directory)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return num_images


def _ignore(num_new: int) -> None:
    """Nobody wants to know."""


def _draw_all(settings: DrawSettings, site: str, directory: Path, workers: int,
              on_image: Callable[[int], None]) -> int:  # fmt: skip
    starts = range(1, settings.num_ids + 1, _IDS_PER_TASK)
    tasks = [range(start, min(start + _IDS_PER_TASK, settings.num_ids + 1)) for start in starts]
    num_images = 0
    if workers == 1:
        for pids in tasks:
            num_new = _draw_identities(settings, site, directory, pids)
            num_images += num_new
            on_image(num_new)
        return num_images
    # Spawned, not forked: the parent may hold threads (torch, mlflow) that a fork would break.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context) as pool:
        futures = [pool.submit(_draw_identities, settings, site, directory, pids) for pids in tasks]
        try:
            for future in as_completed(futures):
                num_images += future.result()
                on_image(future.result())
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return num_images


def _draw_identities(settings: DrawSettings, site: str, directory: Path, pids: range) -> int:
    """Draws all images of some identities; returns their number. Runs in a worker."""
    num_images = 0
    for pid in pids:
        for camid in range(NUM_CAMS):
            for shot in range(settings.num_shots):
                _write(directory / image_name(pid, camid, shot), draw_image(settings, site, pid, camid, shot))
                num_images += 1
    return num_images


def _write(path: Path, content: bytes) -> None:
    """Writes a file so that it is there whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)

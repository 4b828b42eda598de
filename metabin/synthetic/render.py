"""Rendering of one image as bytes, and of all images of a site into a directory."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

from metabin.synthetic.camera import camera_of
from metabin.synthetic.clothing_textures import paint_atlas
from metabin.synthetic.colour import Pixels
from metabin.synthetic.composition import compose_picture
from metabin.synthetic.identity import Person, person_of
from metabin.synthetic.imaging_chain import capture
from metabin.synthetic.random_sites import style_of
from metabin.synthetic.random_streams import Stream, generator
from metabin.synthetic.settings import NUM_CAMS, RenderSettings, image_name
from metabin.synthetic.sites import site_index

_IDS_PER_TASK = 5  # enough for a worker to use its cameras and scenes for many images


def render_image(settings: RenderSettings, site: str, pid: int, camid: int, shot: int) -> bytes:
    """Return the bytes of one image, a JPEG file of 128 x 64 pixels.

    The bytes depend on the arguments only: not on the order of calls, nor on the process. Of the
    settings, `num_ids` and `num_shots` only bound the arguments.

    Args:
        settings: Settings of the benchmark.
        site: One of `SITES`, or a random site.
        pid: Identity, in [1, settings.num_ids].
        camid: Camera, in [0, NUM_CAMS).
        shot: Image of this identity by this camera, in [0, settings.num_shots).

    Raises:
        ValueError: An argument is out of its range.
    """
    key = site_index(site)
    _require("pid", pid, 1, settings.num_ids)
    _require("camid", camid, 0, NUM_CAMS - 1)
    _require("shot", shot, 0, settings.num_shots - 1)
    person, atlas = _person_and_atlas(settings, site, pid)
    camera = camera_of(settings, site, camid)
    rng = generator(settings.seed, Stream.IMAGE, key, pid, camid, shot)
    picture = compose_picture(rng, person, atlas, style_of(settings, site), camera)
    return capture(rng, picture, camera)


def _require(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} is {value}, but must be in [{lowest}, {highest}]")


@lru_cache(maxsize=4)
def _person_and_atlas(settings: RenderSettings, site: str, pid: int) -> tuple[Person, Pixels]:
    person = person_of(settings, site, pid)
    rng = generator(settings.seed, Stream.CLOTH, site_index(site), pid)
    return person, paint_atlas(person, rng)


def render_site(
    settings: RenderSettings,
    site: str,
    directory: Path,
    *,
    workers: int,
    on_image: Callable[[int], None] | None = None,
) -> int:
    """Render all images of a site into a new directory.

    The images are rendered into a hidden directory beside `directory`, which is renamed when it is
    complete. If a run is killed, the next one removes the hidden directory.

    Args:
        settings: Settings of the benchmark.
        site: One of `SITES`, or a random site.
        directory: Target directory; must be empty or must not exist. Missing parents are created.
        workers: Number of processes, >= 1; with 1, this process renders.
        on_image: Called in this process with the number of new images, as they are completed.

    Returns:
        The number of images: num_ids x NUM_CAMS x num_shots.

    Raises:
        ValueError: The site is unknown, or workers < 1.
        FileExistsError: The directory is not empty.
    """
    site_index(site)
    if workers < 1:
        raise ValueError(f"workers is {workers}, but must be at least 1")
    if directory.exists() and any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty; remove it to render {site} again")
    unfinished = directory.with_name(f".{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        num_images = _render_all(settings, site, unfinished, workers, on_image or _ignore)
        unfinished.replace(directory)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return num_images


def _ignore(num_new: int) -> None:
    """Ignore the progress: the default of `on_image`."""


def _render_all(
    settings: RenderSettings,
    site: str,
    directory: Path,
    workers: int,
    on_image: Callable[[int], None],
) -> int:
    starts = range(1, settings.num_ids + 1, _IDS_PER_TASK)
    tasks = [range(start, min(start + _IDS_PER_TASK, settings.num_ids + 1)) for start in starts]
    num_images = 0
    if workers == 1:
        for pids in tasks:
            num_new = _render_identities(settings, site, directory, pids)
            num_images += num_new
            on_image(num_new)
        return num_images
    # Spawned, not forked: the parent may hold threads (torch, mlflow) that a fork would break.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context) as pool:
        futures = [
            pool.submit(_render_identities, settings, site, directory, pids) for pids in tasks
        ]
        try:
            for future in as_completed(futures):
                num_images += future.result()
                on_image(future.result())
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return num_images


def _render_identities(settings: RenderSettings, site: str, directory: Path, pids: range) -> int:
    """Render all images of some identities and return their number. Runs in a worker."""
    num_images = 0
    for pid in pids:
        for camid in range(NUM_CAMS):
            for shot in range(settings.num_shots):
                content = render_image(settings, site, pid, camid, shot)
                _write(directory / image_name(pid, camid, shot), content)
                num_images += 1
    return num_images


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically: it appears complete or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)

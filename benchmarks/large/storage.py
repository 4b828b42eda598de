"""Reading of training images: random rows of a mapped file of pixels, and shards of JPEG files.

The shards are tar files, read in order, with each image decoded: by webdataset where it is
installed (`pip install webdataset`), else by tarfile and Pillow. The pictures are those of the
synthetic benchmark at 256x128. Seconds are those of the clock. "from the disk" means that the
system was asked to drop the pages of the files before.
"""

from __future__ import annotations

import importlib.util
import io
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import pairs
from benchmarks.large.line import Line, computed

HEIGHT = 256
WIDTH = 128
NUM_IMAGES = 3_072
NUM_PICTURES = 256  # different ones, which are repeated
IMAGES_PER_SHARD = 1_024
QUALITY = 90
BATCH = 64
NUM_BATCHES = 16
TARGET = 10_000_000


def rows() -> Iterator[Line]:
    pictures = render()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = write_pixels(folder, pictures)
        shards = write_shards(folder, pictures)
        random_rate, random_cold = rates([pixels], lambda: read_random_rows(pixels))
        shard_rate, shard_cold = rates(shards, lambda: read_shards(shards))
        pixel_bytes = pixels.stat().st_size / NUM_IMAGES
        shard_bytes = sum(shard.stat().st_size for shard in shards) / NUM_IMAGES
    reader = "webdataset" if has_webdataset() else "tarfile and Pillow"
    yield Line("mapped pixels: size per image", pixel_bytes, "bytes")
    yield Line("mapped pixels, random rows: in memory", random_rate, "images/s")
    yield Line("mapped pixels, random rows: from the disk", random_cold, "images/s")
    yield Line("shards of JPEGs: size per image", shard_bytes, "bytes")
    yield Line(f"shards of JPEGs, in order, {reader}: in memory", shard_rate, "images/s")
    yield Line(f"shards of JPEGs, in order, {reader}: from the disk", shard_cold, "images/s")
    yield computed(f"{TARGET:,} images, pixels", TARGET * pixel_bytes / 1e9, "GB")
    yield computed(f"{TARGET:,} images, shards", TARGET * shard_bytes / 1e9, "GB")
    yield computed(
        f"{TARGET:,} images, pixels: an epoch from the disk", TARGET / random_cold / 3600, "h"
    )
    yield computed(
        f"{TARGET:,} images, shards: an epoch, one core", TARGET / shard_cold / 3600, "h"
    )


def render() -> list[np.ndarray]:
    """Return pictures of the synthetic benchmark, (HEIGHT, WIDTH, 3) uint8 each."""
    from PIL import Image

    from metabin.synthetic import NUM_CAMS, SITES, RenderSettings, render_image

    settings = RenderSettings(num_ids=NUM_PICTURES)
    pictures = []
    for number in range(NUM_PICTURES):
        site = list(SITES)[number % len(SITES)]
        content = render_image(settings, site, number + 1, number % NUM_CAMS, 0)
        image = Image.open(io.BytesIO(content), formats=("JPEG",)).convert("RGB")
        pictures.append(np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)))
    return pictures


def write_pixels(folder: Path, pictures: list[np.ndarray]) -> Path:
    """Write the pixels of all images as the partition stage does, and return the file."""
    path = folder / "pixels.npy"
    shape = (NUM_IMAGES, HEIGHT, WIDTH, 3)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for row in range(NUM_IMAGES):
        pixels[row] = pictures[row % NUM_PICTURES]
    pixels.flush()
    return path


def write_shards(folder: Path, pictures: list[np.ndarray]) -> list[Path]:
    """Write the images as JPEG files in tar files, with their labels, and return these."""
    files = [jpeg(picture) for picture in pictures]
    shards = []
    for start in range(0, NUM_IMAGES, IMAGES_PER_SHARD):
        shards.append(folder / f"shard-{len(shards):06}.tar")
        with tarfile.open(shards[-1], "w") as archive:
            for row in range(start, start + IMAGES_PER_SHARD):
                members = {
                    "jpg": files[row % NUM_PICTURES],
                    "cls": str(row % NUM_PICTURES).encode(),
                }
                for ending, content in members.items():
                    member = tarfile.TarInfo(f"{row:08}.{ending}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return shards


def jpeg(picture: np.ndarray) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def read_random_rows(path: Path) -> int:
    """Read batches of random images into memory, and return the number of images."""
    pixels = np.load(path, mmap_mode="r")
    # Each at most once, as in an epoch.
    order = np.random.default_rng(0).permutation(NUM_IMAGES)[: NUM_BATCHES * BATCH]
    for rows in np.split(order, NUM_BATCHES):
        np.stack([pixels[row] for row in rows])
    return NUM_BATCHES * BATCH


def read_shards(shards: list[Path]) -> int:
    """Read and decode all images of the shards, and return their number."""
    images = from_webdataset(shards) if has_webdataset() else from_tarfile(shards)
    return sum(1 for _ in images)


def from_webdataset(shards: list[Path]) -> Iterator[np.ndarray]:
    import webdataset  # pyright: ignore[reportMissingImports]

    names = [str(shard) for shard in shards]
    data = webdataset.WebDataset(names, shardshuffle=False).shuffle(1_000).decode("rgb8")
    for image, _ in data.to_tuple("jpg", "cls"):
        yield image


def from_tarfile(shards: list[Path]) -> Iterator[np.ndarray]:
    from PIL import Image

    for shard in shards:
        with tarfile.open(shard) as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content and member.name.endswith(".jpg"):
                    yield np.asarray(Image.open(content, formats=("JPEG",)).convert("RGB"))


def has_webdataset() -> bool:
    """Return whether webdataset is installed. The project does not need it otherwise."""
    return importlib.util.find_spec("webdataset") is not None


def rates(files: list[Path], read: Callable[[], int]) -> tuple[float, float]:
    """Return the images per second from memory, the best of three, and from the disk."""
    return max(rate(read) for _ in range(4)), rate(read, dropped=files)


def rate(read: Callable[[], int], dropped: list[Path] | None = None) -> float:
    for path in dropped or []:
        with path.open("rb") as file:
            os.fsync(file.fileno())  # only written pages can be dropped
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    start = time.perf_counter()
    return read() / (time.perf_counter() - start)


if __name__ == "__main__":
    pairs.main(rows)

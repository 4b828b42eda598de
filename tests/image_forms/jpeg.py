"""JPEG files, and orientations in all formats that have them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from image_forms.base import GREY, HEIGHT, LOSSY, RGB, WIDTH, Form, grey, jpeg, saved


def jpeg_forms() -> Iterator[Form]:
    yield Form("JPEG", "a.jpg", jpeg(RGB), RGB, LOSSY)
    yield Form("JPEG, progressive", "a.jpg", jpeg(RGB, progressive=True), RGB, LOSSY)
    yield Form("JPEG, stored as RGB", "a.jpg", jpeg(RGB, keep_rgb=True), RGB, LOSSY)
    yield Form("JPEG, greyscale", "a.jpg", jpeg(GREY), grey(GREY), LOSSY)
    yield Form("JPEG in a .png name", "a.png", jpeg(RGB), RGB, LOSSY)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield Form("JPEG with a colour profile", "a.jpg", jpeg(RGB, icc_profile=profile), RGB, LOSSY)
    darker = np.rint(RGB * 0.8).astype(np.uint8)
    inks = np.concatenate([255 - RGB, np.full((HEIGHT, WIDTH, 1), 51, np.uint8)], axis=-1)
    yield Form("JPEG, CMYK (Adobe, inverted)", "a.jpg", jpeg(Image.fromarray(inks, "CMYK")), darker, LOSSY)
    yield Form("JPEG, YCCK (Adobe, inverted)", "a.jpg", ycck(inks), darker, LOSSY)
    pages = [Image.fromarray(RGB[::-1])]
    mpo = saved(RGB, "MPO", quality=95, subsampling=0, save_all=True, append_images=pages)
    yield Form("JPEG of several pictures (MPO)", "a.jpg", mpo, RGB, LOSSY)


def ycck(inks: np.ndarray) -> bytes:
    """A JPEG of the inks in YCCK: three as if they were RGB, in YCbCr; Adobe's marker names the transform."""
    luma = np.asarray(Image.fromarray(inks[..., :3]).convert("YCbCr"))
    content = bytearray(jpeg(Image.fromarray(np.concatenate([255 - luma, inks[..., 3:]], axis=-1), "CMYK")))
    content[content.index(b"Adobe") + 11] = 2
    return bytes(content)


# Orientation: where the stored picture's first row and first column are in the shown picture (EXIF 2.32).
STORED = {
    1: lambda shown: shown,  # top, left
    2: lambda shown: shown[:, ::-1],  # top, right
    3: lambda shown: shown[::-1, ::-1],  # bottom, right
    4: lambda shown: shown[::-1],  # bottom, left
    5: lambda shown: shown.swapaxes(0, 1),  # left, top
    6: lambda shown: shown[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda shown: shown[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda shown: shown[::-1].swapaxes(0, 1),  # left, bottom
}


def stored(orientation: int) -> np.ndarray:
    return np.ascontiguousarray(STORED[orientation](RGB))


def exif(orientation: int) -> Image.Exif:
    values = Image.Exif()
    values[0x0112] = orientation
    return values


def orientation_forms() -> Iterator[Form]:
    for value in STORED:
        yield Form(f"JPEG, orientation {value}", "a.jpg", jpeg(stored(value), exif=exif(value)), RGB, LOSSY)
        tiff = saved(stored(value), "TIFF", tiffinfo={274: value})
        yield Form(f"TIFF, orientation {value}", "a.tif", tiff, RGB)
    for value in (0, 9):
        yield Form(f"JPEG, orientation {value} (undefined)", "a.jpg", jpeg(RGB, exif=exif(value)), RGB, LOSSY)
    turned = stored(6)
    yield Form("PNG, orientation 6", "a.png", saved(turned, "PNG", exif=exif(6)), RGB)
    yield Form("WebP, orientation 6", "a.webp", saved(turned, "WEBP", lossless=True, exif=exif(6)), RGB)
    yield Form("AVIF, orientation 6", "a.avif", saved(turned, "AVIF", quality=100, exif=exif(6)), RGB, LOSSY)
    half = Image.fromarray(stored(8)).convert("CMYK")
    yield Form("JPEG, CMYK, orientation 8", "a.jpg", jpeg(half, exif=exif(8)), RGB, LOSSY)
    yield Form("JPEG, orientation 6, another EXIF tag damaged", "a.jpg", jpeg(turned, exif=damaged_exif()), RGB, LOSSY)
    garbage = b"Exif\0\0II*\0\xff\xff\xff\x7f"
    yield Form("JPEG, EXIF cut off", "a.jpg", jpeg(RGB, exif=garbage), RGB, LOSSY)


def damaged_exif() -> bytes:
    """Orientation 6 beside a resolution with the type of a text, on which `ImageOps.exif_transpose` fails."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHI4s", 0x011A, 7, 4, b"72.0")
    entries += struct.pack("<HHI4s", 0x8769, 2, 4, b"abc\0")
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 3) + entries + bytes(4)

"""JPEG files, and EXIF orientations in all formats that have them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from image_forms.base import GREY, HEIGHT, LOSSY, RGB, WIDTH, Form, grey, jpeg, saved


def jpeg_forms() -> Iterator[Form]:
    """Yield JPEG files."""
    yield Form("JPEG", "a.jpg", jpeg(RGB), RGB, LOSSY)
    yield Form("JPEG, progressive", "a.jpg", jpeg(RGB, progressive=True), RGB, LOSSY)
    yield Form("JPEG, stored as RGB", "a.jpg", jpeg(RGB, keep_rgb=True), RGB, LOSSY)
    yield Form("JPEG, greyscale", "a.jpg", jpeg(GREY), grey(GREY), LOSSY)
    yield Form("JPEG in a .png name", "a.png", jpeg(RGB), RGB, LOSSY)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield Form("JPEG with a colour profile", "a.jpg", jpeg(RGB, icc_profile=profile), RGB, LOSSY)
    darker = np.rint(RGB * 0.8).astype(np.uint8)
    inks = np.concatenate([255 - RGB, np.full((HEIGHT, WIDTH, 1), 51, np.uint8)], axis=-1)
    cmyk = jpeg(Image.fromarray(inks, "CMYK"))
    yield Form("JPEG, CMYK (Adobe, inverted)", "a.jpg", cmyk, darker, LOSSY)
    yield Form("JPEG, YCCK (Adobe, inverted)", "a.jpg", ycck(inks), darker, LOSSY)
    pages = [Image.fromarray(RGB[::-1])]
    mpo = saved(RGB, "MPO", quality=95, subsampling=0, save_all=True, append_images=pages)
    yield Form("JPEG of several pictures (MPO)", "a.jpg", mpo, RGB, LOSSY)


def ycck(inks: np.ndarray) -> bytes:
    """Return a JPEG of the inks in YCCK: three inks as YCbCr; Adobe's marker names the transform."""
    luma = np.asarray(Image.fromarray(inks[..., :3]).convert("YCbCr"))
    channels = np.concatenate([255 - luma, inks[..., 3:]], axis=-1)
    content = bytearray(jpeg(Image.fromarray(channels, "CMYK")))
    content[content.index(b"Adobe") + 11] = 2
    return bytes(content)


# Orientation: side of the upright picture at the first row and the first column as stored (EXIF 2.32).
STORED = {
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda upright: upright[::-1].swapaxes(0, 1),  # left, bottom
}


def stored(orientation: int) -> np.ndarray:
    """Return the pixels as they are stored with an orientation."""
    return np.ascontiguousarray(STORED[orientation](RGB))


def exif(orientation: int) -> Image.Exif:
    """Return EXIF data with an orientation."""
    values = Image.Exif()
    values[0x0112] = orientation
    return values


def orientation_forms() -> Iterator[Form]:
    """Yield files with EXIF orientations."""
    for value in STORED:
        turned = jpeg(stored(value), exif=exif(value))
        yield Form(f"JPEG, orientation {value}", "a.jpg", turned, RGB, LOSSY)
        tiff = saved(stored(value), "TIFF", tiffinfo={274: value})
        yield Form(f"TIFF, orientation {value}", "a.tif", tiff, RGB)
    for value in (0, 9):
        undefined = jpeg(RGB, exif=exif(value))
        yield Form(f"JPEG, orientation {value} (undefined)", "a.jpg", undefined, RGB, LOSSY)
    pixels = stored(6)
    yield Form("PNG, orientation 6", "a.png", saved(pixels, "PNG", exif=exif(6)), RGB)
    webp = saved(pixels, "WEBP", lossless=True, exif=exif(6))
    yield Form("WebP, orientation 6", "a.webp", webp, RGB)
    avif = saved(pixels, "AVIF", quality=100, exif=exif(6))
    yield Form("AVIF, orientation 6", "a.avif", avif, RGB, LOSSY)
    half = Image.fromarray(stored(8)).convert("CMYK")
    yield Form("JPEG, CMYK, orientation 8", "a.jpg", jpeg(half, exif=exif(8)), RGB, LOSSY)
    damaged = jpeg(pixels, exif=damaged_exif())
    yield Form("JPEG, orientation 6, another EXIF tag damaged", "a.jpg", damaged, RGB, LOSSY)
    garbage = b"Exif\0\0II*\0\xff\xff\xff\x7f"
    yield Form("JPEG, EXIF cut off", "a.jpg", jpeg(RGB, exif=garbage), RGB, LOSSY)


def damaged_exif() -> bytes:
    """Return orientation 6 beside a resolution of type text, on which `exif_transpose` fails."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    entries += struct.pack("<HHI4s", 0x011A, 7, 4, b"72.0")
    entries += struct.pack("<HHI4s", 0x8769, 2, 4, b"abc\0")
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 3) + entries + bytes(4)

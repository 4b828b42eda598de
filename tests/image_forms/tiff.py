"""TIFF and Netpbm files: the formats with many depths."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from image_forms.base import ALPHA, GREY, HEIGHT, LOSSY, RGB, WIDTH, Form, grey, over_white, palette, saved


def tiff(order: str, bits: int, photometric: int, data: bytes, sample_format: int = 1) -> bytes:
    """Return an uncompressed greyscale TIFF in the byte order "<" or ">"."""
    tags = [  # number, type (3 = 16 bits, 4 = 32 bits), value
        (256, 4, WIDTH),
        (257, 4, HEIGHT),
        (258, 3, bits),
        (259, 3, 1),  # no compression
        (262, 3, photometric),
        (273, 4, 8 + 2 + 10 * 12 + 4),  # offset of the data: after header and ten entries
        (277, 3, 1),
        (278, 4, HEIGHT),
        (279, 4, len(data)),
        (339, 3, sample_format),
    ]
    entries = b""
    for tag, kind, value in tags:
        entries += struct.pack(f"{order}HHI", tag, kind, 1)
        value_format = f"{order}HH" if kind == 3 else f"{order}I"
        values = (value, 0) if kind == 3 else (value,)
        entries += struct.pack(value_format, *values)
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return header + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + data


def tiff_forms() -> Iterator[Form]:
    """Yield TIFF files: compressions, palettes, transparency, colour spaces, pages."""
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        content = saved(RGB, "TIFF", compression=compression)
        yield Form(f"TIFF, {compression}", "a.tif", content, RGB)
    yield Form("TIFF, big", "a.tiff", saved(RGB, "TIFF", big_tiff=True), RGB)
    lossy = saved(RGB, "TIFF", compression="jpeg", quality=95)
    yield Form("TIFF, jpeg", "a.tif", lossy, RGB, LOSSY)
    bits = GREY > 128
    fax = saved(bits, "TIFF", compression="group4")
    yield Form("TIFF, fax", "a.tif", fax, grey(np.uint8(255) * bits))
    indexed, colours = palette()
    yield Form("TIFF, palette", "a.tif", saved(indexed, "TIFF"), colours)
    rgba = saved(np.dstack([RGB, ALPHA]), "TIFF")
    yield Form("TIFF, transparent", "a.tif", rgba, over_white(RGB, ALPHA), 0.5)
    half = over_white(grey(GREY), ALPHA)
    grey_alpha = saved(np.dstack([GREY, ALPHA]), "TIFF")
    yield Form("TIFF, LA, transparent", "a.tif", grey_alpha, half, 0.5)
    inks = Image.fromarray(np.dstack([255 - RGB, np.zeros_like(GREY)]), "CMYK")
    yield Form("TIFF, CMYK", "a.tif", saved(inks, "TIFF"), RGB)
    ycbcr = saved(Image.fromarray(RGB).convert("YCbCr"), "TIFF")
    yield Form("TIFF, YCbCr", "a.tif", ycbcr, RGB, LOSSY)
    lab = saved(Image.fromarray(RGB, "LAB"), "TIFF")
    yield Form("TIFF, Lab", "a.tif", lab, refusal="mode LAB")
    pages = [Image.fromarray(RGB[::-1])]
    two_pages = saved(RGB, "TIFF", save_all=True, append_images=pages)
    yield Form("TIFF, two pages", "a.tif", two_pages, refusal="several frames")
    preview = saved(RGB, "TIFF", tiffinfo={254: 1})
    yield Form("TIFF, preview of camera raw data", "a.dng", preview, refusal="preview of another image")


def grey_tiff_forms() -> Iterator[Form]:
    """Yield greyscale TIFF files of 8, 12, 16 and 32 bits, and float."""
    wide = GREY.astype(np.uint16) * 256 + 77
    expected = grey(GREY)
    yield Form("TIFF, greyscale", "a.tif", saved(GREY, "TIFF"), expected)
    negative = tiff("<", 8, 0, (255 - GREY).tobytes())
    yield Form("TIFF, greyscale, white is zero", "a.tif", negative, expected)
    little = tiff("<", 16, 1, wide.astype("<u2").tobytes())
    yield Form("TIFF, 16-bit greyscale", "a.tif", little, expected)
    big = tiff(">", 16, 1, wide.astype(">u2").tobytes())
    yield Form("TIFF, 16-bit greyscale, big-endian", "a.tif", big, expected)
    negative = tiff("<", 16, 0, (65535 - wide).astype("<u2").tobytes())
    yield Form("TIFF, 16-bit greyscale, white is zero", "a.tif", negative, expected)
    compressed = saved(wide, "TIFF", compression="tiff_lzw")
    yield Form("TIFF, 16-bit greyscale, compressed", "a.tif", compressed, expected)
    # two values of 12 bits in three bytes: aaaaaaaa aaaabbbb bbbbbbbb
    first, second = (GREY.astype(np.uint32) * 16 + 5).reshape(-1, 2).T
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    twelve = tiff("<", 12, 1, packed.astype(np.uint8).tobytes())
    yield Form("TIFF, 12-bit greyscale", "a.tif", twelve, expected)
    integers = saved(GREY.astype(np.int32), "TIFF")
    yield Form("TIFF, 32-bit greyscale", "a.tif", integers, refusal="no standard conversion")
    real = saved(GREY.astype(np.float32), "TIFF")
    yield Form("TIFF, float greyscale", "a.tif", real, refusal="no standard conversion")
    signed = tiff("<", 16, 1, wide.astype("<i2").tobytes(), sample_format=2)
    yield Form("TIFF, signed 16-bit greyscale", "a.tif", signed, refusal="no standard conversion")


def netpbm_forms() -> Iterator[Form]:
    """Yield PPM, PGM, PBM and PFM files."""
    size = f"{WIDTH} {HEIGHT}"
    yield Form("PPM", "a.ppm", saved(RGB, "PPM"), RGB)
    text = f"P3\n{size}\n255\n" + " ".join(str(value) for value in RGB.ravel())
    yield Form("PPM, text", "a.ppm", text.encode(), RGB)
    yield Form("PGM", "a.pgm", saved(GREY, "PPM"), grey(GREY))
    bits = GREY > 128
    yield Form("PBM", "a.pbm", saved(bits, "PPM"), grey(np.uint8(255) * bits))
    wide = (GREY.astype(">u2") * 256 + 77).astype(">u2").tobytes()
    yield Form("PGM, 16 bits", "a.pgm", f"P5\n{size}\n65535\n".encode() + wide, grey(GREY))
    ten = (GREY.astype(np.uint16) * 4 + 2).astype(">u2").tobytes()
    yield Form("PGM, 10 bits", "a.pgm", f"P5\n{size}\n1023\n".encode() + ten, grey(GREY), 1.0)
    colours = (RGB.astype(np.uint16) * 257).astype(">u2").tobytes()
    yield Form("PPM, 16 bits", "a.ppm", f"P6\n{size}\n65535\n".encode() + colours, RGB)
    real = saved(GREY.astype(np.float32), "PPM")
    yield Form("PFM, float greyscale", "a.pfm", real, refusal="no standard conversion")

"""PNG files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from image_forms.base import ALPHA, GREY, HEIGHT, RGB, WIDTH, Form, grey, over_white, palette, saved


def png(depth: int, colour: int, rows: np.ndarray, *, transparent: bytes = b"") -> bytes:
    """Return a PNG of rows of bytes, (H, bytes)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        # length, name, data, checksum
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    parts = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, len(rows), depth, colour, 0, 0, 0))
    if transparent:
        parts += chunk(b"tRNS", transparent)
    parts += chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def png_forms() -> Iterator[Form]:
    """Yield 8-bit PNG files, with all kinds of transparency."""
    yield Form("PNG", "a.png", saved(RGB, "PNG"), RGB)
    yield Form("PNG in a .jpg name", "a.jpg", saved(RGB, "PNG"), RGB)
    yield Form("PNG, greyscale", "a.png", saved(GREY, "PNG"), grey(GREY))
    bits = GREY > 128
    yield Form("PNG, 1 bit", "a.png", saved(bits, "PNG"), grey(np.uint8(255) * bits))
    opaque = np.dstack([RGB, np.full_like(GREY, 255)])
    yield Form("PNG, RGBA, opaque", "a.png", saved(opaque, "PNG"), RGB)
    rgba = saved(np.dstack([RGB, ALPHA]), "PNG")
    yield Form("PNG, RGBA, transparent", "a.png", rgba, over_white(RGB, ALPHA), 0.5)
    hidden = np.dstack([RGB, np.zeros_like(GREY)])
    yield Form("PNG, RGBA, all transparent", "a.png", saved(hidden, "PNG"), np.full_like(RGB, 255))
    half = over_white(grey(GREY), ALPHA)
    yield Form("PNG, LA, transparent", "a.png", saved(np.dstack([GREY, ALPHA]), "PNG"), half, 0.5)
    indexed, colours = palette()
    yield Form("PNG, palette", "a.png", saved(indexed, "PNG"), colours)
    for number in (2, 4, 16):
        few, few_colours = palette(number)
        content = saved(few, "PNG", bits=number.bit_length() - 1)
        yield Form(f"PNG, palette of {number}", "a.png", content, few_colours)
    clear = over_white(colours, np.where(np.asarray(indexed) == 3, 0, 255).astype(np.uint8))
    content = saved(indexed, "PNG", transparency=3)
    yield Form("PNG, palette, one transparent colour", "a.png", content, clear)
    alphas = bytes(255 - 10 * index for index in range(16))
    visible = over_white(colours, np.frombuffer(alphas, np.uint8)[np.asarray(indexed)])
    content = saved(indexed, "PNG", transparency=alphas)
    yield Form("PNG, palette, half transparent", "a.png", content, visible, 0.5)
    key = over_white(RGB, np.where(np.equal(RGB, RGB[5, 5]).all(axis=-1), 0, 255).astype(np.uint8))
    content = saved(RGB, "PNG", transparency=tuple(int(value) for value in RGB[5, 5]))
    yield Form("PNG, RGB, one transparent colour", "a.png", content, key)
    key = over_white(grey(GREY), np.where(np.equal(GREY, GREY[5, 5]), 0, 255).astype(np.uint8))
    level = saved(GREY, "PNG", transparency=int(GREY[5, 5]))
    yield Form("PNG, greyscale, one transparent level", "a.png", level, key)
    frames = [Image.fromarray(RGB[::-1])]
    moving = saved(RGB, "PNG", save_all=True, append_images=frames)
    yield Form("PNG, animated (APNG)", "a.png", moving, refusal="several frames or pages")


def wide_png_forms() -> Iterator[Form]:
    """Yield 16-bit PNG files, and greyscale of 2 and 4 bits."""
    wide = GREY.astype(">u2") * 256 + 77
    big = wide.astype(">u2")
    rgb = (RGB.astype(">u2") * 256 + 200).astype(">u2")
    opacity = ALPHA.astype(">u2") * 256 + ALPHA
    yield Form("PNG, 16-bit greyscale", "a.png", png(16, 0, big), grey(GREY))
    yield Form("PNG, 16-bit RGB", "a.png", png(16, 2, rgb.reshape(HEIGHT, -1)), RGB)
    both = np.dstack([big, opacity]).astype(">u2").reshape(HEIGHT, -1)
    yield Form("PNG, 16-bit LA", "a.png", png(16, 4, both), over_white(grey(GREY), ALPHA), 0.5)
    all_four = np.dstack([rgb, opacity]).astype(">u2").reshape(HEIGHT, -1)
    yield Form("PNG, 16-bit RGBA", "a.png", png(16, 6, all_four), over_white(RGB, ALPHA), 0.5)
    for depth, levels in ((2, 4), (4, 16)):
        values = (np.arange(WIDTH) % levels)[None].repeat(HEIGHT, axis=0)
        # the bits of every value, the highest first, packed into bytes
        bits = (values[..., None] >> np.arange(depth)[::-1]) & 1
        rows = np.packbits(bits.reshape(HEIGHT, -1).astype(np.uint8), axis=1)
        expected = grey((values * 255 // (levels - 1)).astype(np.uint8))
        name = f"PNG, {depth}-bit greyscale"
        yield Form(name, "a.png", png(depth, 0, rows), expected)
        key = png(depth, 0, rows, transparent=struct.pack(">H", 2))
        yield Form(f"{name}, one transparent", "a.png", key, refusal="transparent colour")
    key = png(16, 0, big, transparent=struct.pack(">H", int(wide[5, 5])))
    yield Form("PNG, 16-bit greyscale, one transparent", "a.png", key, refusal="transparent colour")
    key = png(16, 2, rgb.reshape(HEIGHT, -1), transparent=rgb[5, 5].tobytes())
    yield Form("PNG, 16-bit RGB, one transparent", "a.png", key, refusal="transparent colour")

"""The other formats, and files that are damaged or no image."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from image_forms.base import ALPHA, GREY, LOSSY, RGB, Form, grey, jpeg, over_white, palette, saved


def gif_forms() -> Iterator[Form]:
    """Yield GIF files."""
    indexed, colours = palette()
    yield Form("GIF", "a.gif", saved(indexed, "GIF"), colours)
    yield Form("GIF, greyscale", "a.gif", saved(GREY, "GIF"), grey(GREY))
    clear = over_white(colours, np.where(np.asarray(indexed) == 3, 0, 255).astype(np.uint8))
    yield Form("GIF, one transparent colour", "a.gif", saved(indexed, "GIF", transparency=3), clear)
    frames = [Image.fromarray(RGB[::-1])]
    moving = saved(RGB, "GIF", save_all=True, append_images=frames)
    yield Form("GIF, animated", "a.gif", moving, refusal="several frames")


def webp_avif_jp2_forms() -> Iterator[Form]:
    """Yield WebP, AVIF and JPEG 2000 files."""
    clear = np.dstack([RGB, ALPHA])
    visible = over_white(RGB, ALPHA)
    yield Form("WebP", "a.webp", saved(RGB, "WEBP", quality=95), RGB, LOSSY)
    yield Form("WebP, lossless", "a.webp", saved(RGB, "WEBP", lossless=True), RGB)
    webp = saved(clear, "WEBP", lossless=True, exact=True)
    yield Form("WebP, transparent", "a.webp", webp, visible, 0.5)
    yield Form("AVIF", "a.avif", saved(RGB, "AVIF", quality=95), RGB, LOSSY)
    yield Form("AVIF, transparent", "a.avif", saved(clear, "AVIF", quality=100), visible, LOSSY)
    frames = [Image.fromarray(RGB[::-1])]
    for kind in ("WebP", "AVIF"):
        moving = saved(RGB, kind, save_all=True, append_images=frames)
        yield Form(f"{kind}, animated", f"a.{kind.lower()}", moving, refusal="several frames or pages")
    yield Form("JPEG 2000", "a.jp2", saved(RGB, "JPEG2000"), RGB)
    yield Form("JPEG 2000, codestream", "a.j2k", saved(RGB, "JPEG2000", no_jp2=True), RGB)
    yield Form("JPEG 2000, transparent", "a.jp2", saved(clear, "JPEG2000"), visible, 0.5)
    wide = saved(GREY.astype(np.uint16) * 256 + 77, "JPEG2000")
    yield Form("JPEG 2000, 16-bit greyscale", "a.jp2", wide, grey(GREY))


def other_forms() -> Iterator[Form]:
    """Yield BMP, DIB, TGA, PCX, SGI and QOI files."""
    indexed, colours = palette()
    for kind, suffix in (
        ("BMP", "bmp"),
        ("DIB", "dib"),
        ("TGA", "tga"),
        ("PCX", "pcx"),
        ("SGI", "sgi"),
        ("QOI", "qoi"),
    ):
        yield Form(kind, f"a.{suffix}", saved(RGB, kind), RGB)
    for kind, suffix in (("BMP", "bmp"), ("TGA", "tga"), ("PCX", "pcx")):
        yield Form(f"{kind}, palette", f"a.{suffix}", saved(indexed, kind), colours)
        yield Form(f"{kind}, greyscale", f"a.{suffix}", saved(GREY, kind), grey(GREY))
    clear = np.dstack([RGB, ALPHA])
    visible = over_white(RGB, ALPHA)
    for kind, suffix in (("TGA", "tga"), ("SGI", "sgi"), ("QOI", "qoi")):
        yield Form(f"{kind}, transparent", f"a.{suffix}", saved(clear, kind), visible, 0.5)
    bits = GREY > 128
    yield Form("BMP, 1 bit", "a.bmp", saved(bits, "BMP"), grey(np.uint8(255) * bits))


def damaged_forms() -> Iterator[Form]:
    """Yield files that are refused: no image, not supported, too large or cut off."""
    yield Form("no content", "a.jpg", b"", refusal="no content")
    yield Form("text", "a.jpg", "Straße 5\nnot an image\n".encode(), refusal="text, not an image")
    page = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>"
    begin = "text, not an image, that begins with "
    yield Form("web page", "a.jpg", page, refusal=f"{begin}'<!DOCTYPE html>")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    yield Form("Git LFS pointer", "a.jpg", pointer, refusal=f"{begin}'version https")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    yield Form("SVG", "a.svg", svg, refusal="text, not an image")
    yield Form("zeros", "a.jpg", bytes(5_000), refusal="not one of JPEG, PNG")
    for brand in ("heic", "mif1"):
        box = struct.pack(">I", 24) + b"ftyp" + brand.encode()
        heic = box + bytes(4) + b"mif1heic" + bytes(200)
        refusal = "HEIC is not read; save it as JPEG or PNG"
        yield Form(f"HEIC ({brand})", "a.heic", heic, refusal=refusal)
    yield Form("HEIC in a .jpg name", "a.jpg", heic, refusal="HEIC is not read")
    jxl = b"\xff\x0a" + bytes(range(60, 120))
    yield Form("JPEG XL", "a.jxl", jxl, refusal="not one of JPEG, PNG")
    for width, height in ((10_000, 10_000), (30_000, 30_000)):
        header = bytearray(saved(RGB, "BMP"))
        header[18:26] = struct.pack("<ii", width, height)
        refusal = "more than 89,478,485 pixels"
        yield Form(f"{width} x {height} pixels", "a.bmp", bytes(header), refusal=refusal)
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    kinds = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "AVIF", "JPEG2000", "TIFF", "PPM", "TGA", "PCX")
    for kind in (*kinds, "SGI", "QOI"):
        content = saved(noise, kind)
        cut = content[: len(content) * 3 // 4]
        yield Form(f"{kind}, truncated", f"a.{kind.lower()}", cut, refusal="truncated|damaged")
    progressive = jpeg(noise, progressive=True)
    cut = progressive[: len(progressive) // 2]
    yield Form("JPEG, progressive, truncated", "a.jpg", cut, refusal="truncated")

"""Read image files as 8-bit RGB, with the pixels that a viewer displays.

All code that opens an image file calls `read_image` or `decode_image`, so that the data set check,
the partition and the report agree on every pixel. The content decides, not the suffix.

- The EXIF orientation is applied, as in fast-reid, on which the reference code is built.
- Transparent pixels are rendered over white, like on the page of the report and in many viewers;
  their stored colours are arbitrary.
- 16-bit greyscale is reduced to its high byte, as Pillow reduces 16-bit colours.
- Embedded colour profiles are not applied: neither the reference code nor torchvision's loaders
  apply them.
- The first picture of a phone's multi-picture JPEG (MPO) is read, as in viewers.
- The checksums of a PNG are compared. Other formats have none, so that a changed byte may give
  other pixels there.
- Several frames or pages, values without a standard conversion to 8 bits (float, 32 bits, Lab),
  other formats, damaged and truncated files are refused, with the reason.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile

from metabin.errors import DatasetError

WITH_SIGNATURE = (
    "JPEG",
    "PNG",
    "BMP",
    "GIF",
    "WEBP",
    "TIFF",
    "AVIF",
    "JPEG2000",
    "PPM",
    "QOI",
    "SGI",
)
FORMATS = (*WITH_SIGNATURE, "DIB", "PCX", "TGA")  # those without a signature are tried last
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".gif", ".webp", ".tif",
    ".tiff", ".avif", ".avifs", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c", ".pbm", ".pgm",
    ".ppm", ".pnm", ".pfm", ".qoi", ".sgi", ".bw", ".rgb", ".rgba", ".dib", ".pcx", ".tga", ".icb",
    ".vda", ".vst",
)  # fmt: skip
UNREADABLE_SUFFIXES = (
    ".heic", ".heif", ".hif", ".jxl", ".psd", ".svg", ".eps", ".ico",
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2",
)  # fmt: skip
MAX_PIXELS = (256 << 20) // 3  # 256 MiB of RGB; above this Pillow warns of a decompression bomb
# Pillow's modes with a standard conversion to RGB.
MODES = (
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
)
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
NEW_SUBFILE_TYPE = 254  # tag of TIFF
REDUCED = 1  # bit of this tag: a reduced version of another image
WHITE_IS_ZERO = 0  # value of TIFF's photometric interpretation
TRANSPOSES = {  # EXIF orientation -> operation that turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ADVICE = "save it as an 8-bit JPEG or PNG"
NUM_QUOTED = 24  # characters of a text file in a message


def read_image(path: Path, *, upright: bool = True) -> Image.Image:
    """Read an image file.

    Args:
        path: The image file.
        upright: Apply the EXIF orientation. False returns the pixels as they are stored.

    Returns:
        The image in mode "RGB".

    Raises:
        DatasetError: The file is missing or refused; the message has its name, the reason and what
            to do.
    """
    try:
        with path.open("rb") as file:
            return decode_image(file, upright=upright)
    except (DatasetError, OSError) as error:
        raise DatasetError(f"{path} cannot be read as an image: {error}") from None


def decode_image(file: BinaryIO, *, upright: bool = True) -> Image.Image:
    """Decode an image from an open file or from `io.BytesIO`; see `read_image`.

    Raises:
        DatasetError: The content is refused; the message has the reason and what to do, but no file
            name.
    """
    try:
        with _no_warnings():
            return _decode(file, upright)
    except DatasetError:
        raise
    except UnidentifiedImageError:
        raise DatasetError(_unidentified(file)) from None
    except Image.DecompressionBombError:
        raise _too_large() from None
    except Exception as error:  # Pillow's decoders raise OSError, RuntimeError, struct.error ...
        reason = f"damaged or truncated ({error or type(error).__name__})"
        raise DatasetError(f"{reason}; replace it") from None


def is_image(path: Path) -> bool:
    """Return whether a file begins like an image of a supported format, with any suffix."""
    try:
        with _no_warnings(), Image.open(path, formats=WITH_SIGNATURE):
            return True
    except Exception:  # the file may have any content: see decode_image
        return False


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Silence Pillow's warnings of odd metadata, which name no file.

    Not for threads: the filters are global.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _decode(file: BinaryIO, upright: bool) -> Image.Image:
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise _too_large()
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise DatasetError(
                "it has several frames or pages; save the one that is meant as a JPEG or PNG"
            )
        if isinstance(image, TiffImageFile) and image.tag_v2.get(NEW_SUBFILE_TYPE, 0) & REDUCED:
            raise DatasetError(
                f"it is the preview of another image, such as a camera's raw data; {ADVICE}"
            )
        if _has_wide_transparent_colour(image):
            raise DatasetError(
                "its transparent colour does not have 8 bits; save it as an 8-bit PNG"
            )
        rgb = to_rgb(image, upright=upright)
        if image.format == "PNG":
            _verify_png(file)
        return rgb


def _verify_png(file: BinaryIO) -> None:
    """Compare the checksums in a PNG, which Pillow's decoder does not: it returns wrong pixels.

    Raises:
        SyntaxError: A checksum differs.
    """
    file.seek(0)
    with Image.open(file, formats=("PNG",)) as image:
        image.verify()


def to_rgb(image: Image.Image, *, upright: bool = True) -> Image.Image:
    """Convert an opened image to RGB, as `read_image` does.

    Raises:
        DatasetError: Its mode has no standard conversion to 8-bit RGB.
    """
    image.load()
    rgb = _to_rgb(image)
    transpose = TRANSPOSES.get(_orientation(image)) if upright else None
    return rgb if transpose is None else rgb.transpose(transpose)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode that is read to RGB, over white where it is transparent."""
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode == "I" and image.format == "PPM":
        # Pillow scales every PGM of more than 8 bits to 16.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode not in MODES:
        raise DatasetError(
            f"Pillow's mode {image.mode} has no standard conversion to 8-bit RGB; {ADVICE}"
        )
    if not image.has_transparency_data:
        return image.convert("RGB")
    # Pillow converts premultiplied grey (La) to LA only.
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Convert 16-bit greyscale, and TIFF's 12-bit, by the highest 8 bits."""
    bits = 16
    white_is_zero = False
    if isinstance(image, TiffImageFile):
        bits = image.tag_v2[BITSPERSAMPLE][0]
        white_is_zero = image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO
    grey = (np.asarray(image) >> (bits - 8)).astype(np.uint8)
    return Image.fromarray(255 - grey if white_is_zero else grey).convert("RGB")


def _has_wide_transparent_colour(image: ImageFile) -> bool:
    """Return whether a PNG's transparent colour has other than 8 bits.

    Pillow compares such a colour with 8-bit pixels.
    """
    if image.format != "PNG" or image.mode not in ("L", "RGB", "I;16"):
        return False
    if "transparency" not in image.info:
        return False
    return image.tile[0].args not in ("L", "RGB")  # the raw mode: "L;2", "I;16B", "RGB;16B" ...


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1 if there is none or the EXIF data are damaged, as viewers do.

    `PIL.ImageOps.exif_transpose` writes the EXIF data again and so fails on damage in other tags.
    """
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # SyntaxError, struct.error, KeyError and others: a foreign binary block
        return 1


def _unidentified(file: BinaryIO) -> str:
    """Return the reason and the advice for content that Pillow does not identify."""
    file.seek(0)
    head = file.read(64)
    if not head:
        return "no content; replace it"
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        return "HEIC is not read; save it as JPEG or PNG"
    if (text := _text(head)) is not None:
        return f"text, not an image, that begins with {text[:NUM_QUOTED]!a}; replace it"
    return f"not one of {', '.join(FORMATS)}, or damaged; save it as JPEG or PNG"


def _text(head: bytes) -> str | None:
    """Return the first bytes of a file as text, or None if they are no text."""
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return None
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError as error:  # a character may be cut at the end
        is_cut = error.start > len(head) - 4
        return head[: error.start].decode("utf-8") if is_cut else None


def _too_large() -> DatasetError:
    return DatasetError(f"it has more than {MAX_PIXELS:,} pixels; save it smaller")

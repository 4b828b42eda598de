"""Tests of image files in all common forms, against the pixels that a viewer displays."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path

import numpy as np
import pytest
from image_forms import forms
from image_forms.base import LOSSY, RGB, jpeg, saved
from image_forms.jpeg import exif, stored
from PIL import Image

from metabin import images
from metabin.data.acquisition.check import check_images
from metabin.data.partition.contact_sheet import identity_sheet
from metabin.data.readers import cuhk_sysu_raw
from metabin.data.store import load_pixels, save_domain
from metabin.errors import DatasetError
from metabin.images import FORMATS, SUFFIXES, UNREADABLE_SUFFIXES, decode_image, read_image
from metabin.report.pictures import Thumbnails
from metabin.synthetic import RenderSettings, render_site
from metabin.types import ImageRecord

FORMS = {form.name: form for form in forms()}
READ = [form for form in FORMS.values() if form.pixels is not None]
REFUSED = [form for form in FORMS.values() if form.pixels is None]
ROOT = Path(__file__).parents[1]
SIGNATURES = {
    ".psd": b"8BPS\0\1",
    ".fits": b"SIMPLE  =                    T",
    ".fli": b"\x80\0\0\0\x11\xaf",
    ".xpm": b"/* XPM */",
    ".ras": b"\x59\xa6\x6a\x95",
    ".cur": b"\0\0\2\0\1\0",
    ".pxr": b"\x80\xe8\0\0",
    ".mpg": b"\0\0\1\xb3",
    ".h5": b"\x89HDF\r\n\x1a\n",
    ".wmf": b"\xd7\xcd\xc6\x9a\0\0",
    ".grib": b"GRIB\0\0\0\1",
    ".bufr": b"BUFR",
}


def old_pixels(content):
    """Return the pixels by Pillow's plain conversion: the reference for ordinary files."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def difference(pixels, expected):
    return np.abs(np.asarray(pixels, np.float64) - expected).mean()


@pytest.mark.parametrize("form", READ, ids=lambda form: form.name)
def test_an_image_has_the_pixels_of_a_viewer(form):
    image = decode_image(io.BytesIO(form.content))
    assert image.mode == "RGB"
    assert np.asarray(image).shape == form.pixels.shape
    assert difference(image, form.pixels) <= form.tolerance


@pytest.mark.bad_input("image")
@pytest.mark.parametrize("form", REFUSED, ids=lambda form: form.name)
def test_a_refusal_has_the_name_the_reason_and_what_to_do(form, tmp_path):
    path = tmp_path / form.file
    path.write_bytes(form.content)
    with pytest.raises(DatasetError) as refusal:
        read_image(path)
    message = str(refusal.value)
    assert message.startswith(f"{path} cannot be read as an image: ")
    assert re.search(form.refusal, message)
    assert re.search("; (save|replace) ", message)
    assert "object at 0x" not in message


@pytest.mark.bad_input("image")
def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=re.escape(f"{tmp_path / 'a.jpg'} cannot be read as an image")):
        read_image(tmp_path / "a.jpg")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # one of the forms
def test_the_forms_cover_every_suffix_that_is_read_and_every_format():
    Image.init()
    kinds = Image.registered_extensions()
    assert set(SUFFIXES) == {suffix for suffix, kind in kinds.items() if kind in (*FORMATS, "MPO")}
    assert not set(SUFFIXES) & set(UNREADABLE_SUFFIXES)
    with_a_form = {Image.open(io.BytesIO(form.content)).format for form in READ}
    assert with_a_form == {*FORMATS, "MPO"}


def content_of(suffix, kind):
    """Return a file as Pillow writes it if it can, else its signature and some bytes."""
    image = Image.fromarray(RGB).resize((64, 64))
    for mode in ("RGB", "P", "1", "F"):
        content = io.BytesIO()
        try:
            image.convert(mode).save(content, kind)
            return content.getvalue()
        except Exception:  # no writer, or not of this mode
            continue
    return SIGNATURES.get(suffix, b"") + np.random.default_rng(0).bytes(4_000)


@pytest.mark.bad_input("image")
def test_every_other_suffix_of_pillow_is_refused_by_name(tmp_path):
    Image.init()
    kinds = Image.registered_extensions()
    others = {suffix: kind for suffix, kind in kinds.items() if suffix not in SUFFIXES}
    assert len(others) > 30
    for suffix, kind in others.items():
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content_of(suffix, kind))
        with pytest.raises(DatasetError, match=re.escape(f"a{suffix} cannot be read as an image: ")):
            read_image(path)


@pytest.mark.parametrize("options", [{}, {"subsampling": 2}, {"progressive": True}, {"quality": 40}])
def test_ordinary_jpegs_keep_their_pixels(options):
    noise = np.random.default_rng(0).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    content = saved(noise, "JPEG", **options)
    assert np.array_equal(decode_image(io.BytesIO(content)), old_pixels(content))


def test_opaque_images_keep_their_pixels():
    noise = np.random.default_rng(0).integers(0, 256, (32, 16, 3), dtype=np.uint8)
    clear = np.dstack([noise, np.full((32, 16), 255, np.uint8)])
    grey = saved(noise[..., 0], "PNG")
    for content in (saved(clear, "PNG"), saved(noise, "PNG"), saved(noise, "BMP"), grey):
        assert np.array_equal(decode_image(io.BytesIO(content)), old_pixels(content))


def test_rendered_images_keep_their_pixels(tmp_path):
    render_site(RenderSettings(num_ids=2, num_shots=1), "night", tmp_path / "night", workers=1)
    names = sorted(path.name for path in (tmp_path / "night").glob("*.jpg"))
    records = [ImageRecord(name, index, 0, "night") for index, name in enumerate(names)]
    save_domain(tmp_path, "night", records, tmp_path / "night", height=96, width=48)
    for pixels, name in zip(load_pixels(tmp_path, "night"), names, strict=True):
        with Image.open(tmp_path / "night" / name) as image:
            expected = image.convert("RGB").resize((48, 96), Image.Resampling.BICUBIC)
        assert np.array_equal(pixels, expected)


def test_only_one_module_opens_image_files():
    modules = [path for folder in ("metabin", "stages") for path in (ROOT / folder).rglob("*.py")]
    opens = re.compile(r"\b(Image\.open|imread|read_file|decode_jpeg)\(")
    opening = [path for path in modules if opens.search(path.read_text())]
    assert opening == [Path(images.__file__)]


def test_check_partition_sheet_and_report_agree(tmp_path):
    turned = FORMS["JPEG, orientation 6"]
    (tmp_path / "a.jpg").write_bytes(turned.content)
    records = [ImageRecord("a.jpg", 0, 0, "x")]
    height, width = turned.pixels.shape[:2]
    assert check_images("x", tmp_path, records, {}).problems == ()
    save_domain(tmp_path, "x", records, tmp_path, height=height, width=width)
    assert difference(load_pixels(tmp_path, "x")[0], turned.pixels) <= LOSSY
    assert difference(Thumbnails(tmp_path).image("a.jpg"), turned.pixels) <= LOSSY
    sheet = np.asarray(identity_sheet(records, tmp_path))[3:99, 3:51]
    assert difference(Image.fromarray(sheet).resize((width, height)), turned.pixels) <= LOSSY


@pytest.mark.parametrize("form", REFUSED, ids=lambda form: form.name)
def test_the_partition_reads_and_refuses_the_same_files_as_the_check(form, tmp_path):
    (tmp_path / form.file).write_bytes(form.content)
    (tmp_path / "good.jpg").write_bytes(jpeg(RGB))
    records = [ImageRecord(name, 0, 0, "x") for name in (form.file, "good.jpg")]
    (problem,) = check_images("x", tmp_path, records, {}).problems
    assert problem.startswith(f"{form.file} (")
    assert "good.jpg" not in problem
    with pytest.raises(DatasetError, match=f"{form.file} cannot be read as an image"):
        save_domain(tmp_path, "x", records, tmp_path, height=8, width=4)


def test_scenes_are_cropped_as_stored_because_their_boxes_count_stored_pixels(tmp_path):
    (tmp_path / "s1.jpg").write_bytes(jpeg(stored(6), exif=exif(6)))
    assert difference(cuhk_sysu_raw._pixels(tmp_path / "s1.jpg"), stored(6)) <= LOSSY


SMOOTH = np.linspace(0, 255, 128 * 64 * 3).reshape(128, 64, 3).astype(np.uint8)


def with_a_changed_byte(content):
    """Yield the content with a bit changed in each of its bytes."""
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        yield bytes(changed)


def has_other_pixels(decode, content):
    """Return whether a decoder returns other pixels than those of SMOOTH, instead of an error."""
    try:
        return not np.array_equal(np.asarray(decode(content)), SMOOTH)
    except Exception:
        return False


@pytest.mark.bad_input("image")
def test_a_changed_byte_of_a_png_is_noticed_or_changes_no_pixel(tmp_path):
    changed = list(with_a_changed_byte(saved(SMOOTH, "PNG")))
    wrong = [content for content in changed if has_other_pixels(old_pixels, content)]
    assert len(wrong) > 50  # Pillow's decoder ignores checksums: else the test shows nothing
    assert not [content for content in changed if has_other_pixels(lambda png: decode_image(io.BytesIO(png)), content)]
    (tmp_path / "a.png").write_bytes(wrong[0])
    check = check_images("yard", tmp_path, [ImageRecord("a.png", 1, 0, "yard")], {})
    reason = "damaged or truncated (broken PNG file (bad header checksum in b'IDAT')); replace it"
    assert check.problems == (f"a.png ({reason}) cannot be read",)


@pytest.mark.bad_input("image")
@pytest.mark.parametrize("head", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\xc5\xd0\xd3\xc6"])
def test_ghostscript_does_not_start_for_an_eps_that_is_named_jpg(tmp_path, monkeypatch, head):
    started = []
    monkeypatch.setattr("subprocess.Popen.__init__", lambda *arguments, **options: started.append(arguments))
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *arguments, **options: started.append(arguments))
    (tmp_path / "a.jpg").write_bytes(head + b"%%EndComments\n0 0 moveto\nshowpage\n%%EOF\n")
    with pytest.raises(DatasetError, match="a.jpg cannot be read as an image"):
        read_image(tmp_path / "a.jpg")
    assert not started


def test_images_are_opened_with_a_list_of_formats_everywhere():
    """Pillow reads any format else, with decoders that start other programs."""
    calls = []
    for folder in ("metabin", "stages", "benchmarks", "examples", "notebooks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                    calls.append((path, node.lineno, [keyword.arg for keyword in node.keywords]))
    assert len(calls) > 5
    assert not [call for call in calls if "formats" not in call[2]]

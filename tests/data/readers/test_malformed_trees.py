"""Tests of malformed folders: a reader returns records or raises DatasetError."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

import large_sets
import matlab_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metabin.data.readers import cuhk02, cuhk03, cuhk_sysu, dukemtmcreid, market1501, msmt17
from metabin.errors import DatasetError
from metabin.types import ImageRecord

READERS = {
    market1501.NAME: market1501.read,
    dukemtmcreid.NAME: functools.partial(dukemtmcreid.read, acknowledged=True),
    msmt17.NAME: msmt17.read,
    cuhk02.NAME: cuhk02.read,
    cuhk03.NAME: cuhk03.read,
    cuhk_sysu.NAME: cuhk_sysu.read,
}


def extracted_cuhk03(root):
    """Write the pngs of cuhk-03.mat beside their split."""
    matlab_files.cuhk03_raw(root / "raw")
    cuhk03.extract(root / "raw", root)
    shutil.rmtree(root / "raw")
    return root


def raw_cuhk_sysu(root):
    """Write scenes and annotation."""
    return matlab_files.cuhk_sysu_raw(root, [("p1", [("s1.jpg", [8, 8, 1, 1], 0)])])


BUILDERS = {
    "market1501": large_sets.market1501,
    "dukemtmcreid": large_sets.dukemtmcreid,
    "V1": functools.partial(large_sets.msmt17, version="V1"),
    "V2": functools.partial(large_sets.msmt17, version="V2"),
    "msmt17": large_sets.msmt17_repack,
    "P": large_sets.cuhk02,
    "np": large_sets.cuhk03_np,
    "png": extracted_cuhk03,
    "mat": matlab_files.cuhk03_raw,
    "cropped": large_sets.cuhk_sysu_metabin,
    "pack": large_sets.cuhk_sysu_torchreid,
    "scenes": raw_cuhk_sysu,
}


@functools.cache
def template(name):
    """Return a complete copy of one layout, built once: {relative path: content}."""
    with tempfile.TemporaryDirectory() as folder:
        root = BUILDERS[name](Path(folder) / name)
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


CHARACTERS = "01279_-csfphn.JPGjpgpn \n\u0660\u00e9"
FRAGMENTS = st.text(CHARACTERS, min_size=1, max_size=6)
CONTENTS = st.one_of(st.binary(max_size=60), st.just(b""), st.text("0123/_ \n.jpg", max_size=60).map(str.encode))


@st.composite
def trees(draw, layouts=tuple(BUILDERS)):
    """Return a copy of a layout with files dropped, renamed, moved, cut, overwritten or added."""
    tree = dict(template(draw(st.sampled_from(layouts))))
    for _ in range(draw(st.integers(0, 6))):
        path = Path(draw(st.sampled_from(sorted(tree))))
        content = tree[str(path)]
        match draw(st.sampled_from(("drop", "rename", "move", "cut", "overwrite", "add"))):
            case "drop":
                tree.pop(str(path))
            case "rename":
                cut = draw(st.integers(0, len(path.name)))
                piece = draw(FRAGMENTS)
                tree[str(path.with_name(path.name[:cut] + piece + path.name[cut:]))] = tree.pop(str(path))
            case "move":
                other = Path(draw(st.sampled_from(sorted(template(draw(st.sampled_from(tuple(BUILDERS))))))))
                tree[str(other.parent / path.name)] = tree.pop(str(path))
            case "cut":
                tree[str(path)] = content[: draw(st.integers(0, len(content)))]
            case "overwrite":
                tree[str(path)] = draw(CONTENTS)
            case "add":
                tree[str(path.parent / (draw(FRAGMENTS) + draw(st.sampled_from((".jpg", ".png", ".mat", "")))))] = b"x"
        if not tree:
            break
    return tree


def write_tree(root, tree):
    """Write files into a folder; skip a file if a folder has its name, and the reverse."""
    for path, content in tree.items():
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            continue


@settings(max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(tree=trees())
def test_readers_return_records_or_raise_dataset_error_and_nothing_else(tree):
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder) / "set", tree)
        for directory in (Path(folder), Path(folder) / "set"):
            for name, read in READERS.items():
                try:
                    records = read(directory)
                except DatasetError as error:
                    assert str(error).isprintable()
                    continue
                check(records, directory, name)


@settings(max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(tree=trees(("mat", "scenes")))
def test_extraction_gives_images_or_raises_dataset_error_and_nothing_else(tree):
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder) / "set", tree)
        for extract in (cuhk03.extract, cuhk_sysu.extract):
            target = Path(folder) / extract.__module__
            try:
                num_images = extract(Path(folder) / "set", target)
            except DatasetError as error:
                assert str(error).isprintable()
                continue
            assert num_images == len(list(target.rglob("*.png"))) > 0


def check(records, directory, name):
    """Check that records are sorted, unique, of this data set and of existing files."""
    paths = [record.path for record in records]
    assert paths == sorted(set(paths))
    for record in records:
        assert isinstance(record, ImageRecord)
        assert (directory / record.path).is_file()
        assert record.domain == name
        assert record.pid >= 0
        assert 0 <= record.camid < 15
        assert record.part in ("", "train", "query", "gallery")
    train = {record.pid for record in records if record.part == "train"}
    assert not train & {record.pid for record in records if record.part in ("query", "gallery")}

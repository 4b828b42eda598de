"""Whatever a file of a user or of a server holds, its reader returns a result or a UserError, and nothing else."""

import io
import tarfile
import warnings
import zipfile
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import save
from scipy.io import savemat
from small_sets import grid as write_grid

from metabin.commands.embedding_manifest import MANIFEST, read_manifest
from metabin.commands.image_lists import read_image_list
from metabin.config import parse_config, read_values
from metabin.config.presets import load_preset
from metabin.data import store
from metabin.data.acquisition.local_datasets import READERS
from metabin.data.acquisition.unpack import unpack
from metabin.data.partition.protocols import load_protocols
from metabin.data.partition.reference_splits import read_reference
from metabin.data.readers import custom, grid
from metabin.data.readers.extraction import load_mat
from metabin.data.readers.file_listing import Naming, parse_names
from metabin.errors import UserError
from metabin.images import decode_image
from metabin.model.description import read_description
from metabin.model.weight_layouts import network_tensors
from metabin.model.weights_file import read_weights
from metabin.results import published
from metabin.rho_channels import read_channels
from metabin.stage_files import read_csv, read_json
from metabin.types import ImageRecord

ROOT = Path(__file__).parents[1]
FEW = settings(max_examples=50, deadline=None, derandomize=True, database=None)
RECORDS = tuple(ImageRecord(f"{pid}.png", pid // 2, pid % 2, "yard") for pid in range(8))


def content_of(write):
    """The bytes that a function writes into a file, which it gets as a path or as a stream."""
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def archive_of(kind):
    def write(stream):
        if kind == "zip":
            with zipfile.ZipFile(stream, "w") as archive:
                archive.writestr("a/b.jpg", b"content")
        else:
            with tarfile.open(fileobj=stream, mode="w:gz" if kind == "tgz" else "w") as archive:
                member = tarfile.TarInfo("a/b.jpg")
                member.size = 7
                archive.addfile(member, io.BytesIO(b"content"))

    return content_of(write)


def picture(kind):
    return content_of(lambda stream: Image.new("RGB", (4, 8), (9, 90, 200)).save(stream, kind))


def tensors_of(path):
    try:
        return network_tensors(read_weights(path))
    except ValueError:  # as documented; `load_pretrained` adds the file's name
        return None


def unpack_in(path):
    target = path.with_name("out")
    unpack(path, target, max_bytes=1 << 20, max_files=10)
    for file in sorted(target.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    target.rmdir()


TENSORS = {"conv.weight": torch.ones(2, 2), "bn.bias": torch.zeros(2)}
# Name of a reader -> its file's name, an example of a good content, and the reader.
READERS_OF_FILES = {
    "custom.csv": (
        "yard.csv",
        b"domain,pid,camid,path,split\nyard,1,0,1.png,train\n",
        lambda path: custom.read(path, "yard"),
    ),
    "splits.json": ("s.json", b'[{"train": [0, 1], "test": [2, 3]}]', lambda path: read_reference(path, RECORDS)),
    "list of images": ("list.txt", b"1.png\n2.png\n", lambda path: read_image_list(str(path))),
    "csv of images": ("list.csv", b"path,x\n1.png,2\n", lambda path: read_image_list(str(path))),
    "mat": ("a.mat", content_of(lambda s: savemat(s, {"a": {"b": [1, 2]}})), lambda path: load_mat(path, "a set")),
    "params.yaml": ("p.yaml", (ROOT / "params.yaml").read_bytes(), lambda path: parse_config(read_values(path))),
    "preset": ("preset.yaml", b"# a preset\noptim: {duration: 60}\n", load_preset),
    "protocols": ("p.yaml", next((ROOT / "protocols").glob("*.yaml")).read_bytes(), lambda p: load_protocols(p.parent)),
    "published.csv": ("p.csv", (ROOT / "protocols/published.csv").read_bytes()[:2000], published.load),
    "manifest of embeddings": (MANIFEST, b'{"format": 1}', lambda path: read_manifest(path.parent)),
    "config.json": ("config.json", b'{"format": 1, "method": "bn"}', read_description),
    "weights": ("w.pt", content_of(lambda s: torch.save(TENSORS, s)), tensors_of),
    "old weights": (
        "w.pth",
        content_of(lambda stream: torch.save(TENSORS, stream, _use_new_zipfile_serialization=False)),
        tensors_of,
    ),
    "safetensors": ("w.safetensors", save(TENSORS), tensors_of),
    "zip": ("a.zip", archive_of("zip"), unpack_in),
    "tar": ("a.tar", archive_of("tar"), unpack_in),
    "tgz": ("a.tgz", archive_of("tgz"), unpack_in),
    "manifest of a fold": (
        "folds/night.json",
        b'{"fold": "night", "sources": [], "targets": [], "domains": {}}',
        lambda path: store.load_manifest(path.parents[1], "night"),
    ),
    "records": ("a.csv", b"path,pid,camid\n1.png,1,0\n", lambda path: store.read_records(path, "a")),
    "pixels": (
        "a.npy",
        content_of(lambda stream: np.save(stream, np.zeros((2, 4, 2, 3), np.uint8))),
        lambda path: store.load_pixels(path.parent, "a"),
    ),
    "channels": (
        "rho.npz",
        content_of(lambda stream: np.savez(stream, steps=np.arange(2), layer=np.zeros((2, 3), np.float16))),
        read_channels,
    ),
    "table": ("t.csv", b"step,loss\n1,0.5\n", lambda path: read_csv(path, ("step",))),
    "list of a stage": ("t.json", b'[{"fold": "night"}]', lambda path: read_json(path, list)),
    **{kind: (f"a.{kind}", picture(kind), lambda p: decode_image(io.BytesIO(p.read_bytes()))) for kind in (
        "PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "TGA", "PPM", "PCX", "AVIF", "JPEG2000", "QOI")},
}  # fmt: skip


INCOMPLETE = ("manifest of embeddings", "config.json")  # beginnings of good files


@st.composite
def damaged(draw, example):
    """Any bytes, or the example with a part replaced and its end cut off."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.binary(max_size=300))
    start = draw(st.integers(0, len(example)))
    part = draw(st.binary(max_size=16))
    content = example[:start] + part + example[start + draw(st.integers(0, 16)) :]
    return content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content


@contextmanager
def only_user_errors():
    """Let a UserError pass, and ignore warnings: a program's library may warn, and pytest turns that into an error."""
    with warnings.catch_warnings(), suppress(UserError):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("kind", READERS_OF_FILES)
def test_a_reader_of_a_file_returns_a_result_or_a_user_error(kind, tmp_path):
    name, example, read = READERS_OF_FILES[kind]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    for record in RECORDS:
        (tmp_path / record.path).touch()

    @FEW
    @given(damaged(example))
    def check(content):
        path.write_bytes(content)
        with only_user_errors():
            read(path)

    check()
    if kind not in INCOMPLETE:
        path.write_bytes(example)
        read(path)


def test_the_splits_of_grid_may_be_any_bytes(tmp_path):
    write_grid(tmp_path)
    (path,) = tmp_path.rglob(grid.PARTITION)

    @FEW
    @given(damaged(path.read_bytes()))
    def check(content):
        path.write_bytes(content)
        with only_user_errors():
            grid.read_partition(tmp_path)

    check()


@FEW
@given(st.data())
def test_params_with_values_of_any_kind_are_a_config_or_a_user_error(data):
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers())
    section = data.draw(st.sampled_from(sorted(params)))
    if params[section] and data.draw(st.booleans()):
        params[section][data.draw(st.sampled_from(sorted(params[section])))] = data.draw(values)
    else:
        params[section] = data.draw(values)
    with only_user_errors():
        parse_config(params)


@pytest.mark.parametrize("reader", READERS)
def test_names_of_images_may_be_any_text(reader):
    module = import_module(f"metabin.data.readers.{reader}")
    namings = [value for value in vars(module).values() if isinstance(value, Naming)]

    @FEW
    @given(st.lists(st.text(max_size=30) | st.text("0123456789_cs.jpg", max_size=30), max_size=3))
    def check(names):
        for naming in namings:
            with only_user_errors():
                parse_names(names, naming.pattern, Path("images"), naming.example)

    check()

"""Weights files of every supported kind are read; other files are refused with their kind."""

import argparse
import io
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from metabin.errors import CheckpointError
from metabin.model.weights_file import NumpyValue, read_weights

TENSORS = {"conv.weight": torch.arange(6.0).view(2, 3, 1, 1), "bn.bias": torch.tensor([1.0, -2.0])}


def saved(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def assert_read(path):
    values = read_weights(path)
    values = values.get("state_dict", values)
    assert values.keys() == TENSORS.keys()
    assert all(torch.equal(values[name], value) for name, value in TENSORS.items())


def with_old_names(file):
    """The bytes of a checkpoint as numpy 1 would have written its values: under numpy.core, not numpy._core."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"numpy._core.", b"numpy.core."))
    assert result.getvalue().count(b"numpy.core.multiarray")
    return result.getvalue()


# as deep-person-reid's engine writes it, with more kinds of values
CHECKPOINT = {
    "state_dict": OrderedDict(TENSORS),
    "epoch": 60,
    "rank1": np.float32(0.83),
    "mAP": np.float64(0.6),
    "best": np.bool_(True),
    "cmc": np.linspace(0, 1, 5),
    "optimizer": torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))]).state_dict(),
    "scheduler": torch.optim.lr_scheduler.MultiStepLR(
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1), [20, 40]
    ).state_dict(),
}


@pytest.mark.parametrize(
    "content",
    [
        saved(CHECKPOINT),
        saved(CHECKPOINT, _use_new_zipfile_serialization=False),
        with_old_names(saved(CHECKPOINT)),
        saved(CHECKPOINT, _use_new_zipfile_serialization=False).replace(b"numpy._core.", b"numpy.core."),
    ],
    ids=["numpy 2", "numpy 2, legacy file", "numpy 1", "numpy 1, legacy file"],
)
def test_numpy_values_beside_the_tensors_are_replaced_and_no_function_of_numpy_is_called(content, tmp_path):
    allowed = set(torch.serialization.get_safe_globals())
    (tmp_path / "model.pth.tar-60").write_bytes(content)
    assert_read(tmp_path / "model.pth.tar-60")
    values = read_weights(tmp_path / "model.pth.tar-60")
    assert all(isinstance(values[name], NumpyValue) for name in ("rank1", "mAP", "best", "cmc"))
    assert values["epoch"] == 60
    assert set(torch.serialization.get_safe_globals()) == allowed


class Trap:
    """An object whose reading touches a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class Loader:
    """An object whose reading calls a function of numpy."""

    def __reduce__(self):
        return np.fromfile, ("/dev/zero", "u1", 4)


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize(
    ("extra", "name"),
    [
        (argparse.Namespace(lr=0.1), "argparse.Namespace"),
        (torch.nn.Linear(2, 2), r"torch.nn.modules.linear.Linear"),
        (Path("weights.pth"), r"pathlib.PosixPath"),
        (Loader(), r"numpy.fromfile"),
        (np.random.default_rng(0), r"numpy.random.\S+"),
        (print, "print"),
    ],
)
def test_any_other_object_is_refused_by_its_name(extra, name, tmp_path):
    (tmp_path / "start.pth").write_bytes(saved({"state_dict": TENSORS, "extra": extra}))
    message = rf"start.pth holds {name}, which is not read, since it could run code; expected are tensors by name"
    with pytest.raises(CheckpointError, match=message):
        read_weights(tmp_path / "start.pth")


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_in_a_file_is_run_beside_numpy_values_either(zipped, tmp_path):
    objects = np.array([Trap(tmp_path / "sprung")], dtype=object)
    content = {"rank1": np.float32(0.8), "trap": Trap(tmp_path / "sprung"), "objects": objects}
    (tmp_path / "start.pth").write_bytes(saved(content, _use_new_zipfile_serialization=zipped))
    with pytest.raises(CheckpointError, match="which is not read, since it could run code"):
        read_weights(tmp_path / "start.pth")
    assert not (tmp_path / "sprung").exists()


def archive(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name in names:
            target.writestr(name, b"junk")
    return file.getvalue()


def safetensors(tmp_path, **options):
    save_file(TENSORS, tmp_path / "made", **options)
    return (tmp_path / "made").read_bytes()


OTHER_FILES = {
    "empty": (b"", "is empty; download it again"),
    "git-LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n",
        "is a git-LFS pointer instead of the file; run `git lfs pull`",
    ),
    "page": (
        b"\n<!DOCTYPE html><html><head><title>Google Drive -\n Virus scan warning</title></head>",
        "is a web page ('Google Drive - Virus scan warning') that was saved instead of the file; download the file",
    ),
    "page without title": (b"\xef\xbb\xbf<html><body>404</body></html>", "is a web page that was saved instead"),
    "text": (b"Entry not found", "is text that begins with 'Entry not found'"),
    "json": ('{"error": "Zugriff verweigert: ü"}\n'.encode(), 'is text that begins with \'{"error": "Zugriff'),
    "long text": (b"x" + 4096 * "é".encode(), "is text that begins with 'xéé"),
    "gzip": (b"\x1f\x8b\x08\x00junk", "is a gzip archive"),
    "7z": (b"7z\xbc\xaf\x27\x1cjunk", "is a 7z archive"),
    "hdf5": (b"\x89HDF\r\n\x1a\njunk", "is an HDF5 file"),
    "jpeg": (b"\xff\xd8\xff\xe0junk", "is an image"),
    "tar": (b"weights.pth".ljust(257, b"\0") + b"ustar\x0000", "is a tar archive"),
    "zip": (
        archive("weights/model.pth", "readme.txt", "a", "b"),
        "is a zip archive of weights/model.pth, readme.txt, a and 1 more; unpack it and name the file of weights in it",
    ),
    "zip of nothing": (archive(), "is a zip archive of nothing"),
    "cut zip": (saved(TENSORS)[:500], "is an incomplete zip archive; download or copy it again"),
    "TorchScript": (
        archive("m/data.pkl", "m/constants.pkl", "m/code/m.py"),
        "is a TorchScript program; save only the weights of its model",
    ),
    "junk in a zip": (archive("m/data.pkl", "m/version"), "is damaged or incomplete"),
    "pickle": (pickle.dumps({"epoch": 3}), "is a pickle that torch.save did not write"),
    "noise": (bytes(range(129, 256)) * 8, "is of no known kind; expected are tensors by name"),
    "cut legacy file": (saved(TENSORS, _use_new_zipfile_serialization=False)[:-10], "is damaged or incomplete"),
}


@pytest.mark.parametrize(
    "name", [pytest.param("start.pth", marks=pytest.mark.bad_input("weights or model")), "start.safetensors"]
)
@pytest.mark.parametrize("kind", OTHER_FILES)
def test_a_file_of_another_kind_is_refused_with_its_kind(kind, name, tmp_path):
    content, message = OTHER_FILES[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name} {re.escape(message)}"):
        read_weights(tmp_path / name)


@pytest.mark.bad_input("weights or model")
def test_a_file_that_cannot_be_opened_is_named_with_the_reason(tmp_path):
    with pytest.raises(CheckpointError, match=r"start.pth cannot be read: No such file or directory$"):
        read_weights(tmp_path / "start.pth")


@pytest.mark.bad_input("weights or model")
def test_a_truncated_safetensors_file_is_refused_as_incomplete(tmp_path):
    (tmp_path / "start.safetensors").write_bytes(safetensors(tmp_path)[:-4])
    with pytest.raises(CheckpointError, match=r"is damaged or incomplete \(SafetensorError\); download it again"):
        read_weights(tmp_path / "start.safetensors")


@pytest.mark.parametrize("name", ["start.pth", "start.safetensors", "start"])
def test_the_content_of_a_file_counts_and_not_its_name(name, tmp_path):
    for content in (safetensors(tmp_path), saved(TENSORS)):
        (tmp_path / name).write_bytes(content)
        assert_read(tmp_path / name)


def test_a_safetensors_file_whose_length_of_header_reads_as_the_mark_of_another_kind_is_read(tmp_path):
    mark, size = int.from_bytes(b"PK", "little"), 0
    while int.from_bytes((content := safetensors(tmp_path, metadata={"x": "x" * size}))[:8], "little") < mark:
        size += max(mark - int.from_bytes(content[:8], "little"), 1)
    assert content.startswith(b"PK")
    (tmp_path / "start.safetensors").write_bytes(content)
    assert_read(tmp_path / "start.safetensors")

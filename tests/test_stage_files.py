"""Files between stages with another content: each reader names the file, the reason and what makes it again."""

import gc
import io
import json

import numpy as np
import pytest

from metabin.data import store
from metabin.errors import DatasetError, StageFileError
from metabin.rho_channels import read_channels
from metabin.stage_files import read_csv, read_json, read_text


def array(values, save=np.save, **options):
    file = io.BytesIO()
    save(file, values, **options) if save is np.save else save(file, **values)
    return file.getvalue()


GOOD = array(np.zeros((2, 4, 2, 3), np.uint8))
READERS = {
    "manifest": ("folds/f.json", lambda folder: store.load_manifest(folder, "f")),
    "overlaps": ("overlaps/f.json", lambda folder: store.load_overlaps(folder, "f")),
    "roots": ("images.json", store.load_image_roots),
    "records": ("d.csv", lambda folder: store.load_records(folder, "d")),
    "pixels": ("d.npy", lambda folder: store.load_pixels(folder, "d")),
    "channels": ("rho_channels.npz", lambda folder: read_channels(folder / "rho_channels.npz")),
    "table": ("t.csv", lambda folder: read_csv(folder / "t.csv", ("step", "loss"))),
    "text": ("README.md", lambda folder: read_text(folder / "README.md")),
    "list": ("l.json", lambda folder: read_json(folder / "l.json", list)),
}
NOT_JSON = "is damaged ("
CASES = [
    ("manifest", b"", "is empty"),
    ("manifest", b"{", NOT_JSON),
    ("manifest", b"\xff", "it is no text"),
    ("manifest", b"[]", "it holds a list, expected a dict"),
    ("manifest", b"null", "it holds a NoneType, expected a dict"),
    ("manifest", b'"f"', "it holds a str, expected a dict"),
    ("manifest", b"{}", "it has no fold, sources, targets, domains"),
    ("manifest", b'{"fold": "f", "sources": [], "targets": []}', "it has no domains"),
    ("manifest", b"[" * 100_000, NOT_JSON),
    ("overlaps", b"", "is empty"),
    ("overlaps", b"{}", "it holds a dict, expected a list"),
    ("overlaps", b"[1,", NOT_JSON),
    ("roots", b"[]", "it holds a list, expected a dict"),
    ("roots", b"7", "it holds a int, expected a dict"),
    ("records", b"", "is empty"),
    ("records", b"path,pid,camid\n1.png,1,0", "its last line is incomplete"),
    ("records", b"path,pid\n1.png,1\n", "it has no column camid"),
    ("records", b"1.png,1,0\n", "it has no column camid, path, pid"),
    ("records", b"path,pid,camid\n1.png,one,0\n", "invalid literal for int() with base 10: 'one'"),
    ("records", b"path,pid,camid\n1.png,1\n", "int() argument must be"),
    ("records", b"path,pid,camid\n1.png,1.5,0\n", "invalid literal for int()"),
    ("records", b'path,pid,camid\n"1.png,1,0\n', "unexpected end of data"),
    ("records", b"path,pid,camid\n\xff.png,1,0\n", "it is no text"),
    ("pixels", b"", "is empty"),
    ("pixels", GOOD[:-1], NOT_JSON),
    ("pixels", GOOD[:20], NOT_JSON),
    ("pixels", b"PK\3\4" + GOOD, NOT_JSON),
    ("pixels", array(np.zeros((2, 4, 2, 3), np.float32)), "it holds float32 of shape (2, 4, 2, 3), expected uint8"),
    ("pixels", array(np.zeros((2, 4, 2), np.uint8)), "it holds uint8 of shape (2, 4, 2), expected uint8 of shape"),
    ("pixels", array(np.zeros((2, 3, 4, 2), np.uint8)), "it holds uint8 of shape (2, 3, 4, 2)"),
    ("pixels", array(np.array([{}, {}], object), allow_pickle=True), NOT_JSON),
    ("channels", b"", "is empty"),
    ("channels", b"no archive", NOT_JSON),
    ("channels", array({"layer": np.zeros((2, 3))}, np.savez), "steps"),
    ("channels", array({"steps": np.array([{}], object)}, np.savez), "Object arrays cannot be loaded"),
    ("channels", array({"steps": np.arange(2), "a": np.zeros((2, 3))}, np.savez)[:-30], NOT_JSON),
    ("table", b"", "is empty"),
    ("table", b"step,loss\n1,0.5", "its last line is incomplete"),
    ("table", b"step\n1\n", "it has no column loss"),
    ("table", b"\n", NOT_JSON),
    ("table", b"step,loss\n1,0.5\n2,0.4,7,8\n", "Expected 2 fields in line 3, saw 4"),
    ("table", b"step,loss\n\xff,0.5\n", "it is no text"),
    ("text", b"# A card", "its last line is incomplete"),
    ("text", b"\xff\n", "it is no text"),
    ("list", b"{}", "it holds a dict, expected a list"),
    ("list", b"[1] [2]", NOT_JSON),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # NumPy leaves a damaged .npy open
@pytest.mark.bad_input("file of a stage")
@pytest.mark.parametrize(("kind", "content", "reason"), CASES)
def test_another_content_is_named_with_the_reason_and_the_remedy(kind, content, reason, tmp_path):
    name, read = READERS[kind]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(StageFileError) as error:
        read(tmp_path)
    message = str(error.value)
    assert message.startswith(f"{path} ")
    assert reason in message
    assert "; run `dvc repro" in message
    assert len(message.splitlines()) == 1
    del error
    gc.collect()  # its warning is of this test


@pytest.mark.bad_input("file of a stage")
@pytest.mark.parametrize("kind", READERS)
def test_a_folder_and_nothing_in_place_of_the_file_are_named(kind, tmp_path):
    name, read = READERS[kind]
    with pytest.raises((StageFileError, DatasetError), match=f"{name} is missing; run `dvc repro"):
        read(tmp_path)
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises((StageFileError, DatasetError), match=f"{name} (is missing|cannot be read)"):
        read(tmp_path)


def test_the_readers_read_good_files(tmp_path):
    good = {
        "manifest": json.dumps(dict.fromkeys(("fold", "sources", "targets", "domains"))).encode(),
        "overlaps": b"[]", "roots": b'{"d": "."}', "records": b"path,pid,camid\n1.png,1,0\n", "pixels": GOOD,
        "channels": array({"steps": np.arange(2), "a": np.zeros((2, 3))}, np.savez), "table": b"step,loss\n1,0.5\n",
        "text": b"# A card\n", "list": b"[]",
    }  # fmt: skip
    for kind, (name, read) in READERS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(good[kind])
        read(tmp_path)

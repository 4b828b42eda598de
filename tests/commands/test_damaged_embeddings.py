"""Embeddings that were changed after `metabin embed` wrote them are named with what to do, and give no matches."""

import json
import re
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny import numbered, refuse, succeed, write_images, write_model

from metabin.commands.embedding_manifest import read_manifest
from metabin.commands.embedding_writer import ShardFolder
from metabin.errors import DatasetError

SHARD = "part-00001.parquet"  # of two, with two images each
D = 128


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def original(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedded")
    photos = write_images(folder / "photos", numbered(4))
    succeed("embed", model, photos, "--output", folder / "embeddings", "--shard-size", 2)
    return folder / "embeddings"


@pytest.fixture
def embeddings(original, tmp_path):
    shutil.copytree(original.parent, tmp_path / "copy")
    return tmp_path / "copy/embeddings"


def refuse_search(model, folder):
    """The message of a search in a folder, which is that of a search with it as queries."""
    photos = folder.with_name("photos")
    message = refuse("search", model, photos, folder)
    assert refuse("search", model, folder, photos) == message
    return message


@pytest.mark.bad_input("embeddings")
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"shard_size": 0}, "shard_size: Input should be greater than or equal to 1"),
        ({"shard_size": -2}, "shard_size: Input should be greater"),
        ({"shard_size": "2"}, "shard_size: Input should be a valid integer"),
        ({"shard_size": 1.5}, "shard_size: Input should be a valid integer"),
        ({"shard_size": None}, "shard_size: Input should be a valid integer"),
        ({"num_images": 0}, "num_images: Input should be greater"),
        ({"num_images": "4"}, "num_images: Input should be a valid integer"),
        ({"num_images": True}, "num_images: Input should be a valid integer"),
        ({"num_images": 10**15}, "num_images: Input should be less than or equal to"),
        ({"embedding_size": 0}, "embedding_size: Input should be greater"),
        ({"model": None}, "model: Input should be a valid string"),
        ({"images": 5}, "images: Input should be a valid string"),
        ({"image_list": 5}, "image_list: Input should be a valid string"),
        ({"format": "1"}, "format: Input should be a valid integer"),
        ({"format": 0}, "format: Input should be greater"),
        ({"extra": 1}, "extra: Unexpected"),
    ],
)
def test_a_manifest_with_an_impossible_value_is_damaged(model, embeddings, values, reason):
    path = embeddings / "_manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    message = refuse_search(model, embeddings)
    assert message.startswith(f"{path} is damaged ({reason}")
    assert message.endswith(f"; delete {embeddings} and run `metabin embed` again")


@pytest.mark.bad_input("embeddings")
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"5", b'"text"', b"{}", b'{"format": 1}', b"\xff\xfe{}", b"{"]
)
def test_a_manifest_of_another_form_is_damaged(model, embeddings, content):
    (embeddings / "_manifest.json").write_bytes(content)
    assert refuse_search(model, embeddings).startswith(f"{embeddings / '_manifest.json'} is damaged (")


@pytest.mark.bad_input("embeddings")
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"embedding_size": 64}, "part-00000.parquet is of another model or folder of images than _manifest.json"),
        ({"model": "0" * 64}, "part-00000.parquet is of another model"),
        ({"images": "../elsewhere"}, "part-00000.parquet is of another model or folder of images"),
        ({"shard_size": 1}, "lacks 2 of 4 shards"),
        ({"num_images": 5}, "lacks 1 of 3 shards"),
        ({"num_images": 3}, "part-00001.parquet has 2 embeddings and leaves out 0 images; expected are 1 together"),
        ({"shard_size": 3}, "part-00000.parquet has 2 embeddings and leaves out 0 images; expected are 3 together"),
    ],
)
def test_a_manifest_of_other_shards_is_refused(model, embeddings, values, message):
    path = embeddings / "_manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    assert message in refuse_search(model, embeddings)


def vectors(table, change=lambda values: values, kind=None):
    """The table with changed embeddings, of another type of number or of the same."""
    values = np.asarray(change(np.stack(table["embedding"].to_pylist()).astype(np.float32)))
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), kind), values.shape[1])
    return table.set_column(1, "embedding", column)


def lists(table, values):
    return table.set_column(1, "embedding", pa.array(values, pa.list_(pa.float32(), D)))


NOT_FINITE = "an embedding is missing, or has NaN or infinite values"
OTHER_VECTORS = f"expected is a column embedding of fixed_size_list<item: float>[{D}]"
OTHER_PATHS = "expected is a column path of string"
TOGETHER = "images; expected are 2 together"
TABLES = {
    "NaN": (lambda table: vectors(table, lambda values: np.full_like(values, np.nan)), NOT_FINITE),
    "one NaN": (lambda table: vectors(table, lambda v: np.where(np.arange(D) == 7, np.nan, v)), NOT_FINITE),
    "infinite": (lambda table: vectors(table, lambda values: np.full_like(values, -np.inf)), NOT_FINITE),
    "no vector": (lambda table: lists(table, [None, [0.1] * D]), "damaged ("),
    "float64": (lambda table: vectors(table, kind=pa.float64()), OTHER_VECTORS),
    "float16": (lambda table: vectors(table, lambda v: v.astype(np.float16)), OTHER_VECTORS),
    "integers": (lambda table: vectors(table, lambda v: np.ones(v.shape, int)), OTHER_VECTORS),
    "texts": (lambda table: vectors(table, lambda v: np.full(v.shape, "a")), OTHER_VECTORS),
    "shorter": (lambda table: vectors(table, lambda values: values[:, :64]), OTHER_VECTORS),
    "longer": (lambda table: vectors(table, lambda values: np.tile(values, 2)), OTHER_VECTORS),
    "of any length": (lambda t: t.set_column(1, "embedding", pa.array([[0.1] * 100, [0.1] * 156])), OTHER_VECTORS),
    "numbers": (lambda table: table.set_column(1, "embedding", pa.array([1.0, 2.0])), OTHER_VECTORS),
    "no embeddings": (lambda table: table.drop_columns("embedding"), OTHER_VECTORS),
    "other name": (lambda table: table.rename_columns(["path", "vector"]), OTHER_VECTORS),
    "no paths": (lambda table: table.drop_columns("path"), OTHER_PATHS),
    "paths are numbers": (lambda table: table.set_column(0, "path", pa.array([1, 2])), OTHER_PATHS),
    "a missing path": (lambda table: table.set_column(0, "path", pa.array(["a", None])), "a path is missing"),
    "one row": (lambda table: table.slice(0, 1), f"has 1 embeddings and leaves out 0 {TOGETHER}"),
    "no rows": (lambda table: table.slice(0, 0), f"has 0 embeddings and leaves out 0 {TOGETHER}"),
    "rows twice": (lambda table: pa.concat_tables([table, table]), f"has 4 embeddings and leaves out 0 {TOGETHER}"),
}  # fmt: skip


@pytest.mark.bad_input("embeddings")
@pytest.mark.parametrize("case", TABLES)
def test_a_shard_with_other_columns_or_rows_is_named(model, embeddings, case):
    change, reason = TABLES[case]
    table = pq.read_table(embeddings / SHARD)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), embeddings / SHARD)
    message = refuse_search(model, embeddings)
    assert message.startswith(f"{embeddings / SHARD} ")
    assert reason in message
    assert message.endswith("delete it and run `metabin embed` again")


METADATA = [
    (lambda values: values | {"model": "0" * 64}, "is of another model or folder of images than _manifest.json"),
    (lambda values: values | {"images": "."}, "is of another model or folder of images than _manifest.json"),
    (lambda values: values | {"model": 5}, "model: Input should be a valid string"),
    (lambda values: values | {"images": None}, "images: Input should be a valid string"),
    (lambda values: values | {"embedding_size": "128"}, "embedding_size: Input should be a valid integer"),
    (lambda values: values | {"embedding_size": 0}, "embedding_size: Input should be greater than or equal to 1"),
    (lambda values: values | {"unreadable": 5}, "unreadable: Input should be a valid array"),
    (lambda values: values | {"unreadable": [["a"]]}, "unreadable.0.1: Field required"),
    *((lambda values, name=name: {k: v for k, v in values.items() if k != name}, f"{name}: Field required")
      for name in ("version", "model", "images", "embedding_size", "unreadable")),
    (lambda values: [values], "Input should be an object"),
]  # fmt: skip


@pytest.mark.bad_input("embeddings")
@pytest.mark.parametrize(("change", "reason"), METADATA, ids=[reason for _, reason in METADATA])
def test_a_shard_that_says_something_else_about_itself_is_named_by_search_and_embed(model, embeddings, change, reason):
    table = pq.read_table(embeddings / SHARD)
    values = json.loads(table.schema.metadata[b"metabin"])
    pq.write_table(table.replace_schema_metadata({b"metabin": json.dumps(change(values))}), embeddings / SHARD)
    message = refuse_search(model, embeddings)
    assert message.startswith(f"{embeddings / SHARD} ")
    assert reason in message
    with pytest.raises(DatasetError, match=re.escape(message)):
        ShardFolder(embeddings, read_manifest(embeddings)).finish()  # as `embed`, which keeps finished shards


@pytest.mark.bad_input("embeddings")
@pytest.mark.parametrize("text", [b"{", b"", b"\xff"])
def test_a_shard_whose_description_is_no_json_is_named(model, embeddings, text):
    table = pq.read_table(embeddings / SHARD)
    pq.write_table(table.replace_schema_metadata({b"metabin": text}), embeddings / SHARD)
    assert "is not a Parquet file, or damaged (Invalid JSON" in refuse_search(model, embeddings)


@pytest.mark.bad_input("embeddings")
@pytest.mark.parametrize("length", [0, 4, 300, -1])
def test_a_shard_that_is_cut_is_named(model, embeddings, length):
    (embeddings / SHARD).write_bytes((embeddings / SHARD).read_bytes()[:length])
    assert refuse_search(model, embeddings).startswith(f"{embeddings / SHARD} is not a Parquet file, or damaged (")


@pytest.mark.bad_input("embeddings")
def test_a_changed_bit_of_a_number_is_noticed(model, embeddings):
    content = bytearray((embeddings / SHARD).read_bytes())
    content[len(content) // 2] ^= 64
    (embeddings / SHARD).write_bytes(content)
    assert refuse_search(model, embeddings).startswith(f"{embeddings / SHARD} is not a Parquet file, or damaged (")


@contextmanager
def full_disk(num_bytes):
    """A real limit, which fails as a full disk does: with a part of a file written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_an_earlier_shard_and_leaves_no_part(model, embeddings):
    before = {path.name: path.read_bytes() for path in embeddings.iterdir()}
    shards = ShardFolder(embeddings, read_manifest(embeddings))
    with full_disk(1_000), pytest.raises(OSError, match="the disk is full") as error:
        shards.write(1, numbered(2), np.ones((2, D), np.float32), [])
    assert error.value.filename == str(embeddings / SHARD)
    assert {path.name: path.read_bytes() for path in embeddings.iterdir()} == before


def test_a_command_on_a_full_disk_names_the_file_and_goes_on_when_there_is_space(model, tmp_path):
    photos = write_images(tmp_path / "photos", numbered(4))
    output = tmp_path / "embedded"
    arguments = ("embed", model, photos, "--output", output, "--shard-size", 2)
    succeed(*arguments)
    (output / SHARD).unlink()
    with full_disk(1_000):  # the manifest fits
        message = refuse(*arguments)
    assert message.startswith(f"{output / SHARD}: the disk is full: ")
    assert succeed(*arguments).stderr.startswith("2 images are finished already\n")


def test_an_index_that_does_not_fit_on_the_disk_leaves_no_part(model, embeddings, monkeypatch):
    faiss = pytest.importorskip("faiss")

    def fail(index, name):
        Path(name).write_bytes(b"part")
        raise RuntimeError("write error: No space left on device")

    monkeypatch.setattr(faiss, "write_index", fail)
    message = refuse("search", model, embeddings.with_name("photos"), embeddings, "--index", "faiss")
    assert message.startswith(f"{embeddings / '_index.faiss'} cannot be written (write error")
    assert "free space on the disk" in message
    assert sorted(path.name for path in embeddings.iterdir()) == ["_manifest.json", "part-00000.parquet", SHARD]

"""Files of `metabin embed` that are damaged, foreign or do not fit on the disk: named, with what to do."""

import json
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny import numbered, refuse, succeed, write_images, write_model

from metabin.commands.embedding_manifest import read_manifest
from metabin.commands.embedding_writer import ShardFolder

SHARD, MANIFEST = "part-00001.parquet", "_manifest.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a model, images and their embeddings in two shards."""
    folder = tmp_path_factory.mktemp("made")
    write_images(folder / "photos", numbered(6))
    embed(write_model(folder / "model").parent)
    shutil.copytree(folder / "embedded", folder / "as_made")
    return folder


@pytest.fixture
def folder(made):
    """The same place for every test, since the embeddings are those of images in this place."""
    shutil.rmtree(made / "embedded")
    shutil.copytree(made / "as_made", made / "embedded")
    return made


def embed(folder, call=succeed):
    return call("embed", folder / "model", folder / "photos", "--output", folder / "embedded", "--shard-size", 3)


def search(folder, query, gallery):
    return refuse("search", folder / "model", folder / query, folder / gallery)


def flip_bit(content):
    """Change a number: the file keeps its form."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 64]) + content[middle + 1 :]


DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "a bit": flip_bit,
    "garbage": lambda content: bytes(range(256)) * 8,
    "text": lambda content: b"an error page of a proxy\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [SHARD, MANIFEST])
def test_a_damaged_file_is_named_by_every_command_that_reads_it(name, damage, folder):
    path = folder / "embedded" / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    messages = [search(folder, "photos", "embedded"), search(folder, "embedded", "photos")]
    if (name, damage) != (SHARD, "a bit"):  # the numbers are not read
        messages.append(embed(folder, refuse))
    for message in messages:
        assert message.startswith(f"{path} is ")
        assert "damaged (" in message and "delete" in message and message.endswith("run `metabin embed` again")


def rewritten(path, change):
    """Write a shard again with other metadata of its schema."""
    table = pq.read_table(path)
    metadata = json.loads(table.schema.metadata[b"metabin"])
    text = json.dumps(change(metadata))
    pq.write_table(table.replace_schema_metadata({b"metabin": text}), path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda values: [], "Input should be an object"),
        (lambda values: {**values, "model": None}, "model: Input should be a valid string"),
        (lambda values: {**values, "embedding_size": 0}, "embedding_size: Input should be greater than 0"),
        (
            lambda values: {**values, "embedding_size": 64},
            "its columns are path (string), embedding (fixed_size_list<element: float>[128])",
        ),
    ],
    ids=["a list", "no model", "size 0", "another size"],
)
def test_a_shard_whose_description_does_not_fit_is_named(change, reason, folder):
    path = folder / "embedded" / SHARD
    rewritten(path, change)
    for message in (search(folder, "photos", "embedded"), embed(folder, refuse)):
        assert message == (
            f"{path} is not a Parquet file of `metabin embed`, or damaged ({reason}); "
            "delete it and run `metabin embed` again"
        )


@pytest.mark.parametrize(
    ("key", "value"), [("shard_size", 0), ("num_images", "many"), ("images", None), ("embedding_size", -1)]
)
def test_a_manifest_with_impossible_values_is_named(key, value, folder):
    path = folder / "embedded" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    for message in (search(folder, "photos", "embedded"), embed(folder, refuse)):
        assert message.startswith(f"{path} is damaged ({key}: Input should be ")


def test_a_shard_of_another_model_among_the_others_is_named(folder):
    path = folder / "embedded" / SHARD
    rewritten(path, lambda values: {**values, "model": "0" * 64})
    message = search(folder, "photos", "embedded")
    assert message.startswith(f"{path} has embeddings of another model or of other images than ")
    assert message.endswith("delete one of the two, and run its `metabin embed` command again")


@contextmanager
def full_disk(num_bytes):
    """A real limit, which fails as a full disk does: with a part of a file written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_an_earlier_shard_and_leaves_no_part(folder):
    output = folder / "embedded"
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    shards = ShardFolder(output, read_manifest(output))
    with full_disk(1_000), pytest.raises(OSError, match="the disk is full") as error:
        shards.write(1, numbered(3), np.ones((3, 128), np.float32), [])
    assert error.value.filename == str(output / SHARD)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_a_command_on_a_full_disk_names_the_file_and_goes_on_when_there_is_space(folder):
    (folder / "embedded" / SHARD).unlink()
    with full_disk(1_000):  # the manifest fits
        message = embed(folder, refuse)
    assert message.startswith(f"{folder / 'embedded' / SHARD}: the disk is full: ")
    assert embed(folder).stderr.startswith("3 images are finished already\n")


def test_an_index_that_does_not_fit_on_the_disk_leaves_no_part(folder, monkeypatch):
    faiss = pytest.importorskip("faiss")

    def fail(index, name):
        Path(name).write_bytes(b"part")
        raise RuntimeError("write error: No space left on device")

    monkeypatch.setattr(faiss, "write_index", fail)
    message = refuse("search", folder / "model", folder / "photos", folder / "embedded", "--index", "faiss")
    assert message.startswith(f"{folder / 'embedded' / '_index.faiss'} cannot be written (write error")
    assert "free space on the disk" in message
    assert sorted(path.name for path in (folder / "embedded").iterdir()) == [MANIFEST, "part-00000.parquet", SHARD]

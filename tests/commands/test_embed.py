"""`metabin embed`: what it reads, what it writes, how it resumes, and what it refuses."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny import ENTRIES, numbered, refuse, succeed, write_images, write_model

import metabin

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photos(tmp_path):
    return write_images(tmp_path / "photos", ENTRIES)


def embeddings(folder):
    """Paths and embeddings (N, D) in a folder of shards."""
    table = pd.read_parquet(folder)
    return table["path"].tolist(), np.stack(table["embedding"])


def test_the_shards_have_paths_and_the_embeddings_of_the_api(model, photos, tmp_path):
    result = succeed("embed", model, photos, "--output", tmp_path / "out", "--shard-size", 3)
    paths, values = embeddings(tmp_path / "out")
    assert paths == list(ENTRIES)
    assert values.dtype == np.float32
    expected = metabin.load(model, device="cpu").embed([photos / path for path in paths])
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6)
    assert [len(pq.read_table(tmp_path / f"out/part-0000{n}.parquet")) for n in (0, 1)] == [3, 1]
    assert result.stdout == f"{tmp_path / 'out'}: 4 embeddings of 128 values in 2 files\n"
    assert "embed: 4 of 4 images" in result.stderr


def test_the_schema_names_the_model(model, photos, tmp_path):
    succeed("embed", model, photos, "--output", tmp_path / "out")
    schema = pq.read_schema(tmp_path / "out/part-00000.parquet")
    assert schema.field("path").type == pa.string()
    assert schema.field("embedding").type == pa.list_(pa.float32(), 128)
    description = metabin.load(model, device="cpu").description
    assert json.loads(schema.metadata[b"metabin"]) == {
        "version": metabin.__version__,
        "model": description.sha256,
        "embedding_size": 128,
        "images": "../photos",
        "unreadable": [],
    }


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_batch_size_changes_nothing(batch_size, model, tmp_path):
    photos = write_images(tmp_path / "photos", numbered(10))
    succeed("embed", model, photos, "--output", tmp_path / "out", "--batch-size", batch_size, "--shard-size", 7)
    expected = metabin.load(model, device="cpu").embed([photos / name for name in numbered(10)], batch_size=10)
    np.testing.assert_allclose(embeddings(tmp_path / "out")[1], expected, rtol=0, atol=1e-6)


def test_workers_change_nothing(model, tmp_path):
    photos = write_images(tmp_path / "photos", numbered(9))
    for workers in (0, 2):
        output = tmp_path / f"out{workers}"
        succeed("embed", model, photos, "--output", output, "--workers", workers, "--batch-size", 2)
    (names, values), (same_names, same_values) = (embeddings(tmp_path / f"out{workers}") for workers in (0, 2))
    assert names == same_names == numbered(9)
    np.testing.assert_array_equal(values, same_values)


def test_a_folder_is_read_with_its_folders_and_links_but_without_hidden_and_other_files(model, photos, tmp_path):
    write_images(photos, [".hidden.jpg", ".cache/e.jpg"])
    (photos / "notes.txt").write_text("no image")
    (photos / "cam1/loop").symlink_to(photos)
    (photos / "linked").symlink_to(write_images(tmp_path / "elsewhere", ["f.jpg"]))
    succeed("embed", model, photos, "--output", tmp_path / "out")
    assert embeddings(tmp_path / "out")[0] == [*ENTRIES, "linked/f.jpg"]


@pytest.mark.parametrize("kind", ["csv", "text", "stdin", "image"])
def test_lists_and_single_images_are_read(kind, model, photos, tmp_path, monkeypatch):
    chosen, absolute = "photos/d.JPG", str(photos / "cam1/b.png")
    source = {"csv": "list.csv", "text": "list.txt", "stdin": "-", "image": chosen}[kind]
    (tmp_path / "list.csv").write_text(f"camera,path\n1,{chosen}\n2,{absolute}\n", encoding="utf-8-sig")
    (tmp_path / "list.txt").write_text(f"{chosen}\r\n\n{absolute}\n")
    if kind in ("stdin", "image"):
        monkeypatch.chdir(tmp_path)
    else:  # paths in a file start from its folder
        source = tmp_path / source
    succeed("embed", model, source, "--output", tmp_path / "out", stdin=f"{chosen}\n{absolute}\n")
    paths, values = embeddings(tmp_path / "out")
    assert paths == ([chosen] if kind == "image" else [chosen, absolute])
    expected = metabin.load(model, device="cpu").embed([photos / "d.JPG"])
    np.testing.assert_allclose(values[:1], expected, rtol=0, atol=1e-6)


def test_a_killed_run_resumes_after_the_finished_shards(model, tmp_path):
    photos, output = write_images(tmp_path / "photos", numbered(120)), tmp_path / "out"
    arguments = ["embed", model, photos, "--output", output, "--shard-size", 5]
    command = [sys.executable, "-m", "metabin.commands", *map(str, arguments), "--batch-size", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while not (output / "part-00001.parquet").exists():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = {path: path.stat().st_ino for path in output.glob("part-*.parquet")}
    assert 2 <= len(finished) < 24
    (output / ".part-00023.parquet.1.partial").write_bytes(b"half")

    result = succeed(*arguments)
    assert result.stderr.startswith(f"{5 * len(finished)} images are finished already\n")
    assert all(path.stat().st_ino == number for path, number in finished.items())
    assert not list(output.glob(".*"))
    paths, values = embeddings(output)
    assert paths == numbered(120)
    expected = metabin.load(model, device="cpu").embed([photos / name for name in numbered(120)])
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6)


@pytest.mark.bad_input("embeddings")
def test_other_embeddings_are_replaced_only_with_overwrite(model, photos, tmp_path):
    output = tmp_path / "out"
    succeed("embed", model, photos, "--output", output)
    other_model = write_model(tmp_path / "other", seed=1)
    other_photos = write_images(tmp_path / "photos2", ENTRIES)
    advice = "choose another --output, or replace them with --overwrite"
    for arguments, reason in (
        ([other_model, photos], "another model"),
        ([model, other_photos], "another folder of images and another list of images"),
        ([model, photos / "cam1"], "another folder of images and another list of images"),
        ([model, photos, "--shard-size", 2], "another --shard-size"),
    ):
        assert refuse("embed", *arguments, "--output", output) == f"{output} has embeddings of {reason}; {advice}"
    succeed("embed", other_model, photos / "cam1", "--output", output, "--overwrite", "--shard-size", 1)
    paths, values = embeddings(output)
    assert paths == ["a.jpg", "b.png"]
    expected = metabin.load(other_model, device="cpu").embed([photos / "cam1" / path for path in paths])
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6)


def test_overwrite_embeds_again_what_has_changed_on_disk(model, photos, tmp_path):
    output = tmp_path / "out"
    succeed("embed", model, photos, "--output", output)
    before = embeddings(output)[1]
    write_images(photos, ENTRIES, seed=7)
    succeed("embed", model, photos, "--output", output)
    np.testing.assert_array_equal(embeddings(output)[1], before)
    succeed("embed", model, photos, "--output", output, "--overwrite")
    assert np.abs(embeddings(output)[1] - before).max() > 1e-3


@pytest.mark.bad_input("command line")
def test_a_folder_with_other_files_is_refused(model, photos, tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    for flags in ([], ["--overwrite"]):
        message = refuse("embed", model, photos, "--output", tmp_path, *flags)
        assert message.endswith("has files, but no _manifest.json of `metabin embed`; choose another folder")
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.bad_input("command line")
def test_a_file_as_output_is_refused(model, photos, tmp_path):
    message = refuse("embed", model, photos, "--output", photos / "d.JPG")
    assert message == f"{photos / 'd.JPG'} is a file; expected is a folder for Parquet files"


@pytest.mark.bad_input("embeddings")
@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "is damaged"), ('{"format": 2}', "has the format 2, and this version of metabin reads up to 1")],
)
def test_a_manifest_that_cannot_be_read_is_refused(content, reason, model, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/_manifest.json").write_text(content)
    assert reason in refuse("embed", model, photos, "--output", tmp_path / "out")


class TestUnreadableImages:
    @pytest.fixture
    def photos(self, tmp_path):
        folder = write_images(tmp_path / "photos", numbered(9))
        (folder / "004.png").write_text("no image")
        (folder / "007.png").write_bytes((folder / "008.png").read_bytes()[:100])
        return folder

    @pytest.mark.bad_input("image")
    def test_one_in_the_middle_is_named_and_finished_shards_are_kept(self, model, photos, tmp_path):
        arguments = ["embed", model, photos, "--output", tmp_path / "out", "--shard-size", 3]
        assert refuse(*arguments) == (
            f"{photos / '004.png'} cannot be read as an image: text, not an image, that begins with 'no image'; "
            "replace it, or leave it out with --skip-unreadable"
        )
        shards = list((tmp_path / "out").glob("part-*"))
        assert [path.name for path in shards] == ["part-00000.parquet"]
        number = shards[0].stat().st_ino
        write_images(photos, ["004.png", "007.png"])
        succeed(*arguments)
        assert shards[0].stat().st_ino == number
        assert embeddings(tmp_path / "out")[0] == numbered(9)

    @pytest.mark.bad_input("image")
    def test_they_are_left_out_counted_and_listed(self, model, photos, tmp_path):
        output = tmp_path / "out"
        arguments = ["embed", model, photos, "--output", output, "--shard-size", 3, "--skip-unreadable"]
        for _ in range(2):
            result = succeed(*arguments)
            assert result.stdout.splitlines() == [
                f"{output}: 7 embeddings of 128 values in 3 files",
                f"2 of 9 images cannot be read and are left out; see {output / '_unreadable.csv'}",
            ]
            table = pd.read_csv(output / "_unreadable.csv")
            assert table["path"].tolist() == ["004.png", "007.png"]
            assert "that begins with 'no image'" in table["reason"][0]
            assert "damaged or truncated" in table["reason"][1]
            (output / "part-00002.parquet").unlink()  # as after a kill: the list has those of all shards
        succeed(*arguments)
        paths, values = embeddings(output)
        assert paths == [name for name in numbered(9) if name not in ("004.png", "007.png")]
        expected = metabin.load(model, device="cpu").embed([photos / path for path in paths])
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6)

    def test_a_shard_may_have_no_readable_image(self, model, photos, tmp_path):
        output = tmp_path / "out"
        succeed("embed", model, photos, "--output", output, "--shard-size", 1, "--skip-unreadable")
        assert len(pq.read_table(output / "part-00004.parquet")) == 0
        assert len(embeddings(output)[0]) == 7

    @pytest.mark.bad_input("image")
    def test_formats_that_are_not_read_are_not_left_out_silently(self, model, tmp_path):
        photos = write_images(tmp_path / "phone", ["a.jpg"])
        (photos / "b.heic").write_bytes(b"\0\0\0\x18ftypheic")
        message = refuse("embed", model, photos, "--output", tmp_path / "out")
        assert "b.heic cannot be read as an image: HEIC is not read; save it as JPEG or PNG" in message


LISTS = [
    ("a.csv", b"", "LIST has the columns (none); expected is a column `path`"),
    ("a.csv", b"path\n", "LIST names no image; expected is"),
    ("a.csv", b"path;camera\n000.png;1\n", "LIST has the columns path;camera; expected is a column `path`"),
    ("a.csv", b"Path\n000.png\n", "LIST has the columns Path; expected"),
    ("a.csv", b" path\n000.png\n", "LIST has the columns path; expected"),
    ("a.csv", b"path,path\n000.png,001.png\n", "LIST has the columns path, path; expected"),
    ("a.csv", b'"path\n000.png\n', "LIST has the columns path 000.png; expected"),
    ("a.csv", b"path\nmy,photo.png\n", "LIST, line 2: there are more values than columns; put a path with a comma in"),
    ("a.csv", b"camera,path\n1\n", "LIST, line 2: the path is empty"),
    ("a.csv", b"path\n" + b"x" * 200_000 + b"\n", "LIST is no CSV file (field larger than field limit"),
    ("a.csv", b"path\na\0b.png\n", r"LIST lists the path 'a\x00b.png', with a character that no file name has"),
    ("a.csv", "path\n000.png\n".encode("utf-16"), "LIST is not text"),
    ("a.csv", b"path\n000.png \n", "FOLDER/000.png  cannot be read as an image"),
    ("a.txt", b"\n \n", "LIST names no image"),
    ("a.txt", b"\xef\xbb\xbf", "LIST names no image"),
    ("a.txt", b"a\0b.png\n", r"LIST lists the path 'a\x00b.png'"),
    ("a.txt", b"# my images\n000.png\n", "FOLDER/# my images cannot be read as an image"),
    ("a.txt", b"https://host/a.jpg\n", "FOLDER/https:/host/a.jpg cannot be read as an image"),
    ("a.txt", b".\n", "FOLDER cannot be read as an image"),
    ("a.txt", b"x" * 5000 + b"\n", "cannot be read as an image: [Errno 36] File name too long"),
    ("a.zip", b"PK\3\4junk", "cannot be read as an image"),
]


class TestBadInput:
    def refuse(self, model, source, tmp_path, **options):
        return refuse("embed", model, source, "--output", tmp_path / "out", **options)

    @pytest.mark.bad_input("command line")
    def test_a_missing_input(self, model, tmp_path):
        message = self.refuse(model, tmp_path / "absent", tmp_path)
        assert message.startswith(f"{tmp_path / 'absent'} does not exist; expected is a folder of images, an image, ")

    @pytest.mark.bad_input("command line")
    def test_an_empty_folder(self, model, tmp_path):
        (tmp_path / "empty").mkdir()
        assert f"{tmp_path / 'empty'} has no images; expected are" in self.refuse(model, tmp_path / "empty", tmp_path)

    @pytest.mark.bad_input("list or table")
    def test_an_empty_list(self, model, tmp_path):
        (tmp_path / "list.txt").touch()
        assert f"{tmp_path / 'list.txt'} names no image;" in self.refuse(model, tmp_path / "list.txt", tmp_path)
        assert self.refuse(model, "-", tmp_path, stdin="").startswith("standard input is empty; expected is one path")

    @pytest.mark.bad_input("image")
    def test_a_file_that_is_no_image(self, model, tmp_path):
        (tmp_path / "photo.jpg").write_text("hello")
        message = self.refuse(model, tmp_path / "photo.jpg", tmp_path)
        assert message.startswith(f"{tmp_path / 'photo.jpg'} cannot be read as an image: text, not an image")

    @pytest.mark.bad_input("list or table")
    def test_a_list_with_a_missing_image(self, model, tmp_path):
        (tmp_path / "list.txt").write_text("absent.jpg\n")
        message = self.refuse(model, tmp_path / "list.txt", tmp_path)
        assert message.startswith(f"{tmp_path / 'absent.jpg'} cannot be read as an image: ")

    @pytest.mark.bad_input("list or table")
    def test_a_list_that_is_no_text(self, model, tmp_path):
        (tmp_path / "weights.bin").write_bytes(b"\xff\xfe\0\x80")
        message = self.refuse(model, tmp_path / "weights.bin", tmp_path)
        assert message.startswith(f"{tmp_path / 'weights.bin'} is not text; expected is a folder of images")

    @pytest.mark.bad_input("list or table")
    @pytest.mark.parametrize(("name", "content", "message"), LISTS, ids=[message for *_, message in LISTS])
    def test_a_list_with_a_fault(self, model, tmp_path, name, content, message):
        write_images(tmp_path, numbered(2))
        path = tmp_path / name
        path.write_bytes(content)
        assert message.replace("LIST", str(path)).replace("FOLDER", str(tmp_path)) in self.refuse(model, path, tmp_path)

    @pytest.mark.bad_input("list or table")
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\n\n", "standard input is empty"),
            (b"\xff\xfe\n", "- is not text; expected is a folder of images"),
            (b"a\0b.png\n", r"- lists the path 'a\x00b.png', with a character that no file name has"),
            (b"absent.png\n", "absent.png cannot be read as an image"),
        ],
    )
    def test_lines_on_standard_input_with_a_fault(self, model, tmp_path, content, message):
        assert message in self.refuse(model, "-", tmp_path, stdin=content)

    @pytest.mark.bad_input("list or table")
    def test_a_csv_file_without_paths(self, model, tmp_path):
        path = tmp_path / "list.csv"
        path.write_text("file,camera\na.jpg,1\n")
        assert f"{path} has the columns file, camera; expected is a column `path`" in self.refuse(model, path, tmp_path)
        path.write_text("path,camera\na.jpg,1\n,2\n")
        assert self.refuse(model, path, tmp_path) == f"{path}, line 3: the path is empty; remove the line"

    @pytest.mark.bad_input("list or table")
    def test_a_file_name_that_is_not_utf8(self, model, tmp_path):
        photos = write_images(tmp_path / "photos", ["a.png"])
        (photos / "a.png").rename(os.fsdecode(os.fsencode(photos) + b"/\xff.png"))
        assert "is not UTF-8, which Parquet needs; rename the file" in self.refuse(model, photos, tmp_path)

    @pytest.mark.bad_input("weights or model")
    def test_a_directory_without_config_json(self, photos, tmp_path):
        (tmp_path / "model").mkdir()
        message = self.refuse(tmp_path / "model", photos, tmp_path)
        assert message.startswith(f"{tmp_path / 'model' / 'config.json'} is missing; ")

    @pytest.mark.bad_input("weights or model")
    def test_a_model_of_a_newer_version(self, photos, tmp_path):
        path = write_model(tmp_path / "model") / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
        message = self.refuse(path.parent, photos, tmp_path)
        assert "has the format 99, and this version of metabin reads up to 1; install a newer version" in message

    @pytest.mark.bad_input("command line")
    @pytest.mark.parametrize("device", ["gpu", "", "CPU", "cuda:-1", "cuda:x", "mps", "meta"])
    def test_a_device_of_another_kind(self, model, photos, tmp_path, device):
        message = refuse("embed", model, photos, "--output", tmp_path / "out", "--device", device)
        assert message == f"the device is {device!r}; expected is auto, cpu, cuda or cuda:0"

    @pytest.mark.bad_input("command line")
    def test_an_absent_device(self, model, photos, tmp_path):
        message = refuse("embed", model, photos, "--output", tmp_path / "out", "--device", "cuda:99")
        assert re.fullmatch(r"the device is cuda:99, but torch finds \d+ CUDA devices; use auto", message)

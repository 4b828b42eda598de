"""`metabin search`: exact and approximate matches, their table and picture, and what it refuses."""

import csv
import io
import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tiny import numbered, refuse, succeed, write_images, write_model

import metabin
from metabin.commands import approximate, match_picture, nearest
from metabin.commands.embedding_manifest import Manifest
from metabin.commands.embedding_writer import ShardFolder
from metabin.commands.nearest import InMemory, NearestImages, search_exactly

NUM_GALLERY = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two queries and a gallery, which has the first query too."""
    folder = tmp_path_factory.mktemp("photos")
    write_images(folder / "query", ["q0.png", "q1.png"], seed=1)
    write_images(folder / "gallery", numbered(NUM_GALLERY))
    (folder / "gallery/005.png").write_bytes((folder / "query/q0.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def embedded(model, photos):
    """The embeddings of the gallery, in shards."""
    succeed("embed", model, photos / "gallery", "--output", photos / "embedded", "--shard-size", 5)
    return photos / "embedded"


def expected(model, photos, top):
    """For each query the paths and scores of the best, by comparison of all."""
    loaded = metabin.load(model, device="cpu")
    query, gallery = (
        loaded.embed(sorted((photos / folder).iterdir())).astype(np.float64) for folder in ("query", "gallery")
    )
    scores = query @ gallery.T
    order = np.argsort(-scores, axis=1)[:, :top]
    return [[(f"{i:03d}.png", scores[row, i]) for i in order[row]] for row in range(2)]


@pytest.mark.parametrize("gallery", ["gallery", "embedded", "single file"])
def test_the_best_matches_are_those_of_a_comparison_with_all(gallery, model, photos, embedded):
    source = photos / gallery
    if gallery == "single file":
        source = photos / "one.parquet"
        table = pa.concat_tables([pq.read_table(path) for path in sorted(embedded.glob("*.parquet"))])
        pq.write_table(table, source)
    result = succeed("search", model, photos / "query", source, "--top", 3, "--format", "json")
    values = json.loads(result.stdout)
    assert [entry["query"] for entry in values] == ["q0.png", "q1.png"]
    for entry, matches in zip(values, expected(model, photos, 3), strict=True):
        assert [match["path"] for match in entry["matches"]] == [path for path, _ in matches]
        assert [match["rank"] for match in entry["matches"]] == [1, 2, 3]
        assert [match["score"] for match in entry["matches"]] == pytest.approx([s for _, s in matches], abs=1e-4)
    assert values[0]["matches"][0] == {"rank": 1, "path": "005.png", "score": 1.0}


def test_the_formats_have_the_same_matches(model, photos, embedded):
    outputs = {
        kind: succeed("search", model, photos / "query", embedded, "--top", 11, "--format", kind).stdout
        for kind in ("text", "csv", "json")
    }
    rows = list(csv.DictReader(io.StringIO(outputs["csv"])))
    assert list(rows[0]) == ["query", "rank", "path", "score"]
    from_json = [
        (entry["query"], str(match["rank"]), match["path"], f"{match['score']:.4f}")
        for entry in json.loads(outputs["json"])
        for match in entry["matches"]
    ]
    assert [tuple(row.values()) for row in rows] == from_json
    lines = outputs["text"].splitlines()
    assert lines[0] == "q0.png"
    assert lines[1] == "   1  1.0000  005.png"
    assert lines[12:14] == ["", "q1.png"]


def test_queries_may_be_one_image_a_list_or_embeddings(model, photos, embedded, tmp_path):
    query = photos / "query/q0.png"
    (tmp_path / "list.csv").write_text(f"path\n{query}\n")
    succeed("embed", model, query, "--output", tmp_path / "embedded")
    for source in (query, tmp_path / "list.csv", tmp_path / "embedded"):
        result = succeed("search", model, source, embedded, "--top", 1, "--format", "csv")
        assert result.stdout.splitlines() == ["query,rank,path,score", f"{query},1,005.png,1.0000"]


def test_more_matches_than_images_are_all_images(model, photos, embedded):
    result = succeed("search", model, photos / "query/q0.png", embedded, "--top", 50)
    assert len(result.stdout.splitlines()) == 1 + NUM_GALLERY


class TestExactSearch:
    @pytest.mark.parametrize(("query_rows", "gallery_rows"), [(1, 1), (3, 4), (100, 7), (2, 1000)])
    def test_blocks_change_nothing(self, query_rows, gallery_rows, monkeypatch):
        random = np.random.default_rng(0)
        query, gallery = (random.standard_normal((n, 8)).astype(np.float32) for n in (7, 50))
        monkeypatch.setattr(nearest, "QUERY_ROWS", query_rows)
        monkeypatch.setattr(nearest, "GALLERY_ROWS", gallery_rows)
        matches = search_exactly(query, InMemory(gallery), 5)
        scores = metabin.similarity(query, gallery)
        order = np.argsort(-scores, axis=1)[:, :5]
        np.testing.assert_array_equal(matches.index, order)
        np.testing.assert_allclose(matches.scores, np.take_along_axis(scores, order, 1), atol=1e-6)

    def test_equal_scores_are_in_the_order_of_the_gallery(self, monkeypatch):
        monkeypatch.setattr(nearest, "GALLERY_ROWS", 2)
        gallery = InMemory(np.array([[0, 1], [1, 0], [1, 0], [0, 1], [1, 0]], np.float32))
        matches = search_exactly(np.array([[1, 0]], np.float32), gallery, 4)
        assert matches.index.tolist() == [[1, 2, 4, 0]]
        assert matches.scores.tolist() == [[1, 1, 1, 0]]


class TestApproximateSearch:
    @pytest.fixture(autouse=True)
    def faiss(self):
        return pytest.importorskip("faiss")

    @pytest.fixture
    def clustered(self):
        """1,000 embeddings around 50 centres, and a query near each centre."""
        random = np.random.default_rng(0)
        centres = random.standard_normal((50, 32))
        gallery = centres.repeat(20, axis=0) + 0.3 * random.standard_normal((1_000, 32))
        query = centres + 0.3 * random.standard_normal((50, 32))
        return query.astype(np.float32), InMemory(gallery.astype(np.float32))

    def test_it_returns_most_of_the_exact_matches(self, clustered):
        query, gallery = clustered
        matches = approximate.search_approximately(query, gallery, 10, None)
        share, count = approximate.agreement(query, gallery, matches, np.random.default_rng(0))
        assert count == 50
        assert 0.8 < share <= 1
        exact = search_exactly(query, gallery, 10)
        np.testing.assert_allclose(matches.scores[:, 0], exact.scores[:, 0], atol=0.01)

    def test_the_agreement_is_the_share_of_the_exact_matches(self, clustered):
        query, gallery = clustered
        exact = search_exactly(query, gallery, 4)
        half = np.where(np.arange(4) < 2, exact.index, -1)
        for index, share in ((exact.index, 1), (exact.index[:, ::-1], 1), (half, 0.5)):
            matches = NearestImages(index, exact.scores)
            assert approximate.agreement(query, gallery, matches, np.random.default_rng(0)) == (share, 50)

    def test_the_index_is_kept_beside_the_embeddings_and_reported(self, model, photos, tmp_path):
        output = tmp_path / "embedded"
        succeed("embed", model, photos / "gallery", "--output", output)
        for _ in range(2):
            result = succeed("search", model, photos / "query", output, "--index", "faiss", "--top", 3)
            assert "FAISS returns 100.0 % of the exact top 3 (mean of 2 queries)" in result.stderr
            number = (output / "_index.faiss").stat().st_ino
        succeed("search", model, photos / "query", output, "--index", "faiss")
        assert (output / "_index.faiss").stat().st_ino == number
        (output / "_index.faiss").write_bytes(b"damaged")
        succeed("search", model, photos / "query", output, "--index", "faiss")
        assert (output / "_index.faiss").stat().st_size > 1000
        succeed("embed", model, photos / "query", "--output", output, "--overwrite")
        assert not (output / "_index.faiss").exists()

    def test_auto_is_exact_for_few_embeddings(self, model, photos, embedded, monkeypatch):
        result = succeed("search", model, photos / "query", embedded, "--index", "auto")
        assert "FAISS" not in result.stderr
        monkeypatch.setattr("metabin.commands.search.FEW", NUM_GALLERY - 1)
        assert "FAISS returns" in succeed("search", model, photos / "query", embedded, "--index", "auto").stderr


def test_without_faiss_the_message_says_what_to_install(model, photos, embedded, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    message = refuse("search", model, photos / "query", embedded, "--index", "faiss")
    assert "run `pip install 'metabin[search]'`, or use --index exact" in message


class TestPicture:
    def test_it_has_a_row_per_query_with_the_matches_in_order(self, model, photos, embedded, tmp_path):
        path = tmp_path / "matches.png"
        succeed("search", model, photos / "query", embedded, "--top", 3, "--picture", path)
        with Image.open(path) as picture:
            picture.load()
        width, height = match_picture.IMAGE
        top = match_picture.MARGIN + match_picture.HEADING
        for row, matches in enumerate(expected(model, photos, 3)):
            y = top + row * (height + match_picture.CAPTION + match_picture.GAP)
            corners = [(match_picture.MARGIN, f"query/q{row}.png")]
            corners += [(match_picture._column(rank), f"gallery/{name}") for rank, (name, _) in enumerate(matches)]
            for x, name in corners:
                cell = picture.crop((x, y, x + width, y + height))
                with Image.open(photos / name) as image:
                    middle = np.asarray(image.convert("RGB").resize((width, height)), np.float64)[60:-60, 30:-30]
                assert np.abs(np.asarray(cell, np.float64)[60:-60, 30:-30] - middle).mean() < 12, name

    def test_it_is_limited_to_twenty_queries_and_ten_matches(self, model, tmp_path):
        photos = write_images(tmp_path / "photos", numbered(22))
        succeed("search", model, photos, photos, "--top", 15, "--picture", tmp_path / "matches.jpg")
        with Image.open(tmp_path / "matches.jpg") as picture:
            rows = (picture.height - 2 * match_picture.MARGIN) / (match_picture.IMAGE[1] + match_picture.CAPTION)
            columns = (picture.width - 2 * match_picture.MARGIN) / (match_picture.IMAGE[0] + match_picture.GAP)
        assert (int(rows), int(columns)) == (21, 11)

    def test_images_that_were_moved_are_found_in_their_new_folder(self, model, photos, tmp_path):
        folder = write_images(tmp_path / "old", numbered(3))
        succeed("embed", model, folder, "--output", tmp_path / "embedded")
        folder.rename(tmp_path / "new")
        arguments = ["search", model, photos / "query", tmp_path / "embedded", "--picture", tmp_path / "p.png"]
        assert refuse(*arguments).endswith("if the images of the gallery were moved, pass their folder as --images")
        succeed(*arguments, "--images", tmp_path / "new")
        assert (tmp_path / "p.png").is_file()

    @pytest.mark.bad_input("command line")
    def test_another_suffix_is_refused_before_the_search(self, model, photos, embedded):
        message = refuse("search", model, photos / "query", embedded, "--picture", "p.pdf")
        assert message == "--picture is p.pdf; expected is a name that ends with .png or .jpg"


class TestBadInput:
    def refuse(self, model, gallery, photos):
        return refuse("search", model, photos / "query", gallery)

    @pytest.mark.bad_input("embeddings")
    def test_embeddings_of_another_model(self, model, embedded, photos, tmp_path):
        message = self.refuse(write_model(tmp_path, seed=1), embedded, photos)
        assert message.startswith(f"{embedded} has embeddings of the model with the sha256 ")
        assert message.endswith("write them again with `metabin embed --overwrite`, or use their model")

    @pytest.mark.bad_input("embeddings")
    def test_embeddings_of_another_size(self, model, photos, tmp_path):
        shards = ShardFolder(tmp_path / "small", Manifest("0" * 64, 64, ".", "", 1, 1))
        shards.open(overwrite=False)
        shards.write(0, ["a.jpg"], np.ones((1, 64), np.float32), [])
        message = self.refuse(model, tmp_path / "small", photos)
        assert "has embeddings of 64 values, and those of the model have 128; " in message

    @pytest.mark.bad_input("embeddings")
    def test_a_file_that_is_no_parquet(self, model, photos, tmp_path):
        path = tmp_path / "gallery.parquet"
        assert self.refuse(model, path, photos) == f"{path} does not exist; write it with `metabin embed`"
        path.write_bytes(b"PAR1 no")
        message = self.refuse(model, path, photos)
        assert message.startswith(f"{path} is not a Parquet file, or damaged (")

    @pytest.mark.bad_input("embeddings")
    def test_a_damaged_shard(self, model, photos, tmp_path):
        output = tmp_path / "embedded"
        succeed("embed", model, photos / "gallery", "--output", output)
        shard = output / "part-00000.parquet"
        content = shard.read_bytes()
        shard.write_bytes(content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :])
        assert self.refuse(model, output, photos).startswith(f"{shard} is not a Parquet file, or damaged (")

    @pytest.mark.bad_input("embeddings")
    def test_a_parquet_file_of_another_program(self, model, photos, tmp_path):
        path = tmp_path / "table.parquet"
        pq.write_table(pa.table({"path": ["a.jpg"]}), path)
        message = self.refuse(model, path, photos)
        assert message == (
            f"{path} does not say which model its embeddings are of; expected is the output of `metabin embed`"
        )

    @pytest.mark.bad_input("embeddings")
    def test_embeddings_that_are_not_finished(self, model, photos, tmp_path):
        output = tmp_path / "embedded"
        succeed("embed", model, photos / "gallery", "--output", output, "--shard-size", 5)
        (output / "part-00001.parquet").unlink()
        message = self.refuse(model, output, photos)
        assert message.startswith(f"{output} lacks 1 of 3 shards; run its `metabin embed` command again")

    @pytest.mark.bad_input("image")
    def test_an_unreadable_image_in_the_gallery(self, model, photos, tmp_path):
        gallery = write_images(tmp_path / "gallery", numbered(3))
        (gallery / "001.png").write_text("no image")
        message = self.refuse(model, gallery, photos)
        assert message.startswith(f"{gallery / '001.png'} cannot be read as an image: ")

    @pytest.mark.bad_input("embeddings")
    def test_a_gallery_without_a_readable_image(self, model, photos, tmp_path):
        gallery = write_images(tmp_path / "gallery", ["a.png"])
        (gallery / "a.png").write_text("no image")
        succeed("embed", model, gallery, "--output", tmp_path / "embedded", "--skip-unreadable")
        for arguments in ((photos / "query", tmp_path / "embedded"), (tmp_path / "embedded", photos / "query")):
            assert refuse("search", model, *arguments).endswith("all of its images were left out as unreadable")

    @pytest.mark.bad_input("command line")
    def test_a_missing_query(self, model, embedded, photos):
        message = refuse("search", model, photos / "absent.jpg", embedded)
        assert message.startswith(f"{photos / 'absent.jpg'} does not exist; expected is a folder of images")

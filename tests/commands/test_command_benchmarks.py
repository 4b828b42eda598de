"""Both sides of the benchmarks of `embed` and `search` compute the same."""

import numpy as np
import pytest

from benchmarks import embed, search
from metabin.inference.similarity import unit_length


def test_embedding_arrays_is_the_forward_pass(monkeypatch):
    monkeypatch.setitem(embed.NETWORKS, "resnet_small", (32, 16, 3))
    ours = embed.embed("resnet_small", "arrays", "")()
    other = np.concatenate([batch.numpy() for batch in embed.forward("resnet_small", "")()])
    np.testing.assert_allclose(ours, unit_length(other), rtol=0, atol=1e-6)


def test_embedding_files_is_reading_and_the_forward_pass(monkeypatch, tmp_path):
    monkeypatch.setitem(embed.NETWORKS, "resnet_small", (32, 16, 3))
    for name, value in {"NUM_FILES": 4, "NUM_IMAGES": 10}.items():
        monkeypatch.setattr(embed, name, value)
    embed.write_files(tmp_path)
    ours = embed.embed("resnet_small", "files", str(tmp_path))()
    other = np.concatenate([batch.numpy() for batch in embed.read_and_forward("resnet_small", str(tmp_path))()])
    np.testing.assert_allclose(ours, unit_length(other), rtol=0, atol=1e-6)
    lines = (tmp_path / "list.txt").read_text().splitlines()
    assert len(lines) == 10
    assert set(lines) == {path.name for path in tmp_path.glob("*.jpg")}


def test_both_searches_return_the_same(monkeypatch, tmp_path):
    pytest.importorskip("faiss")
    for name, value in {"NUM_GALLERY": 400, "NUM_QUERIES": 5, "SIZE": 16, "SHARD_SIZE": 150}.items():
        monkeypatch.setattr(search, name, value)
    search.write_gallery(tmp_path)
    ours = search.exact(str(tmp_path))()
    scores, index = search.faiss_exact(str(tmp_path))()
    np.testing.assert_array_equal(ours.index, index)
    np.testing.assert_allclose(ours.scores, scores, atol=1e-6)
    assert 0.5 < search.agreement(tmp_path) <= 1

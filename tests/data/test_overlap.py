import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from metabin.data import store
from metabin.data.partition import near_duplicates, overlap, roles
from metabin.errors import DatasetError
from metabin.types import Domain, Fold, ImageRecord

NUM_IDS, NUM_CAMS = 6, 2


def records(name):
    return tuple(
        ImageRecord(f"{pid}_{camid}.png", pid, camid, name) for pid in range(NUM_IDS) for camid in range(NUM_CAMS)
    )


def textures(seed):
    """Images of coarse coloured blocks, (12, 64, 32, 3)."""
    blocks = np.random.default_rng(seed).integers(0, 256, (NUM_IDS * NUM_CAMS, 16, 8, 3), dtype=np.uint8)
    return blocks.repeat(4, axis=1).repeat(4, axis=2)


def write(tmp_path, name, pixels, images=None):
    (tmp_path / name).mkdir()
    for record, image in zip(records(name), pixels, strict=True):
        Image.fromarray(image).save(tmp_path / name / record.path)
    images = images or records(name)
    store.save_domain(tmp_path / "out", name, images, tmp_path / name, height=64, width=32)
    return images


def find(tmp_path, images, splits, *, sources, targets):
    """The overlaps of a fold whose domains are on disk; `images` are the records by domain."""
    directory = tmp_path / "out"
    store.save_image_roots(directory, {name: tmp_path / name for name in images})
    fold = Fold("fold", sources, targets)
    domains = {name: Domain(tuple(records), tmp_path / name, "folders", "") for name, records in images.items()}
    manifest = roles.manifest(fold, splits, domains, dict.fromkeys(images, ""))
    hashes = overlap.hash_domains(directory, images)
    for name in images:
        pixels = store.load_pixels(directory, name)
        np.testing.assert_array_equal(hashes[name], near_duplicates.hash_images(pixels))
    return overlap.find_overlaps(directory, manifest, hashes)


def test_planted_copies_are_found_where_they_train_and_are_tested(tmp_path):
    source = textures(1)
    target = textures(2)
    target[5] = np.roll(source[2], 1, axis=0)  # pid 2 of b was pid 1 of a, which trains
    target[8] = source[2]  # and so was pid 4
    target[0] = source[11]  # pid 5 of a does not train
    images = {name: write(tmp_path, name, pixels) for name, pixels in (("a", source), ("b", target), ("c", target))}
    splits = [
        roles.split_source("a", images["a"], 3),
        roles.split_target("b", images["b"]),
        roles.split_target("c", images["c"][:2]),
    ]
    first, second = find(tmp_path, images, splits, sources=("a",), targets=("b", "c"))
    assert (first["source"], first["target"], first["source_images"], first["target_images"]) == ("a", "b", 6, 12)
    assert (first["num_pairs"], first["pids"], first["distractors"]) == (2, [2, 4], [])
    assert (first["known_overlap"], first["possible_overlap"]) == ("", "")
    assert [example["target"] for example in first["examples"]] == [f"{tmp_path}/b/2_1.png", f"{tmp_path}/b/4_0.png"]
    assert {example["source"] for example in first["examples"]} == {f"{tmp_path}/a/1_0.png"}
    assert first["examples"][1] | {"source": "", "target": ""} == {
        "source": "",
        "target": "",
        "distance": 0,
        "correlation": 1.0,
    }
    assert first["examples"][0]["correlation"] < 1
    assert (second["target"], second["target_images"], second["num_pairs"]) == ("c", 2, 0)
    assert (second["pids"], second["examples"]) == ([], [])


def test_the_images_of_every_trial_are_compared_and_distractors_are_listed_by_row(tmp_path):
    source = textures(1)
    target = textures(2)
    target[3] = source[0]
    target[6] = source[1]
    target[10] = source[2]
    images = {"a": write(tmp_path, "a", source)}
    marked = tuple(replace(record, distractor=record.pid == 5) for record in records("b"))
    images["b"] = write(tmp_path, "b", target, marked)
    trials = [(marked[0:1], marked[1:2] + marked[10:]), (marked[2:3], marked[3:4] + marked[10:])]
    splits = [
        roles.split_source("a", images["a"], "all"),
        roles.split_target("b", images["b"], trials),
    ]
    (entry,) = find(tmp_path, images, splits, sources=("a",), targets=("b",))
    assert entry["target_images"] == 6
    assert (entry["num_pairs"], entry["pids"], entry["distractors"]) == (2, [1], [10])  # row 6, pid 3, is in no trial


def test_examples_are_few_and_the_least_alike(tmp_path):
    source = textures(1)
    noise = np.random.default_rng(0).normal(size=source.shape)
    strength = np.arange(len(source)).reshape(-1, 1, 1, 1) * 2
    target = np.clip(source + strength * noise, 0, 255).astype(np.uint8)
    images = {"a": write(tmp_path, "a", source), "b": write(tmp_path, "b", target)}
    splits = [roles.split_source("a", images["a"], "all"), roles.split_target("b", images["b"])]
    (entry,) = find(tmp_path, images, splits, sources=("a",), targets=("b",))
    assert entry["num_pairs"] == 12
    assert [example["target"].split("/")[-1] for example in entry["examples"]] == [
        records("b")[index].path for index in (11, 10, 9, 8)
    ]


def test_known_overlaps_hold_in_both_directions_and_possible_ones_are_only_remarks():
    assert "971 people" in overlap.known_overlap("cuhk02", "cuhk01")
    assert overlap.known_overlap("cuhk01", "cuhk02") == overlap.known_overlap("cuhk02", "cuhk01")
    assert overlap.possible_overlap("cuhk01", "cuhk02") == ""
    assert overlap.known_overlap("cuhk02", "cuhk03") == ""
    assert "may be in both" in overlap.possible_overlap("cuhk03", "cuhk02")
    assert overlap.known_overlap("market1501", "cuhk02") == overlap.possible_overlap("market1501", "cuhk02") == ""


def test_overlaps_are_plain_values_on_disk(tmp_path):
    images = {"a": write(tmp_path, "a", textures(1)), "b": write(tmp_path, "b", textures(1))}
    splits = [roles.split_source("a", images["a"], "all"), roles.split_target("b", images["b"])]
    values = find(tmp_path, images, splits, sources=("a",), targets=("b",))
    assert values[0]["num_pairs"] == 12
    store.save_overlaps(tmp_path, "fold", values)
    assert store.load_overlaps(tmp_path, "fold") == values == json.loads((tmp_path / "overlaps/fold.json").read_text())
    with pytest.raises(DatasetError, match=r"overlaps/moon.json is missing; run `dvc repro partition`"):
        store.load_overlaps(tmp_path, "moon")

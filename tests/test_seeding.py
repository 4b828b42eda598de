"""Tests of seeds: they depend on the root and on the labels only."""

from __future__ import annotations

import subprocess
import sys

from metabin.seeding import derive_seed, generator


def test_every_label_and_its_type_and_order_count():
    seeds = [
        derive_seed(*labels)
        for labels in ((0,), (1,), (0, "a"), (0, "a", "b"), (0, "b", "a"), (0, "ab"), (0, 1), (0, "1"))
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeds_are_the_same_in_another_process():
    code = "from metabin.seeding import derive_seed; print(derive_seed(0, 'augment', 7))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(process.stdout) == derive_seed(0, "augment", 7)


def test_generators_of_equal_labels_give_equal_numbers():
    assert generator(0, "x").random() == generator(0, "x").random() != generator(0, "y").random()

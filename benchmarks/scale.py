"""The cost of real data sets: checking the 121,765 images of Protocol-1, on one thread.

The images are noise; their number, names and sizes are those of the data sets, and so are time and
memory.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.loading import jpeg
from metabin.data.acquisition import check
from metabin.data.partition import roles
from metabin.types import Domain, Fold, ImageRecord
from stages import cli

# The number of images of P-1's sources, from protocols/p1-duke.yaml.
SOURCES = {
    "cuhk02": 7_264,
    "cuhk03": 14_097,
    "market1501": 29_419,
    "dukemtmcreid": 36_411,
    "cuhk_sysu": 34_574,
}
NUM_TEMPLATES = 500  # different images, which are repeated under all names


def main() -> None:
    costs = measure()
    # ru_maxrss is in kilobytes on Linux.
    costs["peak memory, GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({name: round(value, 2) for name, value in costs.items()}, indent=1))


def measure() -> dict[str, float]:
    """Check every image and make the manifest of P-1; return the processor seconds of both."""
    random = np.random.default_rng(0)
    templates = [jpeg(random) for _ in range(NUM_TEMPLATES)]
    with tempfile.TemporaryDirectory() as folder:
        domains = {
            name: stand_in(Path(folder), name, number, templates)
            for name, number in SOURCES.items()
        }
        start = time.process_time()
        for name, domain in domains.items():
            check.check_images(name, domain.images, domain.records, {})
        checked = time.process_time() - start
        splits = [
            roles.split_source(name, domain.records, "all") for name, domain in domains.items()
        ]
        fold = Fold("small_sets", tuple(domains), ("viper",))
        roles.manifest(fold, splits, domains, dict.fromkeys(domains, ""))
        both = time.process_time() - start
    return {
        "images": sum(SOURCES.values()),
        "checked, s": checked,
        "manifest, s": both - checked,
    }


def stand_in(folder: Path, name: str, number: int, templates: list[bytes]) -> Domain:
    """Write a data set of repeated images: 8 per identity, 6 cameras."""
    records = tuple(
        ImageRecord(f"{index:06}.jpg", index // 8, index % 6, name) for index in range(number)
    )
    (folder / name).mkdir()
    for index, record in enumerate(records):
        (folder / name / record.path).write_bytes(templates[index % NUM_TEMPLATES])
    return Domain(records, folder / name, "stand-in", "")


if __name__ == "__main__":
    cli.run(main)

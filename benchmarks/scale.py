"""What real data sets cost: checking the 121,765 images of Protocol-1. One thread.

Stand-ins of the right number, names and image size, of noise: time and memory are those of the data.
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

# Images of P-1's sources, from protocols/p1-duke.yaml; written as JPEGs of Market-1501's size.
SOURCES = {"cuhk02": 7_264, "cuhk03": 14_097, "market1501": 29_419, "dukemtmcreid": 36_411, "cuhk_sysu": 34_574}
NUM_TEMPLATES = 500  # different images; their files are repeated under all names


def main() -> None:
    found = manifests()
    found["peak memory, GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({name: round(value, 2) for name, value in found.items()}, indent=1))


def manifests() -> dict[str, float]:
    """Examine every image and write the manifest of P-1."""
    random = np.random.default_rng(0)
    templates = [jpeg(random) for _ in range(NUM_TEMPLATES)]
    with tempfile.TemporaryDirectory() as folder:
        domains = {name: stand_in(Path(folder), name, number, templates) for name, number in SOURCES.items()}
        start = time.process_time()
        for name, domain in domains.items():
            check.examine(name, domain.images, domain.records, {})
        examined = time.process_time() - start
        splits = [roles.split_source(name, domain.records, "all") for name, domain in domains.items()]
        fold = Fold("small_sets", tuple(domains), ("viper",))
        roles.manifest(fold, splits, domains, dict.fromkeys(domains, ""))
        both = time.process_time() - start
    return {"images": sum(SOURCES.values()), "examined, s": examined, "manifest, s": both - examined}


def stand_in(folder: Path, name: str, number: int, templates: list[bytes]) -> Domain:
    records = tuple(ImageRecord(f"{index:06}.jpg", index // 8, index % 6, name) for index in range(number))
    (folder / name).mkdir()
    for index, record in enumerate(records):
        (folder / name / record.path).write_bytes(templates[index % NUM_TEMPLATES])
    return Domain(records, folder / name, "stand-in", "")


if __name__ == "__main__":
    cli.run(main)

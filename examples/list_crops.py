"""List the crops of a camera network in a CSV file, which makes them a data set of the project.

    python examples/list_crops.py datasets gate lobby garage

reads datasets/gate/<person>/<camera>_<anything>.jpg and writes datasets/gate.csv. Every folder is a
person, and the name of a file up to the first "_" is its camera. For other names, change `records`.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path


def records(folder: Path, name: str) -> Iterator[tuple[str, int, int, str]]:
    """Yield path, pid, camid and domain of every crop of a network."""
    people = sorted(path for path in (folder / name).iterdir() if path.is_dir())
    paths = [path for person in people for path in sorted(person.glob("*.jpg"))]
    cameras = sorted({camera_name(path) for path in paths})
    for path in paths:
        pid = people.index(path.parent)
        camid = cameras.index(camera_name(path))
        yield path.relative_to(folder).as_posix(), pid, camid, name


def camera_name(path: Path) -> str:
    """Return the camera in the name of a file."""
    return path.name.partition("_")[0]


def main() -> None:
    """Write a CSV file for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    args = parser.parse_args()
    for name in args.names:
        rows = list(records(args.folder, name))
        with (args.folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "pid", "camid", "domain"])
            writer.writerows(rows)
        print(f"{args.folder / name}.csv: {len(rows)} images")


if __name__ == "__main__":
    main()

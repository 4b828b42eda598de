"""Draw crops of three camera networks, as stand-ins for those of real cameras.

    python examples/draw_crops.py datasets

writes datasets/gate/<person>/<camera>_<image>.jpg, and the same for lobby and garage. The people
are rendered: the crops are those of three sites of the synthetic benchmark.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metabin.synthetic import NUM_CAMS, RenderSettings, render_image

SITES = {"gate": "campus", "lobby": "mall", "garage": "station"}


def draw_network(folder: Path, site: str, settings: RenderSettings) -> int:
    """Draw all images of a site into a folder per person, and return their number."""
    for pid in range(1, settings.num_ids + 1):
        person = folder / f"person-{pid:03d}"
        person.mkdir(parents=True, exist_ok=True)
        for camera in range(NUM_CAMS):
            for shot in range(settings.num_shots):
                content = render_image(settings, site, pid, camera, shot)
                (person / f"cam{camera + 1}_{shot:04d}.jpg").write_bytes(content)
    return settings.num_ids * NUM_CAMS * settings.num_shots


def main() -> None:
    """Draw the networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=40, help="of each network")
    args = parser.parse_args()
    settings = RenderSettings(num_ids=args.people, seed=7)
    for name, site in SITES.items():
        number = draw_network(args.folder / name, site, settings)
        print(f"{args.folder / name}: {args.people} people, {number} images")


if __name__ == "__main__":
    main()

"""Bring one domain into data/raw/<domain>: draw a site of the embedded benchmark, or obtain a local data set."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli, layout

if TYPE_CHECKING:
    from metabin.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domain", required=True, help="a site, a data set, your own data, or a group")
    domain = parser.parse_args().domain

    from metabin.config import load_config
    from metabin.data import catalogue
    from metabin.files import write_text

    config = load_config()
    configured = layout.raw_folders(config.protocol)
    if domain in (*config.protocol.domains, *config.protocol.sources):
        catalogue.require_listed(configured, config.data)  # of all domains: before anything is drawn or fetched
    for name, folder in layout.raw(domain, config.protocol).items():
        if catalogue.is_drawn(name, config.data):
            draw(config, name, folder)
        else:
            obtain_local(config, name)
            if name in configured:
                write_text(folder / "local.json", json.dumps({"local": name}) + "\n")


def draw(config: Config, name: str, folder: Path) -> None:
    """Draw a site of the embedded benchmark."""
    from metabin.data import catalogue

    settings = catalogue.draw_settings(config.benchmark)
    with cli.progress(f"draw {name}", catalogue.num_images(settings), "image") as advance:
        catalogue.draw(name, folder, settings, workers=os.cpu_count() or 1, on_image=advance)


def obtain_local(config: Config, name: str) -> None:
    """Fetch or unpack a local data set where there is none; its images stay in data.folder, where `check` reads them.

    Raises:
        DatasetError: it is absent and cannot be fetched, or it is damaged.
    """
    from metabin.data.acquisition import local_datasets
    from metabin.data.acquisition.obtain import obtain
    from metabin.files import resolve_local

    folder = resolve_local(Path(config.data.folder))
    obtain(name, folder, cli.progress, lambda line: print(f"{name}: {line}", flush=True))
    local_datasets.find_copy(name, folder, acknowledged=config.data.acknowledge_withdrawn)


if __name__ == "__main__":
    cli.run(main)

"""Bring one domain into data/raw/<domain>: render a site, or obtain a local data set."""

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
    parser.add_argument(
        "--domain", required=True, help="a site, a published or custom data set, or a group"
    )
    domain = parser.parse_args().domain

    from metabin.config import load_config
    from metabin.data import catalogue
    from metabin.files import write_text

    config = load_config()
    configured = layout.raw_folders(config.protocol)
    if domain in (*config.protocol.domains, *config.protocol.sources):
        # Checks all domains, before anything is rendered or fetched.
        catalogue.require_listed(configured, config.data)
    for name, folder in layout.raw(domain, config.protocol).items():
        if catalogue.is_rendered(name, config.data):
            render_site(config, name, folder)
        else:
            obtain_local(config, name)
            if name in configured:
                write_text(folder / "local.json", json.dumps({"local": name}) + "\n")


def render_site(config: Config, name: str, folder: Path) -> None:
    """Render a site of the synthetic benchmark into a folder."""
    from metabin.data import catalogue

    settings = catalogue.render_settings(config.benchmark)
    with cli.progress(f"render {name}", catalogue.num_images(settings), "image") as advance:
        workers = os.cpu_count() or 1
        catalogue.render_site(name, folder, settings, workers=workers, on_image=advance)


def obtain_local(config: Config, name: str) -> None:
    """Fetch or unpack a local data set if it is absent, and check that it can be read.

    The images stay in data.folder, where the stage `check` reads them.

    Raises:
        DatasetError: The data set is absent and cannot be fetched, or it is damaged.
    """
    from metabin.data.acquisition import local_datasets
    from metabin.data.acquisition.obtain import obtain
    from metabin.files import resolve_local

    folder = resolve_local(Path(config.data.folder))
    obtain(name, folder, cli.progress, lambda line: print(f"{name}: {line}", flush=True))
    acknowledged = config.data.acknowledge_withdrawn
    local_datasets.find_local_dataset(name, folder, acknowledged=acknowledged)


if __name__ == "__main__":
    cli.run(main)

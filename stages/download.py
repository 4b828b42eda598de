"""Bring one domain into data/raw/<domain>: draw a site of the embedded benchmark, or obtain and examine a data set."""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli, layout
from stages.examine import examine

if TYPE_CHECKING:
    from PIL import Image

    from metabin.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domain", required=True, help="a site, a data set, your own data, or a group")
    domain = parser.parse_args().domain

    from metabin.config import load_config
    from metabin.data import catalogue
    from metabin.files import write_bytes

    config = load_config()
    folders = layout.raw(domain, config.protocol)
    drawn = {name: catalogue.is_drawn(name, Path(config.data.folder)) for name in folders}
    sheets = [(draw if drawn[name] else take)(config, name, folder) for name, folder in folders.items()]
    sheet = io.BytesIO()
    sheets[0].save(sheet, "JPEG", quality=92)
    write_bytes(layout.sheet(domain), sheet.getvalue())


def draw(config: Config, name: str, folder: Path) -> Image.Image:
    """A site of the embedded benchmark."""
    from metabin.data import catalogue
    from metabin.data.synthetic import contact_sheet

    settings = catalogue.draw_settings(config.benchmark)
    with cli.progress(f"draw {name}", catalogue.num_images(settings), "image") as advance:
        catalogue.draw(name, folder, settings, workers=os.cpu_count() or 1, on_image=advance)
    return contact_sheet(folder, num_ids=min(8, settings.num_ids))


def take(config: Config, name: str, folder: Path) -> Image.Image:
    """A copy of a data set: obtained where there is none, examined, and its records written down. The images stay."""
    from metabin.data import copies
    from metabin.data.obtain import obtain
    from metabin.data.sheet import identity_sheet
    from metabin.errors import DatasetError

    obtain(name, Path(config.data.folder), cli.progress, lambda line: print(f"{name}: {line}", flush=True))
    copy, found = examine(config, name)
    if found.problems and name not in config.data.accept_unfit:
        raise DatasetError(
            f"{name} in {copy.images} is not what it should be: {'; '.join(found.problems)}. Copy it again, or add it "
            "to data.accept_unfit to use it as it is"
        )
    if found.untestable:
        raise DatasetError(f"{name} in {copy.images}: {found.untestable}")
    copies.save_copy(folder, copy, found)
    return identity_sheet(copy.records, copy.images)


if __name__ == "__main__":
    cli.run(main)

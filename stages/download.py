"""Bring one domain's images into data/raw/<domain>. The sites of the embedded benchmark are drawn."""

from __future__ import annotations

import argparse
import io
import os

from stages import cli, layout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domain", required=True, help="a site of the embedded benchmark, or a group")
    domain = parser.parse_args().domain

    from metabin.config import load_config
    from metabin.data import catalogue
    from metabin.data.synthetic import contact_sheet
    from metabin.files import write_bytes

    config = load_config()
    settings, folders = catalogue.draw_settings(config.benchmark), layout.raw(domain, config.protocol.groups)
    catalogue.check_domains(list(folders))
    for name, folder in folders.items():
        with cli.progress(f"draw {name}", catalogue.num_images(settings), "image") as advance:
            catalogue.fetch(name, folder, settings, workers=os.cpu_count() or 1, on_image=advance)
    sheet = io.BytesIO()
    contact_sheet(next(iter(folders.values())), num_ids=min(8, settings.num_ids)).save(sheet, "JPEG", quality=92)
    write_bytes(layout.sheet(domain), sheet.getvalue())


if __name__ == "__main__":
    cli.run(main)

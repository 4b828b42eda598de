"""Bring one domain's images into data/raw/<domain>. The sites of the embedded benchmark are drawn."""

from __future__ import annotations

import argparse
import io
import os

from stages import cli, layout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domain", required=True, help="a site of the embedded benchmark")
    domain = parser.parse_args().domain

    from metabin.config import load_config
    from metabin.data import catalogue
    from metabin.data.synthetic import contact_sheet
    from metabin.files import write_bytes

    settings = catalogue.draw_settings(load_config().benchmark)
    catalogue.check_domains([domain])
    with cli.progress(f"draw {domain}", catalogue.num_images(settings), "image") as advance:
        catalogue.fetch(domain, layout.raw(domain), settings, workers=os.cpu_count() or 1, on_image=advance)
    sheet = io.BytesIO()
    contact_sheet(layout.raw(domain), num_ids=min(8, settings.num_ids)).save(sheet, "JPEG", quality=92)
    write_bytes(layout.sheet(domain), sheet.getvalue())


if __name__ == "__main__":
    cli.run(main)

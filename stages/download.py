"""Bring one domain's images into data/raw/<domain>. The sites of the embedded benchmark are drawn."""

from __future__ import annotations

import argparse
import os

from stages import cli, layout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domain", required=True, help="a site of the embedded benchmark")
    domain = parser.parse_args().domain

    from metabin.config import load_config
    from metabin.data import catalogue

    settings = catalogue.draw_settings(load_config().benchmark)
    catalogue.check_domains([domain])
    with cli.progress(f"draw {domain}", catalogue.num_images(settings), "image") as advance:
        catalogue.fetch(domain, layout.raw(domain), settings, workers=os.cpu_count() or 1, on_image=advance)


if __name__ == "__main__":
    cli.run(main)

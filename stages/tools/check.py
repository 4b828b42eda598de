"""Check local data sets: read every image, compare the counts, and report all problems."""

from __future__ import annotations

import argparse
import sys

from stages import cli, local_data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="+", help="market1501, my_site ...: folders or .csv files in data.folder"
    )
    names = parser.parse_args().names

    from metabin.config import load_config
    from metabin.data.acquisition import local_datasets
    from metabin.errors import DatasetError

    config = load_config()
    all_pass = True
    for name in names:
        try:
            dataset = local_data.find_local_dataset(config, name)
            check = local_data.check_local_dataset(config, name, dataset)
        except DatasetError as error:
            print(f"{name}: {error}")
            all_pass = False
            continue
        print(local_datasets.report(dataset, check))
        all_pass = all_pass and check.passes
    sys.exit(0 if all_pass else 1)


if __name__ == "__main__":
    cli.run(main)

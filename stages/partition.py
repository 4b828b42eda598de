"""Decide which identities train and which test, decode every image once, and write a manifest per fold."""

from __future__ import annotations

import argparse

from stages import cli, layout


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.data import catalogue, partition, store
    from metabin.protocol.folds import datasets, leave_one_out

    config = load_config()
    size, protocol = config.partition, config.protocol
    folds = leave_one_out(protocol.domains, protocol.sources, protocol.groups)
    domains = datasets(folds)
    folders = layout.raw_folders(protocol)
    records = {name: catalogue.read(name, folders[name]) for name in domains}

    splits = {}
    for fold in folds:  # before any image is decoded: what cannot be split costs nothing
        splits[fold] = [partition.split_source(name, records[name], size.num_train_ids) for name in fold.sources]
        splits[fold] += [partition.split_target(name, records[name]) for name in fold.targets]
    digests = {}
    with cli.progress("decode", len(domains), "domain") as advance:
        for name in domains:
            pixels = store.decode(records[name], folders[name], size.height, size.width)
            digests[name] = store.save_domain(layout.PARTITION, name, records[name], pixels)
            advance(1)
    for fold in folds:
        store.save_manifest(layout.PARTITION, partition.manifest(fold, splits[fold], records, digests))


if __name__ == "__main__":
    cli.run(main)

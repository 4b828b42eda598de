"""Decide who trains and who tests, decode every image once; per fold a manifest, and what sources and targets share."""

from __future__ import annotations

import argparse

from stages import cli, layout


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.data import catalogue, duplicates, fixed_splits, leaks, partition, store
    from metabin.protocol.folds import datasets, leave_one_out

    config = load_config()
    size, protocol = config.partition, config.protocol
    folds = leave_one_out(protocol.domains, protocol.sources, protocol.groups)
    domains = datasets(folds)
    folders = layout.raw_folders(protocol)
    found = {name: catalogue.read(name, folders[name]) for name in domains}
    records = {name: found[name][0] for name in domains}

    splits = {}
    for fold in folds:  # before any image is decoded: what cannot be split costs nothing
        splits[fold] = [partition.split_source(name, records[name], size.num_train_ids) for name in fold.sources]
        splits[fold] += [
            partition.split_target(name, records[name], fixed_splits.trials(name, *found[name]))
            for name in fold.targets
        ]
    digests = {}
    with cli.progress("decode", sum(map(len, records.values())), "image") as advance:
        for name, (own_records, images) in found.items():
            digests[name] = store.save_domain(
                layout.PARTITION, name, own_records, images, height=size.height, width=size.width, on_image=advance
            )
    store.save_image_roots(layout.PARTITION, {name: images for name, (_, images) in found.items()})
    hashes = {name: duplicates.hash_images(store.load_pixels(layout.PARTITION, name)) for name in domains}
    for fold in folds:
        manifest = partition.manifest(fold, splits[fold], records, digests)
        store.save_manifest(layout.PARTITION, manifest)
        store.save_leaks(layout.PARTITION, fold.name, leaks.find_leaks(layout.PARTITION, manifest, hashes))


if __name__ == "__main__":
    cli.run(main)

"""Decide who trains and who tests, decode every image once; per fold a manifest, and what sources and targets share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli, layout

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.types import Domain, DomainSplit, Fold


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.data import catalogue, duplicates, leaks, meta_domains, partition, scorable, store
    from metabin.protocol import named
    from metabin.protocol.folds import datasets, leave_one_out

    config = load_config()
    size, protocol = config.partition, config.protocol
    folds = leave_one_out(protocol.domains, protocol.sources, protocol.groups, protocol.sources_of)
    folders = layout.raw_folders(protocol)
    domains = {name: catalogue.read(name, folders[name]) for name in datasets(folds)}
    splits = {fold: split(fold, domains, config) for fold in folds}  # before any image is decoded: errors cost nothing
    meta_domains.check_folds(splits, config)  # decides no output: section meta is no parameter of this stage
    for remark in scorable.check_folds(splits):
        print(f"remark: {remark}")
    protocols = named.load_protocols(layout.PROTOCOLS)
    layouts = {name: domain.layout for name, domain in domains.items()}

    digests = {}
    with cli.progress("decode", sum(len(domain.records) for domain in domains.values()), "image") as advance:
        for name, domain in domains.items():
            digests[name] = store.save_domain(
                layout.PARTITION,
                name,
                domain.records,
                domain.images,
                height=size.height,
                width=size.width,
                on_image=advance,
            )
    store.save_image_roots(layout.PARTITION, {name: domain.images for name, domain in domains.items()})
    hashes = {name: duplicates.hash_images(store.load_pixels(layout.PARTITION, name)) for name in domains}
    for fold in folds:
        membership = named.membership(fold, size.num_train_ids, splits[fold], layouts, protocols)
        values = partition.manifest(fold, splits[fold], domains, digests)
        store.save_manifest(layout.PARTITION, values | {"protocol": membership})
        store.save_leaks(layout.PARTITION, fold.name, leaks.find_leaks(layout.PARTITION, values, hashes))
        print(named.summary(fold, membership))


def split(fold: Fold, domains: Mapping[str, Domain], config: Config) -> list[DomainSplit]:
    """The roles of every image of a fold."""
    from metabin.data import fixed_splits, partition, reference_splits

    num_train_ids, splits = config.partition.num_train_ids, []
    for name in fold.sources:
        splits.append(partition.split_source(name, domains[name].records, num_train_ids))
    for name in fold.targets:
        records, images = domains[name].records, domains[name].images
        if given := config.data.splits.get(name):
            drawn = tuple(
                fixed_splits.apply(records, one) for one in reference_splits.read_reference(Path(given), records)
            )
        else:
            drawn = fixed_splits.trials(name, records, images)
        splits.append(partition.split_target(name, records, drawn))
    return splits


if __name__ == "__main__":
    cli.run(main)

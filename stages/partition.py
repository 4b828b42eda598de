"""Decide who trains and who tests, decode every image once; per fold a manifest, and what sources and targets share."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages import cli, layout, leftovers

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.types import Domain


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.data import scorable, store
    from metabin.data.acquisition import local_files
    from metabin.data.batches import meta_domains
    from metabin.data.partition import near_duplicates, overlap, protocols, roles
    from metabin.data.partition.folds import datasets, leave_one_out

    config = load_config()
    protocol = config.protocol
    folds = leave_one_out(protocol.domains, protocol.sources, protocol.groups, protocol.sources_of)
    leftovers.remove(layout.RAW, leftovers.raw_outputs(config))
    domains = read(datasets(folds), config)
    splits = {fold: roles.split_fold(fold, domains, config) for fold in folds}  # errors before images are decoded
    meta_domains.check_folds(splits, config)  # decides no output: section meta is no parameter of this stage
    for remark in scorable.check_folds(splits):
        print(f"remark: {remark}")
    known = protocols.load_protocols(layout.PROTOCOLS)
    layouts = {name: domain.layout for name, domain in domains.items()}
    files = {name: local_files.load_file_digest(layout.local(name)) for name in config.data.local}

    digests = decode(domains, config)
    store.save_image_roots(layout.PARTITION, {name: domain.images for name, domain in domains.items()})
    hashes = {name: near_duplicates.hash_images(store.load_pixels(layout.PARTITION, name)) for name in domains}
    for fold in folds:
        membership = protocols.membership(fold, config.partition.num_train_ids, splits[fold], layouts, known)
        values = roles.manifest(fold, splits[fold], domains, digests)
        values |= {"protocol": membership, "files": {name: digest for name, digest in files.items() if digest}}
        store.save_manifest(layout.PARTITION, values)
        store.save_overlaps(layout.PARTITION, fold.name, overlap.find_overlaps(layout.PARTITION, values, hashes))
        print(protocols.summary(fold, membership))


def read(names: tuple[str, ...], config: Config) -> dict[str, Domain]:
    """The records of every domain, drawn or local."""
    from metabin.data import catalogue
    from metabin.data.acquisition import local_datasets

    catalogue.require_listed(names, config.data)
    folders = layout.raw_folders(config.protocol)
    return {
        name: local_datasets.load_copy(layout.local(name), name)
        if name in config.data.local
        else catalogue.read(name, folders[name])
        for name in names
    }


def decode(domains: Mapping[str, Domain], config: Config) -> dict[str, str]:
    """Write the pixels of every domain and a contact sheet of it; return their digests."""
    from metabin.data import store
    from metabin.data.partition.contact_sheet import identity_sheet
    from metabin.files import resolve_local, write_bytes

    size, digests = config.partition, {}
    with cli.progress("decode", sum(len(domain.records) for domain in domains.values()), "image") as advance:
        for name, domain in domains.items():
            images = resolve_local(domain.images)
            digests[name] = store.save_domain(
                layout.PARTITION, name, domain.records, images, height=size.height, width=size.width, on_image=advance
            )
            sheet = io.BytesIO()
            identity_sheet(domain.records, images).save(sheet, "JPEG", quality=92)
            write_bytes(layout.SHEETS / f"{name}.jpg", sheet.getvalue())
    return digests


if __name__ == "__main__":
    cli.run(main)

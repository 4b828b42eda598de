"""Partition the data: roles of all identities, decoded images, manifests, and overlaps per fold."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from stages import cli, layout, leftovers

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.types import Domain, DomainSplit, Fold


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.data import store
    from metabin.data.acquisition import local_files
    from metabin.data.partition import overlap, protocols, roles
    from metabin.data.partition.folds import datasets, leave_one_out

    config = load_config()
    protocol = config.protocol
    folds = leave_one_out(protocol.domains, protocol.sources, protocol.groups, protocol.sources_of)
    leftovers.remove(layout.RAW, leftovers.raw_outputs(config))
    # Errors in the data and in protocols/ come before any image is decoded.
    domains = load_domains(datasets(folds), config)
    splits, remarks = split(folds, domains, config)
    if protocol.final:
        final_splits, final_remarks = split_final(folds, domains, config)
        splits |= final_splits
        remarks += final_remarks
    for remark in dict.fromkeys(remarks):
        print(f"remark: {remark}")
    known = protocols.load_protocols(layout.PROTOCOLS)
    num_train_ids = config.partition.num_train_ids
    layouts = {name: domain.layout for name, domain in domains.items()}
    files = {name: local_files.load_file_digest(layout.local(name)) for name in config.data.local}

    digests = decode_images(domains, config)
    roots = {name: domain.images for name, domain in domains.items()}
    store.save_image_roots(layout.PARTITION, roots)
    hashes = overlap.hash_domains(layout.PARTITION, domains)
    for fold, fold_splits in splits.items():
        membership = protocols.membership(fold, num_train_ids, fold_splits, layouts, known)
        manifest = roles.manifest(fold, fold_splits, domains, digests)
        manifest["protocol"] = membership
        manifest["files"] = {name: digest for name, digest in files.items() if digest}
        store.save_manifest(layout.PARTITION, manifest)
        overlaps = overlap.find_overlaps(layout.PARTITION, manifest, hashes)
        store.save_overlaps(layout.PARTITION, fold.name, overlaps)
        print(protocols.summary(fold, membership))


def load_domains(names: Sequence[str], config: Config) -> dict[str, Domain]:
    """Return the records of every domain, rendered or local."""
    from metabin.data import catalogue
    from metabin.data.acquisition import local_datasets

    catalogue.require_listed(names, config.data)
    folders = layout.raw_folders(config.protocol)
    domains = {}
    for name in names:
        if name in config.data.local:
            domains[name] = local_datasets.load_local_dataset(layout.local(name), name)
        else:
            domains[name] = catalogue.read(name, folders[name])
    return domains


def split(
    folds: Sequence[Fold], domains: Mapping[str, Domain], config: Config
) -> tuple[dict[Fold, list[DomainSplit]], list[str]]:
    """Return the splits of the data sets of every fold, and remarks on their tests.

    Raises:
        DatasetError: a training or a test is not possible.
        ConfigError: no domain is left for meta-test.
    """
    from metabin.data import scorable
    from metabin.data.batches import meta_domains
    from metabin.data.partition import roles

    splits = {fold: roles.split_fold(fold, domains, config) for fold in folds}
    meta_domains.check_folds(splits, config)  # changes no output: meta is no parameter here
    return splits, scorable.check_folds(splits)


def split_final(
    folds: Sequence[Fold], domains: Mapping[str, Domain], config: Config
) -> tuple[dict[Fold, list[DomainSplit]], list[str]]:
    """Return the splits for the final models, as `split`. Errors say how to do without these."""
    from metabin.data.partition.folds import final_fold
    from metabin.errors import ConfigError, DatasetError

    try:
        return split([final_fold(folds)], domains, config)
    except (ConfigError, DatasetError) as error:
        raise DatasetError(
            f"{error}\nThis concerns the final model alone, which trains on all data sets; "
            "set protocol.final to [] to train none"
        ) from None


def decode_images(domains: Mapping[str, Domain], config: Config) -> dict[str, str]:
    """Write the pixels and a contact sheet of every domain; return their digests."""
    from metabin.data import store
    from metabin.data.partition.contact_sheet import write_identity_sheet
    from metabin.files import resolve_local

    size = {"height": config.partition.height, "width": config.partition.width}
    num_images = sum(len(domain.records) for domain in domains.values())
    require_space(layout.PARTITION, num_images * size["height"] * size["width"] * 3)
    digests = {}
    with cli.progress("decode", num_images, "image") as advance:
        for name, domain in domains.items():
            images = resolve_local(domain.images)
            digests[name] = store.save_domain(
                layout.PARTITION, name, domain.records, images, **size, on_image=advance
            )
            write_identity_sheet(layout.SHEETS / f"{name}.jpg", domain.records, images)
    return digests


def require_space(folder: Path, num_bytes: int) -> None:
    """Reserve space on the disk of a folder and release it; raise OSError (ENOSPC) without it.

    All images must fit, before the first one is decoded.
    """
    from metabin.files import DISK_FULL, disk_full, reserve_space

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryFile(dir=folder) as file:
            reserve_space(file.fileno(), num_bytes)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        advice = "free some, or set partition.height and partition.width lower"
        raise disk_full(folder / "*.npy", num_bytes, advice) from None


if __name__ == "__main__":
    cli.run(main)

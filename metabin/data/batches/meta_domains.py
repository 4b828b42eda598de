"""Domains of the meta step (data sets or cameras): count and check their identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metabin.config import Config
from metabin.errors import DatasetError
from metabin.registry import find_method
from metabin.types import DomainSplit, Fold


def count_identities(splits: Sequence[DomainSplit], *, by_camera: bool) -> dict[str, int]:
    """Count the training identities of every domain of the meta step.

    Args:
        splits: Splits of the sources.
        by_camera: True if every camera of every data set is a domain.

    Returns:
        Name of the domain, as in `loading.cameras_as_domains` -> number of identities.
    """
    pids: dict[str, set[int]] = {}
    for split in splits:
        for record in split.train:
            name = f"{split.name}/camera {record.camid}" if by_camera else split.name
            pids.setdefault(name, set()).add(record.pid)
    return {name: len(people) for name, people in pids.items()}


def check_identities(identities: Mapping[str, int], ids_per_domain: int) -> None:
    """Check that there are identities for the batches of the meta step.

    Args:
        identities: Domain -> number of training identities.
        ids_per_domain: The parameter `meta.ids_per_domain`.

    Raises:
        DatasetError: There are fewer than two domains, or a domain has fewer identities than a
            batch takes from it.
    """
    if len(identities) < 2:
        raise DatasetError(
            f"the meta step needs at least 2 source domains, one for meta-train and one for "
            f"meta-test; found {len(identities)}. Add to protocol.domains, or train a baseline "
            "instead"
        )
    too_few = {name: count for name, count in identities.items() if count < max(ids_per_domain, 2)}
    if not too_few:
        return
    name = min(too_few, key=lambda name: too_few[name])
    others = ""
    if len(too_few) > 1:
        others = f"{len(too_few)} of the {len(identities)} domains have too few; "
    raise DatasetError(
        f"source domain {name} has {too_few[name]} training identities; meta.ids_per_domain asks "
        f"for {ids_per_domain}, and no loss works with fewer than 2: {others}lower "
        "meta.ids_per_domain, leave out the domains with too few, or change meta.domains"
    )


def check_folds(splits: Mapping[Fold, Sequence[DomainSplit]], config: Config) -> None:
    """Check, for every method with a meta step, that its folds have identities for its batches.

    A training checks the same when it starts. This check comes before any image is decoded and any
    baseline is trained.

    Args:
        splits: Fold -> splits of its data sets, the sources in the fold's order.
        config: Parameters of the run.

    Raises:
        DatasetError: See `check_identities`.
        ConfigError: No domain is left for meta-test.
    """
    protocol = config.protocol
    for fold, domains in splits.items():
        sources = [split for split in domains if split.name in fold.sources]
        for name in protocol.meta_learned if fold.targets else protocol.final:
            method, training = config.of(name)
            if not find_method(method).is_episodic:
                continue
            num_sources = training.optim.num_sources
            used = sources if num_sources == "all" else sources[:num_sources]
            identities = count_identities(used, by_camera=training.meta.domains == "cameras")
            training.meta.meta_train_domains(len(identities))
            check_identities(identities, training.meta.ids_per_domain)

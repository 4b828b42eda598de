"""The domains of the meta step, data sets or cameras, and whether they have the identities that its batches need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metabin.config import Config
from metabin.config.sections import EPISODIC
from metabin.errors import DatasetError
from metabin.types import DomainSplit, Fold


def count_identities(splits: Sequence[DomainSplit], *, by_camera: bool) -> dict[str, int]:
    """Count the training identities of every domain of the meta step, by its name in `loading.cameras_as_domains`.

    Args:
        splits: of the sources. by_camera: whether every camera of every data set is a domain.
    """
    pids: dict[str, set[int]] = {}
    for split in splits:
        for record in split.train:
            name = f"{split.name}/camera {record.camid}" if by_camera else split.name
            pids.setdefault(name, set()).add(record.pid)
    return {name: len(people) for name, people in pids.items()}


def check_identities(identities: Mapping[str, int], ids_per_domain: int) -> None:
    """Check that meta batches can be drawn.

    Args:
        identities: training identities by domain. ids_per_domain: `meta.ids_per_domain`.
    Raises:
        DatasetError: fewer than two domains, or a domain with fewer identities than a batch takes of it.
    """
    if len(identities) < 2:
        raise DatasetError(
            f"the meta step needs at least 2 source domains, one for meta-train and one for meta-test; "
            f"found {len(identities)}. Add to protocol.domains, or train a baseline instead"
        )
    few = {name: count for name, count in identities.items() if count < max(ids_per_domain, 2)}
    if few:
        name = min(few, key=lambda name: few[name])
        others = f"{len(few)} of the {len(identities)} domains have too few; " if len(few) > 1 else ""
        raise DatasetError(
            f"source domain {name} has {few[name]} training identities; meta.ids_per_domain asks for "
            f"{ids_per_domain}, and no loss works with fewer than 2: {others}lower meta.ids_per_domain, leave out "
            "what has too few, or change meta.domains"
        )


def check_folds(splits: Mapping[Fold, Sequence[DomainSplit]], config: Config) -> None:
    """Check, for every method with a meta step, that each fold has the domains and identities for its batches.

    A training checks the same when it starts. This finds it before any image is decoded and any baseline is trained.

    Args:
        splits: of every data set of a fold; sources in the fold's order.
    Raises:
        DatasetError: as `check_identities`. ConfigError: no domain is left for meta-test.
    """
    trainings = [own for method, own in map(config.of, config.protocol.meta_learned) if method in EPISODIC]
    for fold, domains in splits.items():
        sources = [split for split in domains if split.name in fold.sources]
        for own in trainings:
            number = None if own.optim.num_sources == "all" else own.optim.num_sources
            identities = count_identities(sources[:number], by_camera=own.meta.domains == "cameras")
            own.meta.meta_train_domains(len(identities))
            check_identities(identities, own.meta.ids_per_domain)

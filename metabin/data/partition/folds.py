"""Folds: which domains train and which are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metabin.types import FINAL, Fold


def leave_one_out(
    domains: Sequence[str],
    sources: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    sources_of: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Fold, ...]:
    """Return one fold per domain: it is the target; all the others, and `sources`, train.

    Args:
        domains: Names of data sets or groups, each held out in turn.
        sources: Data sets that train in every fold.
        groups: Group -> its data sets. A name of `domains` that is no group is a data set.
        sources_of: Held-out name -> the data sets that train, if these are not all the others.

    Raises:
        ValueError: A fold has no sources, or one of its targets is among them.
    """
    # A data set is a group of itself.
    members = {name: tuple((groups or {}).get(name, (name,))) for name in domains}
    folds = []
    for held_out in domains:
        if sources_of and held_out in sources_of:
            train = tuple(sources_of[held_out])
        else:
            others = [dataset for name in domains if name != held_out for dataset in members[name]]
            train = (*others, *sources)
        folds.append(Fold(held_out, train, members[held_out]))
    return tuple(folds)


def datasets(folds: Sequence[Fold]) -> tuple[str, ...]:
    """Return every data set of some folds once, in order: first the targets, then the sources."""
    targets = [name for fold in folds for name in fold.targets]
    sources = [name for fold in folds for name in fold.sources]
    return tuple(dict.fromkeys([*targets, *sources]))


def final_fold(folds: Sequence[Fold]) -> Fold:
    """Return the fold of the final models: all data sets of some folds train."""
    return Fold(FINAL, datasets(folds), ())


def describe(fold: Fold) -> str:
    """Return a fold as text: its sources and its targets, as "a + b -> c"."""
    sources = " + ".join(fold.sources)
    if not fold.targets:
        return f"{sources}: all data sets, for the final model"
    return f"{sources} -> {' + '.join(fold.targets)}"

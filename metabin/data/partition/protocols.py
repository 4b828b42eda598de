"""Protocols by name: data files that say who trains, who is tested, and with how many images.

A run does not claim a name. It is recognised: a fold is of the protocol that has its sources and its targets, and
whatever differs from that protocol (another layout of a copy, other counts) is named with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from metabin.config.sections import Name, Section, Whole
from metabin.data.partition.folds import datasets, describe, leave_one_out
from metabin.errors import ConfigError
from metabin.synthetic import is_site
from metabin.types import DomainSplit, Fold

NUM_TRAIN_IDS = "partition.num_train_ids"
Text = Annotated[str, Field(min_length=1)]


class NamedProtocol(Section):
    """One file of protocols/.

    params: values of params.yaml by dotted key. trains: of a source, [identities, images]; tests: of a target,
    [queries, gallery images, splits]; a set that is not named there may have any number. copies: the layouts of a copy
    that are meant, where a data set comes in several that differ.
    """

    title: Text
    params: dict[str, Any]
    trains: dict[Name, Annotated[list[Whole], Field(min_length=2, max_length=2)]]
    tests: dict[Name, Annotated[list[Whole], Field(min_length=3, max_length=3)]]
    copies: dict[Name, list[Text]]
    rules: list[Text]
    metric: Text
    not_comparable: list[Text]
    source: Text

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Who trains and who is tested."""
        return folds_of(self.params_for([]))

    def params_for(self, targets: Sequence[str]) -> dict[str, Any]:
        """What goes into params.yaml, by dotted key; where there are `targets`, these alone are held out.

        Raises:
            ConfigError: a target is not this protocol's, or they are held out from different sources.
        """
        if not targets:
            return {"protocol.sources_of": {}} | self.params  # most protocols have none
        known = [target for fold in self.folds for target in fold.targets]
        if unknown := [target for target in targets if target not in known]:
            raise ConfigError(f"{', '.join(unknown)} is no target of this protocol; its targets are {', '.join(known)}")
        folds = [fold for fold in self.folds if set(fold.targets) & set(targets)]
        if len(folds) > 1:
            raise ConfigError(f"{', '.join(targets)} are held out from different sources; name one of them, or run all")
        name, grouped = folds[0].name, folds[0].name in self.params["protocol.groups"]
        return self.params | {
            "protocol.domains": [name],
            "protocol.sources": list(folds[0].sources),
            "protocol.sources_of": {},
            "protocol.groups": {name: list(targets)} if grouped else {},
        }

    def has(self, fold: Fold, num_train_ids: int | str) -> bool:
        """Whether a fold is one of this protocol's, with all of its targets or some of them."""
        return num_train_ids == self.params[NUM_TRAIN_IDS] and any(
            set(fold.sources) == set(own.sources) and set(fold.targets) <= set(own.targets) for own in self.folds
        )

    def deviations(self, splits: Sequence[DomainSplit], layouts: Mapping[str, str]) -> list[str]:
        """How a fold's images differ from what the protocol states; empty where they do not.

        Args:
            splits: of every data set of the fold. layouts: of the copies, by data set.
        """
        found = []
        for split in splits:
            meant, layout = self.copies.get(split.name), layouts[split.name]
            if meant and layout not in meant:
                found.append(f"{split.name} is a copy of the layout {layout}; the protocol means {' or '.join(meant)}")
            if split.train:
                wanted = self.trains.get(split.name)
                counts = [len({record.pid for record in split.train}), len(split.train)]
                text = "{} trains with {:,} identities and {:,} images; the protocol with {:,} and {:,}"
            else:
                wanted = self.tests.get(split.name)
                query, gallery = split.trials[0] if split.trials else (split.query, split.gallery)
                counts = [len(query), len(gallery), len(split.trials) or 1]
                text = "{} has {:,} queries, {:,} gallery images and {} splits; the protocol {:,}, {:,} and {}"
            if wanted and counts != wanted:
                found.append(text.format(split.name, *counts, *wanted))
        return found


def folds_of(params: Mapping[str, Any]) -> tuple[Fold, ...]:
    """The folds of parameters by dotted key, as `NamedProtocol.params_for` gives them."""
    keys = ("domains", "sources", "groups", "sources_of")
    return leave_one_out(*(params[f"protocol.{key}"] for key in keys))


def unused_names(values: Any, params: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names in the section `data` of params.yaml that a protocol does not use, and the configuration refuses.

    Args:
        values: of params.yaml. params: of `NamedProtocol.params_for`.
    Returns: by dotted key, those in data.splits that are no target, and those in data.accept_unfit that are no
        data set of the folds; no key where there is none.
    """
    folds = folds_of(params)
    used = {"splits": [name for fold in folds for name in fold.targets], "accept_unfit": datasets(folds)}
    data = values.get("data") if isinstance(values, Mapping) else None
    lists = {key: data.get(key) for key in used} if isinstance(data, Mapping) else {}
    unused = {
        f"data.{key}": [name for name in names if isinstance(name, str) and name not in used[key]]
        for key, names in lists.items()
        if isinstance(names, (list, dict))  # values of another kind are refused with the whole file
    }
    return {key: names for key, names in unused.items() if names}


def load_protocols(folder: Path) -> dict[str, NamedProtocol]:
    """Every protocol of a folder, by the name of its file, sorted.

    Raises:
        ConfigError: a file is no protocol.
    """
    protocols = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            protocols[path.stem] = NamedProtocol.model_validate(YAML(typ="safe").load(path))
        except (YAMLError, ValidationError) as error:
            raise ConfigError(f"{path} is no protocol: {error}") from None
    return protocols


def local_entries(values: Any, params: Mapping[str, Any]) -> list[str]:
    """What data.local has to list with a protocol: its data sets that are not drawn, and the files listed so far.

    Args:
        values: of params.yaml. params: of `NamedProtocol.params_for`.
    """
    data = values.get("data") if isinstance(values, Mapping) else None
    entries = data.get("local") if isinstance(data, Mapping) else None
    files = [entry for entry in entries if "/" in str(entry)] if isinstance(entries, list) else []
    return [*sorted(name for name in datasets(folds_of(params)) if not is_site(name)), *files]


def membership(
    fold: Fold,
    num_train_ids: int | str,
    splits: Sequence[DomainSplit],
    layouts: Mapping[str, str],
    protocols: Mapping[str, NamedProtocol],
) -> dict[str, Any]:
    """The protocol that a fold belongs to, for its manifest: its name ("" if it is none's), and the deviations."""
    name = next((name for name, protocol in protocols.items() if protocol.has(fold, num_train_ids)), "")
    return {"name": name, "deviations": protocols[name].deviations(splits, layouts) if name else []}


def summary(fold: Fold, membership: Mapping[str, Any]) -> str:
    """A fold in words: who trains and who is tested, whose protocol that is, and how it differs from that."""
    name, deviations = membership["name"], membership["deviations"]
    whose = f" (protocol {name}{', except: ' + '; '.join(deviations) if deviations else ''})" if name else ""
    return f"{describe(fold)}{whose}"

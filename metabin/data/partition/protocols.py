"""Named protocols: files that state who trains, who is tested, and with how many images.

A run does not claim a protocol, it is recognised: a fold belongs to the protocol that has its
sources and its targets. Deviations from that protocol (another layout of a data set, other counts)
are reported with its name.
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

    Attributes:
        title: One line for a list of protocols.
        params: Values of params.yaml by dotted key.
        trains: Source -> [identities, images]. Other sources may have any number.
        tests: Target -> [queries, gallery images, splits]. Other targets may have any number.
        layouts: Data set -> its accepted layouts, where it comes in several that differ.
        rules: Sentences on the use of the data sets.
        metric: Metric that the protocol reports.
        not_comparable: Results that are not comparable.
        source: Publication or project.
    """

    title: Text
    params: dict[str, Any]
    trains: dict[Name, Annotated[list[Whole], Field(min_length=2, max_length=2)]]
    tests: dict[Name, Annotated[list[Whole], Field(min_length=3, max_length=3)]]
    layouts: dict[Name, list[Text]]
    rules: list[Text]
    metric: Text
    not_comparable: list[Text]
    source: Text

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Return the folds of this protocol."""
        return folds_of(self.params_for([]))

    def params_for(self, targets: Sequence[str]) -> dict[str, Any]:
        """Return the values of params.yaml by dotted key.

        Args:
            targets: The only data sets to hold out; all of the protocol's if empty.

        Raises:
            ConfigError: A target is not this protocol's, or the targets are held out from different
                sources.
        """
        if not targets:
            return {"protocol.sources_of": {}} | self.params  # most protocols have none
        known = [target for fold in self.folds for target in fold.targets]
        if unknown := [target for target in targets if target not in known]:
            raise ConfigError(
                f"{', '.join(unknown)} is no target of this protocol; its targets are "
                f"{', '.join(known)}"
            )
        folds = [fold for fold in self.folds if set(fold.targets) & set(targets)]
        if len(folds) > 1:
            raise ConfigError(
                f"{', '.join(targets)} are held out from different sources; name one of them, or "
                "run all"
            )
        name = folds[0].name
        is_group = name in self.params["protocol.groups"]
        return self.params | {
            "protocol.domains": [name],
            "protocol.sources": list(folds[0].sources),
            "protocol.sources_of": {},
            "protocol.groups": {name: list(targets)} if is_group else {},
        }

    def has(self, fold: Fold, num_train_ids: int | str) -> bool:
        """Return whether a fold is one of this protocol's, with all or some of its targets.

        No protocol has the fold of the final models, which tests nothing.
        """
        if not fold.targets or num_train_ids != self.params[NUM_TRAIN_IDS]:
            return False
        return any(
            set(fold.sources) == set(named.sources) and set(fold.targets) <= set(named.targets)
            for named in self.folds
        )

    def deviations(self, splits: Sequence[DomainSplit], layouts: Mapping[str, str]) -> list[str]:
        """Return the differences of a fold's images from the protocol; empty without any.

        Args:
            splits: Splits of every data set of the fold.
            layouts: Data set -> layout on disk.
        """
        texts = []
        for split in splits:
            layout = layouts[split.name]
            accepted = self.layouts.get(split.name)
            if accepted and layout not in accepted:
                texts.append(
                    f"{split.name} has the layout {layout}; the protocol means "
                    f"{' or '.join(accepted)}"
                )
            # A source has training images, a target has none.
            if split.train:
                expected = self.trains.get(split.name)
                counts = [len({record.pid for record in split.train}), len(split.train)]
                text = (
                    "{} trains with {:,} identities and {:,} images; the protocol with {:,} and "
                    "{:,}"
                )
            else:
                expected = self.tests.get(split.name)
                # All trials of a target have the same size.
                query, gallery = split.trials[0] if split.trials else (split.query, split.gallery)
                counts = [len(query), len(gallery), max(len(split.trials), 1)]
                text = (
                    "{} has {:,} queries, {:,} gallery images and {} splits; the protocol {:,}, "
                    "{:,} and {}"
                )
            if expected and counts != expected:
                texts.append(text.format(split.name, *counts, *expected))
        return texts


def folds_of(params: Mapping[str, Any]) -> tuple[Fold, ...]:
    """Return the folds of parameters by dotted key (see `NamedProtocol.params_for`)."""
    return leave_one_out(
        params["protocol.domains"],
        params["protocol.sources"],
        params["protocol.groups"],
        params["protocol.sources_of"],
    )


def unused_names(values: Any, params: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names in the section `data` of params.yaml that a protocol does not use.

    The configuration refuses them.

    Args:
        values: Values of params.yaml.
        params: See `NamedProtocol.params_for`.

    Returns:
        Dotted key -> names: those in data.splits that are no target, and those in data.accept_unfit
        that are no data set of the folds. A key without any is left out.
    """
    folds = folds_of(params)
    used_names = {
        "splits": [name for fold in folds for name in fold.targets],
        "accept_unfit": datasets(folds),
    }
    data = values.get("data") if isinstance(values, Mapping) else None
    if not isinstance(data, Mapping):
        return {}
    result = {}
    for key, used in used_names.items():
        names = data.get(key)
        if isinstance(names, (list, dict)):  # other values are refused with the whole file
            unused = [name for name in names if isinstance(name, str) and name not in used]
            if unused:
                result[f"data.{key}"] = unused
    return result


def load_protocols(folder: Path) -> dict[str, NamedProtocol]:
    """Return every protocol of a folder by the name of its file, sorted.

    Raises:
        ConfigError: A file is no protocol.
    """
    protocols = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            values = YAML(typ="safe").load(path)
            protocols[path.stem] = NamedProtocol.model_validate(values)
        except (YAMLError, ValidationError) as error:
            raise ConfigError(f"{path} is no protocol: {error}") from None
    return protocols


def local_entries(values: Any, params: Mapping[str, Any]) -> list[str]:
    """Return the entries of data.local for a protocol.

    These are its data sets that are not rendered, and the files that are listed already.

    Args:
        values: Values of params.yaml.
        params: See `NamedProtocol.params_for`.
    """
    data = values.get("data") if isinstance(values, Mapping) else None
    entries = data.get("local") if isinstance(data, Mapping) else None
    files = [entry for entry in entries if "/" in str(entry)] if isinstance(entries, list) else []
    names = sorted(name for name in datasets(folds_of(params)) if not is_site(name))
    return [*names, *files]


def membership(
    fold: Fold,
    num_train_ids: int | str,
    splits: Sequence[DomainSplit],
    layouts: Mapping[str, str],
    protocols: Mapping[str, NamedProtocol],
) -> dict[str, Any]:
    """Return the protocol that a fold belongs to, for its manifest.

    Args:
        fold: Fold of the run.
        num_train_ids: The parameter partition.num_train_ids.
        splits: Splits of every data set of the fold.
        layouts: Data set -> layout on disk.
        protocols: Name -> protocol.

    Returns:
        {"name": "" if no protocol has this fold, "deviations": see `NamedProtocol.deviations`}.
    """
    for name, protocol in protocols.items():
        if protocol.has(fold, num_train_ids):
            return {"name": name, "deviations": protocol.deviations(splits, layouts)}
    return {"name": "", "deviations": []}


def summary(fold: Fold, membership: Mapping[str, Any]) -> str:
    """Return a fold as text: sources, targets, name of its protocol, and deviations from that."""
    if not membership["name"]:
        return describe(fold)
    text = f"protocol {membership['name']}"
    if membership["deviations"]:
        text += f", except: {'; '.join(membership['deviations'])}"
    return f"{describe(fold)} ({text})"

"""The section `protocol` of params.yaml: sources, targets and methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from metabin.config.ranges import Seed
from metabin.config.sections import BASELINES, META_LEARNED, Name, Section
from metabin.types import FINAL, Fold


class Protocol(Section):
    """The sources and targets of every fold, the methods and the seeds.

    Each of `domains` is held out once and tested. All other domains and `sources` train, or the
    data sets in `sources_of` if it has an entry for the domain that is held out. The methods in
    `final` also train once on all data sets, for use at places that nobody has seen.
    """

    domains: list[Name] = Field(min_length=1)
    sources: list[Name]  # data sets that train in every fold
    # domain -> the data sets that it stands for, held out together
    groups: dict[Name, Annotated[list[Name], Field(min_length=1)]]
    # domain -> the data sets that train while it is held out
    sources_of: dict[Name, Annotated[list[Name], Field(min_length=1)]]
    baselines: list[Name]
    meta_learned: list[Name] = Field(min_length=1)  # methods that learn rho, and variants
    final: list[Name]  # methods and variants that also train on all data sets
    seeds: list[Seed] = Field(min_length=1)

    @model_validator(mode="after")
    def _without_repeats(self) -> Protocol:
        keys = ("domains", "sources", "baselines", "meta_learned", "final", "seeds")
        lists = {key: getattr(self, key) for key in keys}
        for key in ("groups", "sources_of"):
            lists |= {f"{key}.{name}": names for name, names in getattr(self, key).items()}
        for key, values in lists.items():
            if repeated := _repeated(values):
                raise ValueError(f"{key} names {', '.join(repeated)} more than once")
        return self

    @field_validator("baselines")
    @classmethod
    def _are_baselines(cls, value: list[str]) -> list[str]:
        if wrong := [name for name in value if name not in BASELINES]:
            raise ValueError(f"{', '.join(wrong)} is no baseline; known are {', '.join(BASELINES)}")
        return value

    @field_validator("meta_learned")
    @classmethod
    def _learn_rho(cls, value: list[str]) -> list[str]:
        if wrong := [name for name in value if name in BASELINES]:
            raise ValueError(
                f"{', '.join(wrong)} has no rho to meta-learn; known are {', '.join(META_LEARNED)}"
            )
        return value

    @model_validator(mode="after")
    def _roles_fit(self) -> Protocol:
        if "local" in (*self.domains, *self.sources):
            raise ValueError(
                "found a domain with the name local, which is the folder of the records of local "
                "data sets; give the domain another name"
            )
        if FINAL in self.domains:
            raise ValueError(
                f"found a domain with the name {FINAL}, which is the folder of the final models; "
                "give the domain another name"
            )
        if both := [name for name in self.sources if name in self.domains]:
            raise ValueError(
                f"{', '.join(both)} is in domains, which are held out, and in sources, "
                "which train in every fold; remove it from one of them"
            )
        for key in ("groups", "sources_of"):
            if absent := [name for name in getattr(self, key) if name not in self.domains]:
                raise ValueError(
                    f"{key} has an entry for {', '.join(absent)}, "
                    "which is not in protocol.domains; remove the entry, or add the domain"
                )
        for name, sources in self.sources_of.items():
            if both := sorted(set(sources) & set(self.members(name))):
                raise ValueError(
                    f"sources_of.{name} lists {', '.join(both)}, which is tested in that fold; "
                    "remove it"
                )
        if self.num_sources < 1:
            raise ValueError(
                f"domains is {self.domains}: no source is left when one of them is held out; "
                "add another domain, or a data set to sources"
            )
        # A fold raises a ValueError if a data set is both source and target.
        folds = [Fold(name, self.sources_for(name), self.members(name)) for name in self.domains]
        for fold in folds:
            if twice := _repeated(fold.sources):
                raise ValueError(
                    f"fold {fold.name!r}: {twice} train twice; name each source in one group only"
                )
        return self

    def members(self, domain: str) -> tuple[str, ...]:
        """Return the data sets that a name in `domains` stands for."""
        return tuple(self.groups.get(domain, [domain]))

    def sources_for(self, domain: str) -> tuple[str, ...]:
        """Return the data sets that train while a domain is held out.

        These are the sources of `metabin.data.partition.folds.leave_one_out`.
        """
        if domain in self.sources_of:
            return tuple(self.sources_of[domain])
        others = (name for name in self.domains if name != domain)
        return (*(member for name in others for member in self.members(name)), *self.sources)

    @property
    def targets(self) -> tuple[str, ...]:
        """The data sets that are held out in some fold, each once."""
        targets = (name for domain in self.domains for name in self.members(domain))
        return tuple(dict.fromkeys(targets))

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets that are held out or train in some fold, each once."""
        sources = (name for domain in self.domains for name in self.sources_for(domain))
        return tuple(dict.fromkeys((*self.targets, *sources)))

    @property
    def final_seed(self) -> int:
        """The seed of the final models."""
        return self.seeds[0]

    def holds_out(self, name: str) -> bool | None:
        """Return whether a data set is held out in some fold; None for an unused data set."""
        return name in self.targets if name in self.datasets else None

    @property
    def num_sources(self) -> int:
        """The number of source domains in the fold with the fewest."""
        return min(len(self.sources_for(name)) for name in self.domains)

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods and variants that are trained, in the order of the report."""
        return (*self.baselines, *self.meta_learned)


def _repeated(values: Sequence[object]) -> list[str]:
    """Return the values that occur more than once, sorted."""
    return sorted(str(value) for value, count in Counter(values).items() if count > 1)

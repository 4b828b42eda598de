"""The section `protocol` of params.yaml: who trains and who is tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from metabin.config.sections import BASELINES, META_LEARNED, Name, Section, Whole
from metabin.types import Fold


class Protocol(Section):
    """Who trains and who tests. Each of `domains` is held out once; all others and `sources` train, or those of
    `sources_of` where it names the one held out.
    """

    domains: list[Name] = Field(min_length=1)
    sources: list[Name]
    groups: dict[Name, Annotated[list[Name], Field(min_length=1)]]
    sources_of: dict[Name, Annotated[list[Name], Field(min_length=1)]]
    baselines: list[Name]
    meta_learned: list[Name] = Field(min_length=1)
    seeds: list[Whole] = Field(min_length=1)

    @model_validator(mode="after")
    def _without_repeats(self) -> Protocol:
        keys = ("domains", "sources", "baselines", "meta_learned", "seeds")
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
            raise ValueError(f"{', '.join(wrong)} has no rho to meta-learn; known are {', '.join(META_LEARNED)}")
        return value

    @model_validator(mode="after")
    def _roles_fit(self) -> Protocol:
        if "local" in (*self.domains, *self.sources):
            raise ValueError("a domain cannot be called local: that is the folder of local data sets' records")
        if both := [name for name in self.sources if name in self.domains]:
            raise ValueError(f"{', '.join(both)} is in domains, to be held out, and in sources, to train always")
        for key in ("groups", "sources_of"):
            if absent := [name for name in getattr(self, key) if name not in self.domains]:
                raise ValueError(f"{key} explains {', '.join(absent)}, which is not among protocol.domains")
        for name, sources in self.sources_of.items():
            if both := sorted(set(sources) & set(self.members(name))):
                raise ValueError(f"sources_of trains {name} on {', '.join(both)}, which it is tested on")
        if self.num_sources < 1:
            raise ValueError(f"domains is {self.domains}: with that one held out, nothing is left to train on")
        # A fold raises a ValueError where a data set is both source and target.
        folds = [Fold(name, self.sources_for(name), self.members(name)) for name in self.domains]
        for fold in folds:
            if twice := _repeated(fold.sources):
                raise ValueError(f"fold {fold.name!r}: {twice} train twice; name each source in one group only")
        return self

    def members(self, domain: str) -> tuple[str, ...]:
        """The data sets that a name among `domains` stands for."""
        return tuple(self.groups.get(domain, [domain]))

    def sources_for(self, domain: str) -> tuple[str, ...]:
        """The data sets that train while a domain is held out, as `protocol.folds.leave_one_out` has it."""
        if domain in self.sources_of:
            return tuple(self.sources_of[domain])
        others = (member for name in self.domains if name != domain for member in self.members(name))
        return (*others, *self.sources)

    @property
    def targets(self) -> tuple[str, ...]:
        """The data sets that are held out in some fold, each once."""
        return tuple(dict.fromkeys(name for domain in self.domains for name in self.members(domain)))

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets that are held out or train in some fold, each once."""
        sources = (name for domain in self.domains for name in self.sources_for(domain))
        return tuple(dict.fromkeys((*self.targets, *sources)))

    def holds_out(self, name: str) -> bool | None:
        """Whether a data set is held out in some fold; None if the protocol does not use it."""
        return name in self.targets if name in self.datasets else None

    @property
    def num_sources(self) -> int:
        """Source domains of the fold that has the fewest."""
        return min(len(self.sources_for(name)) for name in self.domains)

    @property
    def methods(self) -> tuple[str, ...]:
        """All that is trained, in the order of the report."""
        return (*self.baselines, *self.meta_learned)


def _repeated(values: Sequence[object]) -> list[str]:
    """The values that are there more than once, sorted."""
    return sorted(str(value) for value, count in Counter(values).items() if count > 1)

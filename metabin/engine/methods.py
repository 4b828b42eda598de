"""The methods that are compared: which norm layers, where rho starts, and what moves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from metabin.config import Model
from metabin.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Method:
    """`norm` stands in every layer of the backbone; rho is learned by the base step, the meta step, MLDG, the held-out
    domain itself, or nothing.
    """

    norm: Literal["bn", "in", "half", "dual", "bin", "bin_shared"]
    rho_learner: Literal["base", "meta", "mldg", "target"] | None = None

    def rho_start(self, model: Model) -> float:
        """Where rho starts; it stays there when nothing learns it."""
        return model.rho_init if self.rho_learner else model.rho_fixed

    @property
    def has_episodes(self) -> bool:
        """Whether an iteration has a meta step."""
        return self.rho_learner in ("meta", "mldg")

    @property
    def learns_on_target(self) -> bool:
        """Whether it looks at what it is tested on: a ceiling of what rho can give, and no method."""
        return self.rho_learner == "target"


METHODS: dict[str, Method] = {
    "bn": Method("bn"),
    "in": Method("in"),
    "half": Method("half"),
    "dualnorm": Method("dual"),
    "bin_fixed": Method("bin"),
    "bin_shared": Method("bin_shared", rho_learner="base"),
    "bin_joint": Method("bin", rho_learner="base"),
    "metabin": Method("bin", rho_learner="meta"),
    "metabin_shared": Method("bin_shared", rho_learner="meta"),
    "mldg": Method("bin", rho_learner="mldg"),
    "bin_target": Method("bin", rho_learner="target"),
}


def find(name: str) -> Method:
    """The method of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in METHODS:
        raise ConfigError(f"unknown method {name!r}; known are {', '.join(METHODS)}")
    return METHODS[name]

"""The methods that are compared: which norm layers, where rho starts, and what moves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from metabin.config import Model


@dataclass(frozen=True, slots=True)
class Method:
    """`norm` stands in every layer of the backbone; rho is learned by `rho_learner`, or by nothing."""

    norm: Literal["bn", "in", "bin"]
    rho_learner: Literal["base", "meta"] | None = None

    def rho_start(self, model: Model) -> float:
        """Where rho starts; it stays there when nothing learns it."""
        return model.rho_init if self.rho_learner else model.rho_fixed


METHODS: dict[str, Method] = {
    "bn": Method("bn"),
    "in": Method("in"),
    "bin_fixed": Method("bin"),
    "bin_joint": Method("bin", rho_learner="base"),
    "metabin": Method("bin", rho_learner="meta"),
}

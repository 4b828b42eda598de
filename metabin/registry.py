"""The methods and losses by name. A new one is one file and one line here.

The values are names of modules, so that reading the parameters imports no torch. This file is no
dependency of a DVC stage: it holds places of code, and the code itself is a dependency.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metabin.errors import ConfigError

if TYPE_CHECKING:
    from metabin.methods.method import Method

# Name -> module and class of a `Method`, in the order of error messages and documents.
METHODS = {
    "bn": "metabin.methods.baselines:BN",
    "in": "metabin.methods.baselines:IN",
    "half": "metabin.methods.baselines:Half",
    "dualnorm": "metabin.methods.baselines:DualNorm",
    "bin_fixed": "metabin.methods.baselines:BINFixed",
    "bin_shared": "metabin.methods.baselines:BINShared",
    "bin_joint": "metabin.methods.baselines:BINJoint",
    "bin_joint_reference": "metabin.methods.baselines:BINJointReference",
    "metabin": "metabin.methods.metabin:MetaBIN",
    "metabin_shared": "metabin.methods.metabin:MetaBINShared",
    "mldg": "metabin.methods.mldg:MLDG",
    "bin_target": "metabin.methods.target:BINTarget",
}

# Name -> module with a function `loss(inputs: LossInputs, **options) -> Tensor`.
COMMON_LOSSES = {  # of every step
    "ce": "metabin.losses.cross_entropy",
    "triplet": "metabin.losses.triplet",
}
VIEW_LOSSES = {  # of the base step alone: they compare two views of each image
    "alignment": "metabin.losses.alignment",
    "uniformity": "metabin.losses.uniformity",
}
LOSSES = {**COMMON_LOSSES, **VIEW_LOSSES}  # of the base step
EPISODE_LOSSES = {  # of the meta step: an edit in metabin/episodes retrains no baseline
    "scatter": "metabin.episodes.losses.scatter",
    "shuffle": "metabin.episodes.losses.shuffle",
    **COMMON_LOSSES,
}


def find_method(name: str) -> Method:
    """Return the method of a name.

    Raises:
        ConfigError: there is no such method.
    """
    if name not in METHODS:
        raise ConfigError(f"unknown method {name!r}; known are {', '.join(METHODS)}")
    module, _, class_name = METHODS[name].partition(":")
    return getattr(import_module(module), class_name)(name)


def find_loss(name: str) -> Any:
    """Return the function `loss` of a registered loss. Imports torch."""
    return import_module({**LOSSES, **EPISODE_LOSSES}[name]).loss


def baselines() -> tuple[str, ...]:
    """Return the methods of protocol.baselines: those without episodes."""
    return tuple(name for name in METHODS if find_method(name).is_baseline)


def meta_learned() -> tuple[str, ...]:
    """Return the methods of protocol.meta_learned."""
    return tuple(name for name in METHODS if not find_method(name).is_baseline)


def episodic() -> tuple[str, ...]:
    """Return the methods with a meta step over source domains."""
    return tuple(name for name in METHODS if find_method(name).is_episodic)

"""Parameters of a training that have no effect on a method."""

from __future__ import annotations

from collections.abc import Iterable

_RHO = ("model.rho_init", "model.rho_fixed", "model.rho_per", "optim.rho_lr")
_BY_EPISODES = ("model.rho_fixed", "optim.rho_lr")  # rho starts at rho_init and learns at meta.outer_lr

# Sections and keys; model.in_affine needs an instance half with an affine of its own.
WITHOUT_EFFECT: dict[str, tuple[str, ...]] = {
    "bn": ("meta", *_RHO, "model.in_affine"),
    "in": ("meta", *_RHO),
    "half": ("meta", *_RHO),
    "dualnorm": ("meta", *_RHO),
    "bin_fixed": ("meta", "model.rho_init", "optim.rho_lr"),
    "bin_shared": ("meta", "model.rho_fixed", "model.in_affine"),
    "bin_joint": ("meta", "model.rho_fixed"),
    "metabin": _BY_EPISODES,
    "metabin_shared": (*_BY_EPISODES, "model.in_affine"),
    # always the batch's statistics, second order, and the sum of both losses
    "mldg": (*_BY_EPISODES, "meta.statistics", "meta.second_order", "meta.combined"),
    # of meta, outer_lr and ids_per_domain alone
    "bin_target": (
        *_BY_EPISODES,
        "meta.inner_lr",
        "meta.inner_schedule",
        "meta.inner_period",
        "meta.domains",
        "meta.num_meta_train",
        "meta.train_losses",
        "meta.test_losses",
        "meta.statistics",
        "meta.second_order",
        "meta.combined",
    ),
}


def without_effect(method: str, keys: Iterable[str]) -> list[str]:
    """Return those of the dotted keys that the method does not read."""
    unread = WITHOUT_EFFECT[method]
    return [key for key in keys if any(f"{key}.".startswith(f"{prefix}.") for prefix in unread)]

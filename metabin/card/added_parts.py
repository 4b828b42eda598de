"""The parts that a training adds to its method, for its model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metabin.config import Config


def added_parts(config: Config) -> list[str]:
    """Return an item with the parts of docs/method.md that a training adds, if there are any."""
    optim = config.optim
    augment = config.augment
    averages = {
        "none": "",
        "ema": f"average of the weights (EMA, decay {optim.average_decay:g})",
        "swa": f"mean of the weights (SWA) after {optim.average_from:.0%} of the steps",
    }
    parts = [
        averages[optim.averaging],
        f"MixStyle (probability {config.model.mixstyle:g})" if config.model.mixstyle else "",
        f"strong augmentation (probability {augment.strong:g})" if augment.strong else "",
        f"mixed amplitudes (share up to {augment.amplitude_mix:g})"
        if augment.amplitude_mix
        else "",
    ]
    added = ", ".join(part for part in parts if part)
    return [f"Added parts: {added}."] if added else []

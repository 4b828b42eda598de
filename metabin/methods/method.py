"""The base of all methods: what it is called, what it builds, and what moves rho."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from metabin.config import Config, Model
    from metabin.engine.history import Scalars
    from metabin.engine.trainer import Trainer
    from metabin.model.embedder import Embedder
    from metabin.types import Batch

ALL_RHO = ("model.rho_init", "model.rho_fixed", "model.rho_per", "optim.rho_lr")


class Method:
    """One method. By default: a baseline whose norm has no rho to learn.

    Attributes:
        label, short, color, marker, meaning: how reports name and draw it; `short` where the label
            is too long for a chart, `meaning` in one line.
        norm: a name in `metabin.model.swapping.NORMS`, which takes the place of every BatchNorm.
        is_baseline: listed in protocol.baselines; otherwise in protocol.meta_learned.
        is_episodic: has a meta step over source domains.
        learns_rho: whether anything moves rho.
        rho_in_base_step: rho follows the base losses together with the weights.
        learns_on_target: reads the domain that it is tested on; an upper bound and no method.
        without_effect: dotted keys and sections of params.yaml that a training does not read.
    """

    label: ClassVar[str]
    short: ClassVar[str] = ""
    color: ClassVar[str]
    marker: ClassVar[str]
    meaning: ClassVar[str]

    norm: ClassVar[str] = "bin"
    is_baseline: ClassVar[bool] = True
    is_episodic: ClassVar[bool] = False
    learns_rho: ClassVar[bool] = False
    rho_in_base_step: ClassVar[bool] = False
    learns_on_target: ClassVar[bool] = False
    without_effect: ClassVar[tuple[str, ...]] = ("meta", *ALL_RHO)

    def __init__(self, name: str) -> None:
        self.name = name  # as registered

    def check(self, name: str, config: Config) -> None:
        """Check that parameters fit this method.

        Args:
            name: of the method or of its variant, for the message.
        Raises:
            ConfigError: they do not.
        """

    def unread(self, keys: Iterable[str]) -> list[str]:
        """Return those of the dotted keys of params.yaml that have no effect on this method."""
        # "meta" covers "meta.inner_lr", and no key that only begins with the same letters.
        prefixes = tuple(f"{prefix}." for prefix in self.without_effect)
        return [key for key in keys if f"{key}.".startswith(prefixes)]

    def rho_start(self, model: Model) -> float:
        """Return the start value of rho, where it stays if nothing learns it."""
        return model.rho_init if self.learns_rho else model.rho_fixed

    def rho_lr(self, config: Config) -> float:
        """Return the learning rate of rho, for a method that learns it."""
        return config.optim.rho_lr

    def build(self, config: Config, num_classes: int) -> Embedder:
        """Build the network before its training, on the CPU.

        Draws the weights from torch's global generator, the same ones for every method.
        """
        import torch

        from metabin.model.embedder import build_embedder
        from metabin.model.norm import rho_of

        model = config.model
        embedder = build_embedder(
            model.backbone,
            num_classes,
            norm=self.norm,
            rho=self.rho_start(model),
            rho_per=model.rho_per,
            in_affine=model.in_affine,
            pretrained=model.pretrained,
            mixstyle=model.mixstyle,
            precision=torch.bfloat16 if config.compute.precision == "bfloat16" else None,
        )
        # The meta step differentiates by copies of rho, so only the base step may need these
        # gradients.
        for parameter in rho_of(embedder).values():
            parameter.requires_grad_(self.rho_in_base_step)
        return embedder

    def base_step(self, training: Trainer, batch: Batch) -> Scalars:
        """Take the base step, the first of an iteration. Returns: scalars for the record."""
        from metabin.engine.base_step import base_step

        optimizers = [training.optimizer]
        if self.rho_in_base_step:
            optimizers.append(training.rho_optimizer)
        return base_step(training.model, batch, optimizers, training.base_losses)

    def batches(self, training: Trainer) -> Iterator[dict[str, np.ndarray]]:
        """Return the indices of the images of `step`, per iteration and without end.

        Each item maps the purpose of a batch to the indices of its images; with an empty item the
        iteration has no second step. The purpose names the random stream of the augmentation.
        Images of the purpose "target" are those of the held-out domain, all others of the sources.

        The trainer also calls this when it is built, so that errors of the parameters come before
        the first step.
        """
        return repeat({})

    def step(self, training: Trainer, batches: dict[str, Batch]) -> Scalars:
        """Take the second step of an iteration, after the base step, on an item of `batches`.

        Returns: scalars for the record, by name.
        """
        raise NotImplementedError(f"{type(self).__name__} has batches and no step")

    def __repr__(self) -> str:
        return self.name

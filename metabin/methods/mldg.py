"""MLDG, with which the paper compares: every parameter is learned in the episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metabin.errors import ConfigError
from metabin.methods.metabin import UNREAD_IN_EPISODES, MetaBIN

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.engine.history import Scalars
    from metabin.engine.trainer import Trainer
    from metabin.types import Batch


class MLDG(MetaBIN):
    """The episodes of MetaBIN; all parameters take the inner and the outer step.

    Always with the statistics of each batch, second order, and the sum of both losses.
    Source: Li et al. 2018.
    """

    label = "MLDG"
    color = "#8A0F78"
    marker = ">"
    meaning = "a mixture, every parameter learned in the episodes, not only rho"
    # The last three are fixed, see above.
    without_effect = (
        *UNREAD_IN_EPISODES,
        "meta.statistics",
        "meta.second_order",
        "meta.combined",
    )

    def check(self, name: str, config: Config) -> None:
        statistics = config.meta.statistics
        if statistics != "batch":
            raise ConfigError(
                f"meta.statistics is {statistics}, but {name} of protocol.meta_learned always "
                "normalises with the batch's; set it to batch, or in a variant of metabin alone"
            )

    def learn(
        self, training: Trainer, meta_train: Batch, meta_test: Batch, step_size: float
    ) -> Scalars:
        """Move all parameters by the step of MLDG."""
        from metabin.episodes.mldg_step import mldg_step

        meta = training.config.meta
        return mldg_step(
            training.model,
            meta_train,
            meta_test,
            [training.optimizer, training.rho_optimizer],
            step_size,
            training.losses(meta.train_losses),
            training.losses(meta.test_losses),
        )

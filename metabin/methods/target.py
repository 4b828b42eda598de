"""The ceiling: rho is learned on the held-out domain itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metabin.methods.metabin import UNREAD_IN_EPISODES
from metabin.methods.method import Method

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from metabin.config import Config
    from metabin.engine.history import Scalars
    from metabin.engine.trainer import Trainer
    from metabin.types import Batch


class BINTarget(Method):
    """Batch-instance normalisation, rho learned on the tested domain: NOT PERMITTED."""

    label = "Ceiling: sees the test"
    short = "ceiling"
    color = "#111111"
    marker = "x"
    meaning = "rho learned on the held-out domain itself: NOT PERMITTED"
    is_baseline = False
    learns_rho = True
    learns_on_target = True
    without_effect = (  # of the section meta it reads outer_lr and ids_per_domain alone
        *UNREAD_IN_EPISODES,
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
    )

    def rho_lr(self, config: Config) -> float:
        return config.meta.outer_lr

    def batches(self, training: Trainer) -> Iterator[dict[str, np.ndarray]]:
        """Return batches of identities of the held-out domain."""
        from metabin.data.batches.sampling import IdentitySampler
        from metabin.seeding import derive_seed

        assert training.target is not None
        sampler = IdentitySampler(
            training.target.label,
            # as many identities as a meta-train or meta-test batch of two domains
            2 * training.config.meta.ids_per_domain,
            training.config.optim.images_per_id,
            derive_seed(training.seed, "meta-batches"),
        )
        return ({"target": index} for index in sampler)

    def step(self, training: Trainer, batches: dict[str, Batch]) -> Scalars:
        """Move rho along the triplet loss of the held-out domain."""
        from metabin.episodes.target_step import target_step

        margin = training.config.optim.margin
        optimizer = training.rho_optimizer
        return target_step(training.model, batches["target"], optimizer, margin=margin)

"""MetaBIN: rho is learned in meta-train and meta-test episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metabin.methods.method import Method

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from metabin.config import Config
    from metabin.engine.history import Scalars
    from metabin.engine.trainer import Trainer
    from metabin.types import Batch

# rho starts at rho_init and learns at meta.outer_lr
UNREAD_IN_EPISODES = ("model.rho_fixed", "optim.rho_lr")


class MetaBIN(Method):
    """Batch-instance normalisation, rho learned by the meta step.

    Source: Choi et al. 2021.
    """

    label = "MetaBIN"
    color = "#D55E00"
    marker = "v"
    meaning = "a mixture, rho learned in meta-train and meta-test episodes"
    is_baseline = False
    is_episodic = True
    learns_rho = True
    without_effect = UNREAD_IN_EPISODES

    def rho_lr(self, config: Config) -> float:
        return config.meta.outer_lr

    def batches(self, training: Trainer) -> Iterator[dict[str, np.ndarray]]:
        """Return batches with the same number of identities from every source domain.

        Every iteration splits the domains anew into meta-train and meta-test.
        """
        from metabin.data.batches.sampling import DomainSampler
        from metabin.seeding import derive_seed

        meta = training.config.meta
        data = training.data
        # These raise errors of the parameters before the first step: no domain for meta-test, or
        # unknown options.
        meta.meta_train_domains(len(data.names))
        training.losses(meta.train_losses)
        training.losses(meta.test_losses)
        sampler = DomainSampler(
            data.label,
            data.domain,
            meta.ids_per_domain,
            training.config.optim.images_per_id,
            derive_seed(training.seed, "meta-batches"),
            data.names,
        )
        return (self.split(training, index, step) for step, index in enumerate(sampler))

    def split(self, training: Trainer, index: np.ndarray, step: int) -> dict[str, np.ndarray]:
        """Split the images of a batch by a random split of their domains."""
        from metabin.seeding import generator

        num_domains = len(training.data.names)
        # one row per domain: a batch lists the domains in order, with equal numbers of images
        by_domain = index.reshape(num_domains, -1)
        order = generator(training.seed, "meta-split", step).permutation(num_domains)
        num_train = training.config.meta.meta_train_domains(num_domains)
        return {
            "meta-train": by_domain[order[:num_train]].ravel(),
            "meta-test": by_domain[order[num_train:]].ravel(),
        }

    def step(self, training: Trainer, batches: dict[str, Batch]) -> Scalars:
        """Take the meta step."""
        from metabin.engine.schedule import inner_step_size

        meta = training.config.meta
        step_size = inner_step_size(meta, training.step, training.times.inner_period)
        losses = self.learn(training, batches["meta-train"], batches["meta-test"], step_size)
        return {**losses, "lr/inner": step_size}

    def learn(
        self, training: Trainer, meta_train: Batch, meta_test: Batch, step_size: float
    ) -> Scalars:
        """Move rho by the meta step."""
        from metabin.episodes.meta_step import EpisodeSettings, meta_step

        meta = training.config.meta
        settings = EpisodeSettings(
            training.losses(meta.train_losses),
            training.losses(meta.test_losses),
            statistics=meta.statistics,
            second_order=meta.second_order,
            combined=meta.combined,
        )
        optimizer = training.rho_optimizer
        return meta_step(training.model, meta_train, meta_test, optimizer, step_size, settings)


class MetaBINShared(MetaBIN):
    """MetaBIN with one scale and shift for both halves."""

    label = "MetaBIN shared affine"
    short = "MetaBIN shared"
    color = "#6E3A36"
    marker = "<"
    meaning = "MetaBIN, one scale and shift for both halves"
    norm = "bin_shared"
    without_effect = (*UNREAD_IN_EPISODES, "model.in_affine")

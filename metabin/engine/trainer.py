"""The loop around the learner: batches in, weights and a record of the run out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from metabin import compute
from metabin.config import Config
from metabin.data.batches.loading import ImageSet, cameras_as_domains, training_batch
from metabin.data.batches.sampling import DomainSampler, IdentitySampler, epoch_steps
from metabin.engine import methods
from metabin.engine.history import History
from metabin.engine.learner import Scalars, base_step, meta_step, rho_of
from metabin.engine.optimizers import rho_optimizer, weights_optimizer, weights_schedule
from metabin.engine.resume import load_state, save_state
from metabin.engine.rivals import mldg_step, target_step
from metabin.engine.schedule import candidate_steps, inner_step_size, timeline
from metabin.model.embedder import Embedder, build_embedder
from metabin.model.pretrained import pretrained_identity
from metabin.seeding import derive_seed, generator
from metabin.types import Batch

Watcher = Callable[[int, dict[str, float], dict[str, np.ndarray]], None]
Keeper = Callable[[int, Embedder], None]


class Trainer:
    """One training: a method on one fold's source images with one seed.

    For a given seed every method starts from the same weights and sees the same images in the same order, so that
    differences between methods are paired.

    Args:
        data: the training images of all sources. method: a name in METHODS. seed: of this training.
        target: the images that it is tested on, for a method that `learns_on_target`; no other is given any.
    Raises:
        DatasetError: the images cannot make the batches that are asked for. Raised here, before the first step.
        ValueError: a target for a method that must not see it, or none for one that does.
        ConfigError: too few domains for the meta step, or a device or precision that there is not.
    """

    def __init__(
        self, config: Config, data: ImageSet, method: str, seed: int, *, target: ImageSet | None = None
    ) -> None:
        optim, meta, self.method = config.optim, config.meta, methods.find(method)
        self.name = method
        self.data = cameras_as_domains(data) if meta.domains == "cameras" else data
        self.config, self.seed = config, seed
        self.device = compute.prepare(config.compute)
        self.base_sampler = IdentitySampler(
            data.label, optim.ids_per_batch, optim.images_per_id, derive_seed(seed, "base-batches")
        )
        if self.method.learns_on_target != (target is not None):
            raise ValueError(f"{method} is given {'no target' if target is None else 'a target'}; see learns_on_target")
        self.target = target
        self.meta_sampler = self._meta_sampler()
        self.times = timeline(optim, meta, epoch_steps(data.label, optim.ids_per_batch, optim.images_per_id))
        self.candidates = candidate_steps(self.times.num_steps, config.record.candidates)
        self.model = self._build_model()
        self.optimizer = weights_optimizer(self.model, optim)
        self.scheduler = weights_schedule(self.optimizer, optim, self.times)
        rho_lr = meta.outer_lr if self.meta_sampler else optim.rho_lr
        self.rho_optimizer = rho_optimizer(self.model, rho_lr) if self.method.rho_learner else None
        self.step, self.history = 0, History()

    def run(
        self,
        *,
        watch: Watcher | None = None,
        keep: Keeper | None = None,
        state_path: Path | None = None,
        digest: str = "",
    ) -> Embedder:
        """Train to the end and return the model, in evaluation mode.

        Args:
            watch: called as watch(step, scalars, rho by layer) after every step; both are empty when not recorded.
            keep: called as keep(steps taken, model) at every one of `candidates` but the last, whose model is returned.
                A resumed training calls it for the steps after its state alone: keep what was written before.
            state_path: where to keep the state every `record.checkpoint_every` steps. A state that is there and has the
                same digest is resumed; the outcome has the same bits as an unbroken run's (on one thread).
        Raises:
            FloatingPointError: a loss is not finite; nothing of that step is kept.
        """
        if state_path and (state := load_state(state_path, digest)):
            self.load_state_dict(state)
        extra = self.config.optim.first_base_steps - 1
        base_batches = islice(self.base_sampler, self.step + (extra if self.step else 0), None)
        meta_batches = islice(self.meta_sampler, self.step, None) if self.meta_sampler else None
        self.model.train()
        while self.step < self.times.num_steps:
            for repeat in range(extra if self.step == 0 else 0):
                self._base_step(next(base_batches), f"base-{repeat}")
            scalars = self._base_step(next(base_batches), "base") | {"lr/base": self._lr()}
            if meta_batches:
                scalars |= (self._meta_step if self.target is None else self._target_step)(next(meta_batches))
            self.scheduler.step()
            self._record(scalars, watch)
            self.step += 1
            if keep and self.step in self.candidates[:-1]:
                keep(self.step, self.model)  # before the state: one that is past a candidate says that it is there
            if state_path and self.step % self.config.record.checkpoint_every == 0:
                self.history.check_pending()
                save_state(state_path, digest, self.state_dict())
        return self.model.eval()

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed training needs: tensors and plain values. Random streams depend on the step alone."""
        return {
            "step": self.step,
            "history": {"losses": self.history.losses, "rho": self.history.rho},
            "model": self.model.state_dict(),
            **{name: part.state_dict() for name, part in self._parts().items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the step at which `state_dict` was taken."""
        self.step, self.history = state["step"], History(**state["history"])
        self.model.load_state_dict(state["model"])
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Optimizer | LRScheduler]:
        parts = {"optimizer": self.optimizer, "scheduler": self.scheduler}
        return parts | ({"rho_optimizer": self.rho_optimizer} if self.rho_optimizer else {})

    def _meta_sampler(self) -> DomainSampler | IdentitySampler | None:
        meta, data = self.config.meta, self.data
        seed = derive_seed(self.seed, "meta-batches")
        num_images = self.config.optim.images_per_id
        if self.target is not None:
            return IdentitySampler(self.target.label, 2 * meta.ids_per_domain, num_images, seed)
        if not self.method.has_episodes:
            return None
        meta.meta_train_domains(len(data.names))  # refuses, before the first step, what leaves none for meta-test
        return DomainSampler(data.label, data.domain, meta.ids_per_domain, num_images, seed, data.names)

    def _build_model(self) -> Embedder:
        model, precision = self.config.model, self.config.compute.precision
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "weights"))
            embedder = build_embedder(
                model.backbone,
                self.data.num_classes,
                norm=self.method.norm,
                rho=self.method.rho_start(model),
                rho_per=model.rho_per,
                in_affine=model.in_affine,
                pretrained=model.pretrained,
                precision=torch.bfloat16 if precision == "bfloat16" else None,
            )
        for parameter in rho_of(embedder).values():
            parameter.requires_grad_(self.method.rho_learner == "base")
        return embedder.to(self.device).to(memory_format=torch.channels_last)

    def _base_step(self, index: np.ndarray, purpose: str) -> Scalars:
        optim, joint = self.config.optim, self.method.rho_learner == "base"
        return base_step(
            self.model,
            self._batch(index, purpose),
            [self.optimizer, self.rho_optimizer] if joint and self.rho_optimizer else self.optimizer,
            optim.losses.model_dump(),
            smoothing=optim.smoothing,
            margin=optim.margin,
        )

    def _meta_step(self, index: np.ndarray) -> Scalars:
        optim, meta, num_domains = self.config.optim, self.config.meta, len(self.data.names)
        by_domain = index.reshape(num_domains, -1)
        order = generator(self.seed, "meta-split", self.step).permutation(num_domains)
        num_meta_train = meta.meta_train_domains(num_domains)
        meta_train = self._batch(by_domain[order[:num_meta_train]].ravel(), "meta-train")
        meta_test = self._batch(by_domain[order[num_meta_train:]].ravel(), "meta-test")
        step_size = inner_step_size(meta, self.step, self.times.inner_period)
        episode = (step_size, meta.train_losses.model_dump(), meta.test_losses.model_dump())
        losses = {"margin": optim.margin, "smoothing": optim.smoothing}
        assert self.rho_optimizer is not None
        if self.method.rho_learner == "mldg":
            scalars = mldg_step(
                self.model, meta_train, meta_test, [self.optimizer, self.rho_optimizer], *episode, **losses
            )
        else:
            options = {name: getattr(meta, name) for name in ("statistics", "second_order", "combined")}
            scalars = meta_step(self.model, meta_train, meta_test, self.rho_optimizer, *episode, **losses, **options)
        return scalars | {"lr/inner": torch.tensor(step_size)}

    def _target_step(self, index: np.ndarray) -> Scalars:
        """rho follows the triplet loss of the held-out domain itself, normalised as in its test."""
        assert self.rho_optimizer is not None and self.target is not None
        random = generator(self.seed, "augment", "target", self.step)
        batch = training_batch(self.target, index, random, self.config.augment, self.device)
        return target_step(self.model, batch, self.rho_optimizer, margin=self.config.optim.margin)

    def _lr(self) -> torch.Tensor:
        groups = self.optimizer.param_groups  # of the first weights that learn: a backbone may rest
        return torch.tensor(next((group for group in groups if group["initial_lr"]), groups[0])["lr"])

    def _batch(self, index: np.ndarray, purpose: str) -> Batch:
        random = generator(self.seed, "augment", purpose, self.step)
        return training_batch(self.data, index, random, self.config.augment, self.device)

    def _record(self, scalars: Scalars, watch: Watcher | None) -> None:
        record, last = self.config.record, self.step == self.times.num_steps - 1
        self.history.add_pending(self.step, scalars)
        losses: dict[str, float] = {}
        rho: dict[str, np.ndarray] = {}
        if self.step % record.loss_every == 0 or last:
            losses = self.history.add_losses()
        if self.rho_optimizer and (self.step % record.rho_every == 0 or last):
            rho = {layer_name(name): value.detach().cpu().numpy() for name, value in rho_of(self.model).items()}
            self.history.add_rho(self.step, rho)
        if watch:
            watch(self.step, losses, rho)


def identity(config: Config, method: str, seed: int, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Everything but the code that decides a training's outcome, as plain values."""
    found = methods.find(method)
    sections = [
        "model",
        "optim",
        "augment",
        "record",
        *(["meta"] if found.has_episodes or found.learns_on_target else []),
    ]
    return {
        "method": method,
        "seed": seed,
        "manifest": dict(manifest),
        "num_threads": config.compute.num_threads,
        "precision": config.compute.precision,
        "device": compute.prepare(config.compute).type,
        "pretrained": pretrained_identity(config.model.pretrained),
        **{section: getattr(config, section).model_dump() for section in sections},
    }


def layer_name(parameter_name: str) -> str:
    """ "backbone.block1.norm1.rho" -> "block1.norm1"."""
    return parameter_name.removeprefix("backbone.").removesuffix(".rho")

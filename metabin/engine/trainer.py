"""The loop around the learner: batches in, weights and a record of the run out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from metabin import compute
from metabin.config import Config, Meta, Optim
from metabin.data.loading import ImageSet, training_batch
from metabin.data.sampling import DomainSampler, IdentitySampler
from metabin.engine.checkpoint import load_state, save_state
from metabin.engine.history import History
from metabin.engine.learner import Scalars, base_step, meta_step, rho_of
from metabin.engine.methods import METHODS
from metabin.engine.schedule import triangle, warmup_milestones
from metabin.model.embedder import Embedder, build_embedder
from metabin.seeding import derive_seed, generator
from metabin.types import Batch

Watcher = Callable[[int, dict[str, float], dict[str, np.ndarray]], None]


class Trainer:
    """One training: a method on one fold's source images with one seed.

    For a given seed every method starts from the same weights and sees the same images in the same order, so that
    differences between methods are paired.

    Args:
        data: the training images of all sources. method: a name in METHODS. seed: of this training.
    Raises:
        DatasetError: the images cannot make the batches that are asked for. Raised here, before the first step.
    """

    def __init__(self, config: Config, data: ImageSet, method: str, seed: int) -> None:
        optim, meta, self.method = config.optim, config.meta, METHODS[method]
        self.config, self.data, self.seed = config, data, seed
        self.device = compute.prepare(config.compute)
        self.model = self._build_model()
        self.optimizer = weights_optimizer(self.model, optim)
        self.scheduler = weights_schedule(self.optimizer, optim)
        self.rho_optimizer = self._rho_optimizer()
        self.base_sampler = IdentitySampler(
            data.label, optim.ids_per_batch, optim.images_per_id, derive_seed(seed, "base-batches")
        )
        self.meta_sampler = (
            DomainSampler(
                data.label,
                data.domain,
                meta.ids_per_domain,
                optim.images_per_id,
                derive_seed(seed, "meta-batches"),
                data.names,
            )
            if self.method.rho_learner == "meta"
            else None
        )
        self.step, self.history = 0, History()

    def run(self, *, watch: Watcher | None = None, state_path: Path | None = None, digest: str = "") -> Embedder:
        """Train to the end and return the model, in evaluation mode.

        Args:
            watch: called as watch(step, scalars, rho by layer) after every step; both are empty when not recorded.
            state_path: where to keep the state every `record.checkpoint_every` steps. A state that is there and has the
                same digest is resumed; the outcome has the same bits as an unbroken run's (on one thread).
        Raises:
            FloatingPointError: a loss is not finite.
        """
        if state_path and (state := load_state(state_path, digest)):
            self.load_state_dict(state)
        base_batches = islice(self.base_sampler, self.step, None)
        meta_batches = islice(self.meta_sampler, self.step, None) if self.meta_sampler else None
        self.model.train()
        while self.step < self.config.optim.num_steps:
            scalars = self._base_step(next(base_batches))
            if meta_batches:
                scalars |= self._meta_step(next(meta_batches))
            self._record(scalars, watch)
            self.step += 1
            if state_path and self.step % self.config.record.checkpoint_every == 0:
                save_state(state_path, digest, self.state_dict())
        return self.model.eval()

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed training needs: tensors and plain values. Random streams depend on the step alone."""
        return {
            "step": self.step,
            "history": asdict(self.history),
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

    def _build_model(self) -> Embedder:
        model = self.config.model
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "weights"))
            embedder = build_embedder(
                model.backbone, self.data.num_classes, norm=self.method.norm, rho=self.method.rho_start(model)
            )
        for parameter in rho_of(embedder).values():
            parameter.requires_grad_(self.method.rho_learner == "base")
        return embedder.to(self.device)

    def _rho_optimizer(self) -> Optimizer | None:
        lr = {"base": self.config.optim.rho_lr, "meta": self.config.meta.outer_lr}.get(self.method.rho_learner or "")
        return SGD(list(rho_of(self.model).values()), lr=lr) if lr else None

    def _base_step(self, index: np.ndarray) -> Scalars:
        optim = self.config.optim
        optimizers = [self.optimizer]
        if self.rho_optimizer and self.method.rho_learner == "base":
            optimizers.append(self.rho_optimizer)
        scalars = base_step(
            self.model,
            self._batch(index, "base"),
            optimizers,
            smoothing=optim.smoothing,
            margin=optim.margin,
            weights={"ce": optim.ce_weight, "triplet": optim.triplet_weight},
        )
        scalars["lr/base"] = torch.tensor(self.optimizer.param_groups[0]["lr"])
        self.scheduler.step()
        return scalars

    def _meta_step(self, index: np.ndarray) -> Scalars:
        meta, num_domains = self.config.meta, len(self.data.names)
        by_domain = index.reshape(num_domains, -1)
        order = generator(self.seed, "meta-split", self.step).permutation(num_domains)
        num_meta_train = meta.meta_train_domains(num_domains)
        meta_train = self._batch(by_domain[order[:num_meta_train]].ravel(), "meta-train")
        meta_test = self._batch(by_domain[order[num_meta_train:]].ravel(), "meta-test")
        step_size = inner_step_size(meta, self.step)
        assert self.rho_optimizer is not None
        weights = {"scatter": meta.scatter_weight, "shuffle": meta.shuffle_weight, "triplet": meta.triplet_weight}
        scalars = meta_step(
            self.model,
            meta_train,
            meta_test,
            self.rho_optimizer,
            step_size,
            weights,
            margin=self.config.optim.margin,
            second_order=meta.second_order,
        )
        return scalars | {"lr/inner": torch.tensor(step_size)}

    def _batch(self, index: np.ndarray, purpose: str) -> Batch:
        random = generator(self.seed, "augment", purpose, self.step)
        return training_batch(
            self.data, index, random, flip=self.config.optim.flip, pad=self.config.optim.pad, device=self.device
        )

    def _record(self, scalars: Scalars, watch: Watcher | None) -> None:
        record, last = self.config.record, self.step == self.config.optim.num_steps - 1
        losses: dict[str, float] = {}
        rho: dict[str, np.ndarray] = {}
        if self.step % record.loss_every == 0 or last:
            losses = {name: value.item() for name, value in scalars.items()}
            self.history.add_losses(self.step, losses)
        if self.rho_optimizer and (self.step % record.rho_every == 0 or last):
            rho = {layer_name(name): value.detach().cpu().numpy() for name, value in rho_of(self.model).items()}
            self.history.add_rho(self.step, rho)
        if watch:
            watch(self.step, losses, rho)


def identity(config: Config, method: str, seed: int, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Everything but the code that decides a training's outcome, as plain values."""
    sections = ["model", "optim", "record", *(["meta"] if METHODS[method].rho_learner == "meta" else [])]
    return {
        "method": method,
        "seed": seed,
        "manifest": dict(manifest),
        "num_threads": config.compute.num_threads,
        "device": compute.prepare(config.compute).type,
        **{section: getattr(config, section).model_dump() for section in sections},
    }


def weights_optimizer(model: Embedder, optim: Optim) -> Optimizer:
    """The optimiser of everything that is learned but rho."""
    rho = {id(parameter) for parameter in rho_of(model).values()}
    groups: dict[bool, list[torch.nn.Parameter]] = {False: [], True: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) not in rho:
            groups["bias" in name].append(parameter)
    settings = [
        {"params": groups[False], "lr": optim.lr},
        {"params": groups[True], "lr": optim.lr * optim.bias_lr_factor},
    ]
    if optim.optimizer == "sgd":
        return SGD(settings, lr=optim.lr, momentum=0.9, weight_decay=optim.weight_decay)
    return Adam(settings, lr=optim.lr, weight_decay=optim.weight_decay)


def weights_schedule(optimizer: Optimizer, optim: Optim) -> LRScheduler:
    """The learning rate of the weights; rho's is constant, as in the reference."""
    if optim.schedule == "one_cycle":
        return OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=optim.num_steps)
    return LambdaLR(
        optimizer, lambda step: warmup_milestones(step, warmup_steps=optim.warmup_steps, milestones=optim.milestones)
    )


def inner_step_size(meta: Meta, step: int) -> float:
    """The step size of the inner update at a 0-based step; the cycle runs from a hundredth of its peak."""
    if meta.inner_schedule == "fixed":
        return meta.inner_lr
    return triangle(step + 1, period=meta.inner_period, low=meta.inner_lr / 100, high=meta.inner_lr)


def layer_name(parameter_name: str) -> str:
    """ "backbone.block1.norm1.rho" -> "block1.norm1"."""
    return parameter_name.removeprefix("backbone.").removesuffix(".rho")

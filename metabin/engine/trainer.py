"""The training loop: batches in, a model and a record of the training out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metabin import compute
from metabin.config import Config
from metabin.data.batches.loading import (
    HostBatch,
    ImageSet,
    Share,
    cameras_as_domains,
    load_batch,
    load_two_views,
)
from metabin.data.batches.prefetching import prefetch
from metabin.data.batches.sampling import IdentitySampler, epoch_steps
from metabin.engine import optimizers
from metabin.engine.averaging import ModelAverage
from metabin.engine.history import History, Scalars, tensor_sizes
from metabin.engine.resume import load_state, save_state
from metabin.engine.schedule import candidate_steps, timeline
from metabin.losses.inputs import WeightedLosses
from metabin.methods.method import Method
from metabin.model import distributed
from metabin.model.embedder import Embedder
from metabin.model.joined import join_statistics, running_statistics
from metabin.model.norm import layer_of, rho_of
from metabin.registry import find_method
from metabin.seeding import derive_seed, generator

Watcher = Callable[[int, dict[str, float], dict[str, np.ndarray]], None]
Keeper = Callable[[int, Embedder], None]

# Iterations whose batches a thread prepares ahead. On a CPU it would take time from the step.
ITERATIONS_AHEAD = {"cpu": 0, "cuda": 2}
# Parameters that decide how much memory a step takes.
LOWER = (
    "lower optim.ids_per_batch, optim.images_per_id or meta.ids_per_domain, "
    "or partition.height and partition.width"
)


class Trainer:
    """One training: a method on the source images of one fold, with one seed.

    For a given seed every method starts from the same weights and gets the same images in the same
    order, so that differences between methods are paired.

    Args:
        config: the parameters of this training, see `Config.of`.
        data: the training images of all sources.
        method: a method, or the name of a registered one.
        seed: of this training.
        target: the images that are tested, for a method that `learns_on_target` and no other.
    Raises:
        DatasetError: the images do not suffice for the batches. Raised here, before the first step.
        ValueError: a target for a method that must not read it, or none for one that does.
        ConfigError: too few domains for the meta step, or an absent device or precision.
    """

    def __init__(
        self,
        config: Config,
        data: ImageSet,
        method: Method | str,
        seed: int,
        *,
        target: ImageSet | None = None,
    ) -> None:
        method = find_method(method) if isinstance(method, str) else method
        if method.learns_on_target != (target is not None):
            passed = "no target" if target is None else "a target"
            raise ValueError(f"{method.name} is given {passed}; see Method.learns_on_target")
        optim = config.optim
        self.config = config
        self.method = method
        self.seed = seed
        self.target = target
        self.data = cameras_as_domains(data) if config.meta.domains == "cameras" else data
        self.device = compute.prepare(config.compute)
        batch_shape = (optim.ids_per_batch, optim.images_per_id)
        self.base_sampler = IdentitySampler(
            data.label, *batch_shape, derive_seed(seed, "base-batches")
        )
        self.base_losses = self.losses(optim.losses)
        self.share = Share(distributed.rank(), distributed.num_ranks(), optim.images_per_id)
        self.has_own_statistics = self.share.num_ranks > 1 and config.compute.statistics == "device"
        self.share.check("optim.ids_per_batch", optim.ids_per_batch)
        if method.is_episodic or method.learns_on_target:
            self.share.check("meta.ids_per_domain", config.meta.ids_per_domain)
        method.batches(self)  # so that unfit parameters are errors before the first step
        self.times = timeline(optim, config.meta, epoch_steps(data.label, *batch_shape))
        self.candidates = candidate_steps(self.times.num_steps, config.record.candidates)
        self.model = self._build_model()
        self.optimizer = optimizers.weights_optimizer(self.model, optim)
        self.scheduler = optimizers.weights_schedule(self.optimizer, optim, self.times)
        self.rho_optimizer = optimizers.rho_optimizer(self.model, method.rho_lr(config))
        self.average = ModelAverage(self.model, optim, self.times.num_steps)
        self.step = 0
        self.saved_step = 0
        self.history = History()

    def run(
        self,
        *,
        watch: Watcher | None = None,
        keep: Keeper | None = None,
        resumed: Callable[[History], None] | None = None,
        state_path: Path | None = None,
        digest: str = "",
    ) -> Embedder:
        """Train to the end and return the model, or its average, in evaluation mode.

        Args:
            watch: called as watch(step, scalars, rho by layer) after every step; both are empty
                when nothing is recorded.
            keep: called as keep(steps taken, model) at each of `candidates` but the last, whose
                model is returned. A resumed training calls it for the steps after its state alone.
            resumed: called with the history of the steps before, if a state is resumed.
            state_path: where the state is saved every `record.checkpoint_every` steps, and after
                `record.checkpoint_seconds`. An existing state with the same digest is resumed; the
                outcome has the same bits as without the interruption (on one thread).
        Raises:
            FloatingPointError: a loss or a number of the model is not finite; nothing of that step
                is kept. Names the step, the loss or the tensors, and the last state that was saved.
            MemoryLimitError: a batch does not fit into memory.
        """
        if state_path and (state := load_state(state_path, digest)):
            self.load_state_dict(state)
            self.saved_step = self.step
            if resumed:
                resumed(self.history)
        distributed.require_equal("the step to begin with", self.step)
        self.model.train()
        try:
            with (
                compute.memory_limit(f"a step of the training on {self.device}", LOWER),
                torch.random.fork_rng([self.device] if self.device.type == "cuda" else []),
            ):
                self._train(watch, keep, state_path, digest)
        except FloatingPointError as error:
            saved = f"{state_path} after step {self.saved_step - 1}" if self.saved_step else "none"
            raise FloatingPointError(f"{error}. The last saved state is {saved}") from None
        return self.average.result(self.step).eval()

    def _train(
        self, watch: Watcher | None, keep: Keeper | None, state_path: Path | None, digest: str
    ) -> None:
        """Take all steps from the current one; see `run`."""
        saved = time.monotonic()
        ahead = ITERATIONS_AHEAD[self.device.type]
        with closing(prefetch(self.host_batches(), ahead)) as iterations:
            for batches in iterations:
                # The random numbers of layers, as of MixStyle, depend on the step alone as well.
                torch.manual_seed(derive_seed(self.seed, "layers", self.step, self.share.rank))
                scalars = self._iterate(batches)
                self.average.update(self.step)
                self._record(scalars, watch)
                self.step += 1
                # A candidate is written before the state: a state after a candidate's step
                # implies it.
                if keep and self.step in self.candidates[:-1]:
                    keep(self.step, self.average.result(self.step))
                if state_path and self._is_checkpoint(time.monotonic() - saved):
                    self.history.check_pending()
                    if self.share.rank == 0:
                        save_state(state_path, digest, self.state_dict())
                    saved = time.monotonic()
                    self.saved_step = self.step

    def losses(self, terms: Mapping[str, Any]) -> WeightedLosses:
        """Return losses as params.yaml lists them, with this training's margin and smoothing."""
        optim = self.config.optim
        return WeightedLosses.of(terms, margin=optim.margin, smoothing=optim.smoothing)

    def batch_indices(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the image indices of each batch by its purpose, per iteration from the first."""
        base_batches = iter(self.base_sampler)
        for step, method_batches in enumerate(self.method.batches(self)):
            base = {purpose: next(base_batches) for purpose in self._base_purposes(step)}
            yield base | method_batches

    def host_batches(self) -> Iterator[dict[str, HostBatch]]:
        """Yield the augmented batches by purpose, per iteration from the one about to run."""
        # A resumed training skips the batches of the steps before its state.
        iterations = islice(enumerate(self.batch_indices()), self.step, self.times.num_steps)
        return (
            {purpose: self._load(index, purpose, step) for purpose, index in indices.items()}
            for step, indices in iterations
        )

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed training needs: tensors and plain values.

        Random streams depend on the step alone and need no state.
        """
        return {
            "step": self.step,
            "history": {
                "losses": self.history.losses,
                "rho": self.history.rho,
                "channels": self.history.channels,
            },
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "rho_optimizer": self.rho_optimizer.state_dict(),
            "average": self.average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the step at which `state_dict` was called."""
        self.step = state["step"]
        self.history = History(**state["history"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.rho_optimizer.load_state_dict(state["rho_optimizer"])
        self.average.load_state_dict(state["average"])

    def _build_model(self) -> Embedder:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "weights"))
            model = self.method.build(self.config, self.data.num_classes)
        if self.share.num_ranks > 1 and not self.has_own_statistics:
            join_statistics(model.backbone)
        return model.to(self.device).to(memory_format=torch.channels_last)

    def _base_purposes(self, step: int) -> list[str]:
        """Return the purposes of the base batches; the first iteration may have several."""
        num_extra = self.config.optim.first_base_steps - 1 if step == 0 else 0
        return [*(f"base-{repeat}" for repeat in range(num_extra)), "base"]

    def _load(self, index: np.ndarray, purpose: str, step: int) -> HostBatch:
        data = self.target if purpose == "target" else self.data
        assert data is not None
        augment = self.config.augment
        usual = generator(self.seed, "augment", purpose, step)
        if self.base_losses.num_views == 1:
            batch = load_batch(data, index, usual, augment, self.share)
        elif purpose.startswith("base"):
            strong = generator(self.seed, "augment", purpose, step, "strong")
            batch = load_two_views(data, index, usual, strong, augment, self.share)
        else:
            batch = load_batch(data, index, usual, augment.usual(), self.share)
        return batch.pin() if self.device.type == "cuda" else batch

    def _iterate(self, batches: dict[str, HostBatch]) -> Scalars:
        """Take one iteration: the base step, the step of the method, and a step of the schedule."""
        purposes = self._base_purposes(self.step)
        *_, last = [self._base_step(batches.pop(purpose)) for purpose in purposes]
        scalars: Scalars = {**last, "lr/base": optimizers.current_lr(self.optimizer)}
        if batches:
            # Checked here as well: a tensor that the base step destroys spoils others below.
            self.history.add_pending(self.step, scalars, tensor_sizes(self.model))
            on_device = {purpose: batch.to(self.device) for purpose, batch in batches.items()}
            scalars = {**scalars, **self.method.step(self, on_device)}
        self.scheduler.step()
        return scalars

    def _base_step(self, batch: HostBatch) -> Scalars:
        losses = self.method.base_step(self, batch.to(self.device))
        if self.has_own_statistics:
            distributed.average(running_statistics(self.model.backbone))
        return losses

    def _is_checkpoint(self, seconds: float) -> bool:
        """Return whether a state is saved after this step, given the seconds since the last one."""
        record = self.config.record
        is_late = record.checkpoint_seconds and seconds >= record.checkpoint_seconds
        return bool(is_late) or self.step % record.checkpoint_every == 0

    def _record(self, scalars: Scalars, watch: Watcher | None) -> None:
        record = self.config.record
        is_last = self.step == self.times.num_steps - 1
        self.history.add_pending(self.step, scalars, tensor_sizes(self.model))
        losses: dict[str, float] = {}
        rho: dict[str, np.ndarray] = {}
        if self.step % record.loss_every == 0 or is_last:
            losses = self.history.add_losses()
        if self.method.learns_rho and (self.step % record.rho_every == 0 or is_last):
            rho = {
                layer_of(name): value.detach().cpu().numpy()
                for name, value in rho_of(self.model).items()
            }
            self.history.add_rho(self.step, rho)
        if watch:
            watch(self.step, losses, rho)

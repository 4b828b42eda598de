"""The average of a model over the steps of its training, tested in place of the last model."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from metabin.config import Optim
from metabin.model.embedder import Embedder


class ModelAverage:
    """The running average of the weights, rho and the running statistics of a model.

    "ema" averages from the first step on, with weights that decay by `optim.average_decay` per
    step. "swa" averages the last steps alike, from the share `optim.average_from` of the training
    on. With "none" the model itself is the result.

    Args:
        model: that is trained.
        optim: section of params.yaml.
        num_steps: of the training.
    Source: Izmailov et al. 2018 (SWA). The running statistics are averaged as well: to compute
        those of the averaged weights, torch's `update_bn` needs another pass over the images.
    """

    def __init__(self, model: Embedder, optim: Optim, num_steps: int) -> None:
        self.model = model
        self.average: AveragedModel | None = None
        self.first_step = 0
        if optim.averaging == "ema":
            decaying = get_ema_multi_avg_fn(optim.average_decay)
            self.average = AveragedModel(model, multi_avg_fn=decaying, use_buffers=True)
        elif optim.averaging == "swa":
            self.average = AveragedModel(model, avg_fn=_mean, use_buffers=True)
            self.first_step = int(num_steps * optim.average_from)

    def update(self, step: int) -> None:
        """Include the model after a step, counted from 0."""
        if self.average and step >= self.first_step:
            self.average.update_parameters(self.model)

    def result(self, num_steps: int) -> Embedder:
        """Return the averaged model after a number of steps, or the model if none is averaged."""
        if self.average and num_steps > self.first_step:
            return cast(Embedder, self.average.module)
        return self.model

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the average, for a training that resumes."""
        return self.average.state_dict() if self.average else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state that `state_dict` returned."""
        if self.average:
            self.average.load_state_dict(state)


def _mean(average: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
    """Return the mean of `count` + 1 values from the mean of the first ones and the last value.

    torch's own function for this cannot average the integer counters of BatchNorm.
    """
    return average + (value - average) / (count + 1)

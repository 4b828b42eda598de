"""The optimiser and schedule of the weights, and the optimiser of rho."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from metabin.config import Optim
from metabin.engine.schedule import Timeline, warmup_milestones
from metabin.model.norm import rho_of

MOMENTUM = 0.9  # of the weights, with sgd; rho has none


def weights_optimizer(model: nn.Module, optim: Optim) -> Optimizer:
    """Return the optimiser of all learned parameters but rho.

    A bias is a parameter with "bias" in its name, so the shifts of the norms are biases:
    `bias_lr_factor` holds for them. `backbone_lr_factor` holds for all parameters below the neck;
    where it is 0, these are frozen.
    """
    rho = rho_of(model)
    norms = norm_affines(model)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and name not in rho:
            lr = optim.lr * (optim.bias_lr_factor if "bias" in name else 1.0)
            lr *= optim.backbone_lr_factor if name.startswith("backbone.") else 1.0
            decay = optim.weight_decay if optim.decay_norms or name not in norms else 0.0
            groups.setdefault((lr, decay), []).append(parameter)
    settings = [
        {"params": parameters, "lr": lr, "weight_decay": decay}
        for (lr, decay), parameters in groups.items()
    ]
    if optim.optimizer == "sgd":
        return SGD(settings, lr=optim.lr, momentum=MOMENTUM, fused=True)
    return Adam(settings, lr=optim.lr, fused=True)


def norm_affines(model: nn.Module) -> set[str]:
    """Return the names of the scales and shifts of norms: one-dimensional parameters but rho."""
    rho = rho_of(model)
    return {
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim == 1 and name not in rho
    }


def weights_schedule(optimizer: Optimizer, optim: Optim, times: Timeline) -> LRScheduler:
    """Return the schedule of the weights' learning rate.

    The rate of rho is constant, as in the reference.
    "one_cycle" moves Adam's beta1 (SGD's momentum) too: from 0.95 down to 0.85 where the rate is
    highest, and back.
    """
    if optim.schedule == "one_cycle":
        peaks = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, peaks, total_steps=times.num_steps)

    def factor(step: int) -> float:
        return warmup_milestones(step, warmup_steps=times.warmup_steps, milestones=times.milestones)

    return LambdaLR(optimizer, factor)


def current_lr(optimizer: Optimizer) -> float:
    """Return the learning rate of the first weights that are not frozen, of `weights_schedule`."""
    groups = optimizer.param_groups
    learning = (group for group in groups if group["initial_lr"])
    return next(learning, groups[0])["lr"]


def rho_optimizer(model: nn.Module, lr: float) -> Optimizer:
    """Return SGD for rho without momentum or decay, at a constant rate.

    It holds nothing if there is no rho.
    """
    # a group, since torch refuses an empty list of parameters
    return SGD([{"params": list(rho_of(model).values())}], lr=lr, fused=True)

"""The optimisers and the schedule of the weights, and the optimiser of rho."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from metabin.config import Optim
from metabin.engine.learner import rho_of
from metabin.engine.schedule import Timeline, warmup_milestones

MOMENTUM = 0.9  # of the weights, with sgd; rho has none


def weights_optimizer(model: nn.Module, optim: Optim) -> Optimizer:
    """The optimiser of everything that is learned but rho.

    A bias is what has "bias" in its name, so the shifts of the norms are biases: `bias_lr_factor` holds for them.
    `backbone_lr_factor` holds for all below the neck; where it is 0, weights rest and rho is what adapts.
    """
    rho, norms = rho_of(model), norm_affines(model)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and name not in rho:
            lr = optim.lr * (optim.bias_lr_factor if "bias" in name else 1.0)
            lr *= optim.backbone_lr_factor if name.startswith("backbone.") else 1.0
            decay = optim.weight_decay if optim.decay_norms or name not in norms else 0.0
            groups.setdefault((lr, decay), []).append(parameter)
    settings = [{"params": group, "lr": lr, "weight_decay": decay} for (lr, decay), group in groups.items()]
    if optim.optimizer == "sgd":
        return SGD(settings, lr=optim.lr, momentum=MOMENTUM, fused=True)
    return Adam(settings, lr=optim.lr, fused=True)


def norm_affines(model: nn.Module) -> set[str]:
    """The names of the scales and shifts of normalisation layers: every one-dimensional parameter but rho."""
    rho = rho_of(model)
    return {name for name, parameter in model.named_parameters() if parameter.ndim == 1 and name not in rho}


def weights_schedule(optimizer: Optimizer, optim: Optim, times: Timeline) -> LRScheduler:
    """The learning rate of the weights; rho's is constant, as in the reference.

    "one_cycle" moves Adam's beta1 (SGD's momentum) too: 0.95, down to 0.85 where the rate is highest, and
    back.
    """
    if optim.schedule == "one_cycle":
        return OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=times.num_steps)
    return LambdaLR(
        optimizer,
        lambda step: warmup_milestones(step, warmup_steps=times.warmup_steps, milestones=times.milestones),
    )


def rho_optimizer(model: nn.Module, lr: float) -> Optimizer:
    """SGD without momentum or decay, at a constant rate."""
    return SGD(list(rho_of(model).values()), lr=lr, fused=True)

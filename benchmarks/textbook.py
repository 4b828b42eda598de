"""The method as it is commonly written, and in its authors' code: the reference for our step.

The norm layer is torch's BatchNorm and InstanceNorm, two products and a sum. Hard mining loops over
anchors. The meta forward passes go through the classifier even if no loss needs it. Base loss and
meta-test loss are differentiated for every parameter, learned or not. The update is the same as
ours (tests/test_benchmarks.py).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from metabin.episodes.losses.scatter import scatter_loss
from metabin.losses.cross_entropy import cross_entropy_loss
from metabin.losses.distance import euclidean_distance
from metabin.model.embedder import Embedder
from metabin.types import Batch


class TextbookNorm(nn.Module):
    """rho * BatchNorm(x) + (1 - rho) * InstanceNorm(x)."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.ones(num_features))
        self.batch = nn.BatchNorm2d(num_features)
        self.instance = nn.InstanceNorm2d(num_features, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        rho = self.rho.view(1, -1, 1, 1)
        return rho * self.batch(x) + (1 - rho) * self.instance(x)


def with_textbook_norms(model: Embedder) -> Embedder:
    """Replace every BatchNorm of the backbone."""
    for name, layer in list(model.backbone.named_modules()):
        if isinstance(layer, nn.BatchNorm2d):
            parent, _, child = name.rpartition(".")
            setattr(model.backbone.get_submodule(parent), child, TextbookNorm(layer.num_features))
    return model


def base_step(model: Embedder, batch: Batch, optimizer: Optimizer) -> None:
    """Take a step of the weights on cross entropy and triplet loss."""
    features = model(batch.images)
    loss = cross_entropy_loss(model.classify(features), batch.label, smoothing=0.1)
    loss = loss + triplet_loss(features, batch.label)
    model.zero_grad()
    loss.backward()
    optimizer.step()


def meta_step(
    model: Embedder,
    meta_train: Batch,
    meta_test: Batch,
    optimizer: Optimizer,
    step_size: float,
) -> None:
    """Take a step of rho: an inner step on meta-train, then the gradient on meta-test."""
    rho = {
        name: value.detach().requires_grad_()
        for name, value in model.named_parameters()
        if name.endswith("rho")
    }
    features, _ = _outputs(model, rho, meta_train.images)
    loss = scatter_loss(features, meta_train.domain) + triplet_loss(features, meta_train.label)
    loss = loss + shuffle_loss(features, meta_train.label, meta_train.domain)
    gradients = torch.autograd.grad(loss, list(rho.values()))
    # rho' = clip(rho - step_size * gradient). The derivative of rho' by rho is taken as 1, also
    # where it is clipped: the value is a constant, and the zero (rho - rho) has the gradient.
    moved = {
        name: (value - step_size * gradient).detach().clamp(0, 1) + (value - value.detach())
        for (name, value), gradient in zip(rho.items(), gradients, strict=True)
    }
    features, _ = _outputs(model, moved, meta_test.images)
    triplet_loss(features, meta_test.label).backward()
    parameters = dict(model.named_parameters())
    for name, value in rho.items():
        parameters[name].grad = value.grad
    optimizer.step()
    model.zero_grad()
    with torch.no_grad():
        for name in rho:
            parameters[name].clamp_(0, 1)


def triplet_loss(features: Tensor, label: Tensor, margin: float = 0.3) -> Tensor:
    """Compute the triplet loss with the hardest positive and negative of every anchor."""
    distance = euclidean_distance(features)
    losses = []
    for anchor in range(len(label)):
        same_id = label == label[anchor]
        farthest = distance[anchor][same_id].max()
        nearest = distance[anchor][~same_id].min()
        losses.append(F.relu(farthest - nearest + margin))
    return torch.stack(losses).mean()


def shuffle_loss(features: Tensor, label: Tensor, domain: Tensor) -> Tensor:
    """Compute the shuffle loss of every anchor.

    It is softplus(farthest in the other domains - nearest negative in the same domain).
    """
    distance = euclidean_distance(features)
    losses = []
    for anchor in range(len(label)):
        same_domain = domain == domain[anchor]
        others = distance[anchor][~same_domain]
        # Without another domain, the distance of the anchor to itself stands in.
        farthest_other = others.max() if len(others) else distance[anchor, anchor]
        nearest_same = distance[anchor][same_domain & (label != label[anchor])].min()
        losses.append(F.softplus(farthest_other - nearest_same))
    return torch.stack(losses).mean()


def _outputs(model: Embedder, rho: dict[str, Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """Return features and logits with other rho, without moving the running statistics."""
    scratch = {name: buffer.clone() for name, buffer in model.named_buffers()}
    features = functional_call(model, {**rho, **scratch}, (images,))
    neck = {
        name.removeprefix("neck."): buffer
        for name, buffer in scratch.items()
        if name.startswith("neck.")
    }
    return features, model.classifier(functional_call(model.neck, neck, (features,)))

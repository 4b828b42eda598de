"""The method as it is commonly written, and as its authors' code has it: what our step is measured against.

The norm layer is torch's BatchNorm and InstanceNorm, two products and a sum; hard mining loops over anchors; the meta
forwards go through the classifier whether or not a loss asks for it; base and meta-test loss are differentiated for
every parameter, moved or not. It computes the same update (tests/test_benchmarks.py).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from metabin.losses import cross_entropy_loss, euclidean_distance, scatter_loss
from metabin.model.embedder import Embedder
from metabin.types import Batch


class TextbookNorm(nn.Module):
    """rho * BatchNorm(x) + (1 - rho) * InstanceNorm(x)."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.ones(num_features))
        self.batch, self.instance = nn.BatchNorm2d(num_features), nn.InstanceNorm2d(num_features, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        rho = self.rho.view(1, -1, 1, 1)
        return rho * self.batch(x) + (1 - rho) * self.instance(x)


def with_textbook_norms(model: Embedder) -> Embedder:
    """Put the layer in place of every BatchNorm of the backbone."""
    for name, layer in list(model.backbone.named_modules()):
        if isinstance(layer, nn.BatchNorm2d):
            parent, _, child = name.rpartition(".")
            setattr(model.backbone.get_submodule(parent), child, TextbookNorm(layer.num_features))
    return model


def base_step(model: Embedder, batch: Batch, optimizer: Optimizer) -> None:
    features = model(batch.images)
    loss = cross_entropy_loss(model.classify(features), batch.label, smoothing=0.1)
    loss = loss + triplet_loss(features, batch.label)
    model.zero_grad()
    loss.backward()
    optimizer.step()


def meta_step(model: Embedder, meta_train: Batch, meta_test: Batch, optimizer: Optimizer, step_size: float) -> None:
    rho = {name: value.detach().requires_grad_() for name, value in model.named_parameters() if name.endswith("rho")}
    features, _ = _outputs(model, rho, meta_train.images)
    loss = scatter_loss(features, meta_train.domain) + triplet_loss(features, meta_train.label)
    loss = loss + shuffle_loss(features, meta_train.label, meta_train.domain)
    gradients = torch.autograd.grad(loss, list(rho.values()))
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
    distance = euclidean_distance(features)
    losses = []
    for anchor in range(len(label)):
        same_id = label == label[anchor]
        farthest, nearest = distance[anchor][same_id].max(), distance[anchor][~same_id].min()
        losses.append(F.relu(farthest - nearest + margin))
    return torch.stack(losses).mean()


def shuffle_loss(features: Tensor, label: Tensor, domain: Tensor) -> Tensor:
    distance = euclidean_distance(features)
    losses = []
    for anchor in range(len(label)):
        own = domain == domain[anchor]
        other_domain = distance[anchor][~own].max() if (~own).any() else distance[anchor, anchor]
        own_domain = distance[anchor][own & (label != label[anchor])].min()
        losses.append(F.softplus(other_domain - own_domain))
    return torch.stack(losses).mean()


def _outputs(model: Embedder, rho: dict[str, Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    scratch = {name: buffer.clone() for name, buffer in model.named_buffers()}
    features = functional_call(model, {**rho, **scratch}, (images,))
    neck = {name.removeprefix("neck."): buffer for name, buffer in scratch.items() if name.startswith("neck.")}
    return features, model.classifier(functional_call(model.neck, neck, (features,)))

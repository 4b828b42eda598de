"""Cross-entropy with label smoothing."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from metabin.losses.inputs import LossInputs


def loss(inputs: LossInputs) -> Tensor:
    """Return `cross_entropy_loss` of the logits of the features."""
    logits = inputs.classify(inputs.features)
    return cross_entropy_loss(logits, inputs.batch.label, smoothing=inputs.smoothing)


def cross_entropy_loss(logits: Tensor, label: Tensor, *, smoothing: float) -> Tensor:
    """Compute the cross-entropy with label smoothing.

        target[label] = 1 - smoothing,  target[other] = smoothing / (C - 1)
        loss = mean_i  - sum_c target[c] * log softmax(logits_i)[c]

    Args:
        logits: (B, C).
        label: (B,) int64 in [0, C).
        smoothing: probability given to the wrong classes together, in [0, (C - 1) / C].
    Returns: scalar.
    Source: the reference's CrossEntropyLoss; equations and tests in docs/method.md.
    """
    num_classes = logits.shape[1]
    # torch spreads its label_smoothing over all C classes, the true one included, so the same
    # targets need smoothing * C / (C - 1) there.
    scaled = smoothing * num_classes / max(num_classes - 1, 1)
    return F.cross_entropy(logits, label, label_smoothing=scaled)

"""Fixtures of the tests that need a CUDA device: parameters of a device, and torch's flags."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _flags_of_torch():
    """Restore the precision that a training sets."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.fp32_precision, matmul.fp32_precision, cudnn.deterministic
    yield
    cudnn.fp32_precision, matmul.fp32_precision, cudnn.deterministic = before


@pytest.fixture
def on_device():
    """A function that gives parameters with another device and precision, and with SGD at a low rate."""

    def change(config, device, *, precision="float32", backbone="resnet_small", lr=0.01):
        optim = config.optim.model_copy(
            update={"optimizer": "sgd", "schedule": "warmup_milestones", "lr": lr, "rho_lr": 0.1}
        )
        meta = config.meta.model_copy(update={"outer_lr": 0.1, "inner_lr": 0.01})
        return config.model_copy(
            update={
                "optim": optim,
                "meta": meta,
                "model": config.model.model_copy(update={"backbone": backbone}),
                "compute": config.compute.model_copy(update={"device": device, "precision": precision}),
            }
        )

    return change

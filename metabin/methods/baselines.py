"""The baselines: rho is absent, fixed, or learned together with the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metabin.errors import ConfigError
from metabin.methods.method import ALL_RHO, Method

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.engine.history import Scalars
    from metabin.engine.trainer import Trainer
    from metabin.types import Batch


class BN(Method):
    """Batch normalisation in every layer."""

    label = "BN"
    color = "#0072B2"
    marker = "o"
    meaning = "batch norm in every layer (rho = 1)"
    norm = "bn"
    # model.in_affine is the start of an instance half, which BN does not have.
    without_effect = ("meta", *ALL_RHO, "model.in_affine")


class IN(Method):
    """Instance normalisation in every layer."""

    label = "IN"
    color = "#56B4E9"
    marker = "s"
    meaning = "instance norm in every layer (rho = 0)"
    norm = "in"


class Half(Method):
    """Batch normalisation in half of the channels, instance normalisation in the others."""

    label = "BN+IN half"
    color = "#BDAB61"
    marker = "h"
    meaning = "batch norm in half of the channels, instance norm in the others"
    norm = "half"


class DualNorm(Method):
    """Instance normalisation in the early layers, batch normalisation in the others.

    Source: Jia et al. 2019.
    """

    label = "DualNorm"
    color = "#2418E8"
    marker = "p"
    meaning = "instance norm in the early layers, batch norm in the others"
    norm = "dual"

    def check(self, name: str, config: Config) -> None:
        backbone = config.model.backbone
        if not backbone.startswith("mobilenetv2"):
            raise ConfigError(
                f"protocol.baselines has {name}, which is defined for MobileNetV2; "
                f"model.backbone is {backbone}"
            )


class BINFixed(Method):
    """Batch-instance normalisation with a fixed rho."""

    label = "BIN fixed"
    color = "#E69F00"
    marker = "^"
    meaning = "a mixture of both, rho set and never learned"
    # rho stays at model.rho_fixed.
    without_effect = ("meta", "model.rho_init", "optim.rho_lr")


class BINJoint(Method):
    """Batch-instance normalisation, rho learned together with the weights."""

    label = "BIN joint"
    color = "#009E73"
    marker = "D"
    meaning = "a mixture, rho learned together with the weights"
    learns_rho = True
    rho_in_base_step = True
    without_effect = ("meta", "model.rho_fixed")


class BINJointReference(BINJoint):
    """BIN joint in the order of operations of the authors' code.

    rho's gradient is taken after the weights have moved, from the activations before. See
    `metabin.engine.reference_step`. The norms are the plain equation, whose backward pass is the
    reference's, product by product.
    """

    label = "BIN joint, reference's order"
    short = "BIN joint ref."
    color = "#7A8B00"
    marker = "H"
    meaning = "BIN joint, rho moved after the weights by gradients of old activations"
    norm = "bin_plain"

    def base_step(self, training: Trainer, batch: Batch) -> Scalars:
        """Take the base step of the authors' code."""
        from metabin.engine.reference_step import reference_step

        return reference_step(
            training.model, batch, training.optimizer, training.rho_optimizer, training.base_losses
        )


class BINShared(BINJoint):
    """BIN joint with one scale and shift for both halves."""

    label = "BIN shared affine"
    short = "BIN shared"
    color = "#454B11"
    marker = "d"
    meaning = "BIN joint, one scale and shift for both halves"
    norm = "bin_shared"
    # One affine for both halves: the instance half has none that could start as a copy.
    without_effect = ("meta", "model.rho_fixed", "model.in_affine")

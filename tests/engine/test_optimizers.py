import pytest
import torch

from metabin.engine.optimizers import current_lr, weights_optimizer
from metabin.engine.schedule import inner_step_size
from metabin.engine.trainer import Trainer
from metabin.model.norm import BatchInstanceNorm2d, rho_of


def test_biases_learn_faster_by_their_factor_and_rho_is_not_among_the_weights(make_config, tiny_images):
    config = make_config(optim__ids_per_batch=4, optim__bias_lr_factor=2.0, optim__optimizer="sgd")
    model = Trainer(config, tiny_images, "bin_joint", 0).model
    plain, biases = weights_optimizer(model, config.optim).param_groups
    assert biases["initial_lr" if "initial_lr" in biases else "lr"] == 2 * plain["lr"]
    assert len(biases["params"]) == 2 * 12
    actual = {id(parameter) for group in (plain, biases) for parameter in group["params"]}
    assert not actual & {id(parameter) for parameter in rho_of(model).values()}


@pytest.mark.parametrize("method", ["bin_joint", "metabin"])
def test_with_a_frozen_backbone_only_rho_and_the_classifier_learn(make_config, tiny_images, method):
    config = make_config(optim__ids_per_batch=4, optim__backbone_lr_factor=0.0, optim__duration=3)
    trainer = Trainer(config, tiny_images, method, 0)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    assert (
        current_lr(trainer.optimizer) == trainer.optimizer.param_groups[1]["lr"] > 0
    )  # the recorded rate is that of the head
    moved = {name for name, value in trainer.run().named_parameters() if not torch.equal(value, before[name])}
    assert moved == set(rho_of(trainer.model)) | {"neck.weight", "classifier.weight"}


def test_the_backbone_learns_slower_by_its_factor(make_config, tiny_images):
    config = make_config(optim__ids_per_batch=4, optim__backbone_lr_factor=0.25)
    model = Trainer(config, tiny_images, "bn", 0).model
    slow, full = weights_optimizer(model, config.optim).param_groups
    assert slow["lr"] == 0.25 * full["lr"]
    assert {id(value) for value in slow["params"]} == {id(value) for value in model.backbone.parameters()}


def test_the_inner_step_starts_at_a_hundredth_of_its_peak(make_config):
    meta = make_config(meta__inner_lr=1.0).meta
    steps = [inner_step_size(meta, step, 40) for step in range(80)]
    assert max(steps) == steps[19] == 1.0
    assert min(steps) == pytest.approx(0.01)
    assert steps[:40] == steps[40:]
    assert {inner_step_size(make_config(meta__inner_schedule="fixed").meta, step, 40) for step in range(9)} == {1.0}


def test_norms_do_not_decay_only_if_decay_norms_is_false(make_config, tiny_images):
    for decay_norms, decays in ((True, [0.0005]), (False, [0.0005, 0.0])):
        config = make_config(optim__ids_per_batch=4, optim__decay_norms=decay_norms)
        model = Trainer(config, tiny_images, "bin_fixed", 0).model
        groups = weights_optimizer(model, config.optim).param_groups
        assert [group["weight_decay"] for group in groups] == decays
    spared = {id(parameter) for parameter in groups[1]["params"]}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in spared}
    assert len(names) == 12 * 4 + 1  # both affines of every norm, and the neck's scale
    assert not any("conv" in name or "classifier" in name for name in names)


def test_sgd_follows_the_reference_s_trajectory(make_config, reference):
    expected = reference["ref_sgd"]["trajectory"]
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(torch.randn(4, generator=torch.Generator().manual_seed(0)).double())
    optimizer = weights_optimizer(module, make_config(optim__optimizer="sgd", optim__lr=0.1).optim)
    actual = [module.weight.tolist()]
    for step in range(3):
        module.weight.grad = torch.tensor([1.0, -2, 3, -4], dtype=torch.float64) * (step + 1)
        optimizer.step()
        actual.append(module.weight.tolist())
    torch.testing.assert_close(torch.tensor(actual), torch.tensor(expected), atol=1e-6, rtol=0)


def test_the_unused_half_decays_while_rho_is_one_as_in_the_reference(make_config, reference):
    expected = reference["in_gamma_decay_when_rho_is_1"]["gamma"]
    layer = BatchInstanceNorm2d(2, rho=1.0)
    optimizer = weights_optimizer(layer, make_config(optim__optimizer="sgd", optim__lr=0.01).optim)
    for _ in range(1000):
        layer.in_weight.grad = torch.zeros(2)
        optimizer.step()
    assert layer.in_weight.tolist() == pytest.approx([expected["1000"]] * 2, rel=1e-4)

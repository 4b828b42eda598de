"""The table of parameters that a method does not read is true: other values leave the bits as they are."""

import pytest
import torch
from torch import nn
from trainings import assert_same_bits, state

from metabin.config import parse_config
from metabin.engine.trainer import Trainer
from metabin.model.swapping import swap_norms
from metabin.registry import METHODS, find_method

# other values than those of `tiny_config`
CHANGES = {
    "model.rho_init": 0.8,
    "model.rho_fixed": 0.9,
    "model.rho_per": "layer",
    "optim.rho_lr": 3.0,
    "meta.outer_lr": 3.0,
    "meta.inner_lr": 0.3,
    "meta.inner_schedule": "fixed",
    "meta.inner_period": 3,
    "meta.domains": "cameras",
    "meta.num_meta_train": 1,
    "meta.ids_per_domain": 3,
    "meta.train_losses": {"scatter": 0.0, "shuffle": 1.0, "triplet": 0.0, "ce": 0.0},
    "meta.test_losses": {"triplet": 1.0, "ce": 1.0},
    "meta.statistics": "running",
    "meta.second_order": True,
    "meta.combined": True,
}


def with_changes(config, keys):
    values = config.model_dump()
    values["optim"]["duration"] = 2
    for key in keys:
        section, name = key.split(".")
        values[section][name] = CHANGES[key]
    return parse_config(values)


def trained(config, images, method):
    target = images if find_method(method).learns_on_target else None
    return state(Trainer(config, images, method, 0, target=target).run())


@pytest.fixture
def images(make_images):
    return make_images(num_domains=3, num_ids=4, num_images=3)


def test_every_parameter_of_the_meta_step_is_in_the_table(tiny_config):
    meta = {f"meta.{key}" for key in type(tiny_config.meta).model_fields}
    assert meta == {key for key in CHANGES if key.startswith("meta.")}


@pytest.mark.parametrize("method", [name for name in METHODS if name != "dualnorm"])
def test_parameters_without_effect_leave_the_bits_of_a_training(method, tiny_config, images):
    unread = find_method(method).unread(CHANGES)
    assert unread
    changed = trained(with_changes(tiny_config, unread), images, method)
    assert_same_bits(changed, trained(with_changes(tiny_config, []), images, method))


@pytest.mark.parametrize("method", ["bin_joint", "metabin", "bin_target"])
def test_every_other_parameter_has_an_effect(method, tiny_config, images):
    plain = trained(with_changes(tiny_config, []), images, method)
    for key in sorted(set(CHANGES) - set(find_method(method).unread(CHANGES))):
        changed = trained(with_changes(tiny_config, [key]), images, method)
        assert any(
            changed[name].shape != value.shape or not torch.equal(changed[name], value) for name, value in plain.items()
        ), key


@pytest.mark.parametrize("method", METHODS)
def test_the_start_of_the_instance_half_has_an_effect_where_there_is_one_with_its_own_affine(method):
    norm, states = find_method(method).norm, []
    for in_affine in ("identity", "copied"):
        network = nn.Sequential(nn.BatchNorm2d(4))
        with torch.no_grad():
            network[0].weight.fill_(2.0)
        swapped = swap_norms(network, norm, rho=0.5, in_affine=in_affine, early_stages=("0",))
        states.append(swapped.state_dict())
    same = all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert same == bool(find_method(method).unread(["model.in_affine"]))

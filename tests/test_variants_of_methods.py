"""Variants: methods with other values of some parameters."""

import pytest

from metabin.errors import ConfigError


def test_a_variant_stands_for_its_method_and_changes_only_the_keys_that_it_names(make_config):
    config = make_config(
        variants={"slow": {"method": "metabin", "meta.inner_lr": 0.5, "meta.train_losses.scatter": 0.0}}
    )
    method, variant = config.of("slow")
    assert method == "metabin"
    assert (variant.meta.inner_lr, variant.meta.train_losses["scatter"]) == (0.5, 0.0)
    changed = variant.meta.model_copy(
        update={
            "inner_lr": config.meta.inner_lr,
            "train_losses": variant.meta.train_losses | {"scatter": 1.0},
        }
    )
    assert (changed, variant.optim, variant.model) == (config.meta, config.optim, config.model)


def test_a_method_stands_for_itself(make_config):
    config = make_config()
    assert config.of("bn") == ("bn", config)


def test_a_run_may_train_its_variants(make_config):
    config = make_config(
        protocol__meta_learned=["metabin", "still"],
        variants={"still": {"method": "metabin", "meta.inner_lr": 0.0}},
    )
    assert config.protocol.methods[-2:] == ("metabin", "still")


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        ({"a": {"meta.inner_lr": 0.5}}, "variants.a.method is None; expected is one of bn, in"),
        ({"a": {"method": "maml"}}, "variants.a.method is 'maml'"),
        ({"metabin": {"method": "bn"}}, "variants.metabin has the name of a method"),
        ({"a": {"method": "bn", "partition.height": 128}}, "variants.a changes partition.height; a variant can change"),
        (
            {"a": {"method": "bn", "lr": 0.1}},
            "variants.a changes lr; a variant can change keys of the sections model, optim, augment, meta",
        ),
        ({"a": {"method": "bn", "optim.rate": 0.1}}, "variants.a: unknown key optim.rate"),
        ({"a": {"method": "bn", "optim.lr.base": 0.1}}, "but there is no section lr"),
        ({"a": {"method": "bn", "optim.lr": -1.0}}, "variants.a: optim.lr is -1.0"),
        (
            {"a": {"method": "bin_joint", "meta.outer_lr": 4.0, "optim.rho_lr": 4.0}},
            "variants.a changes meta.outer_lr, without effect on the method bin_joint; leave it out",
        ),
        ({"a": {"method": "mldg", "meta.combined": True}}, "changes meta.combined, without effect on the method mldg"),
        ({"a": {"method": "bn", "meta.train_losses.ce": 1.0}}, "changes meta.train_losses.ce, without effect on"),
        ({"a": {"method": "metabin", "optim.warmup": 2}}, "which have no effect on optim.schedule = one_cycle"),
        ({"a": {"method": "metabin", "meta.num_meta_train": 5}}, "num_meta_train is 5, but there are 5 source domains"),
    ],
)
def test_an_invalid_variant_is_refused_before_anything_runs(make_config, variants, expected):
    with pytest.raises(ConfigError) as error:
        make_config(variants=variants)
    assert expected in str(error.value)


def test_an_unknown_name_is_refused_with_the_existing_variants(make_config):
    with pytest.raises(ConfigError, match=r"meta_learned: fast is unknown; known are metabin.*bin_target, slow"):
        make_config(protocol__meta_learned=["fast"], variants={"slow": {"method": "metabin"}})

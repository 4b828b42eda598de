"""The domains of the meta step have identities for its batches: checked before an image is decoded."""

import pytest

from metabin.data.batches import meta_domains
from metabin.data.batches.loading import cameras_as_domains
from metabin.engine.trainer import Trainer
from metabin.errors import ConfigError, DatasetError
from metabin.registry import METHODS, find_method
from metabin.types import FINAL, DomainSplit, Fold, ImageRecord


def split(name, *cameras):
    """A source whose cameras show that many people each, numbered from 0 under every camera."""
    pairs = [(pid, camid) for camid, num_ids in enumerate(cameras) for pid in range(num_ids)]
    return DomainSplit(name, train=tuple(ImageRecord(f"{pid}_{camid}", pid, camid, name) for pid, camid in pairs))


def folds(*sources):
    target = DomainSplit("t", query=split("t", 1).train)
    return {Fold("f", tuple(source.name for source in sources), ("t",)): [*sources, target]}


@pytest.fixture
def cameras(make_config):
    return make_config(meta__domains="cameras")  # 4 identities of each domain


def test_the_methods_with_a_meta_step_are_those_of_the_engine():
    assert [name for name in METHODS if find_method(name).is_episodic] == ["metabin", "metabin_shared", "mldg"]


def test_identities_are_counted_by_data_set_or_by_camera():
    splits = [split("a", 3, 5), split("b", 2)]
    assert meta_domains.count_identities(splits, by_camera=False) == {"a": 5, "b": 2}
    by_camera = {"a/camera 0": 3, "a/camera 1": 5, "b/camera 0": 2}
    assert meta_domains.count_identities(splits, by_camera=True) == by_camera


def test_the_names_of_cameras_are_those_that_train(make_images):
    images = make_images(num_domains=2, num_ids=3, num_images=2)
    assert cameras_as_domains(images).names == tuple(
        meta_domains.count_identities([split("site0", 3, 3), split("site1", 3, 3)], by_camera=True)
    )


@pytest.mark.bad_input("parameters")
def test_one_camera_alone_leaves_none_for_meta_test(cameras, make_config):
    with pytest.raises(ConfigError, match="training images are of 1 camera .* meta-test; add a source that has other"):
        meta_domains.check_folds(folds(split("a", 9)), cameras)
    meta_domains.check_folds(folds(split("a", 9), split("b", 9)), cameras)  # two cameras, of two data sets
    three = make_config(meta__domains="cameras", meta__num_meta_train=3)
    with pytest.raises(ConfigError, match="is 3, but the training images are of 3 cameras .* at most 2"):
        meta_domains.check_folds(folds(split("a", 9, 9, 9)), three)


@pytest.mark.bad_input("parameters")
def test_cameras_with_too_few_identities_are_counted_and_the_worst_is_named(cameras):
    message = r"domain a/camera 2 has 1 training identities; .* asks for 4, .*: 2 of the 3 domains have too few"
    with pytest.raises(DatasetError, match=message):
        meta_domains.check_folds(folds(split("a", 9, 3, 1)), cameras)
    one_camera_per_image = DomainSplit("a", train=tuple(ImageRecord(f"{i}", i // 3, i, "a") for i in range(30)))
    with pytest.raises(DatasetError, match="30 of the 30 domains have too few"):
        meta_domains.check_folds(folds(one_camera_per_image), cameras)
    meta_domains.check_folds(folds(split("a", 9, 4)), cameras)


@pytest.mark.bad_input("parameters")
def test_data_sets_with_too_few_identities_are_refused_as_well(make_config):
    config = make_config()
    message = "source domain b has 3 training identities; meta.ids_per_domain asks for 4, and no loss works with "
    with pytest.raises(DatasetError, match=f"^{message}fewer than 2: lower meta.ids_per_domain, leave out"):
        meta_domains.check_folds(folds(split("a", 9), split("b", 3)), config)
    meta_domains.check_folds(folds(split("a", 9), split("b", 4)), config)


def test_each_method_is_checked_with_the_parameters_and_sources_that_it_uses(make_config):
    variant = {"wide": {"method": "metabin", "meta.domains": "cameras"}}
    splits = folds(split("a", 9), split("b", 9), split("c", 2))
    with pytest.raises(DatasetError, match="source domain c has 2"):
        meta_domains.check_folds(splits, make_config())
    alone = {"protocol__final": []}
    meta_domains.check_folds(splits, make_config(**alone, optim__num_sources=2))
    ceiling = make_config(**alone, protocol__meta_learned=["bin_target"])  # it has no meta step
    meta_domains.check_folds(splits, ceiling)
    config = make_config(**alone, variants=variant, protocol__meta_learned=["wide"], optim__num_sources=2)
    meta_domains.check_folds(splits, config)
    with pytest.raises(DatasetError, match="source domain a/camera 1 has 2"):
        meta_domains.check_folds(folds(split("a", 9, 2), split("b", 9)), config)


def test_of_the_final_fold_the_final_models_alone_are_checked(make_config):
    splits = {Fold(FINAL, ("a", "b"), ()): [split("a", 9), split("b", 3)]}
    meta_domains.check_folds(splits, make_config(protocol__final=["bn"]))  # it has no meta step
    with pytest.raises(DatasetError, match="source domain b has 3 training identities"):
        meta_domains.check_folds(splits, make_config(protocol__final=["bn", "metabin"]))


def test_a_training_refuses_the_same_before_its_first_step(tiny_config, make_images):
    meta = tiny_config.meta.model_copy(update={"domains": "cameras"})
    config = tiny_config.model_copy(update={"meta": meta})
    images = make_images(num_domains=1, num_ids=4, num_images=3)
    images.camid[:] = 0
    with pytest.raises(ConfigError, match="the training images are of 1 camera "):
        Trainer(config, images, "metabin", 0)
    images.camid[:] = range(len(images))  # a camera for every image
    with pytest.raises(DatasetError, match=r"site0/camera 0 has 1 training identities; .* 12 of the 12 domains"):
        Trainer(config, images, "metabin", 0)
    Trainer(config, images, "bn", 0)

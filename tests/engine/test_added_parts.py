"""Parts that can be added to any method: each changes a training, resumes, and needs no other one."""

import pytest
import torch
from trainings import Killed, assert_same_bits, killer, state

from metabin.data.batches.loading import load_batch
from metabin.engine.trainer import Trainer
from metabin.errors import ConfigError
from metabin.registry import METHODS, find_method

VIEWS = {"ce": 1.0, "triplet": 1.0, "alignment": 1.5, "uniformity": 1.0}
PARTS = {
    "mixstyle": {"model__mixstyle": 1.0},
    "strong": {"augment__strong": 0.5},
    "amplitude mix": {"augment__amplitude_mix": 1.0},
    "alignment and uniformity": {"augment__strong": 0.5, "optim__losses": VIEWS},
}


@pytest.mark.parametrize("method", ["in", "bin_joint", "metabin"])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_changes_a_training_of_every_kind_of_method(part, method, make_tiny, tiny_images):
    plain = Trainer(make_tiny(optim__duration=2), tiny_images, method, 0).run()
    changed = Trainer(make_tiny(optim__duration=2, **PARTS[part]), tiny_images, method, 0).run()
    weights = [model.state_dict()["classifier.weight"] for model in (plain, changed)]
    assert not torch.equal(*weights)
    assert plain.state_dict().keys() == changed.state_dict().keys()


@pytest.mark.parametrize("method", METHODS)
def test_all_parts_together_train_with_every_method(method, make_tiny, tiny_images):
    parts = {key: value for part in PARTS.values() for key, value in part.items()}
    backbone = "mobilenetv2_1.0" if method == "dualnorm" else "resnet_small"
    config = make_tiny(optim__duration=2, optim__averaging="ema", model__backbone=backbone, **parts)
    target = tiny_images if find_method(method).learns_on_target else None
    trainer = Trainer(config, tiny_images, method, 0, target=target)
    model = trainer.run()
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert {"base/alignment", "base/uniformity"} < set(trainer.history.losses_table().columns)


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_training_with_a_part_resumes_with_the_same_bits(part, make_tiny, tiny_images, tmp_path):
    config = make_tiny(**PARTS[part])
    torch.manual_seed(3)
    expected = state(Trainer(config, tiny_images, "metabin", 0).run())
    path = tmp_path / "state.pt"
    torch.manual_seed(4)  # the random numbers of layers are the training's own
    with pytest.raises(Killed):
        Trainer(config, tiny_images, "metabin", 0).run(watch=killer(5), state_path=path, digest="d")
    assert_same_bits(state(Trainer(config, tiny_images, "metabin", 0).run(state_path=path, digest="d")), expected)


def test_a_training_leaves_torchs_global_random_numbers_as_they_were(make_tiny, tiny_images):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Trainer(make_tiny(model__mixstyle=1.0), tiny_images, "bn", 0).run()
    assert torch.equal(torch.get_rng_state(), before)


def test_of_two_views_the_first_and_the_meta_batches_have_the_usual_augmentation(make_tiny, tiny_images):
    usual = Trainer(make_tiny(), tiny_images, "metabin", 0)
    both = Trainer(make_tiny(augment__strong=1.0, optim__losses=VIEWS), tiny_images, "metabin", 0)
    one, two = next(usual.host_batches()), next(both.host_batches())
    first, second = two["base"].pixels.chunk(2)
    assert torch.equal(first, one["base"].pixels)
    assert not any(torch.equal(image, other) for image, other in zip(first, second, strict=True))
    assert torch.equal(two["base"].columns, one["base"].columns)
    assert torch.equal(two["meta-train"].pixels, one["meta-train"].pixels)


def test_without_a_second_view_every_batch_is_augmented_strongly(make_tiny, tiny_images):
    usual = Trainer(make_tiny(), tiny_images, "metabin", 0)
    strong = Trainer(make_tiny(augment__strong=1.0), tiny_images, "metabin", 0)
    for purpose, batch in next(strong.host_batches()).items():
        assert not torch.equal(batch.pixels, next(usual.host_batches())[purpose].pixels), purpose


def test_mixed_amplitudes_do_not_depend_on_the_number_of_ranks(make_tiny, tiny_images):
    import numpy as np

    from metabin.data.batches.loading import Share

    settings = make_tiny(augment__amplitude_mix=1.0).augment
    index = np.arange(8)

    def pixels(share):
        return load_batch(tiny_images, index, np.random.default_rng(0), settings, share).pixels

    whole = pixels(Share())
    halves = [pixels(Share(rank, 2, 2)) for rank in range(2)]
    assert torch.equal(torch.cat(halves), whole[Share(0, 2, 2).order(8).copy()])


@pytest.mark.parametrize("name", ["alignment", "uniformity"])
def test_losses_of_two_views_need_a_strong_view(name, make_tiny):
    message = f"optim.losses has {name}, which compare an image .* set one of them, for example augment.strong to 0.5"
    with pytest.raises(ConfigError, match=message):
        make_tiny(optim__losses={"ce": 1.0, name: 1.0})
    make_tiny(optim__losses={"ce": 1.0, name: 0.0})
    make_tiny(optim__losses={"ce": 1.0, name: 1.0}, augment__amplitude_mix=0.5)


def test_losses_of_two_views_are_no_losses_of_episodes(make_tiny):
    with pytest.raises(ConfigError, match=r"meta.test_losses: unknown loss alignment"):
        make_tiny(meta__test_losses={"alignment": 1.0}, augment__strong=0.5)

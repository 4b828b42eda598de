"""Trainings with other parameters than the defaults."""

from itertools import islice

import numpy as np
import pytest
import torch
from trainings import Killed, assert_same_bits, killer, state

from metabin.engine.schedule import Timeline
from metabin.engine.trainer import Trainer
from metabin.errors import ConfigError
from metabin.model.norm import rho_of

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def test_the_first_iteration_can_have_more_base_steps_each_on_another_batch(make_config, tiny_config, tiny_images):
    config = tiny_config.model_copy(
        update={"optim": tiny_config.optim.model_copy(update={"duration": 3, "first_base_steps": 4})}
    )
    trainer = Trainer(config, tiny_images, "metabin", 0)
    iterations = list(islice(trainer.batch_indices(), 3))
    meta = ["meta-train", "meta-test"]
    assert [list(batches) for batches in iterations] == [
        ["base-0", "base-1", "base-2", "base", *meta],
        ["base", *meta],
        ["base", *meta],
    ]
    base = [index for batches in iterations for purpose, index in batches.items() if purpose.startswith("base")]
    assert np.array_equal(base, list(islice(trainer.base_sampler, 6)))
    assert trainer.run().neck.num_batches_tracked == 6


def test_a_killed_training_with_more_first_base_steps_resumes_with_the_same_bits(tiny_config, tiny_images, tmp_path):
    config = tiny_config.model_copy(update={"optim": tiny_config.optim.model_copy(update={"first_base_steps": 3})})
    expected = state(Trainer(config, tiny_images, "metabin", 0).run())
    path = tmp_path / "state.pt"
    with pytest.raises(Killed):
        Trainer(config, tiny_images, "metabin", 0).run(watch=killer(5), state_path=path, digest="d")
    assert_same_bits(state(Trainer(config, tiny_images, "metabin", 0).run(state_path=path, digest="d")), expected)


def test_times_in_epochs_are_multiplied_by_the_iterations_of_an_epoch(tiny_config, make_images):
    images = make_images(num_domains=3, num_ids=4, num_images=8)  # 12 identities x 8 images
    optim = tiny_config.optim.model_copy(
        update={"unit": "epochs", "duration": 2, "warmup": 1, "milestones": [1], "schedule": "warmup_milestones"}
    )
    trainer = Trainer(tiny_config.model_copy(update={"optim": optim}), images, "metabin", 0)
    assert trainer.times == Timeline(num_steps=22, warmup_steps=11, milestones=(11,), inner_period=44)
    trainer.run()
    assert trainer.step == 22
    assert [row["lr/base"] for row in trainer.history.losses][9:12] == pytest.approx(
        [0.01 * (0.01 + 0.99 * 9 / 11), 0.01 * (0.01 + 0.99 * 10 / 11), 0.001]
    )


def test_cameras_of_one_source_serve_as_domains(tiny_config, make_images):
    images = make_images(num_domains=1, num_ids=4, num_images=3)
    with pytest.raises(ConfigError, match=r"there are 1 source domains .* cameras of one data set can be domains"):
        Trainer(tiny_config, images, "metabin", 0)
    config = tiny_config.model_copy(update={"meta": tiny_config.meta.model_copy(update={"domains": "cameras"})})
    for batches in islice(Trainer(config, images, "metabin", 0).batch_indices(), 8):
        train, test = (set(images.camid[batches[purpose]].tolist()) for purpose in ("meta-train", "meta-test"))
        assert (len(train), len(test)) == (2, 1)
        assert not train & test


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({"train_losses": {"scatter": 1.0, "shuffle": 0.0, "triplet": 0.0, "ce": 0.0}}, {"meta_train/scatter"}),
        (
            {"train_losses": {"scatter": 0.0, "shuffle": 1.0, "triplet": 1.0, "ce": 0.0}},
            {"meta_train/shuffle", "meta_train/triplet"},
        ),
        (
            {
                "train_losses": {"scatter": 1.0, "shuffle": 1.0, "triplet": 1.0, "ce": 1.0},
                "test_losses": {"triplet": 1.0, "ce": 1.0},
            },
            {"meta_train/scatter", "meta_train/shuffle", "meta_train/triplet", "meta_train/ce", "meta_test/ce"},
        ),
    ],
)
def test_losses_of_the_episodes_are_chosen_by_their_weights(changes, columns, tiny_config, tiny_images):
    config = tiny_config.model_copy(update={"meta": tiny_config.meta.model_copy(update=changes)})
    trainer = Trainer(config, tiny_images, "metabin", 0)
    trainer.run()
    actual = {name for name in trainer.history.losses_table().columns if name.startswith("meta")}
    assert actual == columns | {"meta_test/triplet"}


@pytest.mark.parametrize("changes", [{"combined": True}, {"second_order": True}, {"inner_schedule": "fixed"}])
def test_variants_of_the_meta_step_end_with_other_rho(changes, tiny_config, tiny_images):
    plain = rho_of(Trainer(tiny_config, tiny_images, "metabin", 0).run())
    config = tiny_config.model_copy(update={"meta": tiny_config.meta.model_copy(update=changes)})
    varied = rho_of(Trainer(config, tiny_images, "metabin", 0).run())
    assert any(not torch.equal(plain[name], varied[name]) for name in plain)


def test_mldg_moves_weights_and_rho_by_the_episode_and_leaves_the_running_statistics_to_the_base_step(
    tiny_config, tiny_images
):
    trainer = Trainer(tiny_config, tiny_images, "mldg", 0)
    before = state(trainer.model)
    batches = {purpose: batch.to(trainer.device) for purpose, batch in next(trainer.host_batches()).items()}
    trainer.method.step(trainer, batches)
    after = trainer.model.state_dict()
    still = {name for name in before if torch.equal(before[name], after[name])}
    assert still == {"neck.bias", *(name for name, _ in trainer.model.named_buffers())}


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
@pytest.mark.parametrize("method", ["bn", "metabin", "mldg"])
def test_bfloat16_trains_near_float32_with_float32_weights_and_losses(method, device, tiny_config, tiny_images):
    losses = {}
    for precision in ("float32", "bfloat16"):
        settings = tiny_config.compute.model_copy(update={"precision": precision, "device": device})
        optim = tiny_config.optim.model_copy(update={"lr": 0.001})
        config = tiny_config.model_copy(update={"compute": settings, "optim": optim})
        trainer = Trainer(config, tiny_images, method, 0)
        model = trainer.run()
        assert all(value.dtype in (torch.float32, torch.int64) for value in model.state_dict().values())
        losses[precision] = trainer.history.losses_table()
    first = {name: table["base/ce"].iloc[0] for name, table in losses.items()}
    assert first["float32"] != first["bfloat16"]
    assert first["bfloat16"] == pytest.approx(first["float32"], rel=0.02)
    assert losses["bfloat16"]["base/ce"].mean() == pytest.approx(losses["float32"]["base/ce"].mean(), rel=0.1)


@needs_cuda
@pytest.mark.parametrize("method", ["bn", "metabin"])
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_on_cuda_the_same_seed_gives_the_same_bits(precision, method, tiny_config, tiny_images):
    settings = tiny_config.compute.model_copy(update={"precision": precision, "device": "cuda"})
    model = tiny_config.model.model_copy(update={"backbone": "resnet18"})  # with a max pooling
    config = tiny_config.model_copy(update={"compute": settings, "model": model})
    assert_same_bits(*(state(Trainer(config, tiny_images, method, 0).run()) for _ in range(2)))


def test_only_a_method_that_learns_on_the_target_gets_the_target(tiny_config, tiny_images, make_images):
    target = make_images(num_domains=1, num_ids=20, num_images=4)
    trainer = Trainer(tiny_config, tiny_images, "bin_target", 0, target=target)
    trainer.run()
    assert "target/triplet" in trainer.history.losses_table().columns
    with pytest.raises(ValueError, match="bin_target is given no target"):
        Trainer(tiny_config, tiny_images, "bin_target", 0)
    with pytest.raises(ValueError, match="metabin is given a target"):
        Trainer(tiny_config, tiny_images, "metabin", 0, target=target)


@pytest.mark.parametrize("statistics", ["running", "meta_train"])
def test_the_statistics_of_the_meta_step_change_rho(statistics, make_config, tiny_config, tiny_images):
    config = tiny_config.model_copy(update={"meta": tiny_config.meta.model_copy(update={"statistics": statistics})})
    runs = [Trainer(variant, tiny_images, "metabin", 0).run() for variant in (config, tiny_config)]
    moved = [torch.cat([rho.detach() for rho in rho_of(model).values()]) for model in runs]
    assert (moved[0] - moved[1]).abs().max() > 1e-4


def test_with_one_rho_per_layer_a_training_and_its_weights_have_one(tiny_config, tiny_images):
    config = tiny_config.model_copy(update={"model": tiny_config.model.model_copy(update={"rho_per": "layer"})})
    trainer = Trainer(config, tiny_images, "metabin", 0)
    model = trainer.run()
    assert {tuple(rho.shape) for rho in rho_of(model).values()} == {(1,)}
    assert set(trainer.history.rho_table()["num_channels"]) == {1}

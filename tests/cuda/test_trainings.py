"""Trainings on a CUDA device: equal bits, every precision, and no waiting of the host."""

import pytest
import torch
from trainings import Killed, assert_same_bits, killer, state

from benchmarks.gpu.setting import PRECISIONS, Setting
from benchmarks.gpu.syncs import syncs
from metabin.engine.trainer import Trainer

pytestmark = pytest.mark.cuda
BACKBONES = ["resnet_small", "resnet50", "mobilenetv2_1.0", "mobilenetv2_torchvision_1.0"]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_same_seed_gives_the_same_bits(backbone, precision, on_device, tiny_config, make_images):
    images = make_images(num_domains=3, num_ids=4, num_images=3, height=64, width=32)
    config = on_device(tiny_config, "cuda", precision=precision, backbone=backbone)
    assert_same_bits(*(state(Trainer(config, images, "metabin", 0).run()) for _ in range(2)))


def test_a_killed_training_resumes_with_the_bits_of_an_uninterrupted_one(on_device, tiny_config, tiny_images, tmp_path):
    config = on_device(tiny_config, "cuda")
    expected = state(Trainer(config, tiny_images, "metabin", 0).run())
    path = tmp_path / "state.pt"
    with pytest.raises(Killed):
        Trainer(config, tiny_images, "metabin", 0).run(watch=killer(5), state_path=path, digest="d")
    resumed = Trainer(config, tiny_images, "metabin", 0).run(state_path=path, digest="d")
    assert_same_bits(state(resumed), expected)


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
@pytest.mark.parametrize("backbone", ["resnet50", "mobilenetv2_1.0"])
def test_lower_precisions_train_with_finite_losses_near_those_of_float32(
    backbone, precision, on_device, tiny_config, make_images
):
    images = make_images(num_domains=3, num_ids=4, num_images=3, height=64, width=32)
    losses = {}
    for name in ("float32", precision):
        config = on_device(tiny_config, "cuda", precision=name, backbone=backbone, lr=1e-3)
        trainer = Trainer(config, images, "metabin", 0)
        model = trainer.run()
        assert all(value.isfinite().all() for value in model.state_dict().values())
        assert all(value.dtype in (torch.float32, torch.int64) for value in model.state_dict().values())
        losses[name] = trainer.history.losses_table()["base/ce"]
    assert losses[precision].iloc[0] != losses["float32"].iloc[0]
    assert losses[precision].iloc[0] == pytest.approx(losses["float32"].iloc[0], rel=0.15)
    assert losses[precision].mean() == pytest.approx(losses["float32"].mean(), rel=0.25)


@pytest.mark.parametrize("method", ["bn", "bin_joint", "metabin"])
def test_no_iteration_waits_for_the_device(method):
    assert not syncs(Setting(torch.device("cuda"), small=True), method)

"""Every preset is a whole, valid parameter file whose training runs."""

import pytest
import torch
from ruamel.yaml import YAML
from trainings import assert_same_bits, state

from metabin.config import load_config, parse_config
from metabin.engine.trainer import Trainer

PRESETS = {
    "ablation-losses": 5,
    "ablation-meta": 5,
    "ablation-norms": 5,
    "ablation-rho": 5,
    "ablation-sources": 5,
    "choice": 3,
    "confirmation": 5,
    "paper-mobilenetv2": 5,
    "paper-resnet50": 5,
    "pretraining": 20,
    "quick": 2,
    "significance": 3,
    "single-source-dukemtmc": 1,
    "single-source-market1501": 1,
}


@pytest.fixture(params=PRESETS)
def preset(request, root):
    return root / "presets" / f"{request.param}.yaml"


def test_the_presets_are_those_that_are_tested(root):
    assert sorted(path.stem for path in (root / "presets").iterdir()) == sorted(PRESETS)


def test_a_preset_says_how_to_run_it_and_what_was_published(preset):
    load_config(preset)
    head = preset.read_text().split("\n\n")[0]
    assert f"cp presets/{preset.name} params.yaml && make repro" in head
    assert "# Published:" in head
    if preset.stem != "quick":
        assert "An estimate" in head


def few_steps(preset, num_sources):
    """The preset with the sizes of the fixtures: a few steps of small batches of small images, without a download."""
    values = YAML(typ="safe").load(preset)
    values["model"]["pretrained"] = "none"
    values["optim"] |= {"unit": "steps", "duration": 3, "ids_per_batch": 4, "images_per_id": 2}
    values["optim"] |= {"first_base_steps": min(values["optim"]["first_base_steps"], 2)}
    if values["optim"]["schedule"] == "warmup_milestones":
        values["optim"] |= {"milestones": [2], "warmup": 1}
    values["meta"] |= {"inner_period": 2, "ids_per_domain": 2}
    values["record"]["loss_every"] = 1
    config = parse_config(values)
    assert config.protocol.num_sources == num_sources
    return config


def test_a_preset_trains_on_as_many_domains_as_it_names(preset, make_images):
    num_sources = PRESETS[preset.stem]
    config = few_steps(preset, num_sources)
    num_cameras = 2 * config.meta.meta_train_domains(6) if config.meta.domains == "cameras" else 2
    images = make_images(num_domains=num_sources, num_ids=4, num_images=num_cameras, height=64, width=32)
    trainer = Trainer(config, images, "metabin", 0)
    first = state(trainer.run())
    wanted = {"base/ce", "base/triplet", "meta_train/scatter", "meta_train/shuffle", "meta_train/triplet"}
    assert wanted < set(trainer.history.losses_table().columns)
    moved = [value for name, value in first.items() if name.endswith(".rho")]
    assert len(moved) == {"resnet_small": 12}.get(config.model.backbone, 53)
    assert any(bool((value != config.model.rho_init).any()) for value in moved)
    if config.model.backbone != "resnet50":  # slow, and covered by the other backbones
        assert_same_bits(first, state(Trainer(config, images, "metabin", 0).run()))


@pytest.mark.parametrize("name", ["half", "dualnorm", "bin_shared"])
def test_the_baselines_of_the_paper_s_tables_train_on_mobilenetv2(name, root, make_images):
    config = few_steps(root / "presets" / "paper-mobilenetv2.yaml", 5)
    images = make_images(num_domains=5, num_ids=4, num_images=2, height=64, width=32)
    model = Trainer(config, images, name, 0).run()
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())

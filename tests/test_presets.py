"""Presets: each is an overlay on params.yaml, valid with it, and its training runs."""

import pytest
import torch
from ruamel.yaml import YAML
from trainings import assert_same_bits, state

from metabin.config import parse_config
from metabin.config.editing import differences, flatten, overlay, set_values
from metabin.config.presets import load_preset, load_presets
from metabin.engine.trainer import Trainer
from metabin.errors import ConfigError

NUM_SOURCES = {
    "ablation-losses": 5,
    "ablation-meta": 5,
    "ablation-norms": 5,
    "ablation-rho": 5,
    "ablation-sources": 5,
    "ceilings": 2,
    "choice": 3,
    "combination": 5,
    "confirmation": 5,
    "confirmation-2": 5,
    "ema-views": 5,
    "gap": 5,
    "gap-confirmation": 5,
    "paper-mobilenetv2": 5,
    "paper-resnet50": 5,
    "parts": 5,
    "pretraining": 20,
    "quick": 2,
    "significance": 3,
    "single-source-dukemtmc": 1,
    "single-source-market1501": 1,
}


@pytest.fixture(params=NUM_SOURCES)
def preset(request, root):
    return load_preset(root / "presets" / f"{request.param}.yaml")


def test_the_presets_are_those_that_are_tested(root):
    assert list(load_presets(root / "presets")) == sorted(NUM_SOURCES)
    assert sorted(path.stem for path in (root / "presets").iterdir()) == sorted(NUM_SOURCES)


def test_a_preset_says_how_to_run_it_what_it_costs_and_what_was_published(preset, params):
    preset.config(params)
    head = preset.path.read_text().split("\n\n")[0]
    lines = head.split("\n")
    assert all(line.startswith("#") for line in lines)
    assert lines[0] == f"# {preset.title}"
    assert 20 < len(preset.title) < 100
    assert f"make repro PRESET={preset.path.stem}\n" in head
    assert "# Published:" in head
    assert "# Cost:" in head
    if preset.path.stem != "quick":
        assert "An estimate" in head


def test_a_preset_holds_no_value_that_params_yaml_has_already(preset, params):
    committed = flatten(params)
    assert preset.values
    assert [key for key, value in preset.values.items() if repr(committed[key]) == repr(value)] == []


def few_steps(preset, params, num_sources):
    """The preset with the sizes of the fixtures: a few steps of small batches of small images, without a download."""
    values = overlay(params, preset.values)
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


def test_a_preset_trains_on_as_many_domains_as_it_names(preset, params, make_images):
    num_sources = NUM_SOURCES[preset.path.stem]
    config = few_steps(preset, params, num_sources)
    num_cameras = 2 * config.meta.meta_train_domains(6) if config.meta.domains == "cameras" else 2
    images = make_images(num_domains=num_sources, num_ids=4, num_images=num_cameras, height=64, width=32)
    trainer = Trainer(config, images, "metabin", 0)
    first = state(trainer.run())
    losses = {"base/ce", "base/triplet", "meta_train/scatter", "meta_train/shuffle", "meta_train/triplet"}
    assert losses < set(trainer.history.losses_table().columns)
    moved = [value for name, value in first.items() if name.endswith(".rho")]
    assert len(moved) == {"resnet_small": 12}.get(config.model.backbone, 53)
    assert any(bool((value != config.model.rho_init).any()) for value in moved)
    if config.model.backbone != "resnet50":  # slow, and covered by the other backbones
        assert_same_bits(first, state(Trainer(config, images, "metabin", 0).run()))


def test_the_recipe_goes_on_top_of_any_preset(preset, root, params):
    recipe = load_preset(root / "presets" / "ema-views.yaml")
    config = parse_config(overlay(overlay(params, preset.values), recipe.values))
    below, above = (config.of(name)[1] for name in ("metabin", "ema-views"))
    assert above.optim.averaging == "ema"
    assert set(above.optim.losses) == {"ce", "triplet", "alignment", "uniformity"}
    assert (above.optim.duration, above.meta) == (below.optim.duration, below.meta)


def test_the_recipe_trains_with_two_views_and_ends_with_an_average(root, params, make_images):
    method, config = few_steps(load_preset(root / "presets" / "ema-views.yaml"), params, 5).of("ema-views")
    images = make_images(num_domains=5, num_ids=4, num_images=2, height=64, width=32)
    trainer = Trainer(config, images, method, 0)
    averaged = state(trainer.run())
    assert {"base/alignment", "base/uniformity"} < set(trainer.history.losses_table().columns)
    last_step = config.model_copy(update={"optim": config.optim.model_copy(update={"averaging": "none"})})
    last = state(Trainer(last_step, images, method, 0).run())
    assert any(bool((value != last[name]).any()) for name, value in averaged.items())


@pytest.mark.parametrize("name", ["half", "dualnorm", "bin_shared"])
def test_the_baselines_of_the_paper_s_tables_train_on_mobilenetv2(name, root, params, make_images):
    config = few_steps(load_preset(root / "presets" / "paper-mobilenetv2.yaml"), params, 5)
    images = make_images(num_domains=5, num_ids=4, num_images=2, height=64, width=32)
    model = Trainer(config, images, name, 0).run()
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "optimm: {duration: 3}",
            "unknown section optimm; known are protocol, data, benchmark, partition, model, optim",
        ),
        ("optim: {durations: 3, lr: 0.1}", "unknown key optim.durations; known there are unit, duration"),
        ("optim.duration: 3", "unknown section optim.duration"),
        ("optim: 3", r"optim is 3; expected a map of its keys"),
        ("variants: 3", r"variants is 3; expected a map of its keys"),
        ("", r"holds None; expected sections of params.yaml, as optim: \{duration: 60\}"),
        ("- 3", r"holds \[3\]; expected sections"),
        ("optim: [", "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_preset_is_named_with_the_reason(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_presets(tmp_path)
    assert str(error.value).startswith(str(path))


def test_values_are_set_below_sections_and_maps_of_the_user_s_names_are_replaced(tmp_path, root):
    path = tmp_path / "params.yaml"
    path.write_text((root / "params.yaml").read_text())
    groups = {f"fold-{number}": [f"place-{number}", f"place-{number}-far"] for number in range(6)}
    changes = {
        "meta.train_losses.ce": 1.0,
        "protocol.domains": list(groups),
        "protocol.groups": groups,
        "variants": {"slow": {"method": "metabin", "meta.inner_lr": 0.1}},
    }
    before = YAML(typ="safe").load(path)
    changed = set_values(path, changes)
    after = YAML(typ="safe").load(path)
    assert after["meta"]["train_losses"] == before["meta"]["train_losses"] | {"ce": 1.0}
    assert after["protocol"] == before["protocol"] | {"domains": list(groups), "groups": groups}
    assert after["variants"] == changes["variants"]
    assert {change.key for change in changed} == set(changes)
    assert "meta.train_losses.ce: 0.0 -> 1.0" in map(str, changed)
    assert "    fold-0: [place-0, place-0-far]\n" in path.read_text()  # one line per key, as the map is long
    others = {"protocol.domains": ["night", "plaza", "mall"], "protocol.groups": {"night": ["campus"]}, "variants": {}}
    set_values(path, others)
    assert YAML(typ="safe").load(path)["protocol"]["groups"] == {"night": ["campus"]}  # no fold is left
    assert YAML(typ="safe").load(path)["variants"] == {}
    set_values(path, flatten(before))
    assert list(differences(before, YAML(typ="safe").load(path))) == []


def test_numbers_of_other_types_differ():
    before = {"a": {"b": 1, "c": 1, "d": [1], "e": 1, "f": 1}}
    after = {"a": {"b": 1.0, "c": True, "d": [1.0], "e": 1, "g": 1}}
    texts = [str(change) for change in differences(before, after)]
    assert texts == [
        "a.b: 1 -> 1.0",
        "a.c: 1 -> true",
        "a.d: [1] -> [1.0]",
        "a.g: (absent) -> 1",
        "a.f: 1 -> (absent)",
    ]

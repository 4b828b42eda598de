import pytest

from metabin.config import load_config, parse_config
from metabin.errors import ConfigError


def write(tmp_path, params, **changes):
    """params.yaml as text with some values replaced; `None` removes a key."""
    import io
    from copy import deepcopy

    from ruamel.yaml import YAML

    values = deepcopy(params)
    for key, value in changes.items():
        section, name = key.split("__")
        if value is None:
            del values[section][name]
        else:
            values[section][name] = value
    text = io.StringIO()
    YAML().dump(values, text)
    path = tmp_path / "params.yaml"
    path.write_text(text.getvalue())
    return path


def message(path):
    with pytest.raises(ConfigError) as error:
        load_config(path)
    return str(error.value)


def test_the_shipped_parameters_are_valid(tmp_path, params):
    config = load_config(write(tmp_path, params))
    assert config.protocol.domains[0] == "campus"
    assert config.meta.meta_train_domains(5) == 3


def test_small_floats_are_numbers_however_they_are_written(tmp_path, params):
    path = write(tmp_path, params)
    for text in ("1e-05", "1e-5", "0.00001", "1.0e-05"):
        path.write_text(path.read_text().replace("inner_lr: 1.0", f"inner_lr: {text}"))
        assert load_config(path).meta.inner_lr == pytest.approx(1e-5)
        path = write(tmp_path, params)


def test_an_unknown_key_is_named_with_the_known_ones(tmp_path, params):
    text = message(write(tmp_path, params, meta__inner_rate=1.0))
    assert "params.yaml: unknown key meta.inner_rate; known there are outer_lr, inner_lr" in text


def test_a_missing_key_is_named(tmp_path, params):
    assert "missing key optim.lr" in message(write(tmp_path, params, optim__lr=None))


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("optim__lr", "fast", "optim.lr is 'fast'"),
        ("optim__lr", -1.0, "optim.lr is -1.0"),
        ("optim__num_steps", 1.5, "optim.num_steps is 1.5"),
        ("optim__optimizer", "adamw", "optim.optimizer is 'adamw'"),
        ("benchmark__num_changes", [4, 2], "benchmark.num_changes: found [4, 2]; the fewest come first"),
        ("model__rho_init", 1.5, "model.rho_init is 1.5"),
        ("meta__num_meta_train", "most", "meta.num_meta_train is 'most'"),
        ("optim__lr", float("inf"), "optim.lr is inf"),
        ("protocol__domains", ["campus", "campus", "night"], "domains names campus more than once"),
        ("protocol__domains", ["campus", "night"], "protocol.domains is ['campus', 'night']"),
        ("meta__num_meta_train", 5, "meta.num_meta_train is 5, but 6 protocol.domains leave 5 sources a fold"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_its_key(tmp_path, params, key, value, wanted):
    assert wanted in message(write(tmp_path, params, **{key: value}))


def test_every_problem_is_listed_at_once(tmp_path, params):
    text = message(write(tmp_path, params, optim__lr=None, meta__inner_rate=1.0))
    assert len(text.splitlines()) == 2


def test_a_missing_or_broken_file_is_named(tmp_path):
    assert "no such file" in message(tmp_path / "absent.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("meta: [1, 2")
    assert "broken.yaml is not valid YAML" in message(broken)


def test_a_configuration_cannot_be_changed(params):
    config = parse_config(params)
    with pytest.raises(ValueError, match="frozen"):
        config.optim.lr = 1.0


def test_auto_halves_the_sources_and_rounds_up_as_the_published_settings_do(params):
    meta = parse_config(params).meta
    assert [meta.meta_train_domains(count) for count in (2, 3, 5, 6, 8)] == [1, 2, 3, 3, 4]

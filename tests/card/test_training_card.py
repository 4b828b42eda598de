"""The card of a training: what it says, and that it says no more than it knows."""

import re
from dataclasses import replace

import pandas as pd
import pytest
from descriptions import describe_network
from ruamel.yaml import YAML

from metabin.card.datasets import TERMS
from metabin.card.training import TrainingFacts, training_card
from metabin.data.acquisition.local_datasets import READERS, WITHDRAWN
from metabin.methods.method import Method
from metabin.model.embedder import build_embedder
from metabin.registry import METHODS, find_method

SELECTION = pd.DataFrame({"step": [5, 10], "source_mAP": [0.41, 0.4], "chosen": [True, False]})
SCORES = pd.DataFrame(
    {
        "test_domain": ["left"],
        "num_ids": [60],
        "num_query": [480],
        "mAP": [0.4567],
        "rank1": [0.5],
        "mINP": [float("nan")],
    }
)


@pytest.fixture
def facts(make_config):
    """The facts of a training of `metabin` on two sites."""
    network = build_embedder("resnet_small", 5, norm="bin")
    layers = ["norm", "block1.norm1", "block1.norm2"]
    bins = [(layer, index / 20) for layer in layers for index in range(20)]
    histograms = pd.DataFrame(bins, columns=["layer", "bin_left"]).assign(step=9, count=0)
    # of 16 channels each: the stem has 4 near 0, block1 has 8 of 32 near 1
    histograms.loc[[0, 1, 5], "count"] = [1, 3, 12]
    histograms.loc[[30, 39, 50], "count"] = [8, 8, 16]
    return TrainingFacts(
        description=describe_network(network, "resnet_small", "bin", 64, 32),
        config=make_config(),
        method="metabin",
        num_parameters=12345,
        domains={"left": (40, 320), "right": (30, 200)},
        synthetic=["left", "right"],
        selection=SELECTION,
        source_scores=SCORES,
        rho_histograms=histograms,
    )


def section(card, title):
    """The text of a section."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)[1]


def test_a_file_name_of_weights_ends_no_code_span(facts, make_config):
    name = "w`<img src=x onerror=alert(1)>`.pth"
    config = make_config(model__pretrained=name, data__local=[name])
    card = training_card(replace(facts, config=config))
    assert "weights: `w'<img src=x onerror=alert(1)>'.pth`." in section(card, "Training data")


def test_the_front_matter_is_yaml_and_has_the_licence_of_synthetic_data_alone(facts):
    def front(facts):
        _, text, _ = training_card(facts).split("---\n", 2)
        return YAML(typ="safe").load(text)

    assert front(facts)["library_name"] == "metabin"
    assert front(facts)["license"] == "mit"
    assert "license" not in front(replace(facts, synthetic=["left"]))
    pretrained = facts.config.model.model_copy(update={"pretrained": "start.pth"})
    assert "license" not in front(replace(facts, config=facts.config.model_copy(update={"model": pretrained})))


def test_a_card_has_the_numbers_of_its_training(facts):
    card = training_card(facts)
    assert "| left | rendered, no real person | 40 | 320 |" in section(card, "Training data")
    assert "12,345 parameters with the classifier of 5 identities" in section(card, "Training")
    assert "| 5 | 41.0 |\n| 10 | 40.0 |" in section(card, "Training")
    assert "Step 5 is best." in section(card, "Training")
    assert "| stem | 1 | 16 | 25.0 | 0.0 |\n| block1 | 2 | 32 | 0.0 | 25.0 |" in section(card, "rho")
    assert "| left | 60 | 480 | 45.7 | 50.0 | - |" in section(card, "Evaluation")
    assert "height 64, width 32 (bicubic, Pillow)" in section(card, "Use")


def test_the_use_in_a_card_is_python_that_names_what_the_package_has(facts):
    import metabin

    code = re.search(r"```python\n(.*?)```", training_card(facts), re.DOTALL)[1]
    compile(code, "card", "exec")
    assert all(hasattr(metabin, name) for name in re.findall(r"metabin\.(\w+)\(", code))


def test_real_people_without_documented_consent_and_unknown_data_are_named(facts):
    unknown = replace(facts, domains={"market1501": (751, 12936), "my_site": (9, 99)}, synthetic=[])
    text = section(training_card(unknown), "Training data")
    assert "| market1501 | real | 751 | 12936 | research only, no distribution |" in text
    assert "| my_site | not known to this project | 9 | 99 | not known to this project |" in text
    assert "no documented consent" in text
    assert "no documented consent" not in training_card(facts)
    assert "rendered people alone" in training_card(facts)
    assert "rendered people alone" not in training_card(unknown)


def test_withdrawn_data_are_named_as_such(facts):
    card = training_card(replace(facts, domains={"dukemtmcreid": (702, 16522)}, synthetic=[]))
    assert "**Withdrawn data.** DukeMTMC-reID was withdrawn in June 2019" in section(card, "Training data")
    assert "Withdrawn" not in training_card(facts)


def test_the_terms_of_every_data_set_with_a_reader_are_known():
    assert set(TERMS) == set(READERS)
    assert [name for name in TERMS if "WITHDRAWN" in TERMS[name].licence] == list(WITHDRAWN)


def test_without_held_out_identities_the_card_says_so(facts):
    card = training_card(replace(facts, selection=SELECTION.assign(source_mAP=float("nan")), source_scores=SCORES[:0]))
    assert "candidates could not be compared" in section(card, "Training")
    assert "the model has no scores here" in section(card, "Evaluation")


def test_the_card_of_a_fold_names_what_it_did_not_read(facts):
    description = facts.description.model_copy(update={"fold": "night", "held_out": ("night", "plaza")})
    assert "trained without `night`, `plaza`" in training_card(replace(facts, description=description))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_card_with_what_it_does(method, facts):
    learns = find_method(method).learns_rho
    histograms = facts.rho_histograms if learns else facts.rho_histograms[:0]
    card = training_card(replace(facts, method=method, rho_histograms=histograms))
    assert ("Meta step in each iteration" in card) == find_method(method).is_episodic
    assert ("learns no rho" in section(card, "rho")) == (not learns)
    assert ("rho: starts at" in card) == learns
    assert isinstance(find_method(method), Method)


def test_parts_that_are_added_to_a_method_are_named(facts, make_config):
    assert "Added parts" not in training_card(facts)
    config = make_config(optim__averaging="ema", model__mixstyle=0.5, augment__strong=0.25, augment__amplitude_mix=1.0)
    text = section(training_card(replace(facts, config=config)), "Training")
    assert (
        "Added parts: average of the weights (EMA, decay 0.99), MixStyle (probability 0.5), "
        "strong augmentation (probability 0.25), mixed amplitudes (share up to 1)."
    ) in text
    swa = make_config(optim__averaging="swa")
    assert "Added parts: mean of the weights (SWA) after 75% of the steps." in training_card(replace(facts, config=swa))

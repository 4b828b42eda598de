"""What holds for every input: samplers, ranking, folds, configuration and statistics.

Hypothesis draws the inputs, the same ones in every run: a test that fails, fails for all.
"""

from collections import Counter
from copy import deepcopy
from itertools import islice
from pathlib import Path

import numpy as np
import oracles
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from metabin.config import Config, parse_config
from metabin.data.batches.sampling import DomainSampler, IdentitySampler, _make_groups, epoch_steps
from metabin.data.partition.folds import datasets, final_fold, leave_one_out
from metabin.data.partition.roles import manifest, split_fold
from metabin.errors import ConfigError, DatasetError
from metabin.evaluation import metrics
from metabin.results import statistics
from metabin.types import Domain, ImageRecord

few = settings(max_examples=50, derandomize=True, deadline=None)
seeds = st.integers(0, 2**32 - 1)


# ---- samplers

# numbers of images per identity; labels need not be 0, 1, 2 ...
image_counts = st.lists(st.integers(1, 9), min_size=4, max_size=12)


def labels_of(counts, random):
    names = random.choice(1000, len(counts), replace=False)
    return random.permutation(np.repeat(names, counts))


@few
@given(image_counts, st.integers(1, 4), st.integers(1, 5), seeds)
def test_a_base_batch_is_p_different_identities_with_k_of_their_images(counts, num_ids, num_images, seed):
    label = labels_of(counts, np.random.default_rng(seed))
    batches = list(islice(IdentitySampler(label, num_ids, num_images, seed), 12))
    for index in batches:
        groups = label[index].reshape(num_ids, num_images)
        assert (groups == groups[:, :1]).all()
        assert len(set(groups[:, 0])) == num_ids
    again = list(islice(IdentitySampler(label, num_ids, num_images, seed), 12))
    np.testing.assert_array_equal(batches, again)


@few
@given(image_counts, st.integers(1, 5), seeds)
def test_groups_have_every_image_and_repeat_as_few_as_they_need(counts, num_images, seed):
    random = np.random.default_rng(seed)
    label = labels_of(counts, random)
    groups = _make_groups(label, num_images, random)
    assert groups.keys() == set(label.tolist())
    for value, parts in groups.items():
        rows = np.flatnonzero(label == value)
        drawn = Counter(np.concatenate(parts).tolist())
        assert set(drawn) <= set(rows.tolist())
        assert len(parts) == -(-len(rows) // num_images)
        if len(rows) >= num_images:
            assert set(drawn) == set(rows.tolist())
            assert max(drawn.values()) <= 2


@few
@given(st.lists(image_counts, min_size=2, max_size=4), st.integers(1, 4), st.integers(1, 4), seeds)
def test_a_meta_batch_has_as_many_identities_of_every_domain_in_order(domains, num_ids, num_images, seed):
    counts = [count for domain in domains for count in domain]
    random = np.random.default_rng(seed)
    label = np.arange(len(counts)).repeat(counts)
    domain = np.arange(len(domains)).repeat([sum(counts) for counts in domains])
    order = random.permutation(len(label))
    label, domain = label[order], domain[order]
    for index in islice(DomainSampler(label, domain, num_ids, num_images, seed), 8):
        assert (domain[index].reshape(len(domains), -1) == np.arange(len(domains))[:, None]).all()
        groups = label[index].reshape(len(domains), num_ids, num_images)
        assert (groups == groups[..., :1]).all()
        assert all(len(set(row)) == num_ids for row in groups[..., 0].tolist())


@few
@given(image_counts, st.integers(1, 4), st.integers(1, 5))
def test_the_steps_of_an_epoch_are_those_of_the_reference(counts, num_ids, num_images):
    label = np.arange(len(counts)).repeat(counts)
    padded = sum(count + -count % num_images for count in counts)
    batch = num_ids * num_images
    assert epoch_steps(label, num_ids, num_images) == max((padded - padded % batch - batch) / batch, 1)


# ---- ranking


@st.composite
def rankings(draw):
    """Distances with ties, and ids of query and gallery; at least one query has a match."""
    num_query, num_gallery = draw(st.integers(1, 6)), draw(st.integers(1, 30))
    random = np.random.default_rng(draw(seeds))
    distance = random.integers(0, draw(st.integers(1, 20)), (num_query, num_gallery)) / 4
    query_pid, gallery_pid = random.integers(0, 4, num_query), random.integers(0, 4, num_gallery)
    query_camid, gallery_camid = random.integers(0, 3, num_query), random.integers(0, 3, num_gallery)
    is_match = (query_pid[:, None] == gallery_pid) & (query_camid[:, None] != gallery_camid)
    assume(is_match.any())
    return distance, query_pid, gallery_pid, query_camid, gallery_camid


def values_of(scores):
    return scores.mAP, scores.mINP, scores.cmc[5], scores.num_query


@few
@given(rankings())
def test_scores_are_those_of_a_walk_down_each_list(ranking):
    distance, *ids = ranking
    expected = oracles.retrieval(distance.tolist(), *(column.tolist() for column in ids), 5)
    assert values_of(metrics.score(*ranking, ranks=(5,))) == pytest.approx(expected)


@few
@given(rankings())
def test_only_the_order_of_distances_counts_and_not_the_images_left_out(ranking):
    distance, query_pid, gallery_pid, query_camid, gallery_camid = ranking
    expected = values_of(metrics.score(*ranking, ranks=(5,)))
    assert values_of(metrics.score(np.exp(distance), *ranking[1:], ranks=(5,))) == expected
    # The first query's own image, in front of all others, is under the query's camera.
    own = np.concatenate([np.full((len(distance), 1), -1.0), distance], axis=1)
    with_own = metrics.score(
        own[:1], query_pid[:1], [query_pid[0], *gallery_pid], query_camid[:1], [query_camid[0], *gallery_camid],
        ranks=(5,),
    )  # fmt: skip
    without = metrics.score(distance[:1], query_pid[:1], gallery_pid, query_camid[:1], gallery_camid, ranks=(5,))
    assert values_of(with_own) == pytest.approx(values_of(without), nan_ok=True)


# ---- folds and roles

names = st.lists(st.sampled_from([f"set{number}" for number in range(8)]), min_size=2, max_size=8, unique=True)


@st.composite
def protocols(draw):
    """Names that are held out in turn, sources of all folds, and groups of held-out data sets."""
    every = draw(names)
    num_domains = draw(st.integers(1, len(every)))
    domains, rest = every[:num_domains], every[num_domains:]
    num_sources = draw(st.integers(0, len(rest)))
    sources, spare = rest[:num_sources], rest[num_sources:]
    assume(num_domains > 1 or sources)
    groups = {domains[0]: [domains[0], *spare]} if spare else {}
    return domains, sources, groups


@few
@given(protocols())
def test_a_fold_never_trains_on_what_it_holds_out_and_each_domain_is_held_out_once(protocol):
    domains, sources, groups = protocol
    folds = leave_one_out(domains, sources, groups)
    every = {*domains, *sources, *(name for group in groups.values() for name in group)}
    for fold in folds:
        assert not set(fold.sources) & set(fold.targets)
        assert {*fold.sources, *fold.targets} == every
    held_out = Counter(name for fold in folds for name in fold.targets)
    assert set(held_out.values()) == {1}
    assert set(held_out) == every - set(sources)
    assert set(final_fold(folds).sources) == every == set(datasets(folds))


def draw_domain(name, random):
    """A data set with the same numbers of people and cameras as others have: only the name tells them apart."""
    records = [
        ImageRecord(f"{pid}_{camid}_{number}.jpg", pid, camid, name, distractor=pid == 0)
        for pid in range(random.integers(8, 12))
        for camid in range(3)
        for number in range(random.integers(1, 3))
    ]
    return Domain(tuple(sorted(records, key=lambda record: record.path)), Path(name), "csv", name)


@few
@given(protocols(), st.one_of(st.integers(2, 5), st.just("all")), seeds)
def test_no_image_person_or_camera_of_a_held_out_domain_trains(params, protocol, num_train_ids, seed):
    domains, sources, groups = protocol
    values = deepcopy(params)
    values["partition"]["num_train_ids"] = num_train_ids
    config = parse_config(values)
    random = np.random.default_rng(seed)
    for fold in leave_one_out(domains, sources, groups):
        data = {name: draw_domain(name, random) for name in datasets([fold])}
        splits = split_fold(fold, data, config)
        assert [split.name for split in splits] == [*fold.sources, *fold.targets]
        train = {(record.domain, record.pid, record.camid) for split in splits for record in split.train}
        assert {domain for domain, _, _ in train} == set(fold.sources)
        entries = manifest(fold, splits, data, dict.fromkeys(data, ""))["domains"]
        for split in splits:
            tested = {(record.domain, record.pid) for record in (*split.query, *split.gallery)}
            assert not tested & {(domain, pid) for domain, pid, _ in train}
            assert not any(record.distractor for record in (*split.train, *split.query))
            assert tested or split.name in fold.sources
            # What a training reads are the rows of the manifest.
            rows = [row for start, stop in entries[split.name]["rows"]["train"] for row in range(start, stop)]
            assert tuple(data[split.name].records[row] for row in rows) == split.train
            assert bool(rows) == (entries[split.name]["role"] == "source")


@few
@given(seeds, st.integers(2, 14))
def test_too_few_identities_for_a_test_are_refused(params, seed, num_train_ids):
    values = deepcopy(params)
    values["partition"]["num_train_ids"] = num_train_ids
    (fold, _) = leave_one_out(["a", "b"])
    data = {name: draw_domain(name, np.random.default_rng(seed)) for name in "ab"}
    num_people = len({record.pid for record in data["b"].records if not record.distractor})
    if num_people >= num_train_ids + 2:
        split = split_fold(fold, data, parse_config(values))[0]
        assert len({record.pid for record in split.train}) == num_train_ids
    else:
        with pytest.raises(DatasetError, match=f"domain b has {num_people} identities"):
            split_fold(fold, data, parse_config(values))


# ---- configuration

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@few
@given(st.data())
def test_any_value_of_any_key_is_taken_or_refused_by_name(params, data):
    section = data.draw(st.sampled_from(sorted(key for key, value in params.items() if isinstance(value, dict))))
    key = data.draw(st.sampled_from([*sorted(params[section]), "unknown"]))
    values = deepcopy(params)
    values[section][key] = data.draw(plain)
    try:
        config = parse_config(values)
    except ConfigError as error:
        assert section in str(error)
    else:
        assert parse_config(config.model_dump()) == config
        assert isinstance(config, Config)


# ---- statistics

fractions = st.lists(st.floats(0, 1).map(lambda value: round(value, 3)), min_size=2, max_size=30)


@few
@given(fractions, seeds, st.floats(-1, 1))
def test_an_interval_is_inside_the_values_and_moves_with_them(values, seed, shift):
    values = np.array(values)
    pid = np.random.default_rng(seed).integers(0, 6, len(values))
    assume(len(set(pid)) > 1)
    result = statistics.over_queries(values, pid, seed=seed)
    assert result.mean == pytest.approx(values.mean())
    assert values.min() - 1e-9 <= result.low <= result.high <= values.max() + 1e-9
    moved = statistics.over_queries(values + shift, pid, seed=seed)
    assert (moved.mean, moved.low, moved.high) == pytest.approx(
        (result.mean + shift, result.low + shift, result.high + shift), abs=1e-9
    )
    # Weights count by their ratios, and equal ones are none.
    weighted = statistics.over_queries(values, pid, weight=np.full(len(values), 3.0), seed=seed)
    assert (weighted.low, weighted.high) == pytest.approx((result.low, result.high), abs=1e-9)


@few
@given(st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=2, max_size=9))
def test_a_comparison_the_other_way_round_is_its_mirror_image(differences):
    one, other = statistics.compare(differences), statistics.compare([-value for value in differences])
    assert (one.wins, one.losses) == (other.losses, other.wins)
    assert (one.difference.low, one.difference.high) == pytest.approx((-other.difference.high, -other.difference.low))
    assert one.difference.low <= one.difference.mean <= one.difference.high
    assert (one.sign_p, one.permutation_p) == pytest.approx((other.sign_p, other.permutation_p))
    assert statistics.smallest_p(len(differences)) - 1e-12 <= one.permutation_p <= 1
    assert one.is_significant == (one.difference.low > 0 or other.difference.low > 0)


@few
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_corrected_p_values_keep_their_order_and_do_not_depend_on_it(p, random):
    adjusted = statistics.holm(p)
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= np.array(p)).all()
    assert adjusted.max() <= 1
    places = list(range(len(p)))
    random.shuffle(places)
    assert statistics.holm([p[place] for place in places]) == pytest.approx(adjusted[places])


@few
@given(st.floats(0.3, 3), st.floats(0.05, 2))
def test_one_pair_less_than_needed_has_too_little_power(difference, std):
    count = statistics.units_needed(difference, std)
    assert statistics._power(difference / std, count) >= statistics.POWER
    if 2 < count < 100:  # more are stepped through
        assert statistics._power(difference / std, count - 1) < statistics.POWER

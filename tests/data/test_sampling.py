from collections import Counter
from itertools import islice, product

import numpy as np
import pytest

from metabin.data.batches.sampling import DomainSampler, IdentitySampler, epoch_steps
from metabin.errors import DatasetError
from metabin.seeding import generator

# 3 domains of 5 identities; identity i has 2 + i images
COUNTS = np.tile(np.arange(2, 7), 3)
LABEL = np.arange(15).repeat(COUNTS)
DOMAIN = (np.arange(15) // 5).repeat(COUNTS)


def base(seed=0, num_ids=6):
    return IdentitySampler(LABEL, num_ids, 4, seed)


def meta(seed=0, num_ids=3):
    return DomainSampler(LABEL, DOMAIN, num_ids, 4, seed, ("a", "b", "c"))


def domain_sampler(label, num_ids, num_images, seed):
    """Return a sampler of meta batches of two domains with as many identities; `num_ids` in all."""
    half = len(np.unique(label)) // 2
    return DomainSampler(label, (label >= half).astype(int), num_ids // 2, num_images, seed)


def shares_of_repeats(num_images, num_draws):
    """Return the probability of the sorted numbers of repeats in a group, from all draws with replacement."""
    draws = list(product(range(num_images), repeat=num_draws))
    counts = Counter(tuple(sorted(Counter(draw).values())) for draw in draws)
    return {key: count / len(draws) for key, count in counts.items()}


def test_a_base_batch_is_p_identities_with_k_images_each():
    for index in islice(base(), 30):
        labels = LABEL[index].reshape(6, 4)
        assert (labels == labels[:, :1]).all()
        assert len(set(labels[:, 0])) == 6


def test_a_meta_batch_has_the_same_number_of_identities_of_every_domain_in_order():
    for index in islice(meta(), 50):
        labels = LABEL[index].reshape(3, 3, 4)
        assert (DOMAIN[index].reshape(3, -1) == np.arange(3)[:, None]).all()
        assert (labels == labels[:, :, :1]).all()
        assert all(len(set(domain[:, 0])) == 3 for domain in labels)


@pytest.mark.parametrize("make", [IdentitySampler, domain_sampler])
def test_an_identity_with_fewer_images_than_k_is_drawn_k_times_with_replacement(make):
    label = np.arange(6).repeat([2, 3, 2, 3, 4, 9])  # the last two have enough
    seen = {value: [] for value in range(6)}
    for index in islice(make(label, 6, 4, 0), 800):
        for group in index.reshape(6, 4):
            seen[label[group[0]]].append(tuple(sorted(Counter(group.tolist()).values())))
    shares = {value: Counter(counts) for value, counts in seen.items()}
    for value, groups in shares.items():
        if value < 4:
            expected = shares_of_repeats(num_images=2 + value % 2, num_draws=4)
            assert {key: count / groups.total() for key, count in groups.items()} == pytest.approx(expected, abs=0.05)
    assert set(shares[4]) == {(1, 1, 1, 1)}
    assert max(max(repeats) for repeats in shares[5]) == 2  # 9 images fill three groups with three of them twice


def slow_groups(rows, label, num_images, random):
    """Return the groups of the images in `rows` by label; every label has `num_images` images or more."""
    groups = {}
    for value in sorted(set(label[rows].tolist())):
        images = np.array([row for row in rows if label[row] == value])
        images = np.concatenate([images, random.choice(images, -len(images) % num_images, replace=False)])
        groups[value] = list(random.permutation(images).reshape(-1, num_images))
    return groups


def slow_batch(groups, num_ids, random):
    labels = random.choice(sorted(value for value in groups if groups[value]), num_ids, replace=False)
    return [groups[value].pop() for value in labels.tolist()]


def num_left(groups):
    return sum(map(bool, groups.values()))


def mixed_images():
    """Return labels in no order, with 4 to 40 images each."""
    counts = [4, 5, 7, 8, 9, 40, 21, 6]
    return np.random.default_rng(1).permutation(np.arange(8).repeat(counts))


def test_base_batches_use_the_stream_of_their_epoch():
    """The generator is asked for the same numbers: a permutation of the images and of those that fill a group."""
    label = mixed_images()
    batches = iter(IdentitySampler(label, 3, 4, 5))
    for epoch in range(3):
        random = generator(5, "epoch", epoch)
        groups = slow_groups(range(len(label)), label, 4, random)
        while num_left(groups) >= 3:
            assert np.array_equal(next(batches), np.concatenate(slow_batch(groups, 3, random)))


def test_meta_batches_use_the_stream_of_their_epoch():
    label = mixed_images()
    rows = [np.flatnonzero(label < 4), np.flatnonzero(label >= 4)]
    batches = iter(DomainSampler(label, (label >= 4).astype(int), 2, 4, 5))
    for epoch in range(3):
        random = generator(5, "epoch", epoch)
        groups = [slow_groups(part, label, 4, random) for part in rows]
        has_run_out = [False, False]
        while not all(has_run_out):
            batch = []
            for index, part in enumerate(rows):
                batch += slow_batch(groups[index], 2, random)
                if num_left(groups[index]) < 2:
                    groups[index] = slow_groups(part, label, 4, random)
                    has_run_out[index] = True
            assert np.array_equal(next(batches), np.concatenate(batch))


def test_an_epoch_uses_no_image_twice_unless_to_fill_a_group():
    first_epoch = next(iter(IdentitySampler(np.arange(4).repeat(8), 4, 4, 0)))
    second_batch = list(islice(IdentitySampler(np.arange(4).repeat(8), 4, 4, 0), 2))[1]
    assert max(Counter(np.concatenate([first_epoch, second_batch])).values()) == 1


@pytest.mark.parametrize("make", [base, meta])
def test_equal_seeds_give_equal_batches_and_other_seeds_others(make):
    first, again, other = (np.stack(list(islice(make(seed), 20))) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_too_few_identities_or_domains_are_refused_before_the_first_batch():
    with pytest.raises(DatasetError, match="asks for 16 identities per batch, but the sources have 15"):
        base(num_ids=16)
    with pytest.raises(DatasetError, match="source domain a has 5 training identities; meta.ids_per_domain asks for 6"):
        meta(num_ids=6)
    with pytest.raises(DatasetError, match="at least 2 source domains.* found 1"):
        DomainSampler(LABEL, np.zeros_like(DOMAIN), 3, 4, 0)
    one_identity = np.array([0, 0, 1, 2])
    with pytest.raises(DatasetError, match="fewer than 2"):
        DomainSampler(one_identity, np.array([0, 0, 1, 1]), 2, 2, 0, ("lonely", "other"))


def test_a_domain_that_runs_out_is_refilled_and_the_epoch_ends_when_every_one_has_run_out():
    # 2 identities per domain, with 3 groups of 4 images each in domain 0 and 4 groups in domain 1. So domain 0 runs
    # out after 3 batches and domain 1 after 4. There the epoch ends, and both start anew.
    label = np.arange(4).repeat([12, 12, 16, 16])
    domain = np.zeros(56, int)
    domain[24:] = 1
    for seed in range(5):
        batches = np.stack(list(islice(DomainSampler(label, domain, 2, 4, seed), 8)))
        small = batches[:, :8]
        large = batches[:, 8:]
        for batch in (small[:3], small[4:7], large[:4], large[4:]):
            assert len(np.unique(batch)) == batch.size


def test_epochs_are_counted_as_the_reference_counts_them():
    assert epoch_steps(np.arange(40).repeat(8), 20, 4) == 3  # 4 batches of 80 in 320 images, minus one
    assert epoch_steps(np.arange(40).repeat(5), 20, 4) == 3  # 5 images are padded to 8
    assert epoch_steps(np.arange(4).repeat(4), 4, 4) == 1

"""Batches and epochs of the reference's recipe, apart from the stream of random numbers."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from metabin.data.batches.sampling import DomainSampler, IdentitySampler, epoch_steps

NUM_DOMAINS, NUM_IDS, NUM_IMAGES = 5, 20, 4  # of a batch
BATCH = NUM_IDS * NUM_IMAGES


@pytest.fixture(scope="module")
def columns():
    """(label, domain) of every image: domain d has 20 + 10 d identities, each 2 to 11 images of 3 cameras."""
    random = np.random.RandomState(0)  # noqa: NPY002 (the recipe of the reference's numbers)
    label = []
    domain = []
    pid = 0
    for index in range(NUM_DOMAINS):
        for _ in range(20 + 10 * index):
            count = random.randint(2, 12)
            random.randint(0, 3, count)  # the cameras
            label += [pid] * count
            domain += [index] * count
            pid += 1
    return np.array(label), np.array(domain)


def num_groups(label):
    """Return the number of groups of K images of every identity, after padding."""
    return -(-np.bincount(label) // NUM_IMAGES)


def ids_of(batch, label):
    """Return the identity of every group of a batch."""
    labels = label[batch].reshape(NUM_IDS, NUM_IMAGES)
    assert (labels == labels[:, :1]).all()
    return labels[:, 0]


def identity_epochs(label, seed) -> Iterator[list[np.ndarray]]:
    """Yield the epochs of the base batches; an epoch draws an identity at most once per group."""
    batches = iter(IdentitySampler(label, NUM_IDS, NUM_IMAGES, seed))
    while True:
        left = num_groups(label)
        epoch = []
        while (left > 0).sum() >= NUM_IDS:
            epoch.append(next(batches))
            ids = ids_of(epoch[-1], label)
            assert (left[ids] > 0).all()
            left[ids] -= 1
        yield epoch


def domain_epochs(label, domain, seed) -> Iterator[list[np.ndarray]]:
    """Yield the epochs of the meta batches; the same holds within a domain between two refills."""
    batches = iter(DomainSampler(label, domain, NUM_IDS // NUM_DOMAINS, NUM_IMAGES, seed))
    domain_of_id = domain[np.unique(label, return_index=True)[1]]
    while True:
        full = num_groups(label)
        epoch = []
        run_out = set()
        left = full.copy()
        while len(run_out) < NUM_DOMAINS:
            epoch.append(next(batches))
            ids = ids_of(epoch[-1], label)
            assert (left[ids] > 0).all()
            left[ids] -= 1
            for index in range(NUM_DOMAINS):
                members = domain_of_id == index
                if (left[members] > 0).sum() < NUM_IDS // NUM_DOMAINS:
                    left[members] = full[members]
                    run_out.add(index)
        yield epoch


def uses(epoch, label):
    """Return how often an epoch uses every image."""
    return np.bincount(np.concatenate(epoch), minlength=len(label))


def test_the_recipe_gives_the_images_of_the_reference(columns, reference):
    assert len(columns[0]) == reference["samplers"]["n_images"]


def test_every_meta_batch_has_equal_parts_of_the_domains_in_their_order(columns, reference):
    label, domain = columns
    expected = reference["samplers"]["domain_first_batch"]
    for batch in islice(DomainSampler(label, domain, 4, NUM_IMAGES, 0), 200):
        assert np.bincount(domain[batch]).tolist() == expected["imgs_per_domain"]
        assert domain[batch].reshape(NUM_IDS, NUM_IMAGES)[:, 0].tolist() == expected["domains_in_order"]
        assert len(set(ids_of(batch, label))) == expected["n_pids"]


def test_every_base_batch_has_twenty_identities_with_each_domain_in_its_share_of_groups(columns, reference):
    label, domain = columns
    batches = list(islice(IdentitySampler(label, NUM_IDS, NUM_IMAGES, 0), 100))
    for batch in batches:
        assert len(set(ids_of(batch, label))) == reference["samplers"]["naive_first_batch"]["n_pids"]
    parts = np.mean([np.bincount(domain[batch], minlength=NUM_DOMAINS) for batch in batches], axis=0)
    groups = np.bincount(domain, weights=num_groups(label)[label] / np.bincount(label)[label])
    assert parts == pytest.approx(BATCH * groups / groups.sum(), abs=1)


@pytest.mark.parametrize("seed", range(3))
def test_an_epoch_uses_no_group_twice(seed, columns):
    label, domain = columns
    counts = np.bincount(label)[label]
    padding = NUM_IMAGES * num_groups(label)[label] - counts
    most = np.where(counts < NUM_IMAGES, NUM_IMAGES, 1 + padding)  # one image can fill the group of a small identity
    for epoch in islice(identity_epochs(label, seed), 3):
        assert (uses(epoch, label)[padding == 0] <= 1).all()
        assert (uses(epoch, label) <= most).all()
    for epoch in islice(domain_epochs(label, domain, seed), 3):
        most_groups = domain == 3
        fewest = domain == 0
        assert (uses(epoch, label)[most_groups] <= most[most_groups]).all()
        assert uses(epoch, label)[fewest].mean() > 2  # refilled again and again, until the other has run out


@pytest.mark.parametrize("seed", range(3))
def test_epochs_are_as_long_as_the_reference_s(seed, columns, reference):
    label, domain = columns
    expected = reference["samplers"]
    base = [BATCH * len(epoch) for epoch in islice(identity_epochs(label, seed), 3)]
    assert base == [expected["naive_epoch_len"]] * 3
    # The domain with most groups ends the epoch, after all its 26 x 4 groups unless too few identities are left.
    meta = [BATCH * len(epoch) for epoch in islice(domain_epochs(label, domain, seed), 3)]
    assert max(meta) == expected["domain_epoch_len"]
    assert min(meta) >= expected["domain_epoch_len"] - BATCH


def test_an_epoch_counts_one_batch_less_than_it_has(columns, reference):
    label, _ = columns
    padded = NUM_IMAGES * num_groups(label).sum()
    assert padded - padded % BATCH - BATCH == reference["samplers"]["naive_total_images"]
    assert epoch_steps(label, NUM_IDS, NUM_IMAGES) * BATCH == reference["samplers"]["naive_total_images"]


def test_an_epoch_of_a_single_batch_has_one_step():
    assert epoch_steps(np.arange(NUM_IDS).repeat(NUM_IMAGES), NUM_IDS, NUM_IMAGES) == 1

"""A map of embeddings: a sample of the test images of a fold in two dimensions, by t-SNE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pandas as pd

from metabin.data.batches.loading import ImageSet
from metabin.evaluation.overlap import select_images
from metabin.evaluation.scoring import TestSet, embed
from metabin.model.embedder import Embedder
from metabin.seeding import generator

COLUMNS = ("domain", "role", "pid", "camid", "x", "y")
MAX_DOMAINS = 6  # of each role; more colours cannot be told apart
NUM_IMAGES = {"unseen": 96, "seen": 48}  # about, of a domain
IMAGES_PER_PERSON = 8
MIN_IMAGES = 10  # fewer give no map
PERPLEXITY = 30  # scikit-learn's default
NUM_STEPS = 400  # not 1,000, scikit-learn's default: enough for some hundred images


def embedding_map(model: Embedder, tests: Sequence[TestSet]) -> pd.DataFrame:
    """Return a row of COLUMNS for each sampled image.

    Near images have near places; large distances on the map have no meaning. The same machine gives
    the same places. There are no rows with fewer than MIN_IMAGES, or if all embeddings are equal.

    Args:
        tests: of one fold. Up to MAX_DOMAINS unseen and as many seen domains are sampled.
    """
    tables, features = [], []
    for test in mapped_tests(tests):
        images = sample_images(test)
        role = "unseen" if test.unseen else "seen"
        columns = {"domain": test.domain, "role": role, "pid": images.pid, "camid": images.camid}
        tables.append(pd.DataFrame(columns))
        features.append(embed(model, images).features)
    embeddings = np.concatenate(features)
    if len(embeddings) < MIN_IMAGES or not np.ptp(embeddings, axis=0).any():
        return pd.DataFrame(columns=list(COLUMNS))
    places = project(embeddings)
    return pd.concat(tables, ignore_index=True).assign(x=places[:, 0], y=places[:, 1])


def mapped_tests(tests: Sequence[TestSet]) -> list[TestSet]:
    """Return the first trial of each domain on the map, unseen domains first."""
    first_trials = [test for test in tests if test.trial in (None, 0)]
    unseen = [test for test in first_trials if test.unseen]
    seen = [test for test in first_trials if not test.unseen]
    return [*unseen[:MAX_DOMAINS], *seen[:MAX_DOMAINS]]


def sample_images(test: TestSet) -> ImageSet:
    """Return some images of some people of a test, the same at every call.

    People are drawn among those in query and gallery, until there are NUM_IMAGES. Of a person with
    many images, IMAGES_PER_PERSON are taken at equal intervals, which mixes the cameras.
    """
    images = _all_images(test)
    people = np.intersect1d(test.query.pid, test.gallery.pid)
    is_chosen = np.zeros(len(images), bool)
    for pid in generator(0, "embedding_map", test.domain).permutation(people):
        if is_chosen.sum() >= NUM_IMAGES["unseen" if test.unseen else "seen"]:
            break
        of_person = np.flatnonzero(images.pid == pid)
        count = min(IMAGES_PER_PERSON, len(of_person))
        is_chosen[of_person[np.linspace(0, len(of_person) - 1, count).astype(int)]] = True
    return select_images(images, is_chosen)


def project(features: np.ndarray) -> np.ndarray:
    """Return places of embeddings on a map, (N, D) -> (N, 2), by t-SNE of their directions."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    # |a - b|^2 = 2 (1 - cosine) for unit vectors: the neighbours are those of the ranking.
    directions = features / np.maximum(lengths, 1e-12)
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    tsne = TSNE(init="pca", perplexity=perplexity, max_iter=NUM_STEPS, random_state=0)
    with threadpool_limits(1):  # else a thread per core: slower for so few images
        return tsne.fit_transform(directions)


def _all_images(test: TestSet) -> ImageSet:
    """Return the query images of a test, then the gallery images that are no query."""
    query = test.query
    gallery = select_images(test.gallery, ~np.isin(test.gallery.row, query.row))
    columns = [field.name for field in fields(query) if field.name not in ("pixels", "names")]
    both = {name: [getattr(query, name), getattr(gallery, name)] for name in columns}
    return replace(query, **{name: np.concatenate(parts) for name, parts in both.items()})

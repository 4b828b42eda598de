"""Comparison of embeddings."""

from __future__ import annotations

import numpy as np

from metabin.errors import ConfigError

SMALLEST = np.finfo(np.float32).tiny  # divides embeddings of length 0, which stay 0


def similarity(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Return the cosine similarity of embeddings: larger means more alike.

    Args:
        query: (Q, D) or (D,).
        gallery: (G, D) or (D,).

    Returns:
        (Q, G) float32 in [-1, 1].

    Raises:
        ConfigError: The embeddings have different lengths, as those of different models.
    """
    query = np.atleast_2d(query)
    gallery = np.atleast_2d(gallery)
    if query.shape[1] != gallery.shape[1]:
        raise ConfigError(
            f"the embeddings have {query.shape[1]} and {gallery.shape[1]} values; "
            "compare embeddings of the same model"
        )
    return np.clip(unit_length(query) @ unit_length(gallery).T, -1, 1)


def unit_length(embeddings: np.ndarray) -> np.ndarray:
    """Return embeddings (N, D) as float32, each divided by its Euclidean length."""
    embeddings = np.asarray(embeddings, np.float32)
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.maximum(lengths, SMALLEST)

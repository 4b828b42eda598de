"""Keys, values and error messages in a form that MLflow accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from metabin.addresses import hide_credentials

MAX_PARAM_LENGTH = 6000  # MLflow's own limit
MAX_CARD_LENGTH = 5000  # MLflow's limit for descriptions
LEFT_OUT = ("rho", "Training", "Use")  # sections of a model card, the least needed first
NOTE = "\n\nThis is not the complete card, which is too long for MLflow: `metabin card` prints it."
MAX_MESSAGE_LENGTH = 4000  # below MLflow's limit for a tag; some errors hold a whole web page


def flatten(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the leaves of nested mappings with their dotted keys."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield clean_key(f"{prefix}{key}"), value


def shorten(text: str) -> str:
    """Return the value of a parameter, cut at MLflow's limit."""
    if len(text) <= MAX_PARAM_LENGTH:
        return text
    return text[: MAX_PARAM_LENGTH - 3] + "..."


def clean_key(key: str) -> str:
    """Return a key that MLflow accepts.

    Other characters are replaced, and parts that consist of dots are removed, as the '..' of a
    path.
    """
    parts = re.sub(r"[^0-9A-Za-z_\-. :/]", "_", str(key)).split("/")
    return "/".join(part for part in parts if part.strip("."))[:250] or "_"


def describe(error: BaseException) -> str:
    """Return the type and the message of an error on one line, without credentials of addresses.

    Messages often end with the remedy, so a long one is cut in its middle.
    """
    name = type(error).__name__
    message = hide_credentials(" ".join(str(error).split()))
    text = f"{name}: {message}" if message else name
    if len(text) <= MAX_MESSAGE_LENGTH:
        return text
    half = MAX_MESSAGE_LENGTH // 2
    return f"{text[:half]} [...] {text[-half:]}"


def shorten_card(card: str) -> str:
    """Return a model card as a description: without its YAML, and within MLflow's limit.

    If it is too long, the sections in LEFT_OUT go first, then its end.
    """
    if card.startswith("---\n"):
        card = card.partition("\n---\n")[2]
    card = card.strip()
    if len(card) <= MAX_CARD_LENGTH:
        return card
    limit = MAX_CARD_LENGTH - len(NOTE)
    sections = re.split(r"^(?=## )", card, flags=re.MULTILINE)
    for heading in LEFT_OUT:
        if sum(map(len, sections)) > limit:
            sections = [text for text in sections if not text.startswith(f"## {heading}\n")]
    text = "".join(sections).strip()
    if len(text) > limit:
        text = text[:limit].rpartition("\n")[0].strip()
    return text + NOTE

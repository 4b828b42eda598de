"""MetaBIN: meta batch-instance normalisation for person re-identification in unseen domains.

    import metabin

    model = metabin.load("models/final/metabin/seed-0")
    embeddings = model.embed(["one.jpg", "two.jpg"])
    scores = metabin.similarity(embeddings, embeddings)

`import metabin` alone imports no library; the names below are imported at their first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metabin.errors import UserError as UserError
    from metabin.inference.load import load as load
    from metabin.inference.model import ReIDModel as ReIDModel
    from metabin.inference.similarity import similarity as similarity
    from metabin.model.description import ModelDescription as ModelDescription

__version__ = "0.1.0"

_PLACES = {
    "ModelDescription": "metabin.model.description",
    "ReIDModel": "metabin.inference.model",
    "UserError": "metabin.errors",
    "load": "metabin.inference.load",
    "similarity": "metabin.inference.similarity",
}
__all__ = ["ModelDescription", "ReIDModel", "UserError", "__version__", "load", "similarity"]


def __getattr__(name: str) -> object:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_PLACES]

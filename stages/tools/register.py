"""Register the final model in MLflow, with the alias champion and its model card."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli, layout

if TYPE_CHECKING:
    from metabin.config import Protocol


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="metabin", help="method or variant that trained it")
    parser.add_argument("--name", default="metabin", help="of the registered model")
    args = parser.parse_args()

    from metabin.card.results import complete_card
    from metabin.config import load_config
    from metabin.inference.load import find_folder
    from metabin.model.description import read_description
    from metabin.tracking.model_registry import register_model

    folder, reason = choose_training(args.method, load_config().protocol)
    print(f"{folder}: {reason}")
    description = read_description(find_folder(folder) / "config.json")
    card = complete_card(folder, description, layout.RESULTS)
    tags = {"fold": description.fold, "method": description.method, "seed": str(description.seed)}
    version = register_model(folder, args.name, card, tags)
    state = "registered as" if version.is_new else "already registered as"
    print(f"{state} version {version.number} of {args.name}, alias {version.alias}")
    print(f"  load it in Python:  metabin.load({version.uri!r})")
    print(
        f"  serve it over HTTP: MLFLOW_TRACKING_URI={version.store} "
        f"mlflow models serve -m {version.uri} --env-manager local --port 5002"
    )


def choose_training(method: str, protocol: Protocol) -> tuple[Path, str]:
    """Return the folder of the training to register, and the reason for the choice.

    This is the final model. Without one it is the training of a fold with the highest mAP on the
    held-out identities of its sources; the scores on unseen data sets play no part.

    Raises:
        ConfigError: The method is not trained, or no training has such scores.
    """
    from metabin.errors import ConfigError

    if method in protocol.final:
        return layout.final_training(method, protocol), "the final model, trained on all data sets"
    if method not in protocol.methods:
        raise ConfigError(
            f"--method {method} is not trained here; expected is one of "
            f"{', '.join(protocol.methods)}"
        )
    scores = source_scores(method, protocol)
    if not scores:
        raise ConfigError(
            f"no training of {method} has scores on held-out identities of its sources, by which "
            f"to choose one; add {method} to protocol.final and run `dvc repro`"
        )
    best = max(scores, key=lambda folder: scores[folder])
    return best, (
        f"{method} is not in protocol.final; of its trainings this one has the highest mAP on the "
        f"held-out identities of its sources, {100 * scores[best]:.1f} %"
    )


def source_scores(method: str, protocol: Protocol) -> dict[Path, float]:
    """Return training -> mean mAP of its last step on the held-out identities of its sources."""
    from stages.trained import load_candidates

    scores = {}
    for fold in protocol.domains:
        for seed in protocol.seeds:
            candidates = load_candidates(fold, method, seed)
            last = candidates[max(candidates)]  # model.safetensors has the weights of this step
            if not math.isnan(last):
                scores[layout.training(fold, method, seed)] = last
    return scores


if __name__ == "__main__":
    cli.run(main)

"""Remove the outputs of other configurations.

A stage that gathers many outputs depends on their common folder (models, results, data/raw), since
DVC cannot list dependencies from a parameter. Outputs of another configuration in that folder would
enter dvc.lock. A clone, which does not have them, would then never be up to date. So these stages
first remove the outputs that the present configuration does not have. Only files in DVC's cache are
removed: `dvc checkout`, or `dvc repro` with the other configuration, restores them.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli, layout

if TYPE_CHECKING:
    from metabin.config import Config


def remove_gathered(config: Config) -> None:
    """Remove the leftovers in the folders that the report gathers from."""
    remove(layout.MODELS, model_outputs(config))
    for folder in (layout.RESULTS, layout.RHO_PROBE):
        remove(folder, [folder / fold for fold in config.protocol.domains])


def raw_outputs(config: Config) -> list[Path]:
    """Return the outputs in data/raw of a configuration."""
    protocol = config.protocol
    rendered = [layout.RAW / domain for domain in (*protocol.domains, *protocol.sources)]
    return rendered + [layout.local(name) for name in config.data.local]


def model_outputs(config: Config) -> list[Path]:
    """Return the outputs in models of a configuration."""
    return [layout.training(*key) for key in layout.trainings(config.protocol)]


def remove(folder: Path, outputs: Iterable[Path]) -> None:
    """Remove everything but the outputs from a folder, if DVC's cache holds it; print the result.

    Args:
        folder: Folder that a stage depends on.
        outputs: Paths in the folder that stay.
    """
    leftovers = sorted(_find_leftovers(folder, set(outputs))) if folder.is_dir() else []
    if not leftovers:
        return
    # DVC stores a file under its md5, whose first two digits name the folder.
    cache = Path(cli.dvc("cache", "dir", capture=True).strip()) / "files" / "md5"
    for path in leftovers:
        if not all(_is_cached(file, cache) for file in _files(path)):
            print(
                f"{path} is no output of this configuration and not in DVC's cache: it stays, and "
                f"enters dvc.lock; move it out of {folder}"
            )
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        print(f"removed {path}, which this configuration does not have; DVC's cache keeps it")


def _find_leftovers(folder: Path, outputs: set[Path]) -> Iterator[Path]:
    """Yield the topmost paths in a folder that neither are, contain nor lie in an output."""
    parents = {parent for output in outputs for parent in output.parents}
    for path in folder.iterdir():
        if path in parents:
            yield from _find_leftovers(path, outputs)
        elif path not in outputs:
            yield path


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]


def _is_cached(file: Path, cache: Path) -> bool:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "md5").hexdigest()
    return (cache / digest[:2] / digest[2:]).is_file()

"""Remove what other configurations left behind.

A stage that gathers many outputs depends on their common folder (models, results, data/raw), since DVC cannot list
dependencies from a parameter. Outputs of another configuration in that folder would enter dvc.lock, and a clone, which
does not have them, would never be up to date. So these stages first remove what the present configuration does not
have. Only what DVC's cache holds is removed: `dvc checkout`, or `dvc repro` with the other configuration, restores it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
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
    """The outputs in data/raw that a configuration has."""
    protocol = config.protocol
    drawn = [layout.RAW / domain for domain in (*protocol.domains, *protocol.sources)]
    return drawn + [layout.local(name) for name in config.data.local]


def model_outputs(config: Config) -> list[Path]:
    """The outputs in models that a configuration has."""
    protocol = config.protocol
    return [
        layout.training(fold, method, seed)
        for fold in protocol.domains
        for method in protocol.methods
        for seed in protocol.seeds
    ]


def remove(folder: Path, outputs: Iterable[Path]) -> None:
    """Remove everything in a folder but the outputs, as far as DVC's cache holds it; name what stays."""
    wanted = set(outputs)
    above = {parent for path in wanted for parent in path.parents}
    leftovers = sorted(_others(folder, wanted, above)) if folder.is_dir() else []
    if not leftovers:
        return
    cache = Path(cli.dvc("cache", "dir", capture=True).strip()) / "files" / "md5"
    for path in leftovers:
        if all(_is_cached(file, cache) for file in _files(path)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            print(f"removed {path}, which this configuration does not have; DVC's cache keeps it")
        else:
            print(
                f"{path} is no output of this configuration and not in DVC's cache: it stays, and enters dvc.lock; "
                f"move it out of {folder}"
            )


def _others(folder: Path, wanted: set[Path], above: set[Path]) -> Iterable[Path]:
    for path in folder.iterdir():
        if path in above:
            yield from _others(path, wanted, above)
        elif path not in wanted:
            yield path


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]


def _is_cached(file: Path, cache: Path) -> bool:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "md5").hexdigest()
    return (cache / digest[:2] / digest[2:]).is_file()

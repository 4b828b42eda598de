"""Apply a preset or set a protocol in params.yaml, or list them. Comments stay as they are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli, layout
from stages.tools import protocols

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metabin.config.editing import Change
    from metabin.config.presets import Preset

PARAMS = Path("params.yaml")
PRESETS = Path("presets")
RESTORE = "`git checkout params.yaml` restores the committed values"


def main() -> None:
    args = parse_arguments()

    from metabin.config.presets import load_presets
    from metabin.data.partition.protocols import load_protocols
    from metabin.errors import ConfigError

    loaders = {"preset": (load_presets, PRESETS), "protocol": (load_protocols, layout.PROTOCOLS)}
    kinds = [args.kind] if args.kind else list(loaders)
    known = {kind: load(folder) for kind, (load, folder) in loaders.items() if kind in kinds}
    if not args.kind or not args.name:
        for kind, entries in known.items():
            print(f"python -m stages.tools.params {kind} NAME, where NAME is one of:")
            for name, entry in entries.items():
                print(f"  {name:<26}{entry.title}")
        return
    entry = known[args.kind].get(args.name)
    if entry is None:
        raise ConfigError(f"no {args.kind} {args.name}; known are {', '.join(known[args.kind])}")
    if args.kind == "preset":
        apply_preset(entry)
    else:
        changes = protocols.set_protocol(PARAMS, entry, args.targets)
        print(protocols.describe(args.name, entry))
        print_changes(changes)
    print("`make repro` runs it; `python -m stages.tools.check NAME ...` checks local data sets.")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind")
    preset = kinds.add_parser("preset", help="apply a file of presets/")
    preset.add_argument("name", nargs="?", help="as quick; none: list the presets")
    protocol = kinds.add_parser("protocol", help="set a file of protocols/")
    protocol.add_argument("name", nargs="?", help="as p2; none: list the protocols")
    protocol.add_argument("--targets", nargs="+", default=[], help="test on these only")
    return parser.parse_args()


def apply_preset(preset: Preset) -> None:
    """Write a preset into params.yaml. Print what changes, and what else is not as committed.

    Raises:
        ConfigError: params.yaml is not valid, or would not be. It then stays as it is.
    """
    from ruamel.yaml import YAML

    from metabin.config import read_values
    from metabin.config.editing import as_text, set_values
    from metabin.errors import ConfigError
    from metabin.repository import run_git

    current = read_values(PARAMS)
    text = run_git("show", f"HEAD:./{PARAMS}")
    committed = YAML(typ="safe").load(text) if text else current  # no Git: no notes
    notes = [
        f"kept from before: {key}: {as_text(value)} (committed: {as_text(original)})"
        for key, original, value in preset.unset_changes(committed, current)
    ]
    try:
        changes = set_values(PARAMS, preset.values, source=f"{PARAMS} with {preset.path}")
    except ConfigError as error:
        advice = [*notes, f"{RESTORE}; then apply the preset again"] if notes else []
        raise ConfigError("\n".join([str(error), *advice])) from None
    print(preset.title)
    print_changes(changes, notes)


def print_changes(changes: Sequence[Change], notes: Sequence[str] = ()) -> None:
    """Print one line per changed key, then the notes, and how to undo all of it."""
    lines = [str(change) for change in changes] or ["no change"]
    print("\n".join([*lines, *notes]))
    if changes or notes:
        print(f"{RESTORE}.")


if __name__ == "__main__":
    cli.run(main)

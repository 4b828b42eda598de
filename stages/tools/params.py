"""List the protocols that have a name, or write one into params.yaml; the recipe and all comments stay as they are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli, layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metabin.data.partition.protocols import NamedProtocol

PARAMS = Path("params.yaml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", help="a file of protocols/ without .yaml; none: list them all")
    parser.add_argument("--targets", nargs="+", default=[], help="test on these alone (default: all of the protocol's)")
    args = parser.parse_args()

    from metabin.data.partition.protocols import load_protocols
    from metabin.errors import ConfigError

    protocols = load_protocols(layout.PROTOCOLS)
    if args.name is None:
        for name, protocol in protocols.items():
            print(f"{name:<22}{protocol.title}")
        return
    if args.name not in protocols:
        raise ConfigError(f"no protocol {args.name}; known are {', '.join(protocols)}")
    protocol = protocols[args.name]
    unused = write(protocol.params_for(args.targets))
    print(text(args.name, protocol))
    for key, names in unused.items():
        print(f"\n{key}: {', '.join(names)} removed, as this protocol does not use it")
    print(f"\n{PARAMS} is set. `python -m stages.tools.check NAME ...` checks local data sets; `make repro` runs it.")


def write(params: Mapping[str, object]) -> Mapping[str, Sequence[str]]:
    """Set keys of params.yaml, keeping its comments; remove and return the names in data that become unused.

    Raises:
        ConfigError: the file is not valid, or would not be.
    """
    from metabin.config import read_values
    from metabin.config.editing import set_values
    from metabin.data.partition.protocols import local_entries, unused_names

    values = read_values(PARAMS)
    unused, changes = unused_names(values, params), dict(params)
    changes["data.local"] = local_entries(values, params)
    for dotted, names in unused.items():
        value = values["data"][dotted.removeprefix("data.")]
        used = [name for name in value if name not in names]
        changes[dotted] = {name: value[name] for name in used} if isinstance(value, dict) else used
    set_values(PARAMS, changes)
    return unused


def text(name: str, protocol: NamedProtocol) -> str:
    """A protocol for a terminal."""
    from metabin.data.partition.folds import describe

    lines = [f"{name}: {protocol.title}", *(f"  {describe(fold)}" for fold in protocol.folds), f"  {protocol.metric}"]
    lines += [f"  rule: {rule}" for rule in protocol.rules]
    lines += [f"  not comparable: {other}" for other in protocol.not_comparable]
    return "\n".join([*lines, f"  source: {protocol.source}"])


if __name__ == "__main__":
    cli.run(main)

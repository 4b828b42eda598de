"""List the protocols that have a name, or write one into params.yaml; the recipe and all comments stay as they are."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages import cli, layout

if TYPE_CHECKING:
    from metabin.protocol.named import NamedProtocol

PARAMS = Path("params.yaml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", help="a file of protocols/ without .yaml; none: list them all")
    parser.add_argument("--targets", nargs="+", default=[], help="test on these alone (default: all of the protocol's)")
    args = parser.parse_args()

    from metabin.config import load_config
    from metabin.errors import ConfigError
    from metabin.protocol.named import load_protocols, local_datasets

    protocols = load_protocols(layout.PROTOCOLS)
    if args.name is None:
        for name, protocol in protocols.items():
            print(f"{name:<22}{protocol.title}")
        return
    if args.name not in protocols:
        raise ConfigError(f"no protocol {args.name}; known are {', '.join(protocols)}")
    protocol = protocols[args.name]
    params = protocol.params_for(args.targets)
    files = sorted(load_config(PARAMS).pretrained_files)
    write(params | {"data.local": [*local_datasets(params), *files]})
    print(text(args.name, protocol))
    print(f"\n{PARAMS} is set. `python -m stages.check NAME ...` checks local data sets; `make repro` runs it.")


def write(params: Mapping[str, Any]) -> None:
    """Set keys of params.yaml, keeping its comments.

    Raises:
        ConfigError: the file is not valid, or would not be.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    from metabin.config import load_config, parse_config
    from metabin.files import write_text

    load_config(PARAMS)
    yaml = YAML()
    yaml.width = 200
    values = yaml.load(PARAMS)
    for dotted, value in params.items():
        section, key = dotted.split(".")
        if isinstance(value, (list, dict)):
            value = CommentedSeq(value) if isinstance(value, list) else CommentedMap(value)
            value.fa.set_flow_style()
        values[section][key] = value
    content = io.StringIO()
    yaml.dump(values, content)
    parse_config(YAML(typ="safe").load(content.getvalue()), source=str(PARAMS))
    write_text(PARAMS, content.getvalue())


def text(name: str, protocol: NamedProtocol) -> str:
    """A protocol for a terminal."""
    from metabin.protocol.folds import describe

    lines = [f"{name}: {protocol.title}", *(f"  {describe(fold)}" for fold in protocol.folds), f"  {protocol.metric}"]
    lines += [f"  rule: {rule}" for rule in protocol.rules]
    lines += [f"  not comparable: {other}" for other in protocol.not_comparable]
    return "\n".join([*lines, f"  source: {protocol.source}"])


if __name__ == "__main__":
    cli.run(main)

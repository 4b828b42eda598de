"""Set a published protocol in params.yaml: who trains, with which images, and who is tested."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metabin.config.editing import Change
    from metabin.data.partition.protocols import NamedProtocol


def set_protocol(path: Path, protocol: NamedProtocol, targets: Sequence[str]) -> list[Change]:
    """Set a protocol in a parameter file, with its data sets in data.local; return what changed.

    Names in data.splits and data.accept_unfit that the protocol does not use are removed and
    printed, since the configuration refuses them.

    Args:
        path: of the parameter file.
        protocol: as `metabin.data.partition.protocols.load_protocols` reads it.
        targets: the data sets to test on; all of the protocol's if empty.

    Raises:
        ConfigError: the file is not valid, or would not be. It then stays as it is.
    """
    from metabin.config import read_values
    from metabin.config.editing import set_values
    from metabin.data.partition.protocols import local_entries, unused_names

    params = protocol.params_for(targets)
    values = read_values(path)
    changes = dict(params)
    changes["data.local"] = local_entries(values, params)
    unused = unused_names(values, params)
    for dotted, names in unused.items():
        # data.splits is a map, data.accept_unfit a list
        value = values["data"][dotted.removeprefix("data.")]
        used = [name for name in value if name not in names]
        changes[dotted] = {name: value[name] for name in used} if isinstance(value, dict) else used
    changed = set_values(path, changes)
    for dotted, names in unused.items():
        print(f"{dotted}: {', '.join(names)} removed, as this protocol does not use it")
    return changed


def describe(name: str, protocol: NamedProtocol) -> str:
    """Return a protocol as text: its folds, metric, rules and source."""
    from metabin.data.partition import folds

    lines = [f"{name}: {protocol.title}"]
    lines += [f"  {folds.describe(fold)}" for fold in protocol.folds]
    lines.append(f"  {protocol.metric}")
    lines += [f"  rule: {rule}" for rule in protocol.rules]
    lines += [f"  not comparable: {other}" for other in protocol.not_comparable]
    lines.append(f"  source: {protocol.source}")
    return "\n".join(lines)

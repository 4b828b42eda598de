"""Print the experiments of DVC in few columns: the changed parameters, and the mAP of each method.

`dvc exp show` has a column for every parameter and dependency.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stages import cli, layout

METRICS = (layout.REPORTS / "metrics.json").as_posix()
PARAMS = "params.yaml"
TABLES = {"unseen_mAP": "Unseen mAP, percent", "seen_mAP": "Seen mAP, percent"}
INDENT = "  "  # of an experiment below its commit
LONGEST_NAME = 26  # characters, so that five methods fit in 120 columns
LONGEST_CHANGE = 36


class Row(NamedTuple):
    """The workspace, a commit or an experiment.

    Attributes:
        changes: parameters that differ from its commit, as "meta.inner_lr=0.1".
        metrics: the content of metrics.json; empty for an experiment that has not run.
    """

    name: str
    changes: Sequence[str]
    metrics: Mapping[str, Mapping[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--commits", type=int, default=1, help="those of the last N commits")
    args = parser.parse_args()
    text = cli.dvc("exp", "show", "--json", "--num", str(args.commits), capture=True)
    print(as_text(list(rows(json.loads(text)))))


def rows(states: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Yield the rows of `dvc exp show --json`: the workspace, then commits with their experiments.

    The workspace is compared with the newest commit.
    """
    workspace, *commits = states
    newest = commits[0] if commits else workspace
    yield _row("workspace", workspace, newest)
    for commit in commits:
        yield _row(commit["name"] or commit["rev"][:7], commit, commit)
        for experiment in commit["experiments"] or ():
            state = experiment["revs"][0]
            row = _row(f"{INDENT}{experiment['name'] or state['rev'][:7]}", state, commit)
            progress = (experiment["executor"] or {}).get("state", "success")
            if progress != "success":  # DVC reports the metrics of its commit
                row = row._replace(name=f"{row.name} ({progress})", metrics={})
            yield row


def as_text(table: Sequence[Row]) -> str:
    """Return a table of numbers for each metric; the first one also lists the changes."""
    from metabin.commands.text_tables import percent, text_table

    texts = []
    for metric, title in TABLES.items():
        methods = dict.fromkeys(name for row in table for name in row.metrics.get(metric, ()))
        lines = []
        for row in table:
            scores = row.metrics.get(metric, {})
            numbers = [percent(scores.get(method, float("nan"))) for method in methods]
            if texts:
                lines.append([row.name, *numbers])
                continue
            first, *others = row.changes or [""]
            lines.append([row.name, first, *numbers])
            lines += [["", change, *[""] * len(methods)] for change in others]
        names = [title] if texts else [title, "changed"]
        texts.append(text_table([*names, *methods], lines, num_names=len(names)))
    return "\n\n".join(texts)


def _row(name: str, state: Mapping[str, Any], commit: Mapping[str, Any]) -> Row:
    from metabin.config.editing import as_text as value_as_text
    from metabin.config.editing import differences

    params = _content(state, "params", PARAMS)
    before = _content(commit, "params", PARAMS)
    changes = [
        _shorten(f"{change.key}={value_as_text(change.after)}", LONGEST_CHANGE)
        for change in (differences(before, params) if params else ())
    ]
    return Row(_shorten(name, LONGEST_NAME), changes, _content(state, "metrics", METRICS))


def _content(state: Mapping[str, Any], kind: str, path: str) -> dict[str, Any]:
    """Return the values of a file in a state; empty if DVC has none."""
    files = (state.get("data") or {}).get(kind) or {}
    return (files.get(path) or {}).get("data") or {}


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


if __name__ == "__main__":
    cli.run(main)

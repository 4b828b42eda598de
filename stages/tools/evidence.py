"""Write a result file of the finished run, or turn result files into a table or a figure.

A result file has the means of each fold, method and seed, by style distance of the unseen sites.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli
from stages.gather_records import load_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def main() -> None:
    args = parse_arguments()
    if args.command == "collect":
        collect(args.file)
        return
    opponents = [tuple(names.split(",")) for names in args.against]
    results = read(args, [name for names in opponents for name in names])
    if args.command == "table":
        print_tables(results, opponents)
    else:
        write_figure(results, opponents, args.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    of_run = commands.add_parser("collect", help="write the result file of the run of params.yaml")
    of_run.add_argument("file", type=Path, help="as docs/significance.csv")
    of_files = argparse.ArgumentParser(add_help=False)
    of_files.add_argument("files", nargs="+", type=Path, help="result files, taken together")
    of_files.add_argument(
        "--distances",
        nargs="+",
        default=[],
        metavar="DISTANCE",
        help="only these style distances, as near 'step 1' far, or seen; default: all but seen",
    )
    of_files.add_argument(
        "--methods", nargs="+", default=[], metavar="METHOD", help="only these; default: all"
    )
    against = "give differences to these; bn,in is the better one of each fold"
    of_files.add_argument("--against", nargs="+", default=[], metavar="METHOD", help=against)
    commands.add_parser("table", parents=[of_files], help="print a table in Markdown")
    drawn = "draw the differences, or mAP by style distance without --against"
    figure = commands.add_parser("figure", parents=[of_files], help=drawn)
    figure.add_argument("--output", type=Path, required=True, help="PNG file, 900 pixels wide")
    return parser.parse_args()


def collect(path: Path) -> None:
    """Write the result file of the run that params.yaml describes.

    Raises:
        UserError: an unseen data set is no site, so that it has no style distance.
    """
    from metabin.config import load_config
    from metabin.data.partition.folds import leave_one_out
    from metabin.errors import UserError
    from metabin.files import write_csv
    from metabin.results.result_files import SEEN, result_table
    from metabin.synthetic import DISTANCES, is_site, style_distance

    config = load_config()
    protocol = config.protocol
    folds = leave_one_out(protocol.domains, protocol.sources, protocol.groups, protocol.sources_of)
    scores = load_scores(config, [fold.name for fold in folds])
    domains = scores["test_domain"].unique()
    if real := [name for name in domains if not is_site(name)]:
        raise UserError(
            f"{', '.join(real)} has no style distance, as it is no site of the synthetic "
            "benchmark; result files are for runs on its sites"
        )
    tests = scores["test_domain"].map(style_distance).where(scores["role"] == "unseen", SEEN)
    table = result_table(
        scores.assign(tests=tests),
        {fold.name: len(fold.sources) for fold in folds},
        protocol.methods,
        list(DISTANCES.values()),
    )
    write_csv(path, table, float_format=None)
    print(f"{path}: {len(table)} rows")


def read(args: argparse.Namespace, opponents: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rows of the methods and style distances of the arguments, and of opponents.

    Raises:
        UserError: a file cannot be used, or one of these methods or distances is in none.
    """
    from metabin.errors import UserError
    from metabin.results.result_files import read_results
    from metabin.synthetic import DISTANCES

    results = read_results(args.files, list(DISTANCES.values()))
    for column, names in (("method", [*args.methods, *opponents]), ("tests", args.distances)):
        known = list(results[column].unique())
        if unknown := [name for name in names if name not in known]:
            files = ", ".join(map(str, args.files))
            raise UserError(f"{files} has no {', '.join(unknown)}; it has {', '.join(known)}")
    if args.methods:
        results = results[results["method"].isin([*args.methods, *opponents])]
    return results[results["tests"].isin(args.distances or list(DISTANCES.values()))]


def print_tables(results: pd.DataFrame, opponents: Sequence[tuple[str, ...]]) -> None:
    """Print a table in Markdown for each number of sources, with a sentence above it."""
    from metabin.report.evidence import evidence_table
    from metabin.report.markdown import markdown_table

    for num_sources, rows in results.groupby("sources"):
        num_seeds = rows["seed"].nunique()
        seeds = "one seed" if num_seeds == 1 else f"{num_seeds} seeds"
        print(
            f"{num_sources} sources, {rows['fold'].nunique()} folds, {seeds}. mAP (rank-1) in "
            "percent; differences in points of mAP, with 95 % intervals over folds.\n"
        )
        print(f"{markdown_table(evidence_table(rows, opponents))}\n")


def write_figure(results: pd.DataFrame, opponents: list[tuple[str, ...]], path: Path) -> None:
    """Draw the differences to opponents, or mAP by style distance if there are none."""
    from functools import partial

    from metabin.files import write_bytes
    from metabin.report.charts import encode_charts
    from metabin.report.evidence import differences_figure, distances_figure
    from metabin.report.section import Chart

    over_distance = partial(distances_figure, results)
    draw = partial(differences_figure, results, opponents) if opponents else over_distance
    write_bytes(path, encode_charts([Chart("evidence", "", draw)])["evidence"])


if __name__ == "__main__":
    cli.run(main)

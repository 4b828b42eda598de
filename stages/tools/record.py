"""Record the results of the workspace in MLflow, as the stage report does.

Stages that DVC restores from its cache do not run, so they record nothing: run this after `dvc
pull`, `dvc checkout` or `dvc exp apply`. Trainings that have a run keep it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli
from stages.gather import gather
from stages.record import record

if TYPE_CHECKING:
    from metabin.tracking import Provenance


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()

    name = record_results()
    if name:
        print(f"recorded in MLflow: {name}; look with `make ui`")
    else:
        print("nothing was recorded: METABIN_TRACKING is off, or a warning above says why")


def record_results(source: Provenance | None = None) -> str:
    """Record the results of the workspace, and return the name of their run; "" if that failed.

    Args:
        source: the experiment that made them; that of the workspace by default.
    """
    from metabin.config import load_config
    from metabin.report.page import write_report

    config = load_config()
    inputs = gather(config)
    with tempfile.TemporaryDirectory() as folder:  # the outputs of the stage stay as they are
        return record(config, inputs, write_report(inputs, Path(folder)), source)


if __name__ == "__main__":
    cli.run(main)

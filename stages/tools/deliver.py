"""Deliver the records that wait in .records since an outage of MLflow, or since a kill.

First the trainings of this project: those that a process still records are left to it. If the store
refuses one, a warning names it, and the others go on. Then the results of experiments, from the
files in the workspace. They are recorded if the workspace has the parameters of the experiment;
otherwise its name is printed. The exit code is 1 if a record still waits.
"""

from __future__ import annotations

import argparse
import sys

from stages import cli
from stages.tools.record import record_results


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()

    from metabin import tracking

    delivered, refused = tracking.deliver_all()
    for name in delivered:
        print(f"delivered to MLflow: {name}")
    is_complete = not refused  # a warning says why
    for note, source in tracking.find_unrecorded().items():
        if not tracking.is_in_workspace(source):
            print(
                f"the results of {source.parent_name} wait for their files: restore them, for "
                f"example with `dvc exp apply`, and run this again; or delete {note}"
            )
            is_complete = False
        elif name := record_results(source):
            print(f"delivered to MLflow: the results of {name}")
        else:  # here too
            is_complete = False
    if not is_complete:
        sys.exit(1)
    print("no record waits any more")


if __name__ == "__main__":
    cli.run(main)

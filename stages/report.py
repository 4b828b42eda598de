"""Write reports/: a page that needs no other file, tables and figures. Record them in MLflow."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stages import cli, layout, leftovers
from stages.gather import gather
from stages.record import record

if TYPE_CHECKING:
    from metabin.config import Config


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.files import write_text
    from metabin.report.page import write_report

    config = load_config()
    leftovers.remove_gathered(config)
    inputs = gather(config)
    files = write_report(inputs, layout.REPORTS)
    write_text(layout.REPORTS / "model_card.md", model_card(config))
    record(config, inputs, files)
    print((layout.REPORTS / "report.md").read_text())


def model_card(config: Config) -> str:
    """Return the card of the first final model, with what its folds measured."""
    from metabin.card.results import complete_card
    from metabin.model.description import read_description

    if not config.protocol.final:
        return "There is no final model: protocol.final is empty.\n"
    folder = layout.final_training(config.protocol.final[0], config.protocol)
    return complete_card(folder, read_description(folder / "config.json"), layout.RESULTS)


if __name__ == "__main__":
    cli.run(main)

"""Options that several commands have."""

from __future__ import annotations

import click

batch_size = click.option(
    "--batch-size",
    default=64,
    show_default=True,
    type=click.IntRange(1),
    help="Images that the model reads at a time.",
)
device = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1."
)
output_format = click.option(
    "--format",
    "output_format",
    default="text",
    show_default=True,
    type=click.Choice(["text", "csv", "json"]),
    help="Of the table on standard output. csv and json are for programs.",
)

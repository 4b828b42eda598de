"""The program `metabin`: one command per file.

The file `metabin/commands/NAME.py` has a click command named `command`. It is imported only when
the command runs or prints its help, and imports heavy libraries inside functions.
"""

from __future__ import annotations

import errno
from importlib import import_module
from typing import IO, Any

import click

import metabin
from metabin.errors import UserError

COMMANDS = {
    "embed": "Write the embeddings of images to Parquet files.",
    "search": "Find the most similar images of a gallery for each query image.",
    "evaluate": "Score a model on a data set.",
    "compare": "Compare two models on the same data, with significance.",
    "explain": "Show which image regions and which layers decide.",
    "export": "Write a model as an ONNX file.",
    "card": "Write the model card of a model.",
}
# Errors that a user can mend: a wrong path, a missing permission, a full disk.
MENDABLE = {
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
}


class Failure(click.ClickException):
    """An error without a traceback: one line on standard error, exit code 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error."""
        click.echo(f"error: {self.message}", file=file, err=True)


class Commands(click.Group):
    """The commands of the table `COMMANDS`, each imported when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        return import_module(f"metabin.commands.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and turn the errors that a user can mend into a `Failure`."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise Failure(str(error)) from None
        except OSError as error:
            if error.errno not in MENDABLE:  # click ends without a message if a pipe is closed
                raise
            place = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{place}{error.strerror}") from None
        except KeyboardInterrupt:
            raise Failure("interrupted") from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metabin.__version__, message="metabin %(version)s")
def main() -> None:
    """Use trained models for person re-identification.

    MODEL is the folder of a training (models/final/metabin/seed-0), an .onnx file, or a model in
    MLflow (models:/metabin@champion, runs:/RUN/model).
    """

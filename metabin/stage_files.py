"""Reading of files that a stage of the pipeline wrote for another one.

Each was written atomically, but can be damaged later: by a copy that broke off, a disk, an editor.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from metabin.errors import StageFileError, UserError

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T", dict, list)
REMEDY = "run `dvc repro`"


@contextmanager
def reading(path: Path, remedy: str = REMEDY) -> Iterator[None]:
    """Report a file that cannot be read or used. The block reads this file and nothing else.

    Args:
        path: the file.
        remedy: what makes the file again.

    Raises:
        StageFileError: the file is missing, empty or damaged. Names it, the reason and the remedy.
    """
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise StageFileError(f"{path} is missing; {remedy} to make it") from None
    except Exception as error:  # each reader raises its own kinds
        if isinstance(error, OSError) and error.strerror:
            raise StageFileError(f"{path} cannot be read: {error.strerror}") from None
        is_empty = path.is_file() and not path.stat().st_size
        state = "is empty" if is_empty else f"is damaged ({_reason(error)})"
        raise StageFileError(f"{path} {state}; {remedy} to make it again") from None


def read_json(
    path: Path, kind: type[T] = dict, *, keys: Sequence[str] = (), remedy: str = REMEDY
) -> T:
    """Return the content of a JSON file, an object (dict) or a list.

    Args:
        path: the file.
        kind: dict or list.
        keys: that an object must have.
        remedy: see `reading`.

    Raises:
        StageFileError: see `reading`; also for another kind and for a missing key.
    """
    with reading(path, remedy):
        value = json.loads(path.read_bytes())
        if not isinstance(value, kind):
            raise ValueError(f"it holds a {type(value).__name__}, expected a {kind.__name__}")
        if missing := [key for key in keys if key not in value]:
            raise ValueError(f"it has no {', '.join(missing)}")
        return value


def read_text(path: Path, remedy: str = REMEDY) -> str:
    """Return a text in UTF-8 that ends with a line end, as all texts of the stages.

    Args:
        path: the file.
        remedy: see `reading`.

    Raises:
        StageFileError: see `reading`; also for an incomplete last line.
    """
    with reading(path, remedy):
        text = path.read_bytes().decode()
        if not text.endswith("\n"):
            raise ValueError("its last line is incomplete")
        return text


def read_csv(path: Path, columns: Sequence[str] = (), remedy: str = REMEDY) -> pd.DataFrame:
    """Return a table that `metabin.files.write_csv` wrote.

    Args:
        path: the file.
        columns: that the table must have; others may follow.
        remedy: see `reading`.

    Raises:
        StageFileError: see `reading`; also for a missing column and an incomplete last line.
    """
    import pandas as pd

    with reading(path, remedy):
        # pandas itself would read a number that is cut off, such as 0.5 of 0.512.
        table = pd.read_csv(io.StringIO(read_text(path, remedy)))
        if missing := [name for name in columns if name not in table.columns]:
            raise ValueError(f"it has no column {', '.join(missing)}")
        return table


def _reason(error: Exception) -> str:
    """Return the first line of an error's message."""
    if isinstance(error, UnicodeDecodeError):  # its message may hold the whole content
        return "it is no text"
    return str(error).partition("\n")[0] or type(error).__name__

"""Errors that a user can correct.

Each message says what was found, what was expected, and what to do.
"""

from __future__ import annotations

from metabin.addresses import hide_credentials


class UserError(Exception):
    """The base class; a stage prints its message without a traceback and exits with 1.

    The message loses the credentials of addresses, since it is printed, logged and recorded.
    """

    def __init__(self, message: str) -> None:
        super().__init__(hide_credentials(message))


class ConfigError(UserError):
    """A parameter is unknown, missing, of the wrong type, or does not fit another one."""


class DatasetError(UserError):
    """The files of a data set are missing, unreadable, or not the expected ones."""


class CheckpointError(UserError):
    """A weights file is missing, damaged, or of another network."""


class MemoryLimitError(UserError):
    """Data do not fit into the memory of the device."""


class StageFileError(UserError):
    """A file that a stage wrote for another one is missing or damaged."""

"""Errors that a user can mend: each says what was found, what was wanted and what to do."""


class UserError(Exception):
    """The base of the three; a stage prints its message alone and exits with 1."""


class ConfigError(UserError):
    """A parameter is unknown, missing, of the wrong type or does not fit another one."""


class DatasetError(UserError):
    """A data set's files are missing, unreadable or not what the data set should have."""


class CheckpointError(UserError):
    """A weights file is missing, damaged or of another network."""

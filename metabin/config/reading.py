"""Reading of parameter files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metabin.errors import ConfigError


def read_values(path: str | Path) -> Any:
    """Read a parameter file without checking its values.

    The file is read as YAML 1.2, the version that DVC writes. In it, 1e-05 is a number and `on` is
    a string.

    Raises:
        ConfigError: the file does not exist or is not valid YAML.
    """
    # Not needed to use a trained model: the package installs it with the extra "pipeline".
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(Path(path))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file; run from the repository's root, where params.yaml is"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (YAMLError, ValueError) as error:  # a ValueError: no UTF-8, or thousands of digits
        raise ConfigError(f"{path} is not valid YAML: {error}") from None

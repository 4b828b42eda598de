"""Import of the packages of the extra `export`, which a plain installation lacks."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from metabin.errors import ConfigError


def import_package(name: str) -> Any:
    """Import onnx, onnxscript or onnxruntime.

    Raises:
        ConfigError: The package is not installed, or cannot be imported.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"ONNX files need the package {name}, which cannot be imported ({error}); "
            'run pip install "metabin[export]"'
        ) from None

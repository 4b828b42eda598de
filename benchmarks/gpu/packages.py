"""Check that this Python can run the command: torch with a CUDA device, and the packages needed.

python -m benchmarks.gpu.packages      exits with 1 and says what is missing

Imports nothing but the standard library, so that the check itself runs everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

# By the name of the import: the name of the package.
PACKAGES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "numba": "numba",
    "pandas": "pandas",
    "PIL": "pillow",
    "pydantic": "pydantic",
    "ruamel.yaml": "ruamel.yaml",
    "safetensors": "safetensors",
    "pytest": "pytest",
}


def missing_packages() -> list[str]:
    """Return the names of the needed packages that this Python does not have."""
    return [package for module, package in PACKAGES.items() if not _is_installed(module)]


def explain(missing: Sequence[str]) -> str:
    """Return a message that names the missing packages and the ways to get them."""
    return (
        f"{sys.executable} has no {', '.join(missing)}, which `make gpu` needs. Install what is "
        f"missing ({sys.executable} -m pip install {' '.join(missing)}), or everything in .venv "
        "(`make setup-dev`; `make gpu` does so by itself)"
    )


def has_cuda() -> bool:
    """Return whether torch finds a CUDA device."""
    import torch

    return torch.cuda.is_available()


def main() -> None:
    missing = missing_packages()
    if missing:
        sys.exit(explain(missing))
    if not has_cuda():
        sys.exit(f"torch of {sys.executable} finds no CUDA device")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package above a submodule
        return False


if __name__ == "__main__":
    main()

"""Published packages with which benchmarks compare, where they are installed.

    pip install --no-deps fastreid==1.4.0 pyppbox-torchreid==1.4.1.0 cython setuptools
    make -C .venv/lib/python3.*/site-packages/fastreid/evaluation/rank_cylib

The second line compiles the evaluator of fast-reid and needs a C compiler. pyppbox-torchreid is the
distribution of torchreid 1.4 on PyPI that contains the compiled evaluator.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

FASTREID = "fastreid"
TORCHREID = "pyppbox_torchreid"


def load_module(package: str, pattern: str) -> ModuleType | None:
    """Return a module of a package, or None if the package or the module is not installed.

    Only the module's own file runs, because the packages import libraries that are not installed.

    Args:
        package: Name of the package.
        pattern: Glob pattern of the module's file in the package's folder.
    """
    installed = importlib.util.find_spec(package)
    if not installed or not installed.origin:
        return None
    path = next(Path(installed.origin).parent.glob(pattern), None)
    if not path:
        return None
    # A compiled module must keep its name, which is all before the first dot.
    name = path.name.partition(".")[0]
    spec = importlib.util.spec_from_file_location(f"{package}.{name}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

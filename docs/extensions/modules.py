"""List the modules of a package on its page; a Sphinx extension (see conf.py).

A page of docs/api/ names modules and packages in a block `{modules}`. Each module becomes a section
with its docstring and members. A package has no heading, since it is the subject of its page; a
section for each of its modules follows, at any depth.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module

from sphinx.application import Sphinx

BLOCK = re.compile(r"^```\{modules\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", read_page)
    return {"parallel_read_safe": True}


def read_page(app: Sphinx, page: str, text: list[str]) -> None:
    """Replace the blocks of a page; its text is the only item of `text`."""
    text[0] = BLOCK.sub(lambda block: "\n".join(_sections(block[1].split())), text[0])


def _sections(names: list[str]) -> Iterator[str]:
    """Yield the Markdown text of each section."""
    for name in names:
        folders = getattr(import_module(name), "__path__", None)
        if folders is None:
            yield f"## {name}\n\n{_members(name)}"
            continue
        yield _members(name)
        for module in pkgutil.walk_packages(folders, f"{name}."):
            yield f"## {module.name}\n\n{_members(module.name)}"


def _members(name: str) -> str:
    """Return the Markdown text for the docstring and the members of a module."""
    return f"```{{eval-rst}}\n.. automodule:: {name}\n```\n"

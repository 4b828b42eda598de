"""Turn the docstrings of the package into reStructuredText; a Sphinx extension (see conf.py).

The docstrings follow Google's style, with short sections on one line (`Returns: a scalar.`) and
sometimes several parameters on a line. sphinx.ext.napoleon reads neither. Each section becomes a
field, each parameter an item of a list; an indented block (an equation) is shown as it is.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator

from pydantic import BaseModel
from sphinx.application import Sphinx

SECTION = re.compile(
    r"((?:Args|Attributes|Returns|Yields|Raises|Shapes|Source|Example|Names|Licence|Obtain)"
    r"(?: \(.+?\))?):(?: +(.+))?"
)
TITLES = {"Args": "Parameters"}
NAMES = r"[*\w]+(?:, [*\w]+)*"
CODE = re.compile(r"`([^`]+)`")
ITEM = re.compile(r"(?:-|\d+\.) ")
BLOCK = "    "  # the indentation of blocks and of the items of a section


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("autodoc-process-docstring", rewrite)
    app.connect("autodoc-process-signature", simplify)
    app.connect("autodoc-skip-member", is_skipped)
    return {"parallel_read_safe": True}


def simplify(
    app: Sphinx,
    kind: str,
    name: str,
    item: object,
    options: object,
    signature: str | None,
    returned: str | None,
) -> tuple[str, str | None] | None:
    """Return a signature that Sphinx can parse, or None to keep it.

    `<factory>` is the default of a dataclass field. The signature of a pydantic model spells out
    the constraints of every field; the annotations of its source name them.
    """
    if isinstance(item, type) and issubclass(item, BaseModel):
        return _model_signature(item), None
    return (signature.replace("<factory>", "..."), returned) if signature else None


def _model_signature(model: type[BaseModel]) -> str:
    """Return the fields of a model as keyword arguments."""
    annotations: dict[str, str] = {}
    for base in reversed(model.__mro__):
        annotations.update(base.__dict__.get("__annotations__", {}))
    fields = [
        f"{name}: {annotations[name]}" + ("" if field.is_required() else " = ...")
        for name, field in model.model_fields.items()
    ]
    return f"({', '.join(['*', *fields] if fields else [])})"


def is_skipped(
    app: Sphinx, kind: str, name: str, item: object, skip: bool, options: object
) -> bool | None:
    """Return True for a field of a named tuple, whose docstring Python writes; else no decision."""
    return True if (inspect.getdoc(item) or "").startswith("Alias for field number") else None


def rewrite(
    app: Sphinx, kind: str, name: str, item: object, options: object, lines: list[str]
) -> None:
    """Replace the lines of a docstring in place."""
    lines[:] = [*to_rst(lines, _names(item)), ""]


def to_rst(docstring: list[str], names: Collection[str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText.

    Args:
        docstring: lines without indentation.
        names: the parameters or attributes that a section may describe.
    """
    lines = list(docstring)
    converted: list[str] = []
    while lines:
        section = SECTION.fullmatch(lines[0])
        if section:
            lines.pop(0)
            text = [section[2], *_take_paragraph(lines)] if section[2] else []
            converted += [*_section(section[1], " ".join(text), _take_block(lines), names), ""]
        elif lines[0].startswith(BLOCK):
            converted += ["::", "", *_take_block(lines), ""]
        elif lines[0].strip():
            converted += [*_paragraph(_take_paragraph(lines)), ""]
        else:
            lines.pop(0)
    return converted


def _take_block(lines: list[str]) -> list[str]:
    """Remove the indented lines at the start, and blank lines between them; return them."""
    block: list[str] = []
    while lines and (lines[0].startswith(BLOCK) or _blank_inside(lines)):
        block.append(lines.pop(0))
    return block


def _blank_inside(lines: list[str]) -> bool:
    """Return whether the next line is blank and the block goes on after it."""
    return not lines[0].strip() and len(lines) > 1 and lines[1].startswith(BLOCK)


def _take_paragraph(lines: list[str]) -> list[str]:
    """Remove the lines before the next blank line, block or section; return them."""
    paragraph: list[str] = []
    while lines and lines[0].strip() and not lines[0].startswith(BLOCK):
        if SECTION.fullmatch(lines[0]):
            break
        paragraph.append(lines.pop(0))
    return paragraph


def _paragraph(lines: list[str]) -> list[str]:
    """Return a paragraph with a blank line before the first item of a list; doctests stay."""
    if lines[0].startswith(">>> "):
        return lines
    start = next((number for number, line in enumerate(lines) if ITEM.match(line)), 0)
    separated = [*lines[:start], *([""] if start else []), *lines[start:]]
    return _escape("\n".join(separated)).split("\n")


def _section(title: str, text: str, body: list[str], names: Collection[str]) -> list[str]:
    """Return the lines of a section; the items of its body become a list."""
    heading = f":{TITLES.get(title, title)}:"
    items = _items(body, names)
    if not any(name for name, _ in items):
        parts = [text, *(item for _, item in items)]
        return [" ".join([heading, *(_escape(part) for part in parts if part)])]
    entries = [f"    - {_item(name, item)}" for name, item in items]
    if text:
        entries = [f"    {_escape(text)}", "", *entries]
    return [heading, *entries]


def _item(name: str, description: str) -> str:
    """Return an item of a section; `name` may be several names."""
    names = ", ".join(f"``{part}``" for part in name.split(", ") if part)
    return f"{names}: {_escape(description)}" if names else _escape(description)


def _items(body: list[str], names: Collection[str]) -> list[tuple[str, str]]:
    """Return (names, description) of each item of a section's body."""
    first = re.compile(rf"    ({NAMES}): (.+)")
    items: list[tuple[str, str]] = []
    for line in body:
        start = first.fullmatch(line)
        if start:
            items.append((start[1], start[2]))
        elif items and line.startswith("     "):
            name, description = items.pop()
            items.append((name, f"{description} {line.strip()}"))
        elif line.strip():
            items.append(("", line.strip()))
    return [part for name, item in items for part in _split(name, item, names)]


def _split(name: str, description: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield one item for each group of known names in a description: `a: one. b, c: two.`"""
    for start in re.finditer(rf"(?<=[.;?]) ({NAMES}): ", description):
        if all(part.lstrip("*") in names for part in start[1].split(", ")):
            yield name, description[: start.start()]
            yield from _split(start[1], description[start.end() :], names)
            return
    yield name, description


def _escape(text: str) -> str:
    """Return text without markup but for code, which doubles its backticks."""
    parts = CODE.split(text)  # text, code, text, code, ..., text
    parts[::2] = [re.sub(r"([\\*_|`])", r"\\\1", part) for part in parts[::2]]
    # an escaped space ends code before a letter: `x`s
    parts[1::2] = [rf"\ ``{part}``\ " for part in parts[1::2]]
    return "".join(parts)


def _names(item: object) -> set[str]:
    """Return the names that the sections of an object's docstring may describe."""
    names: set[str] = set()
    if inspect.isclass(item):
        names.update(dir(item), item.__dict__.get("__annotations__", ()))
    if callable(item):
        try:
            names.update(inspect.signature(item).parameters)
        except ValueError:
            return names  # a class of another language has no signature
    return names

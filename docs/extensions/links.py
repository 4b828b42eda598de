"""Adapt the Markdown files of the repository to the site; a Sphinx extension (see conf.py).

CONTRIBUTING.md and CHANGELOG.md lie outside docs/ and become pages of the site: a page of docs/
includes each. A link to another file outside docs/ keeps its text and loses its target, since the
site does not hold that file. A link to a file that does not exist stays as it is, and the strict
build reports it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
SOURCES = {page: source for source, page in PAGES.items()}
# [text](target) outside of code; an image or a link to another server does not match
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!\w+:|#)([^)\s#]*)(#[^)\s]*)?\)")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", read_page)
    return {"parallel_read_safe": True}


def read_page(app: Sphinx, page: str, text: list[str]) -> None:
    """Replace the text of a page.

    Args:
        page: relative to docs/, without suffix.
        text: the Markdown text as its only item, replaced in place.
    """
    uri = f"{page}.md"
    if uri in SOURCES:  # instead of {include}, whose links would be relative to the page
        text[0] = (ROOT / SOURCES[uri]).read_text()
    text[0] = adapt_links(text[0], uri)


def adapt_links(markdown: str, uri: str) -> str:
    """Return the text of a page (relative to docs/) with links for the site."""
    source = SOURCES.get(uri, posixpath.join("docs", uri))  # the file in the repository
    return LINK.sub(lambda match: site_link(match, source, uri), markdown)


def site_link(match: re.Match[str], source: str, uri: str) -> str:
    """Return the link for the site.

    Args:
        match: of `LINK`.
        source: the file that contains the link, relative to the repository.
        uri: the page that the file becomes, relative to docs/.
    """
    text, target, anchor = match.groups()
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if path in PAGES:
        page = PAGES[path]
    elif path.startswith("docs/"):
        page = path.removeprefix("docs/")
    else:
        return text if (ROOT / path).exists() else match.group()
    return f"[{text}]({posixpath.relpath(page, posixpath.dirname(uri) or '.')}{anchor or ''})"

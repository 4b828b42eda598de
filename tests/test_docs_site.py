"""The documentation site: strict build, no other servers, an API page for every package."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent for path in (ROOT / "metabin").glob("*/__init__.py"))
LOADED = re.compile(r"""<(?:script|link|img)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//""")
FETCHED = re.compile(r"""(?:@import\s*|url\()["']?(?:https?:)?//""")


def load_extension(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "extensions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def build(pages, folder, *options):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-b", "html"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "docs" / "extensions")}
    return subprocess.run(
        [*command, *options, str(pages), str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_no_page_loads_a_font_a_script_or_an_image_from_another_server(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for path in pages:
        assert not LOADED.search(path.read_text()), path.name
    for path in site.rglob("*.css"):
        assert not FETCHED.search(path.read_text()), path.name


def test_no_list_is_rendered_as_a_paragraph(site):
    """Docstrings need no blank line before a list; reStructuredText does."""
    for path in site.rglob("*.html"):
        assert not re.search(r"<p>[^<]*(<(?!/p>)[^<]*)*\n([-*]|\d+\.) ", path.read_text()), path.name


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_module_is_on_the_api_page_of_its_package(site, package):
    page = (site / "api" / f"{package.name}.html").read_text()
    for path in package.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if path.stem != "__init__":
            assert f'id="module-{name}"' in page, name


def test_every_module_outside_the_packages_is_on_the_page_of_common_modules(site):
    page = (site / "api" / "common.html").read_text()
    for path in (ROOT / "metabin").glob("*.py"):
        if path.stem != "__init__":
            assert f'id="module-metabin.{path.stem}"' in page, path.stem


def test_equations_and_sections_of_a_docstring_keep_their_form(site):
    page = (site / "api" / "model.html").read_text()
    start = page.index('id="metabin.model.norm.BatchInstanceNorm2d"')
    text = page[start : page.index('id="metabin.model.norm.batch_instance_norm"')]
    assert re.search(r"<pre>[^<]*y_bn = bn_weight", re.sub(r"</?(span|a)[^>]*>", "", text))
    assert re.search(r"<dt[^>]*>Shapes<", text)


def test_each_parameter_of_a_docstring_becomes_an_item():
    docstring = (
        "Compute y_.\n\n    y = <x> * a\n\n    z = y\nwith *x*:\n- one,\n  two\n\n"
        "Args:\n    a: one, in [0, 1]. b, c: two\n        lines.\n    other: `kept_`: as is.\n"
        "Returns: a *tuple*\nof two.\nRaises (on use):\n    ValueError: no x.\nEnd.\n"
    )
    names = {"a", "b", "c", "other"}
    assert load_extension("docstrings").to_rst(docstring.split("\n"), names) == [
        *(r"Compute y\_.", "", "::", "", "    y = <x> * a", "", "    z = y", ""),
        *(r"with \*x\*:", "", "- one,", "  two", ""),
        *(":Parameters:", "    - ``a``: one, in [0, 1].", "    - ``b``, ``c``: two lines."),
        *(r"    - ``other``: \ ``kept_``\ : as is.", ""),
        *(r":Returns: a \*tuple\* of two.", ""),
        *(":Raises (on use):", "    - ``ValueError``: no x.", ""),
        *("End.", ""),
    ]


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("data.md", "[a](protocols.md#random-splits)", "[a](protocols.md#random-splits)"),
        ("data.md", "[a](../CONTRIBUTING.md)", "[a](contributing.md)"),
        ("data.md", "[`a`](../metabin/types.py)", "`a`"),
        ("data.md", "[a](../no/such/file.py)", "[a](../no/such/file.py)"),  # the strict build reports it
        ("data.md", "![a](benchmark.jpg) [b](https://example.org)", "![a](benchmark.jpg) [b](https://example.org)"),
        ("contributing.md", "[a](docs/log.md), [b](CHANGELOG.md)", "[a](log.md), [b](changelog.md)"),
        ("api/index.md", "[a](model.md)", "[a](model.md)"),
    ],
)
def test_links_lead_to_pages_of_the_site(page, link, expected):
    assert load_extension("links").adapt_links(link, page) == expected


@pytest.mark.parametrize("link", ["../no/such/file.py", "no_page.md", "#no-heading"])
def test_a_link_without_target_fails_the_build(link, tmp_path):
    (tmp_path / "index.md").write_text(f"# Page\n\n[a](../README.md) and [b]({link})\n")
    configuration = ("-C", "-D", "extensions=myst_parser,links", "-D", "myst_heading_anchors=4")
    done = build(tmp_path, tmp_path / "site", *configuration)
    assert done.returncode == 1
    assert link.removeprefix("#") in done.stderr
    assert "README.md" not in done.stderr

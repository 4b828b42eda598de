"""Configuration of the documentation site: `make docs` builds it into site/ with Sphinx.

The pages are Markdown (MyST) and read well on GitHub too. The site loads no font and no script from
another server. docs/extensions/ adapts links and docstrings.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "extensions")]

project = "MetaBIN"
extensions = ["myst_parser", "sphinx.ext.autodoc", "links", "docstrings", "modules"]
exclude_patterns = ["_templates", "extensions"]
templates_path = ["_templates"]
smartquotes = False  # texts quote values of parameters
highlight_language = "none"  # equations and shell commands without a language are not Python

# Markdown: headings down to this level have an anchor, as on GitHub
myst_heading_anchors = 4

# API from docstrings: public members with a docstring, in the order of the source
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "ignore-module-all": True,  # a member that a package passes on has its entry in its module
}
autodoc_inherit_docstrings = False  # torch's text about `forward` is not documentation of ours
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 90
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "MetaBIN"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"**": ["sections.html"]}
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "navbar_center": [],  # the sidebar lists all pages
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
    "show_toc_level": 2,
}

"""Configuration of the site, for Sphinx: Markdown by MyST, the look by Furo, the reference pages by `generator`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

project = "ushape"
html_title = "ushape"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
add_module_names = False
toc_object_entries_show_parents = "hide"


def _write_pages(_: Sphinx) -> None:
    """The reference pages, which are made of the code and never committed."""
    from generator import write_pages

    write_pages(HERE / "generated")


def _keep_colons(_: Sphinx, kind: str, *rest: object) -> None:
    """Napoleon takes what stands before a colon in a property's first line for its type; here it is a sentence."""
    lines = rest[-1]
    if kind in ("property", "attribute") and isinstance(lines, list) and lines:
        lines[0] = lines[0].replace(": ", " \N{EN DASH} ")


def setup(app: Sphinx) -> None:
    """Make the generated pages before Sphinx looks for files, and keep sentences whole."""
    app.connect("builder-inited", _write_pages)
    app.connect("autodoc-process-docstring", _keep_colons, priority=100)

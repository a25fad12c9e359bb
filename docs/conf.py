"""The site: README.md as its start page, and the pages below docs/. Made by `sphinx-build -c docs -W . site`.

Sphinx is given the repository as its source, so that the links of the pages are those that a reader of the repository
follows. Nothing on the made pages comes from the network.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "kbtools"
root_doc = "README"
extensions = ["myst_parser"]
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "benchmarks/README.md"]
myst_heading_anchors = 4  # as GitHub makes them
html_theme = "furo"
html_title = "kbtools"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]  # examples of the pages are excerpts, some of no whole program

_GROUPS = {
    "Use": ("migrating", "stages", "files", "models", "prompts", "reasoning", "hub", "cluster"),
    "Trust": ("verify", "leaks", "analysis", "report", "ptx"),
    "Train": ("training",),
    "Extend": ("plugins", "architecture"),
}


def _contents(_: Sphinx, page: str, source: list[str]) -> None:
    """The start page holds the contents that the side bar shows; on GitHub they would be a block of odd text."""
    if page == root_doc:
        groups = {name: [f"docs/{one}" for one in pages] for name, pages in _GROUPS.items()}
        groups["Project"] = ["benchmarks/README", "CONTRIBUTING", "CHANGELOG"]
        source[0] += "".join(
            f"\n```{{toctree}}\n:hidden:\n:caption: {name}\n\n{chr(10).join(pages)}\n```\n"
            for name, pages in groups.items()
        )


def _start(app: Sphinx, error: Exception | None) -> None:
    """A folder on the web opens with `index.html`."""
    if error is None:
        shutil.copyfile(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Both of the above."""
    app.connect("source-read", _contents)
    app.connect("build-finished", _start)

"""How Sphinx builds these pages into a site that asks no other host for anything: `make docs`."""

import re
from pathlib import Path
from typing import Any, Final

project = "jrc"
extensions = ["myst_parser", "sphinx_external_toc"]
exclude_patterns = ["made"]
external_toc_path = "_toc.yml"
myst_heading_anchors = 4
nitpicky = True
highlight_language = "none"
html_theme = "furo"
html_title = "jrc"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

_ASKING: Final = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\"'>\s]+"
    r"|<link\b[^>]*\bhref=[\"']?(?:https?:)?//[^\"'>\s]+"
    r"|@import[^;]*//[^;]*|url\([\"']?(?:https?:)?//[^)]*"
)
"""What a browser fetches by itself from another host; links are followed by people alone."""


def _look_for_requests(app: Any, error: Exception | None) -> None:
    """A warning, which fails the build, for each page or style sheet that asks another host."""
    from sphinx.util import logging

    for file in () if error else sorted(Path(app.outdir).rglob("*")):
        if file.suffix in (".html", ".css", ".svg"):
            for found in _ASKING.findall(file.read_text(encoding="utf-8")):
                logging.getLogger(__name__).warning("%s asks another host: %s", file, found)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("build-finished", _look_for_requests)

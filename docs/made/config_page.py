"""``docs/config.md``: every setting."""

from collections.abc import Iterator

from docs.made.config import Section, sections
from docs.made.pages import MADE, cell, joined, table
from jrc.config import SEARCHED

_HEAD = f"""\
# Settings

{MADE}
The config file is TOML. `jrc --config FILE` names it; else it is `$JRC_CONFIG`, or the first that there is of
{" and ".join(f"`{path}`" for path in SEARCHED)}. An unknown key is an error that names the nearest known one. Relative paths start at
the file's folder. Each section may be left out. `jrc init` writes a file with all of them, and `jrc check-config` reads it and
starts nothing; [`config.example.toml`](../config.example.toml) is the same file.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for section in sections():
        parts += _chapter(section)
    return joined(parts)


def _chapter(section: Section) -> Iterator[str]:
    yield f"## {section.name}\n"
    yield f"```toml\n{section.example}\n```\n"
    rows = [
        (f"`{key.name}`", cell(key.kind), f"`{key.default}`" if _is_value(key.default) else
         key.default, cell(key.text))
        for key in section.keys
    ]  # fmt: skip
    yield table(("key", "value", "default", "meaning"), rows)


def _is_value(default: str) -> bool:
    return not default.startswith(("left", "none"))

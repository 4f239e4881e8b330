"""docs/limits.md says what the code does."""

import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "limits.md"
_ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| `(?P<name>[\w.]+)` \| (?P<value>[\d.]+) \| (?P<then>.+) \|$"
)


def rows() -> list[tuple[str, str]]:
    """Constants and their values, as the page has them."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    found = [_ROW.fullmatch(line) for line in lines]
    heads = sum(line.startswith(("| what", "|---")) for line in lines)
    matches = [match for match in found if match is not None]
    assert len(lines) == len(matches) + heads, "a row is not read"
    return [(match["name"], match["value"]) for match in matches]


@pytest.mark.parametrize(("name", "value"), rows())
def test_the_page_says_the_number_that_counts(name: str, value: str) -> None:
    """Each bound has its constant."""
    module, _, constant = name.rpartition(".")
    assert value == str(getattr(import_module(module), constant))


def test_no_constant_is_named_twice() -> None:
    """One bound, one row."""
    names = [name for name, _ in rows()]
    assert sorted(set(names)) == sorted(names)
    assert len(names) > 40

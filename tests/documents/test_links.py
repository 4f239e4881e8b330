"""Links between documents, and from them to files: each leads somewhere."""

import re
from pathlib import Path

import pytest

from tests.documents.blocks import CHECKOUT, documents

_LINK = re.compile(r"(?<!`)!?\[(?:[^\]`]|`[^`]*`)*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_MARKS = re.compile(r"`|\*\*|\[([^\]]*)\]\([^)]*\)")
_FOREIGN = ("http://", "https://", "mailto:")


def anchors(page: Path) -> set[str]:
    """What a link may name behind ``#``, as GitHub and the site form it."""
    found: set[str] = set()
    for title in _HEADING.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        plain = _MARKS.sub(lambda mark: mark[1] or "", title).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = sum(each == slug or each.startswith(f"{slug}-") for each in found)
        found.add(slug if slug not in found else f"{slug}-{number}")
    return found


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_each_link_of_a_page_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    """On the site and in the checkout alike."""
    broken = []
    for target in _LINK.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        if target.startswith(_FOREIGN):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert [] == broken


def test_what_code_and_shipped_files_say_of_documents_is_there() -> None:
    """``docs/PAGE.md`` in a docstring, an error or a unit names a page."""
    named = re.compile(r"\bdocs/[\w/-]+\.(?:md|svg|png)")
    for folder in ("jrc", "deploy", "migrations"):
        for file in (CHECKOUT / folder).rglob("*"):
            if file.suffix in (".py", ".in", ".toml", ".service", ".conf", ".yaml", ".yml", ""):
                if not file.is_file() or "__pycache__" in file.parts:
                    continue
                missing = [
                    name
                    for name in named.findall(file.read_text(encoding="utf-8", errors="ignore"))
                    if not (CHECKOUT / name).exists()
                ]
                assert [] == missing, file

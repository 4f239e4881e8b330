"""What the documents tell people to paste: fenced blocks, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parents[2]
SHELL, CONSOLE = "sh", "console"
"""Every line of the first is a command; of the second those behind a prompt, the rest is output.
What has no language of its own says ``text``."""
PROMPT = "$ "
_FENCE = re.compile(r"^( *)```([^`\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:\A|\n)[ \t]*\n((?: {4}|\t)[^\n]*\S)")
_COMMENT = re.compile(r"(?:^|\s+)#\s.*$")


class Block(NamedTuple):
    """A fenced block; ``document`` is its path in the checkout, ``line`` where it begins."""

    document: str
    line: int
    language: str
    text: str

    @property
    def commands(self) -> list["Command"]:
        """Those that it tells people to give."""
        if self.language not in (SHELL, CONSOLE):
            return []
        return [Command(self.document, self.line + n, text) for n, text in self._lines()]

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Whole commands without comments, with the number of their first line."""
        begun, start = "", 0
        for number, line in enumerate(self.text.splitlines(), 1):
            if not begun and self.language == CONSOLE and not line.startswith(PROMPT):
                continue
            piece = line if begun else line.removeprefix(PROMPT)
            start = start if begun else number
            begun += piece.removesuffix("\\")
            if not piece.endswith("\\"):
                if text := _without_comment(begun):
                    yield start, text
                begun = ""


class Command(NamedTuple):
    """One command as it is to be pasted."""

    document: str
    line: int
    text: str

    @property
    def words(self) -> list[str]:
        """What a shell makes of it, with its signs as words of their own."""
        parts = shlex.shlex(self.text, posix=True, punctuation_chars=True)
        parts.whitespace_split = True
        return list(parts)


def _without_comment(text: str) -> str:
    return " ".join(_COMMENT.sub("", text).split()) if '"' not in text else _COMMENT.sub("", text)


def documents() -> list[Path]:
    """All that people read: README, the pages, what lies beside the files that are shipped."""
    found = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md"]
    for folder in ("docs", "deploy"):
        found += sorted((CHECKOUT / folder).rglob("*.md"))
    return found


@cache
def blocks() -> tuple[Block, ...]:
    """Those of all documents."""
    return tuple(block for path in documents() for block in _blocks_of(path))


def _blocks_of(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(str(path.relative_to(CHECKOUT)), line, found[2], found[3])


def indented(text: str) -> list[str]:
    """The first line of each block that is one by its indentation, which nothing here reads."""
    outside = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    return [line.strip() for line in _INDENTED.findall(outside)]


def below(document: str, heading: str) -> list[list[str]]:
    """The commands of each block of a chapter, as they stand there; ``heading`` with its marks."""
    lines = (CHECKOUT / document).read_text(encoding="utf-8").splitlines()
    begin = lines.index(heading) + 1
    end = next((n for n, line in enumerate(lines[begin:], begin) if line.startswith("##")), 1 << 30)
    found = [each for each in blocks() if each.document == document and begin < each.line <= end]
    return [[command.text for command in block.commands] for block in found if block.commands]


def commands() -> list[Command]:
    """Those of all documents."""
    return [command for block in blocks() for command in block.commands]

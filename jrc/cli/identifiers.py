"""Lists of pledge identifiers in files."""

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext

from jrc.cli.keyfiles import STDIN
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId

MAX_LIST_BYTES = 8 * 1024 * 1024


def identifiers_from(name: str) -> list[str]:
    """The identifiers of a file, each once: one a line, or what ``jrc pledge list --json`` prints.

    Raises:
        OperatorError: it can't be read, or one of them is none; says which.
    """
    return list(dict.fromkeys(listed_in(name)))


def listed_in(name: str) -> list[str]:
    """As ``identifiers_from``, one that is there twice twice."""
    text = read_list(name)
    return list(_from_json(name, text) if text.lstrip()[:1] == "[" else _from_lines(name, text))


def read_list(name: str) -> str:
    """The text of a list in a file, or of standard input for ``-``.

    Raises:
        OperatorError: it can't be read, or is too long.
    """
    try:
        with nullcontext(sys.stdin.buffer) if name == STDIN else open(name, "rb") as file:
            content = file.read(MAX_LIST_BYTES + 1)
    except OSError as error:
        raise OperatorError(f"{name} can't be read ({error.strerror})") from None
    if len(content) > MAX_LIST_BYTES:
        raise OperatorError(f"{name} is longer than {MAX_LIST_BYTES} bytes")
    return content.decode("utf-8-sig", errors="replace")


def _from_json(name: str, text: str) -> Iterator[str]:
    try:
        for entry in json.loads(text):
            yield _identifier(entry if isinstance(entry, str) else entry["pledge_id"], name)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _no_list(name) from None


def _from_lines(name: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            yield _identifier(words[0], f"{name}, line {number}")


def _identifier(word: str, where: str) -> str:
    try:
        return str(PledgeId.from_hex(word))
    except ValueError:
        raise OperatorError(
            f"{where}: {word[:64]!r} is no pledge identifier in hex",
            "write one identifier a line, such as 00124b0014b5b67e; # begins a comment",
            exit_code=ExitCode.USAGE,
        ) from None


def _no_list(name: str) -> OperatorError:
    return OperatorError(
        f"{name} is no JSON array of pledges",
        "take the output of `jrc pledge list --state revoked --json`, or one identifier a line",
        exit_code=ExitCode.USAGE,
    )

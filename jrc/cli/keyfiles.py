"""Key material on its way in: from files and hidden prompts, never from the command line."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

import typer

from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError
from jrc.model import Secret

STDIN = "-"
_TAKE_OVER_HINT = "docs/take-over.md has the format"
MAX_KEY_FILE_BYTES = 4096
MAX_TAKE_OVER_BYTES = 192 * 1024
"""A list of 10,000 short addresses; ranges are shorter. The admin API takes 256 KiB."""
DERIVED = ("pledge_sender_key", "pledge_recipient_key", "common_iv")


def open_input(name: str) -> BinaryIO:
    """The file, or standard input for ``-``; warns if others can read the file.

    Raises:
        OperatorError: it can't be read.
    """
    if name == STDIN:
        return sys.stdin.buffer
    try:
        file = Path(name).open("rb")  # noqa: SIM115
        warn_if_readable(file, name)
    except OSError as error:
        raise OperatorError(f"{name} can't be read ({error.strerror})") from None
    return file


def warn_if_readable(file: BinaryIO, name: str, what: str = "keys") -> None:
    """Says so on standard error if the group or others can read a file that holds ``what``."""
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode) and mode & 0o044:
        who = "everybody" if mode & 0o004 else "its group"
        say(f"warning: {name} holds {what} and {who} can read it; run: chmod 600 {name}")


def passphrase_from(name: str | None, *, is_new: bool = False) -> Secret:
    """A passphrase: the first line of a file, or from a hidden prompt; a new one is asked twice.

    Raises:
        OperatorError: there is neither file nor terminal, or it is empty.
    """
    if name is not None:
        text, where = (text_of(name).splitlines() or [""])[0], name
    elif sys.stdin.isatty():
        asked = typer.prompt("Passphrase", hide_input=True, err=True, confirmation_prompt=is_new)
        text, where = str(asked), "what was typed"
    else:
        raise OperatorError(
            "the passphrase is missing",
            "say --passphrase-file FILE, or --passphrase-file - to read it from standard input",
            exit_code=ExitCode.USAGE,
        )
    if not text:
        raise OperatorError(f"{where} holds no passphrase", exit_code=ExitCode.USAGE)
    return Secret(text.encode())


def text_of(name: str) -> str:
    """The text of a small file with keys, or of standard input for ``-``.

    Raises:
        OperatorError: it can't be read, or is too long.
    """
    return _read(name)


def psk_from(name: str | None) -> str:
    """A PSK in hex from a file, or from a hidden prompt where there is a terminal.

    Raises:
        OperatorError: there is neither, or it is no hex.
    """
    if name is not None:
        return _hex(_read(name), name)
    if not sys.stdin.isatty():
        raise OperatorError(
            "the pledge's key is missing",
            "say --psk-file FILE, --psk-file - to read it from standard input, or --derived-file",
            exit_code=ExitCode.USAGE,
        )
    return _hex(typer.prompt("PSK (hex)", hide_input=True, err=True), "what was typed")


def derived_from(name: str) -> dict[str, str]:
    """The three derived values in hex from a JSON file (RFC 9031 App. B).

    Raises:
        OperatorError: the file holds something else.
    """
    try:
        given = json.loads(_read(name))
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or set(given) != set(DERIVED):
        raise OperatorError(
            f"{name} must hold a JSON object with {', '.join(DERIVED)}, each in hex",
            exit_code=ExitCode.USAGE,
        )
    return {field: _hex(str(value), f"{field} in {name}") for field, value in given.items()}


def keys_from(psk_file: str | None, derived_file: str | None) -> dict[str, str]:
    """A pledge's PSK, or its derived values, from the file that was named; nothing if none was.

    Raises:
        BadParameter: both were named.
        OperatorError: the file holds something else.
    """
    if psk_file is not None and derived_file is not None:
        raise typer.BadParameter("--psk-file and --derived-file exclude each other")
    if psk_file is not None:
        return {"psk": psk_from(psk_file)}
    return {} if derived_file is None else derived_from(derived_file)


def take_over_from(name: str) -> dict[str, object]:
    """The JSON object of a file with the keys of a running network (``service/takeover.py``).

    Raises:
        OperatorError: it can't be read, or is no such object; never says what stands in it.
    """
    text = _read(name, MAX_TAKE_OVER_BYTES)
    try:
        given = json.loads(text, object_pairs_hook=_no_field_twice)
        # JSON's escapes and exponents write what can't be sent: half a surrogate pair, infinity.
        json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except json.JSONDecodeError as error:
        raise OperatorError(
            f"{name}: line {error.lineno}, column {error.colno}: this is not JSON ({error.msg})",
            _TAKE_OVER_HINT,
            exit_code=ExitCode.USAGE,
        ) from None
    except _DoubledFieldError:
        raise _no_take_over(f"{name} has an object with a field that is there twice") from None
    except RecursionError:
        raise _no_take_over(f"{name} has lists or objects in too many others") from None
    except ValueError:
        raise _no_take_over(f"{name} holds a number or a character that can't be sent") from None
    if not isinstance(given, dict):
        raise _no_take_over(f"{name} must hold one JSON object, and holds something else")
    return given


class _DoubledFieldError(ValueError):
    """An object in a file has two fields of one name."""


def _no_take_over(message: str) -> OperatorError:
    return OperatorError(message, _TAKE_OVER_HINT, exit_code=ExitCode.USAGE)


def _no_field_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _DoubledFieldError
    return found


def _read(name: str, most_bytes: int = MAX_KEY_FILE_BYTES) -> str:
    file = open_input(name)
    try:
        raw = file.read(most_bytes + 1)
    finally:
        if name != STDIN:
            file.close()
    if len(raw) > most_bytes:
        raise OperatorError(f"{name} is longer than {most_bytes} bytes: that is no key file")
    return raw.decode("utf-8-sig", errors="replace")


def _hex(text: str, where: str) -> str:
    digits = "".join(text.split()).removeprefix("0x").replace(":", "").replace("-", "")
    try:
        bytes.fromhex(digits)
    except ValueError:
        digits = ""
    if not digits:
        raise OperatorError(f"{where} is no key in hex", exit_code=ExitCode.USAGE)
    return digits.lower()

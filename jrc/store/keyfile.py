"""Files with the key of a slot (``keyslots.py``): 64 hex digits, readable by their owner alone."""

import os
from collections.abc import Callable
from pathlib import Path

from jrc.errors import OperatorError
from jrc.filerights import read_private
from jrc.model import Secret
from jrc.store.syncing import sync

KEY_BYTES = 32
_GROUP = 8
"""Digits that are read and typed at a time, where the key is on paper."""
_MAX_FILE_BYTES = 4096


class KeyMissingError(OperatorError):
    """There is no file; it may still come, as secrets of containers do."""


def key_text(key: Secret) -> str:
    """The contents of a key file: 64 hex digits and a newline."""
    return key.reveal().hex() + "\n"


def paper_text(key: Secret) -> str:
    """A key as a person copies it: eight groups of eight digits; read as the same key."""
    digits = key.reveal().hex()
    return "-".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def new_key(random: Callable[[int], bytes] = os.urandom) -> Secret:
    """A fresh key of a slot."""
    return Secret(random(KEY_BYTES))


def read_key(path: Path, *, setting: str = "keys.kek_file") -> Secret:
    """The key in ``path``; ``setting`` is what named it.

    Raises:
        KeyMissingError: there is no such file.
        OperatorError: it is readable by others, or holds something else.
    """
    try:
        text = read_private(path, f"{setting}:", _MAX_FILE_BYTES)
    except FileNotFoundError:
        raise KeyMissingError(
            f"{setting}: {path} does not exist",
            "put the key file there; `jrc init` makes one for a new database, and"
            " `jrc keys restore` for one whose key file is lost",
        ) from None
    except OSError as error:
        raise OperatorError(f"{setting}: {path} can't be read ({error.strerror})") from None
    return _parse(text, path, setting)


def _parse(text: bytes, path: Path, setting: str) -> Secret:
    try:
        value = bytes.fromhex("".join(text.decode("ascii").split()).replace("-", ""))
    except ValueError:
        value = b""
    if len(value) != KEY_BYTES:
        raise OperatorError(
            f"{setting}: {path} does not hold a key (64 hex digits)",
            "restore the file that `jrc init` or `jrc keys` made",
        )
    return Secret(value)


def write_key(path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """A new file of mode 0600, on disk on return; ``owner`` (user, group) gets it if it is given.

    Raises:
        OperatorError: it exists, or can't be made.
    """
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w") as opened:
            os.fchmod(file, 0o600)
            if owner is not None:
                os.fchown(file, *owner)
            opened.write(text)
            opened.flush()
            os.fsync(file)
        sync(path.parent)
    except FileExistsError:
        raise OperatorError(
            f"{path} exists; nothing was overwritten",
            "name a file that is not there yet, or move that one away",
        ) from None
    except OSError as error:
        raise OperatorError(f"{path} can't be made ({error.strerror})") from None

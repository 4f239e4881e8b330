"""The files of a hand-over: keys of both ends, and what is sealed."""

import os
import shlex
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jrc.cli.keyfiles import MAX_KEY_FILE_BYTES, STDIN
from jrc.errors import ExitCode, OperatorError
from jrc.handover.envelope import MAX_SEALED_BYTES
from jrc.handover.keys import PrivateKey, PublicKey, parse_private, parse_public
from jrc.handover.role import Role
from jrc.model import Secret

_OF_OTHERS = 0o077
_WRITTEN_BY_OTHERS = 0o022


def private_key(name: str, role: Role) -> PrivateKey:
    """The private key in a file that its owner alone can read.

    Raises:
        OperatorError: others can read it, or it holds something else.
    """
    with _opened(name) as file:
        mode = os.fstat(file.fileno()).st_mode
        content = Secret(_small(file.read(MAX_KEY_FILE_BYTES + 1), name))
    key = parse_private(content, role, name)
    if stat.S_ISREG(mode) and mode & _OF_OTHERS:
        raise OperatorError(
            f"{name} can be read by others (mode {stat.S_IMODE(mode):04o})",
            f"run: chmod 600 {shlex.quote(name)}; if somebody may have read it, make another key",
            exit_code=ExitCode.REFUSED,
        )
    return key


def public_keys(names: Sequence[str], role: Role) -> list[PublicKey]:
    """The public keys in files.

    Raises:
        OperatorError: one can't be read, holds something else, or others may write to it.
    """
    return [_public_key(name, role) for name in names]


def _public_key(name: str, role: Role) -> PublicKey:
    with _opened(name) as file:
        mode = os.fstat(file.fileno()).st_mode
        key = parse_public(_small(file.read(MAX_KEY_FILE_BYTES + 1), name), role, name)
    if stat.S_ISREG(mode) and mode & _WRITTEN_BY_OTHERS:
        raise OperatorError(
            f"{name} can be written to by others (mode {stat.S_IMODE(mode):04o}): it may be"
            " another key by now",
            f"compare the fingerprint {key.fingerprint} by telephone, then run: chmod go-w"
            f" {shlex.quote(name)}",
            exit_code=ExitCode.REFUSED,
        )
    return key


def sealed_file(name: str) -> tuple[bytes, str]:
    """What a sealed file holds, and what it is called; ``-`` is standard input.

    Raises:
        OperatorError: it can't be read.
    """
    if name == STDIN:
        return sys.stdin.buffer.read(MAX_SEALED_BYTES + 1), "standard input"
    with _opened(name) as file:
        return file.read(MAX_SEALED_BYTES + 1), name


def refuse_there(path: Path) -> None:
    """Nothing, if there is no such file yet.

    Raises:
        OperatorError: there is, and nothing here replaces one.
    """
    if os.path.lexists(path):
        raise OperatorError(
            f"{path} is there already; nothing was made",
            "name a file that is not there yet, or move that one away",
            exit_code=ExitCode.REFUSED,
        )


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    try:
        with Path(name).open("rb") as file:
            yield file
    except OSError as error:
        raise OperatorError(
            f"{name} can't be read ({error.strerror})", exit_code=ExitCode.USAGE
        ) from None


def _small(content: bytes, name: str) -> bytes:
    if len(content) > MAX_KEY_FILE_BYTES:
        raise OperatorError(
            f"{name} is longer than {MAX_KEY_FILE_BYTES} bytes: that is no key file",
            "`jrc handover keygen` makes one",
            exit_code=ExitCode.USAGE,
        )
    return content

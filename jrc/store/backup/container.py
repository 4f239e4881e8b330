"""The outside of a backup file: what can be read of it without any key.

::

    jrc-backup 1
    use: unused
    -----BEGIN AGE ENCRYPTED FILE-----      only where a passphrase opens it: the file's own
    ...                                     identity, sealed with that passphrase
    -----END AGE ENCRYPTED FILE-----
                                            an empty line, then the content in the age format

``use`` is the epoch of the database that a final backup was restored to, in place of ``unused``;
it is the one line that changes after the file was made, and the only one that the content does not
vouch for. Its length stays the same.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from jrc.errors import ExitCode, OperatorError

VERSION = 1
MAX_HEADER_BYTES = 16 * 1024
"""Many times what a sealed identity takes."""

_MAGIC = b"jrc-backup "
EPOCH_BYTES = 16
_UNUSED = b"use: %s\n" % b"unused".ljust(2 * EPOCH_BYTES)
_USED = re.compile(rb"use: ([0-9a-f]{%d})\n" % (2 * EPOCH_BYTES))
_FIRST = b"%s%d\n" % (_MAGIC, VERSION)
_ARMOR = (b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"-----END AGE ENCRYPTED FILE-----\n")


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the sealed content; ``sealed_identity`` is empty without passphrase.

    ``used_by`` is the epoch of the database that a final backup goes on as, None before.
    """

    sealed_identity: bytes = b""
    used_by: bytes | None = None

    @property
    def is_spent(self) -> bool:
        """Whether it goes on elsewhere, or has begun to."""
        return self.used_by is not None

    @property
    def digest(self) -> bytes:
        """SHA-256 of all but the mark of use: the content names it, so that the two belong."""
        return sha256(_FIRST + self.sealed_identity).digest()

    def encoded(self) -> bytes:
        """As it stands in the file."""
        use = _UNUSED if self.used_by is None else _use(self.used_by)
        return _FIRST + use + self.sealed_identity + b"\n"


def _use(epoch: bytes) -> bytes:
    return b"use: %s\n" % epoch.hex().encode()


def read_header(file: BinaryIO, name: str) -> Header:
    """The header at the beginning of ``file``, which stands at the sealed content afterwards.

    Raises:
        OperatorError: it is no backup, one of a later version, or was damaged.
    """
    file.seek(0)
    first = file.readline(len(_FIRST) + 8)
    if not first.startswith(_MAGIC):
        raise OperatorError(f"{name} is no backup of jrc", "see whether it is the right file")
    if first != _FIRST:
        raise _other_version(first, name)
    use = file.readline(len(_UNUSED))
    sealed = _read_armor(file, name)
    used = _USED.fullmatch(use)
    if used is None and use != _UNUSED:
        raise damaged(name, "its header was changed")
    return Header(sealed, None if used is None else bytes.fromhex(used[1].decode()))


def _other_version(first: bytes, name: str) -> OperatorError:
    version = first.removeprefix(_MAGIC).strip()
    if not version.isdigit() or not first.endswith(b"\n"):
        return damaged(name, "its header was changed")
    return OperatorError(
        f"{name} has the backup format {version.decode()}, and this version of jrc knows {VERSION}",
        "restore it with the version of jrc that made it, or a later one",
    )


def _read_armor(file: BinaryIO, name: str) -> bytes:
    """The sealed identity, none where the empty line comes at once."""
    begin, end = _ARMOR
    lines = [file.readline(MAX_HEADER_BYTES)]
    if lines[0] == b"\n":
        return b""
    while lines[0] == begin and sum(map(len, lines)) < MAX_HEADER_BYTES:
        lines.append(file.readline(MAX_HEADER_BYTES))
        if lines[-1] == end and file.readline(1) == b"\n":
            return b"".join(lines)
        if lines[-1] in (b"", end):
            break
    raise damaged(name, "its header was changed")


def mark_spent(path: str | os.PathLike[str], epoch: bytes) -> None:
    """Let the file say that it goes on as the database ``epoch``; on disk when this returns.

    Raises:
        OperatorError: it can't be written, or goes on as another one; it is as it was then.
    """
    with _markable(path) as descriptor:
        use = os.pread(descriptor, len(_UNUSED), len(_FIRST))
        if use not in (_UNUSED, _use(epoch)):
            raise _elsewhere(path)
        os.pwrite(descriptor, _use(epoch), len(_FIRST))
        os.fsync(descriptor)


def check_markable(path: str | os.PathLike[str], header: Header) -> None:
    """Nothing, if ``mark_spent`` could mark the file, and nobody has since it was read.

    The mark is written once more as it is, so that what hinders that is met now.

    Raises:
        OperatorError: it can't be written, or was marked.
    """
    with _markable(path) as descriptor:
        expected = header.encoded()[len(_FIRST) : len(_FIRST) + len(_UNUSED)]
        if os.pread(descriptor, len(_UNUSED), len(_FIRST)) != expected:
            raise _elsewhere(path)
        os.pwrite(descriptor, expected, len(_FIRST))
        os.fsync(descriptor)


@contextmanager
def _markable(path: str | os.PathLike[str]) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OperatorError(
            f"{os.fspath(path)} can't be marked as restored ({error.strerror})",
            "a final backup goes on once, and the file has to say that it did: copy it to where it"
            " can be written, or say --as-ordinary",
        ) from None


def _elsewhere(path: str | os.PathLike[str]) -> OperatorError:
    return OperatorError(
        f"{os.fspath(path)} was restored elsewhere while it was read; nothing was changed",
        "a final backup goes on once: use the registrar there, or say --as-ordinary",
        exit_code=ExitCode.REFUSED,
    )


def damaged(name: str, what: str) -> OperatorError:
    """What to say of a file that is not as it was written."""
    return OperatorError(
        f"{name} is damaged or incomplete: {what}",
        "use another backup or another copy of this one; nothing was changed",
        exit_code=ExitCode.FAILED,
    )

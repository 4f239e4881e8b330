"""A backup's file: whole and checked under its name, or not there."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from jrc.errors import ExitCode, OperatorError
from jrc.model import Secret
from jrc.store.backup.container import Header, read_header
from jrc.store.backup.content import Ignored, Seal, read_content
from jrc.store.backup.dump import at_once
from jrc.store.syncing import sync

Take = Callable[[bytes], object]


def check_free(path: Path, *, replaces: bool) -> None:
    """Nothing, if a file of this name may be made.

    Raises:
        OperatorError: there is one.
    """
    if not replaces and os.path.lexists(path):
        raise OperatorError(
            f"{path} exists; nothing was overwritten",
            "take another name, or say --force",
            exit_code=ExitCode.REFUSED,
        )


def write_backup(
    path: Path,
    header: Header,
    identity: Secret,
    fill: Callable[[Take], object],
    *,
    replaces: bool = False,
    pace: Callable[[], None] = at_once,
) -> Seal:
    """Make ``path``, mode 0600, from what ``fill`` gives; read it all back; what its end says.

    It has its name only once it is whole and on disk. ``identity`` is of one of its recipients.
    ``pace`` is called after each piece that was read back.

    Raises:
        OperatorError: it exists, can't be written, or is not whole. What ``replaces`` lets go is
            still there then, or the new one is.
    """
    check_free(path, replaces=replaces)
    part = path.with_name(f".{path.name}.part")
    try:
        seal = _written(part, header, identity, fill, str(path), pace)
        check_free(path, replaces=replaces)
        is_new = not os.path.lexists(path)
        os.rename(part, path)
    except OSError as error:
        raise OperatorError(
            f"{path} can't be written ({error.strerror or error})",
            "see whether its disk is full, and who may write there; nothing is left of it",
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    _keep_name(path, is_new=is_new)
    return seal


def _keep_name(path: Path, *, is_new: bool) -> None:
    """The name is on disk; where it had a file before, either is under it after a power failure.

    Raises:
        OperatorError: the folder can't be synced; a name that is new is taken back.
    """
    try:
        sync(path.parent)
    except OSError as error:
        if is_new:
            path.unlink(missing_ok=True)
        raise OperatorError(
            f"{path.parent} can't be synced ({error.strerror}), so the backup may not be on disk",
            "see whether its disk is broken; "
            + ("nothing is left of it" if is_new else "a whole one has the name, old or new"),
        ) from None


def _written(
    part: Path,
    header: Header,
    identity: Secret,
    fill: Callable[[Take], object],
    name: str,
    pace: Callable[[], None],
) -> Seal:
    with suppress(FileNotFoundError):
        part.unlink()
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w+b") as file:
        file.write(header.encoded())
        fill(file.write)
        file.flush()
        os.fsync(descriptor)
        return _read_back(file, identity, name, pace)


def _read_back(file: BinaryIO, identity: Secret, name: str, pace: Callable[[], None]) -> Seal:
    header = read_header(file, name)
    return read_content(file, header, [identity], Ignored(), name, lambda _bytes: pace())

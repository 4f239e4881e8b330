"""The instance file: what this host remembers of its database, outside every backup.

It holds the database's epoch and the highest commit number, at most a second old. A database whose
epoch differs or whose number is lower is an old copy: its replay windows would let requests in
again that were answered before, under the same nonces (RFC 9031 §8.3.3).
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from jrc.errors import ExitCode, OperatorError
from jrc.store.ledger import Instance

_HINT = (
    "put the newest database file back; an old copy would answer old requests anew and repeat"
    " nonces, so nobody is admitted with it"
)


@dataclass(frozen=True, slots=True)
class Memory:
    """The file's contents."""

    epoch: bytes
    commit_number: int


def write(path: Path, instance: Instance) -> None:
    """Replace the file with what the database has reached; atomic, and on disk on return.

    Raises:
        OperatorError: it can't be written.
    """
    text = json.dumps({"epoch": instance.epoch.hex(), "commit_number": instance.commit_number})
    temporary = path.with_name(path.name + ".new")
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(text.encode() + b"\n")
            opened.flush()
            os.fsync(file)
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise OperatorError(f"{path} can't be written ({error.strerror})") from None


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read(path: Path) -> Memory:
    """The file's contents.

    Raises:
        OperatorError: it is missing or can't be read as one.
    """
    try:
        fields = json.loads(path.read_text())
        return Memory(bytes.fromhex(fields["epoch"]), int(fields["commit_number"]))
    except FileNotFoundError:
        raise OperatorError(
            f"the instance file {path} is missing, so nothing tells whether the database is an"
            " old copy",
            "restore the file if it was deleted by mistake; " + _HINT,
            exit_code=ExitCode.REFUSED,
        ) from None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        raise OperatorError(
            f"the instance file {path} can't be read", _HINT, exit_code=ExitCode.REFUSED
        ) from None


def check(path: Path, instance: Instance) -> None:
    """Nothing, if the database is the one this host last used, and not an old copy of it.

    Raises:
        OperatorError: it is another or an older one, or the file is missing.
    """
    memory = read(path)
    if memory.epoch != instance.epoch:
        raise OperatorError(
            f"the database is not the one this host has used: its epoch is"
            f" {instance.epoch.hex()}, and {path} names {memory.epoch.hex()}",
            _HINT,
            exit_code=ExitCode.REFUSED,
        )
    if memory.commit_number > instance.commit_number:
        raise OperatorError(
            f"the database is an old copy: it has {instance.commit_number} transactions, and"
            f" {path} remembers {memory.commit_number}",
            _HINT,
            exit_code=ExitCode.REFUSED,
        )

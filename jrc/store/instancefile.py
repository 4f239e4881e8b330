"""The instance file: what this host remembers of its database, outside every backup.

It holds the database's epoch and the highest commit number, at most a second old. A database whose
epoch differs or whose number is lower is an old copy: its replay windows would let requests in
again that were answered before, under the same nonces (RFC 9031 §8.3.3).

While a database is quarantined the file also remembers the one that was expected in its place, so
that this one is still taken if it is put back: nothing was said from the other meanwhile.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jrc.errors import ExitCode, OperatorError
from jrc.store.ledger import Instance
from jrc.store.syncing import sync

_HINT = (
    "put the newest database file back if you have it; opened as it is, the database is"
    " quarantined: nobody is answered until `jrc recover` (docs/recovery.md)"
)


@dataclass(frozen=True, slots=True)
class Memory:
    """The file's contents; ``expected`` is what was there before a quarantined database."""

    epoch: bytes
    commit_number: int
    expected: "Memory | None" = None

    def fits(self, instance: Instance) -> bool:
        """Whether a database is this one, and not behind it."""
        return self.epoch == instance.epoch and self.commit_number <= instance.commit_number

    def fields(self) -> dict[str, object]:
        """As they are written."""
        fields: dict[str, object] = {
            "epoch": self.epoch.hex(),
            "commit_number": self.commit_number,
        }
        return fields if self.expected is None else {**fields, "expected": self.expected.fields()}


class Judgement(NamedTuple):
    """``why`` a database is not taken for the one that was last used, None where it is.

    ``expected`` is what is to be remembered beside it, until it is in use.
    """

    why: str | None
    expected: Memory | None


class UnknownError(OperatorError):
    """Nothing tells which database this host has used."""


def write(path: Path, instance: Instance, expected: Memory | None = None) -> None:
    """Replace the file with what the database has reached; atomic, and on disk on return.

    Raises:
        OperatorError: it can't be written.
    """
    text = json.dumps(Memory(instance.epoch, instance.commit_number, expected).fields())
    temporary = path.with_name(path.name + ".new")
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(text.encode() + b"\n")
            opened.flush()
            os.fsync(file)
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        raise OperatorError(f"{path} can't be written ({error.strerror})") from None


def read(path: Path) -> Memory:
    """The file's contents.

    Raises:
        UnknownError: it is missing, or its contents are none.
        OperatorError: it can't be read.
    """
    try:
        return _memory(json.loads(path.read_text()))
    except FileNotFoundError:
        raise UnknownError(
            f"the instance file {path} is missing, so nothing tells whether the database is an"
            " old copy",
            _HINT,
            exit_code=ExitCode.REFUSED,
        ) from None
    except OSError as error:
        raise OperatorError(
            f"the instance file {path} can't be read ({error.strerror})",
            "see who may read it, and whether its disk is broken",
            exit_code=ExitCode.REFUSED,
        ) from None
    except (ValueError, KeyError, TypeError, OverflowError):
        raise UnknownError(
            f"the instance file {path} can't be read as one, so nothing tells whether the database"
            " is an old copy",
            _HINT,
            exit_code=ExitCode.REFUSED,
        ) from None


def _memory(fields: Any) -> Memory:
    expected = fields.get("expected") if isinstance(fields, dict) else None
    return Memory(
        bytes.fromhex(fields["epoch"]),
        int(fields["commit_number"]),
        None if expected is None else _memory({**expected, "expected": None}),
    )


def judge(path: Path, instance: Instance) -> Judgement:
    """Whether the database is the one this host last used, and not an old copy of it.

    Raises:
        OperatorError: the file can't be read.
    """
    try:
        memory = read(path)
    except UnknownError as error:
        return Judgement(error.message, None)
    if memory.fits(instance):
        return Judgement(None, memory.expected)
    expected = memory.expected or memory
    if expected.fits(instance):
        return Judgement(None, None)
    return Judgement(_difference(path, memory, instance), expected)


def _difference(path: Path, memory: Memory, instance: Instance) -> str:
    if memory.epoch != instance.epoch:
        return (
            f"the database is not the one this host has used: its epoch is"
            f" {instance.epoch.hex()}, and {path} names {memory.epoch.hex()}"
        )
    return (
        f"the database is an old copy: it has {instance.commit_number} transactions, and"
        f" {path} remembers {memory.commit_number}"
    )


def check(path: Path, instance: Instance) -> None:
    """Nothing, if the database is the one this host last used, and not an old copy of it.

    Raises:
        OperatorError: it is another or an older one, or the file is missing; it would be
            quarantined as it is opened.
    """
    why = judge(path, instance).why
    if why is not None:
        raise OperatorError(why, _HINT, exit_code=ExitCode.REFUSED)

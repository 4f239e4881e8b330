"""The instance file: what this host remembers of its database, outside every backup.

It holds the database's epoch and the highest commit number, at most a second old. A database whose
epoch differs or whose number is lower is an old copy: its replay windows would let requests in
again that were answered before, under the same nonces (RFC 9031 §8.3.3). So is one whose audit log
does not lead through the event that was the last one then: it was worked on since, and has as many
transactions again.

Of an SQLite file it holds besides how far that had come without its WAL. An older file that is put
under a newer WAL has the newest instance row, which is in the WAL, and old rows beside it.

Beside an SQLite file it also says when it was made itself. The file system knows that, too, and
nobody can set it: where they differ, the file is a copy, and so may be the database beside it. What
is on a server does not go back with the files of a host, and hosts are given copies of the file.

While a database is quarantined the file also remembers the one that was expected in its place, so
that this one is still taken if it is put back: nothing was said from the other meanwhile.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition
from jrc.service.event_chain import Place
from jrc.store.birth import born_ns
from jrc.store.ledger import Instance
from jrc.store.on_disk import Reached
from jrc.store.syncing import sync

HashOf = Callable[[int], bytes | None]
"""The hash of an event by its number, None where there is no such event."""

_BORN = "born_ns"
"""When the file itself was made."""
_COPIED = (
    "the instance file {} is a copy: something else than jrc has put it there, and the database may"
    " be as old as it is (if you have moved the newest state yourself: `jrc db accept-copy`)"
)
_COPIED_AGAIN = (
    "the instance file {} is a copy, of a database that was quarantined when it was copied, which"
    " `jrc db accept-copy` can't take back"
)
_HINT = (
    "put the newest database file back if you have it; opened as it is, the database is"
    " quarantined: nobody is answered until `jrc recover` (docs/recovery.md)"
)


@dataclass(frozen=True, slots=True)
class Memory:
    """The file's contents.

    ``expected`` is what was there before a quarantined database, ``event`` the last entry of the
    audit log, and ``in_file`` what an SQLite file held without its WAL; None where not known.
    ``is_copy``: the file was made by somebody else than this program, from one that it had made.
    """

    epoch: bytes
    commit_number: int
    expected: "Memory | None" = None
    event: Place | None = None
    in_file: Reached | None = None
    is_copy: bool = False

    @classmethod
    def of(
        cls, found: Instance, expected: "Memory | None" = None, in_file: Reached | None = None
    ) -> "Memory":
        """What there is to remember of a database."""
        event = Place(found.event_number, found.event_hash)
        return cls(found.epoch, found.commit_number, expected, event, in_file)

    def fits(self, instance: Instance, hash_of: HashOf | None = None) -> bool:
        """Whether a database is this one, and not behind it."""
        return (
            self.epoch == instance.epoch
            and self.commit_number <= instance.commit_number
            and self.leads_to(instance, hash_of)
        )

    def leads_to(self, instance: Instance, hash_of: HashOf | None) -> bool:
        """Whether the database's audit log goes on from the event that is remembered.

        What retention has removed since tells no more than that it was there.
        """
        if self.event is None or self.event.number < instance.event_floor:
            return True
        for known in (
            Place(instance.event_floor, instance.event_floor_hash),
            Place(instance.event_number, instance.event_hash),
        ):
            if self.event.number == known.number:
                return self.event == known
        if self.event.number > instance.event_number:
            return False
        return hash_of is None or hash_of(self.event.number) == self.event.hash

    def admits_file(self, found: Reached) -> bool:
        """Whether an SQLite file may be what is remembered, or has moved on since."""
        if self.in_file is None:
            return True
        epochs = (self.in_file.epoch, self.epoch)
        return found.epoch in epochs and found.commit_number >= self.in_file.commit_number

    def fields(self) -> dict[str, object]:
        """As they are written."""
        fields: dict[str, object] = {
            "epoch": self.epoch.hex(),
            "commit_number": self.commit_number,
        }
        if self.event is not None:
            fields["event"] = {"number": self.event.number, "hash": self.event.hash.hex()}
        if self.in_file is not None:
            epoch, number = self.in_file
            fields["file"] = {"epoch": epoch.hex(), "commit_number": number}
        return fields if self.expected is None else {**fields, "expected": self.expected.fields()}


class Judgement(NamedTuple):
    """``why`` a database is not taken for the one that was last used, None where it is.

    ``expected`` is what is to be remembered beside it, until it is in use. ``is_copied``: nothing
    but that the instance file is a copy speaks against it.
    """

    why: str | None
    expected: Memory | None
    is_copied: bool = False


class UnknownError(OperatorError):
    """Nothing tells which database this host has used."""


def write(
    path: Path,
    instance: Instance,
    expected: Memory | None = None,
    in_file: Reached | None = None,
) -> None:
    """Replace the file with what the database has reached; atomic, and on disk on return.

    ``in_file`` is on disk already: a power failure that takes it back would make the good file
    look old.

    Raises:
        OperatorError: it can't be written.
    """
    fields = Memory.of(instance, expected, in_file).fields()
    try:
        born = _place(path, fields, born_ns)
        if born is not None and _born_ns(path) != born:
            # It did not outlast the change of name, so nothing can be told by it here.
            _place(path, fields, lambda _file: None)
    except OSError as error:
        raise OperatorError(f"{path} can't be written ({error.strerror})") from None


def _place(path: Path, fields: dict[str, object], born: Callable[[int], int | None]) -> int | None:
    """What ``born`` says of the file that has taken its place, as it is written in it."""
    temporary = path.with_name(path.name + ".new")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as opened:
        written = born(file)
        opened.write(json.dumps({**fields, _BORN: written}).encode() + b"\n")
        opened.flush()
        os.fsync(file)
    os.replace(temporary, path)
    sync(path.parent)
    return written


def _born_ns(path: Path) -> int | None:
    with path.open("rb") as opened:
        return born_ns(opened.fileno())


def read(path: Path) -> Memory:
    """The file's contents.

    Raises:
        UnknownError: it is missing, or its contents are none.
        OperatorError: it can't be read.
    """
    try:
        with path.open() as opened:  # one file, which may be replaced meanwhile
            fields, now_born = json.loads(opened.read()), born_ns(opened.fileno())
            return replace(_memory(fields), is_copy=_is_copy(fields.get(_BORN), now_born))
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
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise UnknownError(
            f"the instance file {path} can't be read as one, so nothing tells whether the database"
            " is an old copy",
            _HINT,
            exit_code=ExitCode.REFUSED,
        ) from None


def _memory(fields: Any) -> Memory:
    given = fields if isinstance(fields, dict) else {}
    expected, event, in_file = (given.get(name) for name in ("expected", "event", "file"))
    return Memory(
        bytes.fromhex(fields["epoch"]),
        int(fields["commit_number"]),
        None if expected is None else _memory({**expected, "expected": None}),
        None if event is None else Place(int(event["number"]), bytes.fromhex(event["hash"])),
        None if in_file is None else _reached(in_file),
    )


def _is_copy(written: Any, found: int | None) -> bool:
    return None not in (written, found) and int(written) != found


def _reached(fields: Any) -> Reached:
    return Reached(bytes.fromhex(fields["epoch"]), int(fields["commit_number"]))


def judge(path: Path, instance: Instance, hash_of: HashOf | None = None) -> Judgement:
    """Whether the database is the one this host last used, and not an old copy of it.

    Without ``hash_of`` the audit log is not looked at, but for its ends.

    Raises:
        OperatorError: the file can't be read.
    """
    try:
        memory = read(path)
    except UnknownError as error:
        return Judgement(error.message, None)
    expected = memory.expected or memory
    is_known = memory.fits(instance, hash_of)
    if not is_known and not expected.fits(instance, hash_of):
        why = _difference(path, memory, instance)
        return Judgement(why, None if _may_be_old(memory, instance) else expected)
    if _may_be_old(memory, instance):
        copied = _COPIED_AGAIN if _is_set_apart(instance) else _COPIED
        return Judgement(copied.format(path), None, is_copied=True)
    return Judgement(None, memory.expected if is_known else None)


def _is_set_apart(instance: Instance) -> bool:
    return instance.condition == Condition.QUARANTINED


def _may_be_old(memory: Memory, instance: Instance) -> bool:
    """Whether the memory may be of an earlier moment than the host was at: it vouches for none."""
    return memory.is_copy and instance.server is None


def _difference(path: Path, memory: Memory, instance: Instance) -> str:
    if memory.epoch != instance.epoch:
        return (
            f"the database is not the one this host has used: its epoch is"
            f" {instance.epoch.hex()}, and {path} names {memory.epoch.hex()}"
        )
    if memory.commit_number > instance.commit_number:
        return (
            f"the database is an old copy: it has {instance.commit_number} transactions, and"
            f" {path} remembers {memory.commit_number}"
        )
    assert memory.event is not None
    return (
        "the database is an old copy that was worked on since: its audit log lacks event"
        f" {memory.event.number} as {path} remembers it"
    )


_HINT_COPIED = (
    "if no registrar has run from it since it was copied, `jrc db accept-copy` says so; else the"
    " next start quarantines the database: put the newest one back, or run `jrc recover`"
    " (docs/recovery.md)"
)


def check(path: Path, instance: Instance, hash_of: HashOf | None = None) -> None:
    """Nothing, if the database is the one this host last used, and not an old copy of it.

    Raises:
        OperatorError: it is another or an older one, or the file is missing; it would be
            quarantined as it is opened.
    """
    found = judge(path, instance, hash_of)
    if found.why is not None:
        hint = _HINT_COPIED if found.is_copied and not _is_set_apart(instance) else _HINT
        raise OperatorError(found.why, hint, exit_code=ExitCode.REFUSED)

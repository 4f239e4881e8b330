"""What a daemon wrote, synced and sent, in that order, as strace saw it.

The rule: a datagram with an answer leaves only after a sync of the write-ahead log that was begun
after the commit frame of a transaction with that very answer in it was written.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from jrc.cojp import message
from jrc.errors import PeerError

CALLS = "pwrite64,write,fdatasync,fsync,sendmsg,sendto"
FRAME_HEADER_BYTES = 24
WAL_HEADER_BYTES = 32
"""SQLite's file format §4.1: in front of each page, and of the whole log."""

_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)")
_NAME = re.compile(r"(?P<name>\w+)\(")
_CALL = re.compile(r"(?P<name>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>(?P<rest>.*)")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)")
_RESULT = re.compile(r".*\) += (?P<value>-?\d+)")
_OFFSET = re.compile(r'.*", \d+, (?P<offset>\d+)')
_STRING = re.compile(r'"(?P<text>(?:\\x[0-9a-f]{2})*)"(?P<cut>\.\.\.)?')


def tool(output: Path, calls: str = CALLS) -> tuple[str, ...]:
    """The command that runs a daemon under strace."""
    quiet = ("-qq", "-e", "signal=none", "-y", "-xx", "-s", "70000")
    return ("strace", "-f", "--seccomp-bpf", *quiet, "-e", f"trace={calls}", "-o", str(output))


class Call(NamedTuple):
    """The beginning or the end of a system call; ``end`` of one that has succeeded."""

    name: str
    file: str
    data: bytes
    offset: int
    begins: bool
    ends: bool


class Line(NamedTuple):
    """The text of a call whose beginning or end strace has shown; both for most."""

    text: str
    begins: bool
    ends: bool


def lines_of(lines: Iterable[str]) -> Iterator[Line]:
    """Calls in the order in which they began and returned; each interrupted one comes twice."""
    open_calls: dict[str, tuple[str, str]] = {}
    for line in lines:
        found = _LINE.match(line)
        assert found is not None, line[:200]
        pid, rest = found["pid"], found["rest"]
        if (resumed := _RESUMED.match(rest)) is not None:
            name, text = open_calls.pop(pid)
            assert name == resumed["name"]
            yield Line(text + resumed["rest"], begins=False, ends=_succeeded(rest))
        elif (name_of := _NAME.match(rest)) is not None:
            if rest.endswith("<unfinished ...>"):
                text = rest.removesuffix("<unfinished ...>")
                open_calls[pid] = (name_of["name"], text)
                yield Line(text, begins=True, ends=False)
            else:
                yield Line(rest, begins=True, ends=_succeeded(rest))


def is_on_file(line: Line) -> bool:
    """Whether it is a call on an open file or socket."""
    return _CALL.match(line.text) is not None


def read(lines: Iterable[str]) -> Iterator[Call]:
    """The calls on open files and sockets."""
    for line in lines_of(lines):
        if is_on_file(line):
            yield call_of(line)


def _succeeded(text: str) -> bool:
    found = _RESULT.match(text)
    return found is not None and int(found["value"]) >= 0


def call_of(line: Line) -> Call:
    """The call on an open file or socket that a line shows."""
    text, begins, ends = line
    found = _CALL.match(text)
    assert found is not None, text[:200]
    rest = found["rest"]
    if found["name"] == "sendmsg":
        rest = rest[rest.index("msg_iov=") :] if "msg_iov=" in rest else ""
    strings = [] if rest.startswith(")") else _STRING.findall(rest)[:1]
    assert not any(cut for _, cut in strings), "strace cut a string"
    data = b"".join(bytes.fromhex(part.replace("\\x", "")) for part, _ in strings)
    offset = _OFFSET.match(rest)
    return Call(
        found["name"],
        plain(found["file"]),
        data,
        int(offset["offset"]) if offset else -1,
        begins,
        ends,
    )


def plain(text: str) -> str:
    """A path as strace's ``-xx`` writes it."""
    return bytes.fromhex(text.replace("\\x", "")).decode()


@dataclass(slots=True)
class Log:
    """The write-ahead log as it was written: which writes are committed, and which are synced."""

    writes: list[bytes] = field(default_factory=list)
    committed: int = 0
    durable: int = 0
    _syncing: int = 0
    _commit_next: bool = False

    def wrote(self, data: bytes) -> None:
        """A frame's header or its page; a header with a size in it is that of a commit."""
        self.writes.append(data)
        if len(data) == FRAME_HEADER_BYTES:
            self._commit_next = data[4:8] != bytes(4)
        elif len(data) != WAL_HEADER_BYTES and self._commit_next:
            self.committed, self._commit_next = len(self.writes), False

    def sync_began(self) -> None:
        """What is committed by now will be on disk when it returns."""
        self._syncing = self.committed

    def sync_ended(self) -> None:
        """It is on disk."""
        self.durable = max(self.durable, self._syncing)

    def holds(self, data: bytes) -> bool:
        """Whether the bytes are on disk in a committed transaction."""
        return any(data in write for write in self.writes[: self.durable])


@dataclass(slots=True)
class Verdict:
    """Answers that were sent, and those of them that were not on disk at that moment."""

    answers: int = 0
    early: int = 0


def judge(calls: Iterable[Call]) -> Verdict:
    """Hold each answer that was sent against what was on disk."""
    log, verdict = Log(), Verdict()
    for call in calls:
        if call.file.endswith("-wal"):
            _follow(log, call)
        elif call.begins and (answer := answer_in(call)) is not None:
            verdict.answers += 1
            verdict.early += not log.holds(answer)
    return verdict


def _follow(log: Log, call: Call) -> None:
    if call.name in ("pwrite64", "write"):
        if call.ends:
            log.wrote(call.data)
        return
    if call.begins:
        log.sync_began()
    if call.ends:
        log.sync_ended()


def answer_in(call: Call) -> bytes | None:
    """The ciphertext in a datagram, None for anything else that is sent."""
    if call.name not in ("sendmsg", "sendto"):
        return None
    try:
        outer = message.decode(call.data)
    except PeerError:
        return None
    return outer.payload or None

"""A daemon's life from its trace: what it did to its files, and what left it, in that order."""

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from jrc.cojp import message
from jrc.errors import PeerError
from tests.faults import trace
from tests.faults.disk import Disk
from tests.faults.trace import Call, Line

CALLS = f"openat,ftruncate,rename,renameat,renameat2,unlink,unlinkat,{trace.CALLS}"
_PATH_CALL = re.compile(r"(?P<name>openat|rename\w*|unlink\w*)\((?P<rest>.*)", re.DOTALL)
_PATH = re.compile(r'"(?P<path>(?:\\x[0-9a-f]{2})*)"')
_SIZE = re.compile(r"\w+\(\d+<[^>]*>, (?P<size>\d+)")
_DONE = b"HTTP/1.1 2"


class Kind(Enum):
    """What may leave a daemon: the class of a message's code tells a request (RFC 7252 §3)."""

    ANSWER = auto()
    UPDATE = auto()
    ACKNOWLEDGEMENT = auto()
    """Of a command that was carried out."""


class Left(NamedTuple):
    """Something that others know of from now on; ``data`` is the ciphertext, if it has one."""

    kind: Kind
    data: bytes


def replay(lines: Iterable[str], folder: Path, disk: Disk) -> Iterator[Left | None]:
    """After each call that matters: what has left with it, None for work on files.

    ``disk`` has what was in ``folder`` at the beginning, and follows.
    """
    at = f"{folder}/"
    for line in trace.lines_of(lines):
        found = _PATH_CALL.match(line.text)
        if found is not None:
            if line.ends and _on_names(found["name"], found["rest"], at, disk):
                yield None
        elif trace.is_on_file(line):
            call = trace.call_of(line)
            if call.file.startswith(at) or call.file == str(folder):
                if _on_content(call, line, call.file.removeprefix(at), folder, disk):
                    yield None
            elif call.begins and (left := _left(call)) is not None:
                yield left


def _on_names(name: str, rest: str, at: str, disk: Disk) -> bool:
    """Whether it has changed names, or emptied a file."""
    paths = [trace.plain(found["path"]) for found in _PATH.finditer(rest)]
    if not paths or not all(path.startswith(at) for path in paths):
        return False
    own = [path.removeprefix(at) for path in paths]
    if any("/" in path for path in own):
        return False
    if name == "openat":
        made = "O_CREAT" in rest and own[0] not in disk.names
        if made or "O_TRUNC" in rest:
            disk.create(own[0])
            return True
        return False
    if own[0] not in disk.names:
        return False
    if name.startswith("rename"):
        disk.rename(own[0], own[1])
    else:
        disk.unlink(own[0])
    return True


def _on_content(call: Call, line: Line, name: str, folder: Path, disk: Disk) -> bool:
    if call.file == str(folder):
        if call.ends:
            disk.sync_names()
        return call.ends
    file = disk.names.get(name)
    if file is None:
        return False
    if call.name in ("pwrite64", "write"):
        if call.begins:
            file.write(call.offset, call.data)
        return call.begins
    if call.name == "ftruncate":
        size = _SIZE.match(line.text)
        assert size is not None
        if call.begins:
            file.truncate(int(size["size"]))
        return call.begins
    if call.ends:
        file.sync()
    return call.ends


def _left(call: Call) -> Left | None:
    if call.data.startswith(_DONE):
        return Left(Kind.ACKNOWLEDGEMENT, b"")
    if call.name not in ("sendmsg", "sendto"):
        return None
    try:
        outer = message.decode(call.data)
    except PeerError:
        return None
    if not outer.payload:
        return None
    return Left(Kind.ANSWER if outer.code >> 5 else Kind.UPDATE, outer.payload)

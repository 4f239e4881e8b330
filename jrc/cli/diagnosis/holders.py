"""Who holds a port of this host, as far as this user may see (proc(5))."""

import os
import re
import struct
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from socket import SOCK_DGRAM, SOCK_STREAM, SocketKind

from jrc.cli.users import user_name
from jrc.config import Endpoint

PROC = Path("/proc")
_TABLES = {
    (SOCK_DGRAM, 6): "udp6",
    (SOCK_STREAM, 6): "tcp6",
    (SOCK_STREAM, 4): "tcp",
}
_TCP_LISTEN = 0x0A
"""net/tcp_states.h."""
_SOCKET_LINK = re.compile(r"socket:\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """A bound socket, by the kernel's number for it."""

    address: IPv4Address | IPv6Address
    port: int
    uid: int
    inode: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a socket; ``pid`` is None where this user may not see which."""

    pid: int | None
    program: str
    uid: int

    def __str__(self) -> str:
        if self.pid is None:
            return f"a process of {user_name(self.uid)}, which only root can name"
        return f"process {self.pid} ({self.program})"


def holders(place: Endpoint, kind: SocketKind, proc: Path = PROC) -> list[Holder]:
    """Who holds the port, at this address or at all addresses."""
    table = proc / "net" / _TABLES[kind, place.address.version]
    found = [
        entry
        for entry in open_sockets(table.read_text(), kind)
        if entry.port == place.port and _overlap(entry.address, place.address)
    ]
    owners = processes({entry.inode for entry in found}, proc)
    return [holder for entry in found for holder in owners.get(entry.inode, [_unseen(entry)])]


def _overlap(one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address) -> bool:
    return one == other or one.is_unspecified or other.is_unspecified


def _unseen(entry: OpenSocket) -> Holder:
    return Holder(None, "", entry.uid)


def open_sockets(table: str, kind: SocketKind) -> Iterator[OpenSocket]:
    """The rows of a table in /proc/net; of TCP those that listen."""
    for row in table.splitlines()[1:]:
        fields = row.split()
        if kind is SOCK_STREAM and int(fields[3], 16) != _TCP_LISTEN:
            continue
        address, port = fields[1].split(":")
        yield OpenSocket(_address(address), int(port, 16), int(fields[7]), int(fields[9]))


def _address(text: str) -> IPv4Address | IPv6Address:
    """Each 32-bit word is written as this machine's number."""
    words = [int(text[place : place + 8], 16) for place in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return IPv6Address(packed) if len(words) > 1 else IPv4Address(packed)


def processes(inodes: Collection[int], proc: Path = PROC) -> dict[int, list[Holder]]:
    """The processes that have these sockets open, of those whose files this user may see."""
    found: dict[int, list[Holder]] = {}
    for folder in _process_folders(proc) if inodes else ():
        with suppress(OSError):  # it has ended meanwhile, or is another user's
            for inode in _sockets_of(folder) & set(inodes):
                found.setdefault(inode, []).append(_holder(folder))
    return found


def _process_folders(proc: Path) -> Iterable[Path]:
    return (folder for folder in proc.iterdir() if folder.name.isdigit())


def _sockets_of(folder: Path) -> set[int]:
    found = set()
    for name in os.listdir(folder / "fd"):
        with suppress(FileNotFoundError):  # it was closed meanwhile
            match = _SOCKET_LINK.fullmatch(os.readlink(folder / "fd" / name))
            if match is not None:
                found.add(int(match[1]))
    return found


def _holder(folder: Path) -> Holder:
    program = (folder / "comm").read_text(errors="replace").strip()
    return Holder(int(folder.name), program, folder.stat().st_uid)

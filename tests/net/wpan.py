"""A played kernel: the generic netlink families "nlctrl" and "802.15.4 MAC" behind a socket pair.

It shares nothing with the program: requests are read and answers are packed with ``struct``, after
include/linux/nl802154.h, net/ieee802154/nl-mac.c, nl_policy.c, netlink.c and
net/mac802154/llsec.c of Linux 6 (``source`` in tests/vectors/linux-llsec.json says which trees).
"""

import asyncio
import errno
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pyroute2.netlink.generic import AsyncGenericNetlinkSocket

from tests.net.line import Line, LineSocket, hang_up
from tests.net.nl802154 import (
    ACK,
    ADD_DEV,
    ADD_KEY,
    ADD_SECLEVEL,
    CREATE,
    DEL_DEV,
    DEL_KEY,
    DEL_SECLEVEL,
    DEV_INDEX,
    DEV_KEY_MODE,
    DEV_NAME,
    DEV_OVERRIDE,
    DONE,
    DUMP,
    ENABLED,
    ERROR,
    EXCL,
    FAMILY_ID,
    FRAME_COUNTER,
    FRAME_TYPE,
    FRAME_TYPES,
    GENL_CONTROLLER,
    GETPARAMS,
    HW_ADDR,
    KEY_BYTES,
    KEY_ID,
    KEY_MODE,
    LIST_DEV,
    LIST_IFACE,
    LIST_KEY,
    LIST_SECLEVEL,
    MULTI,
    PAN_ID,
    REQUEST,
    SECLEVEL,
    SECLEVELS,
    SETPARAMS,
    SHORT_ADDR,
    SIZES,
    SOURCE_SHORT,
    Message,
    attribute,
    packed,
    u8,
    u16,
    u32,
    unpacked,
)

PER_ANSWER = 3
"""Entries in one piece of a listing; a real one has some hundred."""


class Device(NamedTuple):
    pan_id: int
    short: int
    frame_counter: int


@dataclass
class Interface:
    """A wpan interface as mac802154 keeps it; keys by (mode, index, source)."""

    name: str = "wpan0"
    pan_id: int = 0xCAFE
    enabled: int = 0
    out_key: tuple[int, int] = (0, 0)
    out_level: int = 0
    frame_counter: int = 0
    keys: dict[tuple[int, int, int], tuple[int, bytes]] = field(default_factory=dict)
    levels: list[tuple[int, int]] = field(default_factory=list)
    devices: dict[bytes, Device] = field(default_factory=dict)


class RefusalError(Exception):
    """A negative number that a function of the kernel gives back."""


class PlayedKernel:
    """What answers on the other end of every socket that ``open_socket`` makes."""

    def __init__(self, *interfaces: Interface) -> None:
        self.interfaces = {each.name: each for each in interfaces or (Interface(),)}
        self.requests: list[Message] = []
        self.datagrams: list[bytes] = []
        self.has_family = True
        self.is_strict = False
        """An old kernel: a key's bytes are an attribute that no strict policy has."""
        self.may_administer = True
        self.has_llsec = True
        self.silent_at: int | None = None
        self.fails: dict[int, int] = {}
        """Error numbers by command."""
        self.before: Callable[[Message], None] = lambda _message: None
        self._open: list[socket.socket] = []

    @property
    def wpan(self) -> Interface:
        return self.interfaces["wpan0"]

    @property
    def changes(self) -> list[int]:
        """Commands that change something, in their order; the probe is left out."""
        found = [each for each in self.requests if each.flags & DUMP != DUMP]
        asked = (GETPARAMS, LIST_IFACE)
        return [
            each.command
            for each in found
            if each.command not in asked and each.number(KEY_MODE) != 2
        ]

    def open_socket(self) -> AsyncGenericNetlinkSocket:
        """As ``ieee802154.plain_socket``, to be called on a loop."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        there.setblocking(False)
        loop = asyncio.get_running_loop()

        def readable() -> None:
            datagram = there.recv(65536)
            for answer in self.answers(datagram):
                try:
                    there.send(answer)
                except (ConnectionError, BlockingIOError):
                    return

        loop.add_reader(there, readable)
        return LineSocket(use_socket=Line(here), hung_up=lambda: hang_up(loop, there))

    def answers(self, datagram: bytes) -> Iterator[bytes]:
        """What the kernel says to a request."""
        self.datagrams.append(datagram)
        asked = unpacked(datagram)
        if asked.type == GENL_CONTROLLER:
            yield self._family(asked, datagram)
            return
        self.requests.append(asked)
        self.before(asked)
        if asked.command == self.silent_at:
            return
        try:
            yield from self._answer(asked)
            code = 0
        except RefusalError as refusal:
            code = refusal.args[0]
        if code or asked.flags & ACK:
            yield packed(ERROR, 0, asked.sequence, struct.pack("=i", -code) + datagram)

    def _family(self, asked: Message, datagram: bytes) -> bytes:
        if not self.has_family:
            error = struct.pack("=i", -errno.ENOENT)
            return packed(ERROR, 0, asked.sequence, error + datagram)
        body = struct.pack("=BBH", 1, 2, 0) + attribute(1, u16(FAMILY_ID))
        assert asked.attributes[2] == b"802.15.4 MAC\0"
        return packed(GENL_CONTROLLER, 0, asked.sequence, body + attribute(2, asked.attributes[2]))

    def _answer(self, asked: Message) -> Iterator[bytes]:
        """As genetlink.c and nl-mac.c look at it, in their order."""
        assert (asked.type, asked.version, asked.flags & REQUEST) == (FAMILY_ID, 1, REQUEST)
        if asked.command != LIST_IFACE and not self.may_administer:
            raise RefusalError(errno.EPERM)
        for kind, value in asked.attributes.items():
            if SIZES.get(kind, len(value)) != len(value):
                raise RefusalError(errno.EINVAL)
        if self.is_strict and KEY_BYTES in asked.attributes:
            raise RefusalError(errno.EINVAL)
        if asked.command in self.fails:
            raise RefusalError(self.fails[asked.command])
        if asked.flags & DUMP == DUMP:
            yield from self._listed(asked)
            return
        if asked.command in (ADD_KEY, ADD_DEV, ADD_SECLEVEL) and (
            asked.flags & (CREATE | EXCL) != CREATE | EXCL
        ):
            raise RefusalError(errno.EINVAL)
        name = asked.attributes[DEV_NAME].rstrip(b"\0").decode()
        wpan = self.interfaces.get(name)
        if wpan is None:
            raise RefusalError(errno.ENODEV)
        if asked.command != LIST_IFACE and not self.has_llsec:
            raise RefusalError(errno.EOPNOTSUPP)
        yield from _ONE[asked.command](self, wpan, asked)

    def _listed(self, asked: Message) -> Iterator[bytes]:
        """All interfaces in turn; one that does not fit is told from its beginning for ever."""
        for wpan in self.interfaces.values():
            entries = list(_LISTED[asked.command](wpan))
            pieces = 8 if len(entries) > PER_ANSWER else min(len(entries), 1)
            for _ in range(pieces):
                named = attribute(DEV_NAME, wpan.name.encode() + b"\0") + attribute(2, u32(7))
                header = struct.pack("=BBH", asked.command, 1, 0)
                yield b"".join(
                    packed(FAMILY_ID, MULTI, asked.sequence, header + named + entry)
                    for entry in entries[:PER_ANSWER]
                )
            if pieces > 1:
                return
        yield packed(DONE, MULTI, asked.sequence, struct.pack("=i", 0))

    # Commands

    def _interface(self, wpan: Interface, asked: Message) -> Iterator[bytes]:
        yield self._reply(
            asked,
            attribute(DEV_NAME, wpan.name.encode() + b"\0"),
            attribute(31, b"phy0\0"),
            attribute(DEV_INDEX, u32(7)),
            attribute(HW_ADDR, bytes.fromhex("020000fffe000001")),
            attribute(SHORT_ADDR, u16(0)),
            attribute(PAN_ID, u16(wpan.pan_id)),
        )

    def _parameters(self, wpan: Interface, asked: Message) -> Iterator[bytes]:
        mode, index = wpan.out_key
        key_id = attribute(KEY_ID, u8(index)) if mode else attribute(PAN_ID, u16(0))
        yield self._reply(
            asked,
            attribute(DEV_NAME, wpan.name.encode() + b"\0"),
            attribute(DEV_INDEX, u32(7)),
            attribute(ENABLED, u8(wpan.enabled)),
            attribute(SECLEVEL, u8(wpan.out_level)),
            attribute(FRAME_COUNTER, u32(wpan.frame_counter)),
            attribute(KEY_MODE, u8(mode)),
            key_id,
        )

    def _reply(self, asked: Message, *attributes: bytes) -> bytes:
        header = struct.pack("=BBH", asked.command, 1, 0)
        return packed(FAMILY_ID, 0, asked.sequence, header + b"".join(attributes))

    def _set_parameters(self, wpan: Interface, asked: Message) -> Iterator[bytes]:
        yield from ()
        if not {ENABLED, KEY_MODE, SECLEVEL} & asked.attributes.keys():
            raise RefusalError(errno.EINVAL)
        if asked.number(SECLEVEL) > 7:
            raise RefusalError(errno.EINVAL)
        wpan.enabled = asked.number(ENABLED, wpan.enabled)
        if KEY_MODE in asked.attributes:
            mode, index, _ = _key_id(asked)
            wpan.out_key = (mode, index)
        wpan.out_level = asked.number(SECLEVEL, wpan.out_level)
        wpan.frame_counter = asked.number(FRAME_COUNTER, wpan.frame_counter)

    def _add_key(self, wpan: Interface, asked: Message) -> Iterator[bytes]:
        yield from ()
        if FRAME_TYPES not in asked.attributes or len(asked.attributes[KEY_BYTES]) != 16:
            raise RefusalError(errno.EINVAL)
        named, entry = _key_id(asked), (asked.number(FRAME_TYPES), asked.attributes[KEY_BYTES])
        others = [types for types, value in wpan.keys.values() if value == entry[1]]
        if named in wpan.keys or any(types != entry[0] for types in others):
            raise RefusalError(errno.EEXIST)
        wpan.keys[named] = entry

    def _del_key(self, wpan: Interface, asked: Message) -> Iterator[bytes]:
        yield from ()
        if wpan.keys.pop(_key_id(asked), None) is None:
            raise RefusalError(errno.ENOENT)

    def _add_level(self, wpan: Interface, asked: Message) -> Iterator[bytes]:
        yield from ()
        entry = _level_of(asked)
        if entry in wpan.levels:
            raise RefusalError(errno.EEXIST)
        wpan.levels.append(entry)

    def _del_level(self, wpan: Interface, asked: Message) -> Iterator[bytes]:
        yield from ()
        if _level_of(asked) not in wpan.levels:
            raise RefusalError(errno.ENOENT)
        wpan.levels.remove(_level_of(asked))

    def _add_dev(self, wpan: Interface, asked: Message) -> Iterator[bytes]:
        yield from ()
        needed = {FRAME_COUNTER, HW_ADDR, DEV_OVERRIDE, DEV_KEY_MODE}
        has_pan, has_short = (kind in asked.attributes for kind in (PAN_ID, SHORT_ADDR))
        if not needed <= asked.attributes.keys() or has_pan != has_short:
            raise RefusalError(errno.EINVAL)
        eui64, pan_id = asked.attributes[HW_ADDR], asked.number(PAN_ID)
        short = asked.number(SHORT_ADDR, 0xFFFE)
        taken = [(each.pan_id, each.short) for each in wpan.devices.values()]
        if eui64 in wpan.devices or (short < 0xFFFE and (pan_id, short) in taken):
            raise RefusalError(errno.EEXIST)
        wpan.devices[eui64] = Device(pan_id, short, asked.number(FRAME_COUNTER))

    def _del_dev(self, wpan: Interface, asked: Message) -> Iterator[bytes]:
        yield from ()
        if wpan.devices.pop(asked.attributes[HW_ADDR], None) is None:
            raise RefusalError(errno.ENOENT)


def _key_id(asked: Message) -> tuple[int, int, int]:
    mode = asked.number(KEY_MODE)
    if KEY_MODE not in asked.attributes or (mode and KEY_ID not in asked.attributes):
        raise RefusalError(errno.EINVAL)
    if mode == 2 and SOURCE_SHORT not in asked.attributes:
        raise RefusalError(errno.EINVAL)
    return mode, asked.number(KEY_ID), asked.number(SOURCE_SHORT)


def _level_of(asked: Message) -> tuple[int, int]:
    if not {FRAME_TYPE, SECLEVELS, DEV_OVERRIDE} <= asked.attributes.keys():
        raise RefusalError(errno.EINVAL)
    return asked.number(FRAME_TYPE), asked.number(SECLEVELS)


def _keys(wpan: Interface) -> Iterator[bytes]:
    for (mode, index, source), (types, value) in reversed(wpan.keys.items()):
        yield (
            attribute(KEY_MODE, u8(mode))
            + attribute(KEY_ID, u8(index))
            + (attribute(SOURCE_SHORT, u32(source)) if mode == 2 else b"")
            + attribute(FRAME_TYPES, u8(types))
            + attribute(KEY_BYTES, value)
        )


def _levels(wpan: Interface) -> Iterator[bytes]:
    for kind, levels in wpan.levels:
        yield (
            attribute(FRAME_TYPE, u8(kind))
            + attribute(SECLEVELS, u8(levels))
            + attribute(DEV_OVERRIDE, u8(0))
        )


def _devices(wpan: Interface) -> Iterator[bytes]:
    for eui64, each in wpan.devices.items():
        yield (
            attribute(PAN_ID, u16(each.pan_id))
            + attribute(SHORT_ADDR, u16(each.short))
            + attribute(HW_ADDR, eui64)
            + attribute(FRAME_COUNTER, u32(each.frame_counter))
            + attribute(DEV_OVERRIDE, u8(0))
            + attribute(DEV_KEY_MODE, u8(0))
        )


_ONE: dict[int, Callable[[PlayedKernel, Interface, Message], Iterator[bytes]]] = {
    LIST_IFACE: PlayedKernel._interface,
    GETPARAMS: PlayedKernel._parameters,
    SETPARAMS: PlayedKernel._set_parameters,
    ADD_KEY: PlayedKernel._add_key,
    DEL_KEY: PlayedKernel._del_key,
    ADD_SECLEVEL: PlayedKernel._add_level,
    DEL_SECLEVEL: PlayedKernel._del_level,
    ADD_DEV: PlayedKernel._add_dev,
    DEL_DEV: PlayedKernel._del_dev,
}
_LISTED = {LIST_KEY: _keys, LIST_SECLEVEL: _levels, LIST_DEV: _devices}

"""Requests and answers of the generic netlink family "802.15.4 MAC", as bytes.

Nothing is shared with the program: numbers and sizes are after include/linux/nl802154.h and
net/ieee802154/nl_policy.c of Linux 6.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

FAMILY_ID = 0x1D
GENL_CONTROLLER = 0x10
GETFAMILY = 3
ERROR, DONE = 2, 3
REQUEST, MULTI, ACK, DUMP = 1, 2, 4, 0x300
EXCL, CREATE = 0x200, 0x400

(LIST_IFACE, GETPARAMS, SETPARAMS, LIST_KEY, ADD_KEY, DEL_KEY, LIST_DEV, ADD_DEV, DEL_DEV) = (
    31, 36, 37, 38, 39, 40, 41, 42, 43,
)  # fmt: skip
LIST_SECLEVEL, ADD_SECLEVEL, DEL_SECLEVEL = 47, 48, 49

DEV_NAME, DEV_INDEX, SHORT_ADDR, HW_ADDR, PAN_ID = 1, 2, 4, 5, 6
ENABLED, SECLEVEL, KEY_MODE, SOURCE_SHORT, SOURCE_EXTENDED, KEY_ID = 41, 42, 43, 44, 45, 46
FRAME_COUNTER, KEY_BYTES, FRAME_TYPES, FRAME_TYPE, SECLEVELS = 47, 48, 49, 51, 53
DEV_OVERRIDE, DEV_KEY_MODE = 54, 55

SIZES = {
    DEV_INDEX: 4, SHORT_ADDR: 2, HW_ADDR: 8, PAN_ID: 2, ENABLED: 1, SECLEVEL: 1, KEY_MODE: 1,
    SOURCE_SHORT: 4, SOURCE_EXTENDED: 8, KEY_ID: 1, FRAME_COUNTER: 4, FRAME_TYPES: 1,
    FRAME_TYPE: 1, SECLEVELS: 1, DEV_OVERRIDE: 1, DEV_KEY_MODE: 1,
}  # fmt: skip
"""What nl_policy.c lets an attribute have; the bytes of a key have no type there."""


class Message(NamedTuple):
    """A request, taken apart by hand."""

    type: int
    flags: int
    sequence: int
    command: int
    version: int
    attributes: dict[int, bytes]

    def number(self, attribute: int, otherwise: int = 0) -> int:
        """An attribute in the order of this host's bytes."""
        value = self.attributes.get(attribute)
        return otherwise if value is None else int.from_bytes(value, "little")


def unpacked(datagram: bytes) -> Message:
    """A request; every length in it has to be right."""
    length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", datagram)
    command, version, reserved = struct.unpack_from("=BBH", datagram, 16)
    assert (length, reserved) == (len(datagram), 0)
    return Message(kind, flags, sequence, command, version, dict(attributes_in(datagram[20:])))


def attributes_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Attributes one after the other, each padded to 4 bytes."""
    while data:
        length, kind = struct.unpack_from("=HH", data)
        assert 4 <= length <= len(data)
        yield kind, data[4:length]
        data = data[(length + 3) & ~3 :]


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def packed(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A netlink message."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def u8(value: int) -> bytes:
    return struct.pack("=B", value)


def u16(value: int) -> bytes:
    return struct.pack("=H", value)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)

"""The back-channel's lines: what a device prints and what it is sent (docs/back-channel.md).

A line is ``jrc1``, a word, fields ``name=value``, and a CRC-32 of all that stands before it. What
stands before ``jrc1`` or behind the CRC is no part of it: consoles put other things on a line.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jrc.cojp import cbor
from jrc.model import PledgeId
from jrc.policy.key_check import CHECK_BYTES
from jrc.provision.device import USUAL, Device

MAX_LINE_BYTES: Final = 256
"""Of a line of the protocol without its end, in either direction."""
MAX_ID_BYTES: Final = 32
"""Longer identifiers leave no room for derived keys in a line."""
NONCE_DIGITS: Final = 8
NO_KEY: Final = "none"

LABEL_ID: Final = 1
LABEL_PSK: Final = 2
LABEL_SENDER_KEY: Final = 3
LABEL_RECIPIENT_KEY: Final = 4
LABEL_COMMON_IV: Final = 5
LABEL_CHECK: Final = 6
"""Labels of the map that a key travels in."""

MARK: Final = "jrc1 "
"""What a console's line has that is the protocol's."""
_LINE: Final = re.compile(r"(jrc1 [\x20-\x7e]{0,256}?) crc=([0-9a-f]{8})(?![0-9a-zA-Z])")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")


class Word(StrEnum):
    """What a line is: the first three are a device's, the others are for a device."""

    HELLO = "hello"
    """Its identifier, the check value of its key or that it has none, and an offer's nonce."""
    STORED = "stored"
    """The key is in its flash, and reads back with this check value."""
    REFUSED = "refused"
    KEY = "key"
    WHO = "who"
    """A question for a hello."""


class Why(StrEnum):
    """Why a device refuses a line."""

    CHECKSUM = "checksum"
    """Length, CRC or hexadecimal digits are wrong."""
    KEY = "key"
    """It has a key already."""
    LATE = "late"
    """It answers another offer than the last one."""
    FORM = "form"
    """The key is in a form that it can't use."""
    OTHER = "other"
    """The key is another device's."""
    CHECK = "check"
    """The key does not have the check value that came with it."""
    STORAGE = "storage"
    """Its flash did not take the key; it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line of a device. ``check`` is None where it has no key; ``why`` of refusals alone.

    A reason that is not known is ``FORM``: nothing but another key would help.
    """

    word: Word
    identifier: PledgeId
    check: str | None
    nonce: str
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Echo:
    """A line that is meant for devices came back from the console."""


def said_in(line: str) -> Said | Echo | None:
    """What a line of a console says in the protocol; None where it is of something else.

    A line that was begun, cut off by a reset and gone on with on the same line counts from its
    last beginning.
    """
    found = _LINE.search(line, max(line.rfind(MARK), 0))
    if found is None or len(found[0]) > MAX_LINE_BYTES or found[2] != _crc(found[1]):
        return _echo_in(line)
    _, word, *fields = found[1].split(" ")
    if word in (Word.KEY, Word.WHO):
        return Echo()
    return _said(word, dict(_pairs(fields)))


def _echo_in(line: str) -> Echo | None:
    """A terminal may break a long line, so that its CRC is on the next one."""
    return Echo() if f"{MARK}{Word.KEY} n=" in line else None


def _pairs(fields: list[str]) -> list[tuple[str, str]]:
    split = (field.partition("=") for field in fields)
    return [(name, value) for name, equals, value in split if equals]


def _said(word: str, fields: Mapping[str, str]) -> Said | None:
    identifier, nonce = _hex(fields.get("id", "")), fields.get("n", "")
    key, why = fields.get("key", ""), fields.get("why")
    if word not in (Word.HELLO, Word.STORED, Word.REFUSED) or identifier is None:
        return None
    if len(identifier) > MAX_ID_BYTES or not _is_hex(nonce, NONCE_DIGITS):
        return None
    if key != NO_KEY and not _is_hex(key, 2 * CHECK_BYTES):
        return None
    return Said(
        word=Word(word),
        identifier=PledgeId(identifier),
        check=None if key == NO_KEY else key,
        nonce=nonce,
        why=_reason(why) if word == Word.REFUSED else None,
    )


def _reason(text: str | None) -> Why:
    return Why(text) if text in tuple(Why) else Why.FORM


def _hex(text: str) -> bytes | None:
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.fullmatch(text) is not None


def who_line() -> str:
    """Asks whatever device is there for its hello."""
    return sealed(f"{Word.WHO}")


def key_line(device: Device, nonce: str) -> str:
    """Gives a device its key, in answer to the offer with this nonce; the identifier fits."""
    content = payload(device)
    return sealed(f"{Word.KEY} n={nonce} len={len(content)} data={content.hex()}")


def sealed(content: str) -> str:
    """A line with its CRC, without an end."""
    text = MARK + content
    return f"{text} crc={_crc(text)}"


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode('ascii')):08x}"


def payload(device: Device) -> bytes:
    """The map of identifier, keys and check value, with its labels in ascending order."""
    if device.algorithms != USUAL:
        raise ValueError("the back-channel knows the usual algorithms alone")
    keys = device.keys
    values = {LABEL_ID: device.identifier.value}
    if device.psk is not None:
        values[LABEL_PSK] = device.psk.reveal()
    else:
        values[LABEL_SENDER_KEY] = keys.pledge_sender_key.reveal()
        values[LABEL_RECIPIENT_KEY] = keys.pledge_recipient_key.reveal()
        values[LABEL_COMMON_IV] = keys.common_iv.reveal()
    values[LABEL_CHECK] = bytes.fromhex(device.key_check)
    items = (cbor.encode_int(label) + cbor.encode_bytes(value) for label, value in values.items())
    return cbor.head(cbor.MAP, len(values)) + b"".join(items)

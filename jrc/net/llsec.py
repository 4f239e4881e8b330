"""What the kernel is to have for one IEEE 802.15.4 interface: its link-layer security tables.

Linux keeps four things for each interface: keys by index with the frames they are for, the security
levels that incoming frames may have, the devices whose frames are taken, and one key with one level
for all that is sent. Names and numbers: include/linux/ieee802154.h, net/mac802154/llsec.c.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from jrc.cojp.constants import KEY_USAGES, KeyUsage
from jrc.model import KeySetState, Secret

BEACON: Final = 0
"""Frame type: IEEE802154_FC_TYPE_BEACON."""
DATA: Final = 1
"""Frame type: IEEE802154_FC_TYPE_DATA."""
KEY_BY_INDEX: Final = 1
"""Key ID Mode 1: IEEE802154_SCF_KEY_INDEX."""
_MIC_LEVELS: Final = {4: 1, 8: 2, 16: 3}
"""Security level by bytes of MIC, without encryption: IEEE802154_SCF_SECLEVEL_MIC32 and on."""
_ENCRYPTS: Final = 4
"""IEEE802154_SCF_SECLEVEL_ENC: added to the level where data is encrypted."""


@dataclass(frozen=True, slots=True)
class RadioKey:
    """A key by its index; ``frame_types`` has a bit for each type it is for."""

    index: int
    frame_types: int
    value: Secret


class Level(NamedTuple):
    """``levels`` has a bit for each security level that frames of this type may have."""

    frame_type: int
    levels: int


class Node(NamedTuple):
    """A node whose frames are taken: nonces need its EUI-64, frames may have its short address."""

    eui64: bytes
    short_address: int | None


class Outgoing(NamedTuple):
    """The key and the security level of all that is sent."""

    key_index: int
    level: int


@dataclass(frozen=True, slots=True)
class Tables:
    """What the kernel is to have; ``generation`` is that of the key for sending."""

    generation: int
    keys: tuple[RadioKey, ...]
    levels: tuple[Level, ...]
    outgoing: Outgoing
    nodes: tuple[Node, ...]


def tables_of(document: Secret) -> Tables:
    """The tables for an installer's document (``service/key_document.py``).

    Keys of every state are there to receive with; those in force come first, and the one of them
    that covers data frames is for sending. RFC 9031 §8.4.3, Table 6

    Raises:
        ValueError: Linux can't have it; in a sentence without a key.
    """
    told = json.loads(document.reveal())
    keys: Sequence[dict[str, Any]] = told["keys"]
    return Tables(
        generation=told["generation"],
        keys=tuple(_key(each) for each in keys),
        levels=_levels(KEY_USAGES[each["key_usage"]] for each in keys),
        outgoing=_outgoing(keys),
        nodes=tuple(_node(each) for each in told.get("nodes", ())),
    )


def _key(told: dict[str, Any]) -> RadioKey:
    index, usage = told["key_id"], KEY_USAGES[told["key_usage"]]
    if told["addinfo"] is not None:
        raise ValueError(
            f"key {index} is named by a key source as well, and this installer sets keys by their"
            " index alone (Key ID Mode 1)"
        )
    types = usage.covers_beacons << BEACON | usage.covers_data << DATA
    return RadioKey(index, types, Secret(bytes.fromhex(told["value"])))


def _levels(usages: Iterable[KeyUsage]) -> tuple[Level, ...]:
    """One entry for each type of frame: the kernel looks at the first that it finds."""
    bits = {BEACON: 0, DATA: 0}
    for usage in usages:
        if usage.covers_beacons:
            bits[BEACON] |= 1 << _MIC_LEVELS[usage.mic_length]
        if usage.covers_data:
            bits[DATA] |= 1 << _data_level(usage)
    return tuple(Level(frame_type, levels) for frame_type, levels in bits.items() if levels)


def _data_level(usage: KeyUsage) -> int:
    return _MIC_LEVELS[usage.mic_length] + (_ENCRYPTS if usage.encrypts else 0)


def _outgoing(keys: Iterable[dict[str, Any]]) -> Outgoing:
    for each in keys:
        usage = KEY_USAGES[each["key_usage"]]
        if each["state"] == KeySetState.CURRENT and usage.covers_data:
            return Outgoing(each["key_id"], _data_level(usage))
    raise ValueError("no key that is in force covers data frames")


def _node(told: dict[str, Any]) -> Node:
    short = told["short_id"]
    return Node(bytes.fromhex(told["eui64"]), None if short is None else int(short, 16))

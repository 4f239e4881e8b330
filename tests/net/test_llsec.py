"""From an installer's document to the kernel's tables (RFC 9031 §8.4.3, Table 6)."""

import json
from typing import Any

import pytest

from jrc.model import Secret
from jrc.net.llsec import BEACON, DATA, Level, Node, Outgoing, RadioKey, tables_of

VALUE = bytes(range(16))


def key(key_id: int = 1, usage: int = 0, state: str = "current", **more: Any) -> dict[str, Any]:
    """A key as the document has it."""
    named = {"key_id": key_id, "key_usage": usage, "state": state, "generation": 1}
    return {**named, "mic_length": 4, "addinfo": None, "value": VALUE.hex(), **more}


def document(*keys: dict[str, Any], **more: Any) -> Secret:
    told = {"format": 1, "network": "lab", "generation": 5, "keys": list(keys), **more}
    return Secret(json.dumps(told).encode())


@pytest.mark.parametrize(
    ("usage", "beacons", "data"),
    [(0, 1, 5), (1, 2, 6), (2, 3, 7), (3, 1, 1), (4, 2, 2), (5, 3, 3)],
)
def test_one_key_for_beacons_and_data_encrypts_data_alone(
    usage: int, beacons: int, data: int
) -> None:
    """6TiSCH-K1K2 and K1K2-ENC: levels as in IEEE 802.15.4 Table 9-6; beacons are never secret."""
    found = tables_of(document(key(7, usage)))
    assert found.keys == (RadioKey(7, 1 << BEACON | 1 << DATA, Secret(VALUE)),)
    assert found.levels == (Level(BEACON, 1 << beacons), Level(DATA, 1 << data))
    assert (found.outgoing, found.generation) == (Outgoing(7, data), 5)


@pytest.mark.parametrize(("usage", "data"), [(9, 1), (10, 2), (11, 3), (12, 5), (13, 6), (14, 7)])
def test_k1_is_for_beacons_and_k2_for_data_and_for_sending(usage: int, data: int) -> None:
    """6TiSCH-K1, K2 and K2-ENC; Linux sends data frames, and its beacons are not protected."""
    found = tables_of(document(key(1, 8), key(2, usage, value=VALUE[::-1].hex())))
    assert [(each.index, each.frame_types) for each in found.keys] == [(1, 1), (2, 2)]
    assert found.levels == (Level(BEACON, 1 << 3), Level(DATA, 1 << data))
    assert found.outgoing == Outgoing(2, data)


def test_keys_of_every_state_are_received_and_only_those_in_force_are_sent_with() -> None:
    """RFC 9031 §8.4.3.2: frames under the old and the new ones are taken meanwhile."""
    found = tables_of(document(key(4, 0, "previous"), key(5, 1, "scheduled"), key(3, 3)))
    assert [each.index for each in found.keys] == [4, 5, 3]
    assert found.levels == (Level(BEACON, 0b110), Level(DATA, 1 << 5 | 1 << 6 | 1 << 1))
    assert found.outgoing == Outgoing(3, 1)


def test_nodes_have_an_eui64_and_a_short_address_or_none() -> None:
    """A nonce is made with the EUI-64, whatever address a frame has."""
    told = [
        {"eui64": "0001020304050607", "short_id": "00ff"},
        {"eui64": "08" * 8, "short_id": None},
    ]
    found = tables_of(document(key(), nodes=told))
    assert found.nodes == (Node(bytes(range(8)), 0xFF), Node(b"\x08" * 8, None))
    assert tables_of(document(key())).nodes == ()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (key(addinfo="01020304"), "key 1 is named by a key source"),
        (key(0, addinfo="0102"), "key 0 is named by a key source"),
        (key(1, 0, "previous"), "no key that is in force covers data frames"),
        (key(1, 6), "no key that is in force covers data frames"),
    ],
)
def test_what_linux_can_not_have_is_said_without_the_key(told: dict[str, Any], why: str) -> None:
    """Key sources (RFC 9031 §8.4.3.3), and a document without a key to send with."""
    with pytest.raises(ValueError, match=why) as caught:
        tables_of(document(told))
    assert VALUE.hex() not in str(caught.value)

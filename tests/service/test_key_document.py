"""The document for installers, and what of a program's words may be shown."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.objects import LinkLayerKey
from jrc.model import KeySetState, Secret
from jrc.policy.keys import KeySet
from jrc.service.key_document import (
    MAX_SHOWN_CHARACTERS,
    WITHHELD,
    InstallReason,
    WantedKeys,
    key_document,
    shown_line,
)
from jrc.service.records import JoinedNode
from tests.daemon.test_secrets import forms

KEY = bytes.fromhex("8a5c01ff7e00274bd3915c6de2f04b1a")


def wanted(*key_sets: KeySet) -> WantedKeys:
    """Keys of a network."""
    return WantedKeys(
        network="lab",
        network_id=1,
        identifiers=(b"\xca\xfe", b"\xfe\xca"),
        generation=2,
        key_sets=key_sets,
    )


def key_set(generation: int, state: KeySetState, addinfo: bytes | None = None) -> KeySet:
    """One key, numbered as its generation."""
    value = Secret(generation.to_bytes(16))
    return KeySet(generation, state, (LinkLayerKey(generation, value, 1, addinfo),))


def test_the_document_has_every_field_of_its_description() -> None:
    """Format 1; keys in force first, then those before, then those to come."""
    document = key_document(
        wanted(
            key_set(1, KeySetState.PREVIOUS),
            key_set(2, KeySetState.CURRENT, b"\x01\x02\x03\x04"),
            key_set(3, KeySetState.SCHEDULED),
        ),
        InstallReason.CHANGE,
    )
    assert str(document) == "[redacted]"
    assert document.reveal().count(b"\n") == 1
    first, second, third = (
        {
            "generation": number,
            "state": state,
            "key_id": number,
            "key_usage": 1,
            "mic_length": 8,
            "addinfo": addinfo,
            "value": f"{number:032x}",
        }
        for number, state, addinfo in (
            (2, "current", "01020304"),
            (1, "previous", None),
            (3, "scheduled", None),
        )
    )
    assert json.loads(document.reveal()) == {
        "format": 1,
        "reason": "change",
        "network": "lab",
        "identifiers": ["cafe", "feca"],
        "generation": 2,
        "keys": [first, second, third],
    }


def test_nodes_are_named_where_a_radio_needs_them() -> None:
    """By EUI-64 and short identifier; Linux can't know a node with another identifier."""
    nodes = (
        JoinedNode(bytes(range(8)), 0x00FE),
        JoinedNode(b"\x08" * 8, None),
        JoinedNode(b"x", 9),
    )
    told = replace(wanted(key_set(2, KeySetState.CURRENT)), nodes=nodes)
    document = json.loads(key_document(told, InstallReason.CHANGE).reveal())
    assert document["nodes"] == [
        {"eui64": "0001020304050607", "short_id": "00fe"},
        {"eui64": "0808080808080808", "short_id": None},
    ]


def test_other_nodes_are_no_other_keys() -> None:
    """The log says once that keys are in, and not for each node."""
    before = wanted(key_set(2, KeySetState.CURRENT))
    after = replace(before, nodes=(JoinedNode(bytes(8), 1),))
    assert after.has_keys_of(before)
    assert not after.has_keys_of(replace(before, generation=1))
    assert not after.has_keys_of(None)


def test_the_first_line_that_says_something_is_shown() -> None:
    """Blank ones are skipped, what is no UTF-8 is replaced."""
    assert shown_line(b"\n \r\nno radio\nsecond", ()) == "no radio"
    assert shown_line(b"\xff\xfe?", ()) == "\ufffd\ufffd?"
    assert shown_line(b"", ()) == ""


def test_a_long_line_is_cut() -> None:
    """A program may print what it likes."""
    shown = shown_line(b"x" * 4096, (Secret(KEY),))
    assert shown == "x" * MAX_SHOWN_CHARACTERS + "..."


@pytest.mark.parametrize("form", [*forms(KEY), "spaced", "cut", "C array"])
def test_a_line_with_a_key_is_withheld_however_it_is_written(form: str) -> None:
    """RFC 9031 §9: a program that traces itself must not spill keys into the log."""
    written = {
        **forms(KEY),
        "spaced": KEY.hex(" ").encode(),
        "cut": KEY.hex()[11:21].encode(),
        "C array": ", ".join(f"0x{byte:02X}" for byte in KEY).encode(),
    }[form]
    line = b"+ set-key 1 " + written + b" at /dev/ttyACM0"
    assert shown_line(line, (Secret(bytes(16)), Secret(KEY))) == WITHHELD


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=150))
def test_other_words_are_shown(text: str) -> None:
    """A key is not found where there is none."""
    assert shown_line(text.encode(), (Secret(KEY),)) == text.strip()

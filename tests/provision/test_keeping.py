"""A key that stays when a device is flashed anew: its numbers go on (RFC 8613 §7.2.1)."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.constants import MAX_SEQUENCE_NUMBER
from jrc.errors import ExitCode, OperatorError
from jrc.provision.device import Device, Numbers
from jrc.provision.keeping import MARGIN, Known, kept, known_from
from tests.provision.source import EUI64, OTHER, device

FORMER = {EUI64.value: device(), OTHER.value: device(identifier=OTHER)}


def shown(**fields: object) -> dict[str, object]:
    """What `jrc pledge show --json` says of the device, as far as it counts here."""
    return {
        "pledge_id": str(EUI64),
        "state": "joined",
        "highest_number": 41,
        "next_sender_number": 7,
        "damage": None,
        "recovery": None,
        **fields,
    }


def keep(**fields: object) -> Device:
    (made,) = kept(FORMER, [EUI64], known_from(json.dumps(shown(**fields)), "state.json"))
    return made


def test_numbers_go_on_far_above_the_highest_accepted() -> None:
    """Its own 2**24 above, for those that were lost; the registrar's where it goes on itself."""
    made = keep()
    assert Numbers(41 + 2**24, 7) == made.numbers
    assert FORMER[EUI64.value].keys == made.keys
    assert Numbers(2**24 - 1, 0) == keep(highest_number=-1, next_sender_number=0).numbers


def test_a_kept_device_goes_on_above_its_own_beginning() -> None:
    """All that the former firmware has sent may have been lost; its beginning is in its file."""
    once = keep()
    (twice,) = kept({EUI64.value: once}, [EUI64], {EUI64.value: Known(41, 7)})
    assert Numbers(once.numbers.ssn_start - 1 + MARGIN, 7) == twice.numbers
    heard = once.numbers.ssn_start + 5
    (later,) = kept({EUI64.value: once}, [EUI64], {EUI64.value: Known(heard, 7)})
    assert heard + MARGIN == later.numbers.ssn_start


def test_numbers_end_where_a_former_beginning_leaves_no_room() -> None:
    """RFC 8613 §7.2.1: the last one that fits is taken, none above it."""
    for start, fits in ((MAX_SEQUENCE_NUMBER - MARGIN + 1, True), (MAX_SEQUENCE_NUMBER, False)):
        former = {EUI64.value: replace(device(), numbers=Numbers(start, 0))}
        if fits:
            (made,) = kept(former, [EUI64], {EUI64.value: Known(41, 7)})
            assert MAX_SEQUENCE_NUMBER == made.numbers.ssn_start
        else:
            with pytest.raises(OperatorError, match="used up"):
                kept(former, [EUI64], {EUI64.value: Known(41, 7)})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"next_sender_number": None}, "its security context was replaced since"),
        ({"recovery": "waiting"}, "its security context was lost"),
        ({"damage": "its window: see"}, "are damaged"),
        ({"state": "revoked"}, "it is revoked"),
        ({"state": "superseded"}, "it is superseded"),
        ({"state": "transferred"}, "it is transferred"),
        ({"state": "removed"}, "it is removed"),
        ({"highest_number": MAX_SEQUENCE_NUMBER - MARGIN + 1}, "used up"),
        ({"next_sender_number": MAX_SEQUENCE_NUMBER + 1}, "used up"),
        (
            {"keys": [{"state": "current", "key_check": "00000000"}]},
            "another key than what --keep names",
        ),
    ],
)
def test_a_device_whose_numbers_can_not_go_on_gets_no_old_key(
    fields: dict[str, object], said: str
) -> None:
    """It is named, with what to do instead; the highest number that fits is taken."""
    with pytest.raises(OperatorError, match=said) as refused:
        keep(**fields)
    assert str(EUI64) in refused.value.message
    assert refused.value.hint
    most = keep(highest_number=MAX_SEQUENCE_NUMBER - MARGIN)
    assert MAX_SEQUENCE_NUMBER == most.numbers.ssn_start


def test_without_what_the_registrar_knows_nothing_is_kept() -> None:
    """Lost requests may be above anything that the builder knows."""
    with pytest.raises(OperatorError, match="without what the registrar knows") as refused:
        kept(FORMER, [EUI64, OTHER], {EUI64.value: Known(1, 1)})
    assert f"`jrc pledge show {OTHER} --json`" in refused.value.hint


def test_a_device_that_had_no_key_here_is_named() -> None:
    """It does not quietly get a new one."""
    with pytest.raises(OperatorError, match=f"{OTHER} has no key"):
        kept({EUI64.value: device()}, [OTHER], {OTHER.value: Known(1, 1)})


def test_its_key_check_value_is_compared_where_the_registrar_says_it() -> None:
    """The key in force; a former one may have any."""
    value = FORMER[EUI64.value].key_check
    keys = [
        {"state": "current", "key_check": value},
        {"state": "superseded", "key_check": "00000000"},
        {"state": "candidate"},
    ]
    assert 41 + MARGIN == keep(keys=keys).numbers.ssn_start
    for former in ("superseded", "candidate"):
        keys = [
            {"state": "current", "key_check": "00000000"},
            {"state": former, "key_check": value},
        ]
        with pytest.raises(OperatorError, match="another key than what --keep names"):
            keep(keys=keys)


OUTPUTS = (
    lambda values: "\n".join(json.dumps(value, indent=2) for value in values),
    lambda values: "\n".join(json.dumps(value) for value in values) + "\n",
    lambda values: json.dumps(values),
    lambda values: " " + json.dumps(values[:1]) + json.dumps(values[1]) + " ",
)


@pytest.mark.parametrize("output", OUTPUTS, ids=["documents", "lines", "array", "mixed"])
def test_outputs_of_several_devices_are_read_in_each_form(output: Any) -> None:
    """As a loop over `jrc pledge show`, or jq, leaves them."""
    values = [shown(), shown(pledge_id=str(OTHER), highest_number=5)]
    found = known_from(output(values), "state.json")
    assert {EUI64.value: Known(41, 7), OTHER.value: Known(5, 7)} == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "what begins in line 1 is not JSON"),
        (json.dumps(shown()) + "\nx", "what begins in line 2 is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("7", "something else than pledges"),
        ("{}", "without the pledge_id"),
        (json.dumps(shown(pledge_id=7)), "without the pledge_id"),
        (json.dumps(shown()) * 2, "twice"),
        (json.dumps(shown(highest_number="41")), "highest_number is no sequence number"),
        (json.dumps(shown(highest_number=True)), "highest_number is no sequence number"),
        (json.dumps(shown(highest_number=-2)), "highest_number is no sequence number"),
        (json.dumps(shown(next_sender_number=2**41)), "next_sender_number is no sequence"),
        (json.dumps({"pledge_id": str(EUI64)}), "highest_number is missing"),
    ],
)
def test_what_is_no_output_of_show_is_refused(text: str, said: str) -> None:
    """With the file and the place."""
    with pytest.raises(OperatorError, match=said) as refused:
        known_from(text, "state.json")
    assert (ExitCode.USAGE, True) == (refused.value.exit_code, "state.json" in str(refused.value))


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else comes of it."""
    try:
        known_from(text, "state.json")
    except OperatorError as error:
        assert ExitCode.USAGE == error.exit_code

"""Taking over a network that runs: its keys, and the short addresses that its nodes have."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.errors import ExitCode, OperatorError
from jrc.model import Profile, ShortIdRange
from jrc.service.events import list_events
from jrc.service.network_reports import NetworkReport, show_network
from jrc.service.networks import remove_network
from jrc.service.survey import survey
from jrc.service.takeover import TakeOver, parse_take_over
from tests.desk import ACTOR, Desk
from tests.joining import Hall, hall_at, next_generation

K1, K2 = "8a5c01ff7e00274bd3915c6de2f04b1a", "1b6fe51c0d3a4f8890c2b7a4551e9d03"
FILE: dict[str, Any] = {
    "version": 1,
    "keys": [
        {"key_id": 9, "key_usage": 12, "value": K2},
        {"key_id": 7, "key_usage": 6, "value": K1},
    ],
    "short_ids_in_use": ["0001", "0010-001f", "abcd"],
}


def taken(**fields: object) -> TakeOver:
    """What the file says, with other fields."""
    return parse_take_over({**FILE, **fields})


def one_key(value: str = K1, **fields: object) -> dict[str, object]:
    """A file with one key for all frames."""
    return {"keys": [{"key_id": 1, "key_usage": 0, "value": value, **fields}]}


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar that has taken ``lab`` over."""
    desk.network(taken_over=taken(**one_key()))
    with hall_at(desk) as opened:
        yield opened


def show(desk: Desk) -> NetworkReport:
    return desk.read(lambda tx: show_network(tx, "lab"))


def test_a_file_gives_keys_and_short_addresses() -> None:
    """Keys in the order of their usages, addresses as ranges or alone, once each."""
    found = taken(short_ids_in_use=["0001", "0x0010-001F", "0012"])
    assert [(key.key_id, key.key_usage) for key in found.keys] == [(7, 6), (9, 12)]
    assert found.keys[0].key_value.reveal() == bytes.fromhex(K1)
    assert found.values == {1, *range(0x10, 0x20)}
    assert taken(**one_key(addinfo="01020304")).keys[0].addinfo == b"\x01\x02\x03\x04"
    without = {name: FILE[name] for name in ("version", "keys")}
    assert parse_take_over(without).values == frozenset()


def changed(path: str, value: object) -> dict[str, object]:
    """The file with another value at ``path``; ``...`` takes the field away."""
    given: Any = copy.deepcopy(FILE)
    at: Any = given
    *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in way:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return dict(given)


_LONG = "é" * 40
FAULTS = [
    ("version", ..., "the file: version is missing"),
    ("version", 2, "version: this program reads version 1"),
    ("version", True, "version: this program reads version 1"),
    ("keys", ..., "the file: keys is missing"),
    ("nmae", 1, "the file: has a field that is none of keys, short_ids_in_use, version"),
    ("keys", {}, "keys: must be a list of one key, or of two"),
    ("keys", [], "keys: must be a list of one key, or of two"),
    ("keys", [1], r"keys\[0\]: must be an object"),
    ("keys/1/value", ..., r"keys\[1\]: value is missing"),
    (f"keys/1/{K1}", 1, r"keys\[1\]: has a field that is none of addinfo, key_id, key_usage"),
    ("keys/0/key_id", "9", r"keys\[0\].key_id: must be a whole number up to 254"),
    ("keys/0/key_id", True, r"keys\[0\].key_id: must be a whole number"),
    ("keys/0/key_id", 255, r"keys\[0\].key_id: must be a whole number up to 254"),
    ("keys/0/key_id", int(K1, 16), r"keys\[0\].key_id: must be a whole number up to 254"),
    ("keys/0/key_id", 0, r"keys\[0\].key_id: key id 0 names a key of two neighbours"),
    ("keys/0/key_usage", 15, r"keys\[0\].key_usage: must be a whole number up to 14"),
    ("keys/0/key_usage", -1, r"keys\[0\].key_usage: must be a whole number up to 14"),
    ("keys/0/key_usage", 6, r"keys: key usages \(6 and 6\) leave beacons to 2 keys"),
    ("keys/0/key_usage", 0, "keys: key usages .* leave beacons to 2 keys"),
    ("keys/0/key_id", 7, r"keys\[1\].key_id: keys\[0\] has it too"),
    ("keys/0/value", K1, r"keys\[1\].value: keys\[0\] has it too"),
    ("keys/0/value", 1, r"keys\[0\].value: must be a string"),
    ("keys/0/value", "secret", r"keys\[0\].value: must be bytes in hex"),
    ("keys/0/value", _LONG, r"keys\[0\].value: must be bytes in hex"),
    ("keys/0/value", K1[2:], r"keys\[0\]: a link-layer key has 16 bytes, not 15"),
    ("keys/0/addinfo", "010203", r"keys\[0\]: a key source has 4 or 8 bytes, not 3"),
    ("keys/0/addinfo", 4, r"keys\[0\].addinfo: must be a string"),
    ("short_ids_in_use", "0001", "short_ids_in_use: must be a list"),
    ("short_ids_in_use/1", 16, r"short_ids_in_use\[1\]: must be a string"),
    ("short_ids_in_use/1", "10", r"short_ids_in_use\[1\]: must be four hex digits"),
    ("short_ids_in_use/1", "00g0", r"short_ids_in_use\[1\]: must be four hex digits"),
    ("short_ids_in_use/1", "1_00", r"short_ids_in_use\[1\]: must be four hex digits"),
    ("short_ids_in_use/1", "0001-0002-0003", r"short_ids_in_use\[1\]: must be four hex digits"),
    ("short_ids_in_use/1", "0001-", r"short_ids_in_use\[1\]: must be four hex digits"),
    ("short_ids_in_use/1", "fffe", r"short_ids_in_use\[1\]: fffe and ffff are no node's"),
    ("short_ids_in_use/1", "0000-ffff", r"short_ids_in_use\[1\]: fffe and ffff are no node's"),
    ("short_ids_in_use/1", "0020-0010", r"short_ids_in_use\[1\]: short identifiers go from"),
]


@pytest.mark.parametrize(("path", "value", "message"), FAULTS)
def test_d01_d03_d04_each_fault_is_one_sentence_with_its_place(
    path: str, value: object, message: str
) -> None:
    """RFC 9031 §8.4.3.3 and Table 6; no sentence has a value in it, which may be a key."""
    with pytest.raises(OperatorError, match=f"^keys-file: {message}") as refusal:
        parse_take_over(changed(path, value))
    said = refusal.value.message + refusal.value.hint
    for secret in (K1, K2, str(int(K1, 16)), _LONG, "secret"):
        assert secret not in said
    assert refusal.value.exit_code in (ExitCode.USAGE, ExitCode.REFUSED)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_NEARLY = st.fixed_dictionaries(
    {"version": st.just(1), "keys": _JSON | st.lists(st.fixed_dictionaries(
        {"key_id": _JSON, "key_usage": _JSON, "value": _JSON | st.just(K1)}, optional={
            "addinfo": _JSON}))},
    optional={"short_ids_in_use": _JSON | st.lists(st.text(alphabet="0af-x", max_size=10))},
)  # fmt: skip


@given(_NEARLY | st.dictionaries(st.text(), _JSON))
def test_whatever_a_file_holds_is_taken_or_refused(given_file: dict[str, object]) -> None:
    """Never another error."""
    try:
        found = parse_take_over(given_file)
    except OperatorError:
        return
    assert found.keys


def test_keys_are_in_force_and_said_to_be_taken_over(desk: Desk) -> None:
    """Row, report and audit log; the values are wrapped like any others."""
    report = desk.network(taken_over=taken())
    assert (report.generation, report.key_ids, report.key_usages) == (1, (7, 9), (6, 12))
    assert (report.keys_provenance, report.keys_public) == ("takeover", False)
    assert (report.short_ids_taken_over, report.short_ids_used) == (18, 18)
    first, _ = desk.read(list_events)
    assert (first.kind, first.detail) == (
        "key_generation.taken_over",
        {"key_domain": "lab", "generation": 1, "key_ids": [7, 9], "short_ids_in_use": 18},
    )
    stored = desk.path.read_bytes() + desk.path.with_name("jrc.db-wal").read_bytes()
    assert bytes.fromhex(K1) not in stored
    assert K1.encode() not in stored
    assert desk.network("other", b"\x02").keys_provenance == "generated"


@pytest.mark.parametrize(
    "value",
    [
        "e6bf4287c2d7618d6a9687445ffd33e6",
        "365469534348206d696e696d616c3135",
        "deadbeeffacecafedeadbeeffacecafe",
        "000102030405060708090a0b0c0d0e0f",
        "11" * 16,
    ],
)
def test_a_public_key_is_taken_over_and_said_to_be_public(desk: Desk, value: str) -> None:
    """Examples of RFC 9031 and RFC 8180, defaults of firmware, patterns."""
    assert desk.network(taken_over=taken(**one_key(value))).keys_public
    next_generation(desk, retire=True)
    report = show(desk)
    assert (report.keys_public, report.keys_provenance) == (False, "generated")


def test_a_pledge_gets_the_compiled_in_keys(hall: Hall) -> None:
    """As if this registrar had drawn them (RFC 9031 §8.4.3)."""
    (key,) = hall.join(hall.enroll()).keys
    assert (key.key_id, key.key_value.reveal().hex()) == (1, K1)


def test_f02_no_pledge_gets_a_short_address_that_a_node_has(desk: Desk) -> None:
    """RFC 9031 §8.4.4.1: all but one of the range are in use, and the one is given."""
    in_use = taken(**one_key(), short_ids_in_use=["0001-0006", "0008", "4000"])
    desk.network(taken_over=in_use, short_ids=ShortIdRange(1, 8))
    with hall_at(desk) as hall:
        first, second = hall.enroll(1), hall.enroll(2)
        assert hall.short_id(first) == 7
        assert hall.ask(second.request(bytes.fromhex("a10542cafe"))) is None
        assert hall.short_id(first) == 7


def test_f03_the_addresses_are_free_when_the_keys_that_were_taken_over_are_retired(
    desk: Desk,
) -> None:
    """Burned in one generation of keys, as anybody's would be."""
    desk.network(
        taken_over=taken(**one_key(), short_ids_in_use=["0001", "0003"]),
        short_ids=ShortIdRange(1, 3),
    )
    next_generation(desk, retire=False)
    assert show(desk).short_ids_taken_over == 2
    next_generation(desk, retire=True)
    assert (show(desk).short_ids_taken_over, show(desk).short_ids_used) == (0, 0)
    with hall_at(desk) as hall:
        given_out = {hall.short_id(hall.enroll(number)) for number in (1, 2, 3)}
    assert given_out == {1, 2, 3}
    assert desk.sql("SELECT count(*) FROM short_identifier WHERE pledge_id IS NULL") == [(0,)]


def test_a_range_without_a_free_value_is_refused(desk: Desk) -> None:
    """Nobody could join, and nobody would be told."""
    in_use = taken(**one_key(), short_ids_in_use=["0000-0010"])
    with pytest.raises(OperatorError, match="all of 0001-0010 are in use"):
        desk.network(taken_over=in_use, short_ids=ShortIdRange(1, 16))
    assert desk.sql("SELECT count(*) FROM network") == [(0,)]
    assert desk.sql("SELECT count(*) FROM link_layer_key") == [(0,)]


def test_every_address_there_is_can_be_in_use_elsewhere(desk: Desk) -> None:
    """65,533 rows in one transaction; the survey counts them."""
    in_use = taken(**one_key(), short_ids_in_use=["0000-7ffe", "8000-fffd"])
    assert desk.network(taken_over=in_use).short_ids_taken_over == 0xFFFD
    assert desk.read(survey).low == ("lab",)
    with hall_at(desk) as hall:
        assert hall.short_id(hall.enroll()) == 0x7FFF


def test_d05_the_key_ids_of_the_file_are_occupied(desk: Desk) -> None:
    """The next keys have others (RFC 9031 §8.4.3.1)."""
    desk.network(taken_over=taken(**one_key(key_id=5)))
    next_generation(desk, retire=False)
    assert show(desk).key_ids == (6,)


def test_d03_a_value_that_was_ever_in_use_here_is_refused(desk: Desk) -> None:
    """In another domain, retired, or with another MIC length (RFC 9031 §8.4.3.3)."""
    desk.network(taken_over=taken(**one_key()))
    for usage in (0, 1):
        again = taken(**one_key(key_usage=usage))
        with pytest.raises(OperatorError, match="key id 1 is, or was, in use") as refusal:
            desk.network("hall", b"\x02", taken_over=again)
        assert "--key-domain" in refusal.value.hint
    desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    with pytest.raises(OperatorError, match="is, or was, in use"):
        desk.network(taken_over=taken(**one_key()))
    assert desk.sql("SELECT count(*) FROM network") == [(1,)]


def test_a_key_domain_with_keys_takes_no_others(desk: Desk) -> None:
    """A network that shares keys joins their domain without a file."""
    desk.network(taken_over=taken())
    with pytest.raises(OperatorError, match="has keys already"):
        desk.network("hall", b"\x02", key_domain="lab", taken_over=taken())
    assert desk.network("hall", b"\x02", key_domain="lab").keys_provenance == "takeover"


def test_a_domain_whose_keys_are_retired_takes_a_network_over(desk: Desk) -> None:
    """The generations go on, and what a pledge held of the addresses in use is its no more."""
    desk.network(short_ids=ShortIdRange(1, 2))
    with hall_at(desk) as hall:
        held = hall.short_id(hall.enroll())
        desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
        report = desk.network(
            short_ids=ShortIdRange(1, 2),
            taken_over=taken(**one_key(), short_ids_in_use=[f"{held:04x}"]),
        )
        assert (report.generation, report.short_ids_taken_over) == (2, 1)
        assert hall.short_id(hall.enroll(2)) == 3 - held


def test_key_usages_come_from_the_file_alone(desk: Desk) -> None:
    """Two sources would have to agree."""
    with pytest.raises(OperatorError, match="key-usage: a keys file says"):
        desk.network(taken_over=taken(), key_usages=(6, 12))


def test_d01_devices_of_the_profile_must_be_able_to_take_the_keys(desk: Desk) -> None:
    """OpenWSN takes one key, whose id is not 23."""
    for unfit in (taken(), taken(**one_key(key_id=23))):
        with pytest.raises(OperatorError, match="openwsn"):
            desk.network(taken_over=unfit, profile=Profile.OPENWSN)
    assert desk.network(taken_over=taken(**one_key()), profile=Profile.OPENWSN).key_ids == (1,)

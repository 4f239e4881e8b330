"""An export of the audit log proves itself without the database."""

import hashlib
import json
from collections.abc import Callable

import cbor2
import pytest

from jrc.errors import OperatorError
from jrc.model import Event
from jrc.service.event_check import verify_lines
from jrc.service.event_lines import event_of, line_of
from jrc.service.records import Wanted
from tests.desk import ACTOR, Desk, pledge_id


@pytest.fixture
def lines(desk: Desk) -> list[str]:
    """Six events as they are exported."""
    for number in range(6):
        detail = {"né": number, "a": [1, None, {"b": 0.5}], "key_ids": (1, 2)}
        event = Event("odd", ACTOR, pledge_id(number).value, None, f"why \u2603 {number}", detail)
        desk.write(lambda tx, event=event: tx.record(event))  # type: ignore[misc]
    return exported(desk)


def exported(desk: Desk, wanted: Wanted = Wanted(), after: int = 0) -> list[str]:  # noqa: B008
    found = desk.read(lambda tx: tx.events.links(wanted, after=after, limit=100))
    return [json.dumps(line_of(each)) for each in found]


def test_an_event_survives_its_export(desk: Desk, lines: list[str]) -> None:
    """What the hash covers is read back as it was."""
    stored = desk.read(lambda tx: tx.events.links(Wanted(), after=0, limit=10))
    assert [event_of(line) for line in lines] == list(stored)


def test_an_export_verifies_by_the_description_alone(lines: list[str]) -> None:
    """docs/audit-log.md: SHA-256 of the hash before and a CBOR array of eight fields."""
    previous = bytes(32)
    for line in lines:
        each = json.loads(line)
        detail = json.dumps(each["detail"], sort_keys=True, separators=(",", ":"))
        pledge = None if each["pledge"] is None else bytes.fromhex(each["pledge"])
        fields = [
            each["number"], each["at_ms"], each["kind"], pledge, each["network"], each["actor"],
            each["reason"], detail,
        ]  # fmt: skip
        previous = hashlib.sha256(previous + cbor2.dumps(fields)).digest()
        assert previous.hex() == each["hash"]


def test_an_export_is_verified_wherever_it_begins(desk: Desk, lines: list[str]) -> None:
    """Each line has the hash of the one before."""
    whole = verify_lines(lines)
    assert (whole.intact, whole.count, whole.first, whole.number) == (True, 6, 1, 6)
    part = verify_lines(exported(desk, after=3))
    assert (part.intact, part.count, part.first, part.number) == (True, 3, 4, 6)
    assert part.hash == whole.hash
    assert whole.hash in whole.sentence
    assert verify_lines([]).count == 0


def other(name: str, value: object, **more: object) -> Callable[[list[str]], list[str]]:
    """Another value in the third line, and others that go with it."""

    def change(lines: list[str]) -> list[str]:
        given = json.loads(lines[2])
        assert given[name] != value
        return [*lines[:2], json.dumps({**given, name: value, **more}), *lines[3:]]

    return change


@pytest.mark.parametrize(
    ("change", "broken_at"),
    [
        (other("at_ms", 1, at="1970-01-01T00:00:00.001Z"), 3),
        (other("kind", "even"), 3),
        (other("pledge", None), 3),
        (other("network", "lab"), 3),
        (other("actor", "uid=0(root)"), 3),
        (other("reason", ""), 3),
        (other("detail", {}), 3),
        (other("hash", "00" * 32), 3),
        (other("previous", "00" * 32), 3),
        (lambda lines: [lines[0].replace("0" * 64, "1" * 64), *lines[1:]], 1),
        (lambda lines: lines[:2] + lines[3:], 3),
        (lambda lines: lines[:3] + lines[2:], 3),
        (lambda lines: [lines[1], lines[0]], 1),
    ],
)
def test_a_changed_export_names_the_first_event_that_does_not_fit(
    lines: list[str], change: Callable[[list[str]], list[str]], broken_at: int
) -> None:
    """Each field, a line left out, one twice, two changed round."""
    report = verify_lines(change(lines))
    assert (report.intact, report.broken_at) == (False, broken_at)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1 is no event of an export: it is not JSON"),
        ("[]", "it is no JSON object"),
        ("{}", "number is missing"),
        ('{"number": true}', "number is not what it should be"),
    ],
)
def test_what_is_no_export_is_named_by_its_line(line: str, said: str) -> None:
    """And never a traceback."""
    with pytest.raises(OperatorError, match=said):
        verify_lines([line])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"at": "2026', '"at": "2025', "at and at_ms are not the same time"),
        ('"at_ms": 1', '"at_ms": 1' + "0" * 30, "at and at_ms are not the same time"),
        ("{", '{"approved_by": "alice", ', "there is no field 'approved_by'"),
        ('"reason"', '"reason": "nothing", "reason"', "a name is there twice"),
        ('"a"', '"né": 7, "a"', "a name is there twice"),
    ],
)
def test_nothing_can_be_said_in_an_export_that_its_hash_does_not_cover(
    lines: list[str], old: str, new: str, said: str
) -> None:
    """A time for people, a further field, a name twice, of which readers take either."""
    assert old in lines[2]
    with pytest.raises(OperatorError, match=f"line 3 is no event of an export: {said}"):
        verify_lines([*lines[:2], lines[2].replace(old, new, 1), lines[3]])


def test_filters_go_together(desk: Desk, lines: list[str]) -> None:
    """Each line of a filtered export still has the hash of the event before it."""
    found = [json.loads(line) for line in exported(desk, Wanted(pledge=pledge_id(3).value))]
    assert [each["number"] for each in found] == [4]
    assert found[0]["previous"] == json.loads(lines[2])["hash"]

"""Short identifiers of pledges on disk (RFC 9031 §8.4.4, rows F1 to F5)."""

from collections.abc import Iterator

import pytest

from jrc.errors import ConflictError, Reason
from jrc.model import ShortIdRange
from jrc.store import joins as store_joins
from tests.desk import Desk
from tests.joining import JOIN, Hall, burst, give_back, hall_at, lease_row, next_generation

SOUTH = bytes.fromhex("a1054105")
"""A Join Request for the network with the identifier 05."""


@pytest.fixture
def narrow(desk: Desk) -> Iterator[Hall]:
    """A registrar whose network has four short identifiers."""
    desk.network(short_ids=ShortIdRange(0x10, 0x13))
    with hall_at(desk) as hall:
        yield hall


def test_f05_a_pledge_keeps_its_identifier(hall: Hall) -> None:
    """RFC 9031 §8.4.4."""
    pledge = hall.enroll()
    assert 1 == len({hall.short_id(pledge) for _ in range(5)})
    assert [(1,)] == hall.desk.sql("SELECT version FROM short_identifier")


def test_f03_an_identifier_is_burned_in_each_generation_it_went_out_with(hall: Hall) -> None:
    """RFC 9031 §8.4.4.1."""
    pledge = hall.enroll()
    first = hall.short_id(pledge)
    for generation in (2, 3):
        next_generation(hall.desk, retire=False)
        assert first == hall.short_id(pledge)
        assert [(1, generation)] == hall.desk.sql(
            "SELECT first_generation, last_generation FROM short_identifier"
        )
    assert [(1, 0, 3)] == hall.desk.sql("SELECT network_id, role, generation_id FROM node")


def test_f03_an_identifier_given_back_comes_back_within_a_generation(hall: Hall) -> None:
    """Lease over or not."""
    pledge = hall.enroll()
    first = hall.short_id(pledge)
    hall.desk.write(give_back)
    assert first == hall.short_id(pledge)
    assert [(None, 3)] == hall.desk.sql("SELECT released_at_ms, version FROM short_identifier")


@pytest.mark.parametrize("released", [True, False])
def test_f03_a_pledge_has_one_identifier_in_a_key_domain(hall: Hall, released: bool) -> None:
    """RFC 9031 §8.4.4.1: given back or held, it has no second one; the table itself says so."""
    pledge = hall.enroll()
    first = hall.short_id(pledge)
    if released:
        hall.desk.write(give_back)
    with pytest.raises(ConflictError, match=r"(?i)unique"):
        lease_row(hall.desk, first + 1, 1, 1, released=not released)
    assert [first] * 2 == [hall.short_id(pledge) for _ in range(2)]


def test_f02_f05_a_pledge_has_an_identifier_in_each_of_its_key_domains(desk: Desk) -> None:
    """RFC 9031 §8.4.4.1: and gets the one of the network it asks for, with a cold cache too."""
    desk.network("north", b"\xca\xfe")
    desk.network("south", b"\x05", prefix="2001:db8:1::/64")
    with hall_at(desk) as hall:
        pledge = hall.enroll(1, networks=("north", "south"))
        north, south = hall.short_id(pledge), hall.short_id(pledge, SOUTH)
        assert [(1, north), (2, south)] == desk.sql(
            "SELECT domain_id, value FROM short_identifier ORDER BY 1"
        )
        for _ in range(2):
            assert (south, north) == (hall.short_id(pledge, SOUTH), hall.short_id(pledge))
            hall.contexts.forget_all()
    assert [(1, 1), (2, 1)] == desk.sql(
        "SELECT domain_id, version FROM short_identifier ORDER BY 1"
    )


def test_f03_an_identifier_is_free_when_its_keys_are_retired(narrow: Hall) -> None:
    """RFC 9031 §8.4.4.1: released and retired, and not before; silence meanwhile."""
    narrow.enroll(9)
    for value in range(0x10, 0x14):
        narrow.enroll(value)
        lease_row(narrow.desk, value, value - 0x10 + 2, 1, released=value == 0x12)
    pledge = narrow.enroll(1)
    assert narrow.ask(pledge.request(JOIN)) is None
    next_generation(narrow.desk, retire=False)
    assert narrow.ask(pledge.request(JOIN)) is None
    assert {Reason.NO_SHORT_IDENTIFIER: 2} == narrow.metrics.drops
    next_generation(narrow.desk, retire=True)
    assert 0x12 == narrow.short_id(pledge)
    assert [(6, 3, 3, None, 1)] == narrow.desk.sql(
        "SELECT pledge_id, first_generation, last_generation, released_at_ms, version"
        " FROM short_identifier WHERE value = 18"
    )


def test_f02_f03_a_range_is_used_to_the_last_value_and_no_further(narrow: Hall) -> None:
    """No identifier is given twice; the fifth pledge gets nothing until one is free."""
    pledges = burst(narrow, 5)
    narrow.commit()
    assert (4, {Reason.NO_SHORT_IDENTIFIER: 1}) == (
        len(narrow.outbox.sent), narrow.metrics.drops,
    )  # fmt: skip
    assert [(16,), (17,), (18,), (19,)] == narrow.desk.sql(
        "SELECT value FROM short_identifier ORDER BY value"
    )
    assert narrow.ask(pledges[4].request(JOIN)) is None
    assert narrow.ask(pledges[0].request(JOIN)) is not None


@pytest.mark.parametrize("first", [1, 2])
def test_f02_who_comes_back_and_who_is_new_never_get_one_identifier(
    narrow: Hall, first: int
) -> None:
    """RFC 9031 §8.4.4.1: in one batch, whichever of them is looked at first."""
    back, new = narrow.enroll(1), narrow.enroll(2)
    for number in (3, 4, 5):
        narrow.enroll(number)
    for value, holder in ((0x10, 3), (0x11, 4), (0x12, 5)):
        lease_row(narrow.desk, value, holder, 1, released=False)
    lease_row(narrow.desk, 0x13, 1, 1, released=True)
    next_generation(narrow.desk, retire=True)
    pair = (back, new) if first == 1 else (new, back)
    narrow.take(*(pledge.request(JOIN) for pledge in pair))
    narrow.commit()
    told = [datagram for datagram, _ in narrow.outbox.sent]
    assert 1 == len(told)
    assert back.open(told[0]).payload
    assert [(1,)] == narrow.desk.sql("SELECT pledge_id FROM short_identifier WHERE value = 19")


@pytest.mark.parametrize("column", ["last_generation", "released_at_ms", "first_generation"])
def test_f03_a_damaged_identifier_is_not_given_to_another(narrow: Hall, column: str) -> None:
    """What looks free counts as free only if its row authenticates."""
    for number in (2, 3, 4, 5):
        narrow.enroll(number)
    for value, holder in ((0x10, 1), (0x11, 2), (0x12, 3)):
        lease_row(narrow.desk, value, holder, 3, released=False)
    next_generation(narrow.desk, retire=True)
    next_generation(narrow.desk, retire=True)
    released = column != "released_at_ms"
    last = 1 if column != "last_generation" else 3
    lease_row(narrow.desk, 0x13, 4, last, released=released)
    narrow.desk.sql(f"UPDATE short_identifier SET {column} = 2 WHERE value = 19")
    assert narrow.ask(narrow.enroll(1).request(JOIN)) is None
    assert {Reason.NO_SHORT_IDENTIFIER: 1} == narrow.metrics.drops


def test_f01_identifiers_stay_in_the_range(desk: Desk) -> None:
    """RFC 4944 §12: by default those that 6LoWPAN has for unicast."""
    desk.network()
    with hall_at(desk) as hall:
        burst(hall, 30)
        hall.commit()
    values = [value for (value,) in desk.sql("SELECT value FROM short_identifier")]
    assert 30 == len(values)
    assert all(isinstance(value, int) and 1 <= value <= 0x7FFF for value in values)


def test_f02_a_constraint_violation_is_a_conflict(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another registrar has given the value between our look and our write."""
    pledge = hall.enroll()
    hall.enroll(2)
    lease_row(hall.desk, 0x42, 2, 1, released=False)
    hall.take(pledge.request(JOIN))
    monkeypatch.setattr(store_joins.Joins, "taken", lambda *_: set())
    monkeypatch.setattr("jrc.policy.leases.candidate_values", lambda _range, _bytes: iter([0x42]))
    with pytest.raises(ConflictError, match=r"(?i)unique"):
        hall.outcomes()

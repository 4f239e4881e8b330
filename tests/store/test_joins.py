"""Joins on a real database: what a transaction writes, and what it never lets out.

Long because its parts share one registrar on a real database.
"""

from collections.abc import Callable, Iterator
from typing import Any

import cbor2
import pytest

from jrc.cojp.replay import ReplayWindow
from jrc.errors import ConflictError, Reason, StateError, StoreError
from jrc.model import PledgeId, Secret, ShortIdRange
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge, remove_pledge
from jrc.service.events import list_events, verify_chain
from jrc.service.join import decide
from jrc.service.pledges import list_pledges, show_pledge
from jrc.service.registry import Registry
from jrc.service.revoking import restore_pledge, revoke_pledge
from jrc.store import joins as store_joins
from tests.daemon.wire import OddPledge, with_header
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import (
    JOIN,
    Hall,
    ciphertext,
    connection_of,
    hall_at,
    lease_row,
    next_generation,
)
from tests.service.fakes import PSK, Path

SOUTH = bytes.fromhex("a1054105")
"""A Join Request for the network with the identifier 05."""


@pytest.fixture
def lab(desk: Desk) -> Desk:
    """One network with plenty of short identifiers."""
    desk.network()
    return desk


@pytest.fixture
def hall(lab: Desk) -> Iterator[Hall]:
    """A registrar for it."""
    with hall_at(lab) as hall:
        yield hall


@pytest.fixture
def narrow(desk: Desk) -> Iterator[Hall]:
    """A registrar whose network has four short identifiers."""
    desk.network(short_ids=ShortIdRange(0x10, 0x13))
    with hall_at(desk) as hall:
        yield hall


def copy(request: bytes, number: int = 9) -> bytes:
    return with_header(request, type=1, message_id=number, token=bytes((0xC0, number)))


def test_a_join_is_on_disk_with_everything_that_belongs_to_it(hall: Hall) -> None:
    """RFC 9031 §7.3.1: window, answer, identifier, place and event in one transaction."""
    pledge = hall.enroll()
    before = hall.desk.database.instance.commit_number
    short_id = hall.short_id(pledge)
    (report,) = hall.desk.read(list_pledges)
    assert ("joined", f"{short_id:04x}") == (report.state, report.short_id)
    (event,) = hall.desk.read(lambda tx: list_events(tx, kind="pledge.joined"))
    assert pledge_id(1).value.hex() == event.pledge
    assert hall.desk.read(verify_chain).intact
    assert before + 1 == hall.desk.database.instance.commit_number
    assert 0 == hall.desk.read(lambda tx: show_pledge(tx, pledge_id(1))).highest_number


def test_a04_an_identifier_of_248_bytes_joins(hall: Hall) -> None:
    """RFC 9031 §3; RFC 8613 §2."""
    name, psk = bytes(range(1, 249)), PSK
    who = Applicant(identifier=PledgeId(name), keys=Secret(psk))
    hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR))
    hall.contexts.learn([name])
    assert hall.join(OddPledge(name, psk)).keys


def test_b03_the_window_is_checked_in_the_transaction(hall: Hall) -> None:
    """RFC 9031 §7.3.1: two registrars verify one request; the second to commit is silent."""
    pledge = hall.enroll()
    with hall_at(hall.desk) as other:
        request = pledge.request(JOIN)
        hall.take(request)
        other.take(request)
        assert (1, 1) == (len(hall.asks), len(other.asks))
        hall.commit()
        other.commit()
        assert (1, 0) == (len(hall.outbox.sent), len(other.outbox.sent))
        assert {Reason.REPLAYED: 1} == other.metrics.drops
        assert ciphertext(hall.outbox.sent[0][0]) == hall.row()[6]
        assert other.ask(copy(request)) is not None, "it has read the row anew"
        assert ciphertext(hall.outbox.sent[0][0]) == ciphertext(other.outbox.sent[0][0])


def test_b03_a_row_moved_by_another_registrar_is_authenticated_and_used(hall: Hall) -> None:
    """The window of the row, not of the cache, goes on."""
    pledge = hall.enroll()
    hall.join(pledge)
    with hall_at(hall.desk) as other:
        for _ in range(3):
            other.join(pledge)
        hall.join(pledge)
    assert (4, 0b11111, 6) == (hall.row()[1], hall.row()[2], hall.row()[-2])


def test_b03_nothing_changes_in_memory_before_the_commit(hall: Hall) -> None:
    """RFC 9031 §7.3.1."""
    pledge = hall.enroll()
    hall.take(pledge.request(JOIN))
    known = hall.asks[0].known
    outcomes = hall.outcomes()
    assert (ReplayWindow(), []) == (known.state.window, hall.outbox.sent)
    hall.intake.finish(outcomes)
    assert (ReplayWindow(0, 1), 1) == (known.state.window, len(hall.outbox.sent))


def test_b05_after_a_failed_transaction_nothing_is_left(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8613 §5.2: the ciphertext is gone, so the nonce may be used for another answer."""
    pledge = hall.enroll()
    request = pledge.request(JOIN)
    hall.take(request)
    (ask,) = hall.asks
    before = [hall.desk.sql(f"SELECT * FROM {table}") for table in TABLES]

    def fail(_self: object) -> None:
        raise StateError("after the writes")

    with monkeypatch.context() as patch:
        patch.setattr("jrc.store.ledger.Ledger.close", fail)
        with pytest.raises(StateError, match="after the writes"):
            hall.outcomes()
    assert before == [hall.desk.sql(f"SELECT * FROM {table}") for table in TABLES]
    hall.intake.abandon(ask, StateError("after the writes"))
    assert ([], 0) == (hall.outbox.sent, hall.intake.in_flight)
    answer = hall.ask(request)
    assert answer is not None
    assert ciphertext(answer) == hall.row()[6]


TABLES = ("context_state", "short_identifier", "node", "event", "instance", "pledge")


def test_b08_c11_a_copy_gets_the_bytes_of_the_row(hall: Hall) -> None:
    """Also from a process that has just started."""
    pledge = hall.enroll()
    request = pledge.request(JOIN)
    answer = hall.ask(request)
    assert answer is not None
    commits = hall.desk.database.instance.commit_number
    with hall_at(hall.desk) as other:
        again = other.ask(copy(request), Path(bytes(16)))
        assert again is not None
        assert ciphertext(answer) == ciphertext(again)
    assert commits == hall.desk.database.instance.commit_number


# What ends the copies of an answer (row C11)


def revoked(hall: Hall) -> None:
    hall.act(revoke_pledge)


def removed(hall: Hall) -> None:
    hall.act(remove_pledge)


def rekeyed(hall: Hall) -> None:
    next_generation(hall.desk, retire=False)


def retired(hall: Hall) -> None:
    next_generation(hall.desk, retire=True)


def give_back(tx: Registry, pledge: int = 1) -> None:
    tx.leases.release(pledge)
    tx.policy_changed()


def released(hall: Hall) -> None:
    hall.desk.write(give_back)


def moved_on(hall: Hall) -> None:
    pledge = hall.enrolled  # type: ignore[attr-defined]
    with hall_at(hall.desk) as other:
        other.join(pledge)


@pytest.mark.parametrize("change", [revoked, removed, rekeyed, retired, released, moved_on])
def test_c11_the_row_says_whether_a_copy_is_answered(
    hall: Hall, change: Callable[[Hall], None]
) -> None:
    """Whatever another process has done counts at once, with a warm cache too."""
    pledge = hall.enroll()
    hall.enrolled = pledge  # type: ignore[attr-defined]
    request = pledge.request(JOIN)
    assert hall.ask(request) is not None
    assert hall.ask(copy(request)) is not None
    change(hall)
    assert hall.ask(copy(request)) is None
    assert 1 == hall.metrics.drops[Reason.COPY_REFUSED]


def test_c11_a_refusal_is_repeated_after_a_change_of_keys(hall: Hall) -> None:
    """There are none in it."""
    request = hall.enroll().request(bytes.fromhex("a10542beef"))
    answer = hall.ask(request)
    assert answer is not None
    rekeyed(hall)
    again = hall.ask(copy(request))
    assert again is not None
    assert ciphertext(answer) == ciphertext(again)


# Revoking and restoring (row M3)


def test_m03_a_pledge_revoked_before_its_transaction_is_silent_and_keeps_its_number(
    hall: Hall,
) -> None:
    """RFC 9031 §9: restored, it goes on with its window, and the very request is good again."""
    pledge = hall.enroll()
    hall.join(pledge)
    request = pledge.request(JOIN)
    hall.take(request)
    hall.act(revoke_pledge)
    before = hall.row()
    hall.commit()
    assert (1, {Reason.REVOKED: 1}) == (len(hall.outbox.sent), hall.metrics.drops)
    assert before == hall.row()
    assert hall.ask(request) is None
    hall.act(restore_pledge)
    hall.contexts.forget_all()
    assert hall.ask(request) is not None
    assert (1, 0b11) == hall.row()[1:3]
    assert hall.ask(pledge.request(JOIN)) is not None


def test_m03_a_removed_pledge_is_silent(hall: Hall) -> None:
    """With a warm cache, and without."""
    pledge = hall.enroll()
    hall.join(pledge)
    hall.act(remove_pledge)
    assert hall.ask(pledge.request(JOIN)) is None
    assert {Reason.REVOKED: 1} == hall.metrics.drops
    assert hall.ask(pledge.request(JOIN)) is None
    assert 1 == hall.metrics.drops[Reason.UNKNOWN_CONTEXT]


# Batches (row M2)


def burst(hall: Hall, count: int) -> list[OddPledge]:
    pledges = [hall.enroll(number) for number in range(1, count + 1)]
    hall.take(*(pledge.request(JOIN) for pledge in pledges))
    return pledges


@pytest.mark.parametrize("count", [1, 2, 3, 7, 33])
def test_m02_each_pledge_of_a_batch_gets_its_own_answer(hall: Hall, count: int) -> None:
    """RFC 9031 §8.4.4.1: one transaction, and no identifier twice."""
    pledges = burst(hall, count)
    before = hall.desk.database.instance.commit_number
    hall.commit()
    assert before + 1 == hall.desk.database.instance.commit_number
    told = [p.open(d).payload for p, (d, _) in zip(pledges, hall.outbox.sent, strict=True)]
    assert count == len(set(told))
    assert [(count,)] == hall.desk.sql("SELECT count(DISTINCT value) FROM short_identifier")


def test_m02_a_context_appears_once_in_a_batch(hall: Hall) -> None:
    """A second request of the pledge is silent until the first is on disk."""
    pledge = hall.enroll()
    hall.take(pledge.request(JOIN), pledge.request(JOIN), pledge.request(JOIN))
    assert (1, 2) == (len(hall.asks), hall.metrics.drops[Reason.IN_FLIGHT])


def test_m02_a_damaged_row_in_a_batch_silences_its_own_request_alone(hall: Hall) -> None:
    """It is met where rows are read anew, and left as it is, for the operator to look at."""
    pledges = burst(hall, 3)
    hall.desk.sql("UPDATE context_state SET highest = 900 WHERE context_id = 2")
    before = hall.row(key="context_id = 2")
    hall.desk.write(lambda tx: tx.policy_changed())
    hall.commit()
    assert (2, 1, {}) == (len(hall.outbox.sent), len(hall.metrics.damages), hall.metrics.drops)
    assert pledges[2].open(hall.outbox.sent[1][0]).payload
    assert before == hall.row(key="context_id = 2")


# Reports (row C7)


def report(label: int, value: str, code: int = 0) -> bytes:
    """A Join Request that says what could not be set."""
    return (
        bytes.fromhex("a20542cafe0883")
        + cbor2.dumps(code)
        + cbor2.dumps(label)
        + bytes.fromhex(value)
    )


def test_c07_a_report_is_kept_and_what_it_names_is_left_out(desk: Desk) -> None:
    """RFC 9031 §8.4.5: from the same answer on, until it is cleared."""
    desk.network(join_rate_bytes_per_s=50)
    with hall_at(desk) as hall:
        pledge = hall.enroll()
        assert 50 == hall.join(pledge).join_rate_bytes_per_s
        assert hall.join(pledge, report(7, "f6")).join_rate_bytes_per_s is None
        events = desk.sql("SELECT count(*) FROM event WHERE kind = 'pledge.reported'")
        assert hall.join(pledge).join_rate_bytes_per_s is None
        assert hall.join(pledge, report(7, "f6")).join_rate_bytes_per_s is None
        again = desk.sql("SELECT count(*) FROM event WHERE kind = 'pledge.reported'")
        assert [(1,)] == events == again, "what is known is not written again"
        assert [(1, 7, 0, None, desk.now_ms)] == desk.sql("SELECT * FROM unsupported_parameter")


def test_c07_a_report_with_a_value_is_kept_with_it(hall: Hall) -> None:
    """And leaves the parameter in."""
    pledge = hall.enroll()
    assert hall.join(pledge, report(3, "420042", code=1)).short_identifier is not None
    assert [(3, 1, bytes.fromhex("420042"))] == hall.desk.sql(
        "SELECT label, code, addinfo FROM unsupported_parameter"
    )


@pytest.mark.parametrize("code", [2**64 - 1, 2**63, -(2**63) - 1, -(2**64)])
@pytest.mark.parametrize("label", [7, 2**64 - 1, 0, -7])
def test_c07_numbers_that_no_column_holds_do_no_harm(hall: Hall, code: int, label: int) -> None:
    """RFC 9031 §11.3: any CBOR integer may come as a code or label."""
    assert hall.join(hall.enroll(), report(label, "f6", code)).keys


def test_c07_reports_are_bounded(hall: Hall) -> None:
    """Of labels that are never configured, or with much addinfo, nothing is stored."""
    pledge = hall.enroll()
    hall.join(pledge, report(9, "f6"))
    hall.join(pledge, report(0, "f6"))
    hall.join(pledge, report(3, "590201" + 513 * "00"))
    assert [(0,)] == hall.desk.sql("SELECT count(*) FROM unsupported_parameter")
    hall.join(pledge, report(3, "5901fd" + 509 * "00"))
    assert [(1,)] == hall.desk.sql("SELECT count(*) FROM unsupported_parameter")


# Short identifiers (rows F1 to F5)


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
    with pytest.raises(ConflictError, match="UNIQUE"):
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


# A database that fails


def fill(hall: Hall) -> None:
    """Let the database file grow no further."""
    database = connection_of(hall.desk)
    (pages,) = database.exec_driver_sql("PRAGMA page_count").one()
    database.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    database.rollback()


def room(hall: Hall) -> None:
    database = connection_of(hall.desk)
    database.exec_driver_sql("PRAGMA max_page_count = 1000000")
    database.rollback()


def test_a_full_disk_is_silence_and_service_resumes(hall: Hall) -> None:
    """RFC 9031 §7.3.1: no answer without its state on disk; the same request is good later."""
    pledges = [hall.enroll(number) for number in range(1, 60)]
    fill(hall)
    requests = [pledge.request(JOIN) for pledge in pledges]
    hall.take(*requests)
    asks = list(hall.asks)
    before = hall.row()
    with pytest.raises(StoreError, match="full"):
        hall.outcomes()
    for ask in asks:
        hall.intake.abandon(ask, StoreError("full"))
    assert ([], before, 59) == (
        hall.outbox.sent, hall.row(), hall.metrics.drops[Reason.DATABASE],
    )  # fmt: skip
    room(hall)
    hall.take(*requests)
    hall.commit()
    assert 59 == len(hall.outbox.sent)


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
    with pytest.raises(ConflictError, match="UNIQUE"):
        hall.outcomes()


def test_a_batch_has_one_instant(hall: Hall) -> None:
    """Every time in it is that of the transaction."""
    pledge = hall.enroll()
    hall.desk.now_ms += 5
    hall.take(pledge.request(JOIN))
    asks: list[Any] = list(hall.asks)
    hall.asks.clear()
    hall.intake.finish(hall.desk.database.join(lambda tx: decide(tx, asks, 99), 99))
    assert (99, 99) == (hall.row()[7], hall.row()[10])


def test_c07_a_report_with_a_value_takes_no_null_back(hall: Hall) -> None:
    """RFC 9031 §8.4.5: what can't be acted upon at all stays left out; keys are never sent then."""
    pledge = hall.enroll()
    assert hall.join(pledge, report(3, "f6")).short_identifier is None
    assert hall.join(pledge, report(3, "420042", code=1)).short_identifier is None
    assert hall.join(pledge).short_identifier is None
    assert [(3, None)] == hall.desk.sql("SELECT label, addinfo FROM unsupported_parameter")


def test_a_batch_that_changes_nothing_is_no_commit(desk: Desk, hall: Hall) -> None:
    """Replays that reach the transaction must not make the disk work."""
    hall.enroll(1)
    known = hall.lookup.find(pledge_id(1).value)[0]
    before = desk.database.read_instance()
    desk.database.join(lambda joins: joins.current([known]), desk.now_ms)
    assert before == desk.database.read_instance() == desk.database.instance

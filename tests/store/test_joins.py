"""Joins on a real database: what a transaction writes, and what it never lets out."""

from typing import Any

import pytest

from jrc.cojp.replay import ReplayWindow
from jrc.errors import Reason, StateError, StoreError
from jrc.model import PledgeId, Secret
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge, remove_pledge
from jrc.service.event_check import verify_stretch
from jrc.service.events import list_events
from jrc.service.join import decide
from jrc.service.pledges import list_pledges, show_pledge
from jrc.service.revoking import restore_pledge, revoke_pledge
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, ON_FILE, Desk, pledge_id
from tests.joining import JOIN, Hall, burst, ciphertext, connection_of, hall_at
from tests.service.door import copy
from tests.service.fakes import PSK


def test_a_join_is_on_disk_with_everything_that_belongs_to_it(hall: Hall) -> None:
    """RFC 9031 §7.3.1: window, answer, identifier, place and event in one transaction."""
    pledge = hall.enroll()
    before = hall.desk.database.instance.commit_number
    short_id = hall.short_id(pledge)
    (report,) = hall.desk.read(list_pledges)
    assert ("joined", f"{short_id:04x}") == (report.state, report.short_id)
    (event,) = hall.desk.read(lambda tx: list_events(tx, kind="pledge.joined"))
    assert pledge_id(1).value.hex() == event.pledge
    assert hall.desk.read(verify_stretch).intact
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


@ON_FILE
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


def test_a_batch_has_one_instant(hall: Hall) -> None:
    """Every time in it is that of the transaction."""
    pledge = hall.enroll()
    hall.desk.now_ms += 5
    hall.take(pledge.request(JOIN))
    asks: list[Any] = list(hall.asks)
    hall.asks.clear()
    hall.intake.finish(hall.desk.database.join(lambda tx: decide(tx, asks, 99), 99))
    assert (99, 99) == (hall.row()[7], hall.row()[10])


def test_a_batch_that_changes_nothing_is_no_commit(desk: Desk, hall: Hall) -> None:
    """Replays that reach the transaction must not make the disk work."""
    hall.enroll(1)
    known = hall.lookup.find(pledge_id(1).value)[0]
    before = desk.database.read_instance()
    desk.database.join(lambda joins: joins.current([known]), desk.now_ms)
    assert before == desk.database.read_instance() == desk.database.instance

"""What pledges tried, in bounded memory: nobody pushes out what an operator needs."""

import os
from ipaddress import IPv6Address

import pytest

from jrc.errors import Reason
from jrc.service.attempts import PLEDGES, RUNS, STRANGERS, Attempts, Book, Success
from tests.service.fakes import Path

ME = bytes(8)
NEAR = Path()
FAR = Path(IPv6Address("2001:db8::5").packed)


def ids(count: int) -> list[bytes]:
    return [number.to_bytes(8) for number in range(1, count + 1)]


def test_one_outcome_in_a_row_is_one_entry_with_count_and_times() -> None:
    """First and last time, and the peer of the last."""
    attempts = Attempts()
    for now_ms, way in ((10, FAR), (20, FAR), (30, NEAR)):
        attempts.verified.note(ME, Reason.AWAITING_APPROVAL, now_ms, way)
    (entry,) = attempts.of(ME)
    assert (Reason.AWAITING_APPROVAL, 3) == (entry.outcome, entry.count)
    assert (10, 30, IPv6Address("::1"), True) == (
        entry.first_ms, entry.last_ms, entry.peer, entry.authenticated
    )  # fmt: skip


def test_what_came_through_the_own_join_proxy_names_the_pledge_and_the_interface() -> None:
    """The last of a run counts: the same pledge may ask through another proxy as well."""
    pledge = IPv6Address("fe80::212:4b00:14b5:b67f")
    through = Path(own=(pledge.packed, "lowpan0"))
    attempts = Attempts()
    for now_ms, way in ((10, FAR), (20, through)):
        attempts.verified.note(ME, Reason.WINDOW_CLOSED, now_ms, way)
        attempts.strangers.note(ME, Reason.UNKNOWN_CONTEXT, now_ms, way)
    attempts.claimed.note(ME, Reason.BAD_TAG, 30, FAR)
    elsewhere = (IPv6Address("2001:db8::5"), None)
    assert [elsewhere, (pledge, "lowpan0"), (pledge, "lowpan0")] == [
        (entry.peer, entry.own_proxy) for entry in attempts.of(ME)
    ]
    ((_, unknown),) = attempts.unknown()
    assert (pledge, "lowpan0") == (unknown.peer, unknown.own_proxy)


def test_the_last_eight_outcomes_are_kept_the_last_first() -> None:
    """However many there were before."""
    book = Book(PLEDGES)
    outcomes = (Success.JOINED, Reason.IN_FLIGHT)
    for number in range(1000):
        book.note(ME, outcomes[number % 2], number, NEAR)
    runs = list(book.runs(ME))
    assert RUNS <= len(runs) <= 2 * RUNS
    assert [run[2] for run in runs] == list(range(999, 999 - len(runs), -1))
    attempts = Attempts()
    attempts.verified = book
    assert [entry.last_ms for entry in attempts.of(ME)] == list(range(999, 999 - RUNS, -1))


@pytest.mark.parametrize(
    ("flood", "reason"),
    [("claimed", Reason.BAD_TAG), ("claimed", Reason.REPLAYED), ("strangers", Reason.BAD_TAG)],
)
def test_forgeries_push_out_nothing_that_was_authenticated(flood: str, reason: Reason) -> None:
    """Neither in the name of the pledge, nor in those of many others."""
    attempts = Attempts()
    attempts.verified.note(ME, Reason.WINDOW_CLOSED, 1, NEAR)
    book: Book = getattr(attempts, flood)
    for now_ms, identifier in enumerate([ME] * 100 + ids(5 * PLEDGES) + [ME], 2):
        book.note(identifier, reason, now_ms, FAR)
    assert (Reason.WINDOW_CLOSED, True) in [
        (entry.outcome, entry.authenticated) for entry in attempts.of(ME)
    ]
    assert attempts.of(ME)[0].authenticated is False


@pytest.mark.parametrize("capacity", [STRANGERS, PLEDGES])
def test_the_number_of_identifiers_is_bounded(capacity: int) -> None:
    """The last half of them at least is there, whatever comes."""
    book = Book(capacity)
    sent = [os.urandom(8) for _ in range(20 * capacity)]
    for now_ms, identifier in enumerate(sent):
        book.note(identifier, Reason.UNKNOWN_CONTEXT, now_ms, NEAR)
        assert len(book._young) <= capacity // 2
    assert capacity // 2 <= len(book) <= capacity
    assert set(sent[-capacity // 2 :]) <= set(book.identifiers())


def test_who_comes_back_in_time_is_not_forgotten() -> None:
    """An identifier that is noted now and then keeps its count and its first time."""
    book = Book(STRANGERS)
    for now_ms in range(50 * STRANGERS):
        identifier = ME if now_ms % 100 == 0 else os.urandom(8)
        book.note(identifier, Reason.UNKNOWN_CONTEXT, now_ms, NEAR)
    (run,) = book.runs(ME)
    assert (50 * STRANGERS // 100, 0) == (run[1], run[2])


def test_an_identifier_is_found_in_all_books() -> None:
    """One that was unknown, then enrolled with another key than the device has."""
    attempts = Attempts()
    attempts.strangers.note(ME, Reason.UNKNOWN_CONTEXT, 1, NEAR)
    attempts.claimed.note(ME, Reason.BAD_TAG, 2, NEAR)
    attempts.verified.note(ME, Success.JOINED, 3, NEAR)
    assert [entry.outcome for entry in attempts.of(ME)] == [
        Success.JOINED, Reason.BAD_TAG, Reason.UNKNOWN_CONTEXT
    ]  # fmt: skip
    assert [(ME, 1)] == [(name, entry.last_ms) for name, entry in attempts.unknown()]


def test_unknown_identifiers_come_the_last_first() -> None:
    """What has just been switched on stands at the top."""
    attempts = Attempts()
    for now_ms, identifier in enumerate(ids(600)):
        attempts.strangers.note(identifier, Reason.UNKNOWN_CONTEXT, now_ms, NEAR)
    found = [entry.last_ms for _, entry in attempts.unknown()]
    assert found == list(range(599, 599 - len(found), -1))
    assert STRANGERS // 2 <= len(found) <= STRANGERS

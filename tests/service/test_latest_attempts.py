"""The last attempts of all pledges in one list."""

import threading

from jrc.errors import Reason
from jrc.service.attempts import RUNS, Attempts, Success
from jrc.service.latest_attempts import latest_attempts
from jrc.service.remedies import REMEDIES
from tests.desk import Desk
from tests.service.fakes import Path

NEAR = Path()


def _of(number: int) -> bytes:
    return number.to_bytes(8)


def test_the_latest_of_all_books_come_first() -> None:
    """Pledges, what claims to be one, and identifiers that nobody has."""
    attempts = Attempts()
    attempts.verified.note(_of(1), Success.JOINED, 30, NEAR)
    attempts.claimed.note(_of(1), Reason.BAD_TAG, 10, NEAR)
    attempts.strangers.note(_of(2), Reason.UNKNOWN_CONTEXT, 20, NEAR)
    found = attempts.latest(10)
    assert [(identifier, attempt.outcome) for identifier, attempt in found] == [
        (_of(1), Success.JOINED), (_of(2), Reason.UNKNOWN_CONTEXT), (_of(1), Reason.BAD_TAG),
    ]  # fmt: skip
    assert [attempt.authenticated for _, attempt in found] == [True, False, False]


def test_as_many_as_were_asked_for_and_none_that_is_older() -> None:
    """One pledge may have several of them: as a look at every attempt would have it."""
    attempts = Attempts()
    outcomes = (Success.JOINED, Reason.IN_FLIGHT, Reason.WINDOW_CLOSED)
    for now_ms in range(400):
        book = (attempts.verified, attempts.claimed)[now_ms % 2]
        book.note(_of(now_ms * now_ms % 23), outcomes[now_ms % 3], now_ms, NEAR)
    everything = sorted(
        (attempt.last_ms for number in range(23) for attempt in attempts.of(_of(number))),
        reverse=True,
    )
    for limit in (1, 7, 60):
        assert [attempt.last_ms for _, attempt in attempts.latest(limit)] == everything[:limit]
    assert len(everything) > RUNS


def test_each_says_what_it_means_and_what_to_do(desk: Desk) -> None:
    """The words are those of `jrc pledge explain`."""
    attempts = Attempts()
    attempts.strangers.note(_of(2), Reason.UNKNOWN_CONTEXT, 20, NEAR)
    (row,) = desk.read(lambda tx: latest_attempts(tx, attempts.latest(5)))
    remedy = REMEDIES[Reason.UNKNOWN_CONTEXT]
    assert (row.pledge_id, row.outcome, row.meaning, row.what_to_do) == (
        _of(2).hex(), "unknown_context", remedy.meaning, remedy.what_to_do,
    )  # fmt: skip


def test_it_may_be_asked_for_while_attempts_come() -> None:
    """Another thread reads; generations of the books change under it."""
    attempts, failures = Attempts(), []
    ended = threading.Event()

    def read() -> None:
        try:
            while not ended.is_set():
                found = [attempt.last_ms for _, attempt in attempts.latest(50)]
                assert found == sorted(found, reverse=True)
        except BaseException as error:  # noqa: BLE001 - a thread's error is told by hand
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for now_ms in range(30_000):
        attempts.strangers.note(_of(now_ms % 1000), Reason.UNKNOWN_CONTEXT, now_ms, NEAR)
    ended.set()
    reader.join()
    assert failures == []

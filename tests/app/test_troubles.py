"""What keeps joins from being answered: said once, held where it must be, over by itself."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from jrc.app.troubles import HOLDING, LASTING, SAY_AGAIN_S, Troubles
from jrc.errors import REMEDIES, Cause, ConflictError, StoreError

PASSING = sorted(set(Cause) - LASTING)


class Bench:
    """Troubles, with a time of their own."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.resumed = 0
        self.troubles = Troubles(self._resume, lambda: self.now_s)

    def _resume(self) -> None:
        self.resumed += 1


def lines(work: Callable[[], None]) -> list[tuple[str, str]]:
    """The log lines that it makes."""
    with capture_logs() as found:
        work()
    return [(line["event"], line["cause"]) for line in found]


@pytest.mark.parametrize("cause", PASSING)
def test_each_cause_is_said_once_as_it_begins_and_ends(cause: Cause) -> None:
    """However many requests meet it; with what to do about it."""
    bench = Bench()

    def fail() -> None:
        for _ in range(1000):
            bench.troubles.begin(cause, "it failed")

    assert [("joins_not_answered", cause)] == lines(fail)
    (stands,) = bench.troubles.standing()
    assert (cause, "it failed", REMEDIES[cause]) == stands
    assert REMEDIES[cause] in bench.troubles.sentences()[0]
    assert [("joins_answered_again", cause)] == lines(lambda: bench.troubles.end(cause))
    assert not bench.troubles
    assert bench.troubles.begun()[cause] == 1


def test_a_cause_that_comes_and_goes_does_not_write_the_log() -> None:
    """One pair of lines in ten seconds."""
    bench = Bench()

    def flap() -> None:
        for _ in range(100):
            bench.now_s += SAY_AGAIN_S / 50
            bench.troubles.begin(Cause.LOCKED, "locked")
            bench.troubles.end(Cause.LOCKED)

    assert 2 * 2 == len(lines(flap))
    assert bench.troubles.begun()[Cause.LOCKED] == 100


@pytest.mark.parametrize("cause", Cause)
def test_joins_are_held_where_an_answer_could_be_a_second_one(cause: Cause) -> None:
    """Held back they wait in the kernel's queue; else each is tried, and not answered."""
    bench = Bench()
    bench.troubles.begin(cause, "it failed")
    assert bench.troubles.holds == (cause in HOLDING)
    bench.troubles.end(cause)
    assert bench.troubles.holds == (cause in LASTING)
    assert bench.resumed == int(cause in HOLDING - LASTING)


def test_a_damaged_file_is_not_trusted_again_for_what_goes_well_later() -> None:
    """Another page may be whole; a new start looks at all of them."""
    bench = Bench()
    bench.troubles.failed(StoreError("malformed", Cause.CORRUPT))
    bench.troubles.failed(StoreError("locked", Cause.LOCKED))
    assert bench.troubles.of_database
    bench.troubles.database_works()
    assert [Cause.CORRUPT] == [each.cause for each in bench.troubles.standing()]
    assert (False, True) == (bench.troubles.of_database, bench.troubles.holds)


@pytest.mark.parametrize("cause", [Cause.INSTANCE_FILE, Cause.NOT_DURABLE])
def test_what_is_looked_at_by_itself_is_not_mended_by_the_database(cause: Cause) -> None:
    """The instance file, and settings of a server, with which it is read and written as before."""
    bench = Bench()
    bench.troubles.begin(cause, "it is so")
    bench.troubles.database_works()
    assert cause in bench.troubles
    assert not bench.troubles.of_database


def test_a_conflict_is_no_trouble() -> None:
    """Another registrar was first; that is tried anew."""
    bench = Bench()
    bench.troubles.failed(ConflictError("somebody was first"))
    assert not bench.troubles

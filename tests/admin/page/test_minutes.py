"""Joins of the last hour, by minute."""

from jrc.admin.page.minutes import KEPT_MINUTES, JoinMinutes

START_MS = 1_800_000_000_000 - 1_800_000_000_000 % 60_000


def _totals(joins: int, refused: int = 0, **dropped: int) -> dict[str, int]:
    return {"datagrams": 0, "joins": joins, "refused": refused, "resent": 0, **dropped}


def test_what_came_between_two_looks_belongs_to_the_minute_of_the_second() -> None:
    """What was there before the first look is not of this hour."""
    minutes = JoinMinutes()
    minutes.look(_totals(100, 7), START_MS)
    minutes.look(_totals(103, 8, dropped_bad_tag=2, dropped_replayed=1), START_MS + 1000)
    minutes.look(_totals(105, 8, dropped_bad_tag=2, dropped_replayed=1), START_MS + 60_000)
    first, second = minutes.report()
    assert (first["joined"], first["refused"], first["unanswered"]) == (3, 1, 3)
    assert (second["joined"], second["refused"], second["unanswered"]) == (2, 0, 0)
    assert str(second["at"]) > str(first["at"])


def test_an_hour_is_kept() -> None:
    """However long the daemon runs."""
    minutes = JoinMinutes()
    for number in range(3 * KEPT_MINUTES):
        minutes.look(_totals(number), START_MS + 60_000 * number)
    assert len(minutes.report()) == KEPT_MINUTES
    assert [each["joined"] for each in minutes.report()] == [1] * KEPT_MINUTES


def test_a_clock_that_is_set_back_loses_no_join() -> None:
    """They count for the newest minute."""
    minutes = JoinMinutes()
    minutes.look(_totals(0), START_MS)
    minutes.look(_totals(4), START_MS - 3_600_000)
    assert [each["joined"] for each in minutes.report()] == [4]

"""The test of lasting state can fail: each registrar that is broken on purpose is caught by it.

Each has a short course of its own, which a sound registrar passes; the test in any order comes
upon them by itself if it is given time.
"""

from collections.abc import Callable
from typing import Any

import pytest

from jrc.cojp import replay
from jrc.cojp.replay import NumberBlock, ReplayWindow
from jrc.policy import leases
from jrc.service import join
from jrc.store import joins, nodes
from jrc.store import leases as store_leases
from tests.service.test_state_in_any_order import ALL, LastingState


def _window_forgets(patch: pytest.MonkeyPatch) -> None:
    """Any number within the window is taken again."""
    patch.setattr(
        ReplayWindow, "is_fresh", lambda self, number: self.highest - number < 32 and number >= 0
    )


def _window_is_short(patch: pytest.MonkeyPatch) -> None:
    """A jump ahead loses what was accepted before."""

    def accept(self: ReplayWindow, number: int) -> ReplayWindow:
        return ReplayWindow(max(self.highest, number), 1)

    patch.setattr(ReplayWindow, "accept", accept)


def _numbers_of_the_clock_alone(patch: pytest.MonkeyPatch) -> None:
    """A block begins at the second, whatever was reserved before."""

    def reserve(reserved: int, now_s: int, count: int, *, high_water_s: int = 0) -> NumberBlock:
        first = now_s - 1_767_225_600
        return NumberBlock(first, first + count)

    patch.setattr(replay, "reserve", reserve)


def _numbers_are_not_written(patch: pytest.MonkeyPatch) -> None:
    """They leave before the block is on disk."""
    patch.setattr(nodes.Nodes, "save_told", lambda self, told: None)


def _identifiers_come_back_at_once(patch: pytest.MonkeyPatch) -> None:
    """Whatever was given back is free, though its keys live."""
    patch.setattr(leases, "is_free_for_another", lambda lease, oldest: lease.released)


def _updates_burn_nothing(patch: pytest.MonkeyPatch) -> None:
    """An identifier given back counts as burned in the keys of joins alone."""
    right = store_leases.Leases._save_released

    def save_released(self: store_leases.Leases, row: dict[str, Any], newest: int) -> None:
        right(self, row, 0)

    patch.setattr(store_leases.Leases, "_save_released", save_released)


def _registrars_overwrite_each_other(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether a row is still that which was decided upon."""

    def change(statement: Any, connection: Any, rows: Any) -> None:
        statement.many(connection, rows)

    patch.setattr(joins, "change", change)


def _revoked_ones_are_answered_from_memory(patch: pytest.MonkeyPatch) -> None:
    """The cache of one registrar has not heard of what the other one was told."""

    def current(self: joins.Joins, asked: Any) -> Any:
        self._current = {known.context_id: known for known in asked}
        return self._current

    patch.setattr(joins.Joins, "current", current)
    patch.setattr(joins, "change", lambda statement, connection, rows: None)
    patch.setattr(join, "_not_in_force", lambda ask, known: None)


def _join_twice(at: LastingState) -> None:
    at.join(1, False)
    at.join(1, False)


def _an_old_request_after_new_keys(at: LastingState) -> None:
    _join_twice(at)
    at.change_keys()
    at.copy(0, False)


def _two_rollovers_in_a_second(at: LastingState) -> None:
    for _ in range(2):
        at.start()
        at.tell(False)
        for number in ALL:
            at.answer(number, False)
        at.tell(False)
        at.abort()


def _one_gives_its_identifier_back(at: LastingState) -> None:
    at.release(1)
    at.join(4, False)


def _one_gives_it_back_after_new_keys(at: LastingState) -> None:
    at.change_keys()
    _one_gives_its_identifier_back(at)


def _from_one_registrar_to_the_other(at: LastingState) -> None:
    for second in (False, True, False, True):
        at.join(1, second)


def _one_is_revoked(at: LastingState) -> None:
    at.join(1, True)
    at.revoke(1, False)
    at.join(1, True)


Course = Callable[[LastingState], None]
Breakage = Callable[[pytest.MonkeyPatch], None]
BROKEN: dict[Breakage, tuple[Course, str]] = {
    _window_forgets: (_an_old_request_after_new_keys, "was answered with other bytes"),
    _window_is_short: (_join_twice, "windows"),
    _numbers_of_the_clock_alone: (_two_rollovers_in_a_second, "come again"),
    _numbers_are_not_written: (_two_rollovers_in_a_second, "come again|reserved"),
    _identifiers_come_back_at_once: (_one_gives_its_identifier_back, "while its keys live"),
    _updates_burn_nothing: (_one_gives_it_back_after_new_keys, "while its keys live"),
    _registrars_overwrite_each_other: (_from_one_registrar_to_the_other, "answered first"),
    _revoked_ones_are_answered_from_memory: (_one_is_revoked, "is revoked, and was told|first"),
}


def gone_through(course: Course) -> None:
    """A course, with what has to hold after it."""
    at = LastingState()
    try:
        at.everybody_joins()
        course(at)
        at.windows_are_those_of_the_model()
        at.every_sender_number_is_reserved()
        at.a_short_identifier_has_one_holder()
    finally:
        at.teardown()


@pytest.mark.parametrize("course", dict.fromkeys(course for course, _ in BROKEN.values()))
def test_a_sound_registrar_passes_each_course(course: Course) -> None:
    """So it is what is broken that is caught."""
    gone_through(course)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__.strip("_"))
def test_a_registrar_that_is_broken_on_purpose_is_caught(
    monkeypatch: pytest.MonkeyPatch, broken: Breakage
) -> None:
    """By the claim that is meant, not by an error of its own."""
    course, said = BROKEN[broken]
    broken(monkeypatch)
    with pytest.raises(AssertionError, match=said):
        gone_through(course)

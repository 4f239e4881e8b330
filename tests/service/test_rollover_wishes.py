"""Rollovers that begin without an operator: successors, and periodic ones."""

from collections.abc import Iterator

import pytest

from jrc.policy.rollover import Phase
from jrc.service.networks import remove_network
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverCause, RolloverSettings
from jrc.service.rollover_wishes import (
    Begun,
    domains_that_may_begin,
    next_periodic_ms,
    periodic,
    start_wanted,
    want_rollover,
)
from tests.desk import ACTOR, NOW_MS, Desk
from tests.rollovers import SETTINGS, Floor, floor_at

DAY_S = 86_400
DAY_MS = 1000 * DAY_S


@pytest.fixture
def floor(desk: Desk) -> Iterator[Floor]:
    """Two 6LNs and a 6LBR."""
    with floor_at(desk) as opened:
        yield opened


def want(floor: Floor, cause: RolloverCause = RolloverCause.REVOCATION) -> None:
    floor.desk.write(lambda tx: want_rollover(tx, 1, cause=cause, actor=ACTOR, reason="stolen"))


def begun(floor: Floor, settings: RolloverSettings = SETTINGS) -> Begun | None:
    return floor.desk.write(lambda tx: start_wanted(tx, 1, settings))


def nightly(floor: Floor) -> list[int]:
    """The key domains in which a periodic rollover begins now."""
    domains = floor.desk.read(domains_that_may_begin)
    found = [
        floor.desk.write(lambda tx, each=each: periodic(tx, each, DAY_S, SETTINGS))  # type: ignore[misc]
        for each in domains
    ]
    return [each.domain_id for each in found if each is not None and each.rollover is not None]


# --- Successors ---------------------------------------------------------------------------------


def test_a_wanted_rollover_begins_when_the_running_one_has_ended(floor: Floor) -> None:
    """With the cause and the reason of who wanted it first, and once."""
    floor.start()
    want(floor)
    want(floor, RolloverCause.BORDER_ROUTER)
    assert begun(floor) is None
    assert "revocation" == floor.status().wanted
    floor.to_done()
    started = begun(floor, RolloverSettings(quorum_permille=950))
    assert started is not None
    assert (("lab",), None) == (started.networks, started.error)
    record = floor.record(2)
    assert (RolloverCause.REVOCATION, "stolen", ACTOR, 950) == (
        record.cause,
        record.reason,
        record.actor,
        record.quorum_permille,
    )
    assert floor.status().wanted is None
    assert begun(floor) is None


def test_a_wanted_rollover_follows_an_aborted_one(floor: Floor) -> None:
    """Whoever called that one off did not mean this."""
    floor.start()
    want(floor)
    floor.abort()
    assert begun(floor) is not None


def test_what_cannot_begin_stays_wanted(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says why: it is tried again when somebody has looked after it."""
    want(floor)
    monkeypatch.setattr("jrc.service.key_domains.key_ids_for", lambda _: frozenset({1}))
    failed = begun(floor)
    assert failed is not None
    assert failed.rollover is None
    assert failed.error is not None
    assert "0 of 1 are free" in failed.error.message
    assert {1: "current"} == floor.generations()
    monkeypatch.undo()
    again = begun(floor)
    assert again is not None
    assert again.error is None


def test_a_wish_ends_with_its_key_domain(floor: Floor) -> None:
    """Nobody is left to have new keys."""
    want(floor)
    floor.desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    assert [] == floor.desk.read(lambda tx: tx.rollovers.all_wanted())


def test_a_persons_wish_takes_the_place_of_the_registrars_own_and_not_the_other_way(
    floor: Floor,
) -> None:
    """The audit log is to say who put a device out, and why."""

    def wish(cause: RolloverCause, actor: str) -> tuple[str, str]:
        floor.desk.write(lambda tx: want_rollover(tx, 1, cause=cause, actor=actor))
        found = floor.desk.read(lambda tx: tx.rollovers.wanted(1))
        assert found is not None
        return found.cause.value, found.actor

    assert wish(RolloverCause.BORDER_ROUTER, "jrc") == ("border-router", "jrc")
    assert wish(RolloverCause.REVOCATION, "carol") == ("revocation", "carol")
    assert wish(RolloverCause.BORDER_ROUTER, "jrc") == ("revocation", "carol")
    assert wish(RolloverCause.REVOCATION, "dave") == ("revocation", "carol")


# --- Periodic ones ------------------------------------------------------------------------------


def test_keys_that_are_old_enough_are_changed(floor: Floor) -> None:
    """Those of each key domain in their own time."""
    floor.desk.now_ms += DAY_MS - 1
    floor.desk.network("far", b"\xca\xfd")
    assert [] == nightly(floor)
    floor.desk.now_ms += 1
    assert [1] == nightly(floor)
    record = floor.record()
    assert (RolloverCause.PERIODIC, "jrc") == (record.cause, record.actor)
    assert [] == nightly(floor), "it runs"


def test_the_age_counts_from_when_keys_came_into_force(floor: Floor) -> None:
    """And not from when they were drawn."""
    floor.start()
    floor.desk.now_ms += DAY_MS
    floor.to_done()
    assert [] == nightly(floor)
    floor.desk.now_ms += DAY_MS
    assert [1] == nightly(floor)


def test_a_rollover_that_was_called_off_is_not_begun_again_at_once(floor: Floor) -> None:
    """The operator's word lasts for a period."""
    floor.desk.now_ms += DAY_MS
    assert [1] == nightly(floor)
    floor.abort()
    assert [] == nightly(floor)
    floor.desk.now_ms += DAY_MS
    assert [1] == nightly(floor)


def test_a_clock_that_was_set_back_makes_no_keys_old(floor: Floor) -> None:
    """Nor does it start anything."""
    floor.desk.now_ms -= 10 * DAY_MS
    assert [] == nightly(floor)


def test_when_the_next_periodic_rollover_is_due(floor: Floor) -> None:
    """Each key domain has a time of its own; none where a rollover runs, or nothing is there."""

    def due(tx: Registry) -> list[int | None]:
        return [next_periodic_ms(tx, domain_id, DAY_S) for domain_id in (1, 2, 3)]

    floor.desk.now_ms += 5
    floor.desk.network("far", b"\xca\xfd")
    assert [NOW_MS + DAY_MS, NOW_MS + 5 + DAY_MS, None] == floor.desk.read(due)
    assert floor.start().phase == Phase.DISTRIBUTING
    assert [None, NOW_MS + 5 + DAY_MS, None] == floor.desk.read(due)

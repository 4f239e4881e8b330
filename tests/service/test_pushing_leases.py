"""Leases renewed by Parameter Updates (RFC 9031 §8.4.4.1)."""

import pytest

from jrc.cojp.objects import Configuration
from jrc.policy.leases import lease_end_ms
from jrc.service.pushing import LOOK_MS
from tests.pushing import HOUR_MS, PAUSE_MS, Bureau, answered, unanswered


def test_f05_a_lease_is_renewed_when_a_third_is_left(bureau: Bureau) -> None:
    """The node keeps its identifier; the end is that of the one sent (RFC 9031 §8.4.4)."""
    bureau.set(lease_hours=30)
    (joined,) = bureau.join(1)
    before = bureau.lease()
    bureau.desk.now_ms += 20 * HOUR_MS - PAUSE_MS
    assert {} == bureau.told()
    bureau.desk.now_ms += LOOK_MS
    found = bureau.told()
    assert {1: Configuration(short_identifier=joined.short_identifier)} == found
    assert lease_end_ms(bureau.desk.now_ms - PAUSE_MS, 30) == bureau.lease()["lease_until_ms"]
    assert {**before, "lease_until_ms": None, "version": 2} == {
        **bureau.lease(), "lease_until_ms": None
    }  # fmt: skip


def test_f05_a_renewal_that_is_not_acknowledged_is_sent_again(bureau: Bureau) -> None:
    """Each moves the registrar's own end; a restart forgets nothing of it (row F3)."""
    bureau.set(lease_hours=3)
    bureau.join(1)
    bureau.desk.now_ms += 2 * HOUR_MS + LOOK_MS
    (update,) = bureau.turn().updates
    bureau.turn(unanswered(update))
    bureau.restart()
    assert () == bureau.turn().updates
    bureau.desk.now_ms = bureau.row().next_at_ms or 0
    (update,) = bureau.turn().updates
    assert lease_end_ms(bureau.desk.now_ms, 3) == bureau.lease()["lease_until_ms"]
    bureau.turn(answered(update))
    assert (None, None) == (bureau.row().next_at_ms, bureau.row().lease_sent_at_ms)


def test_f03_who_never_answers_keeps_its_identifier(bureau: Bureau) -> None:
    """No clock takes it away (RFC 9031 §8.4.4.1)."""
    bureau.set(lease_hours=1)
    bureau.join(1)
    value = bureau.lease()["value"]
    for _ in range(30):
        bureau.desk.now_ms += HOUR_MS
        bureau.turn(*map(unanswered, bureau.turn().updates))
    assert value == bureau.lease()["value"]
    assert bureau.row().attempts > 20
    (joined,) = bureau.join(1)
    assert joined.short_identifier is not None
    assert value == int.from_bytes(joined.short_identifier.identifier)


@pytest.mark.parametrize(("before", "after"), [(None, 24), (24, None), (720, 24), (24, 720)])
def test_f05_another_lease_is_told_at_once(
    bureau: Bureau, before: int | None, after: int | None
) -> None:
    """Longer, shorter, with an end or without (RFC 9031 §8.4.4)."""
    bureau.set(lease_hours=before)
    bureau.join(1)
    bureau.set(lease_hours=after)
    told = bureau.told()[1].short_identifier
    assert told is not None
    assert after == told.lease_hours
    assert lease_end_ms(bureau.desk.now_ms - PAUSE_MS, after) == bureau.lease()["lease_until_ms"]
    assert {} == bureau.told()

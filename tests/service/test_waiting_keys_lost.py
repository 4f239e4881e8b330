"""Keys that wait (row A5), and what else becomes of a pledge: recovery, updates, rotation."""

import os
from collections.abc import Callable

import pytest

from jrc.errors import Reason
from jrc.lab.pledge import Joined
from jrc.model import Secret
from jrc.service.applicants import Applicant, Purpose
from jrc.service.enroll import add_pledge
from jrc.service.networks import NetworkChanges, set_network
from jrc.service.outcomes import Ref, Retry
from jrc.service.pledge_recovery import recover_pledges
from jrc.service.rollover import abort_rollover, start_rollover
from tests.desk import ACTOR, pledge_id
from tests.joining import Hall
from tests.service.enrolling import derived
from tests.service.recoveries import CAFE, Peer, answered, begins, comes_back, enroll, joins, lose
from tests.service.turns import Turns

PAUSE_MS = 60_000
"""After which more sender numbers are due."""


def waits(hall: Hall, *, as_derived: bool = False) -> Peer:
    """The next firmware of pledge 1, whose key waits."""
    psk = os.urandom(16)
    keys = derived(1, psk) if as_derived else Secret(psk)
    who = Applicant(identifier=pledge_id(1), keys=keys)
    hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, purpose=Purpose.NEXT_FIRMWARE))
    hall.contexts.forget_all()
    return Peer(pledge_id(1).value, Secret(psk), CAFE)


def waits_while_lost(hall: Hall, old: Peer) -> Peer:
    """The same, of a device that lost its numbers, and has begun to come back with its key."""
    new = waits(hall)
    hall.desk.write(lambda tx: recover_pledges(tx, [pledge_id(1)], actor=ACTOR, agreed=True))
    hall.contexts.forget_all()
    begins(hall, old)
    return new


def states(hall: Hall) -> list[object]:
    return [state for (state,) in hall.desk.sql("SELECT state FROM credential ORDER BY id")]


def test_a05_b07_a_key_that_waits_comes_back_by_app_b2_and_is_the_only_one_then(
    hall: Hall,
) -> None:
    """RFC 8613 App. B.2: after a loss of state, for each key by itself."""
    old = enroll(hall)
    joins(hall, old)
    new = waits(hall)
    lose(hall)
    begins(hall, old)
    begins(hall, new)
    assert ["current", "candidate"] == states(hall)
    assert isinstance(answered(hall, new), Joined)
    assert ["superseded", "current"] == states(hall)
    assert answered(hall, old) is None
    joins(hall, new)


def test_a05_b07_the_key_in_force_comes_back_beside_one_that_waits(hall: Hall) -> None:
    """RFC 8613 App. B.2 step 5: what is erased is of the key that was used."""
    old = enroll(hall)
    joins(hall, old)
    new = waits(hall)
    lose(hall)
    comes_back(hall, old)
    joins(hall, old)
    comes_back(hall, new)
    assert answered(hall, old) is None
    joins(hall, new)
    joins(hall, new)


def test_a05_b07_derived_keys_that_wait_are_silent_after_a_loss(hall: Hall) -> None:
    """RFC 9031 App. B: they give no other context; another key takes their place."""
    old = enroll(hall)
    joins(hall, old)
    new = waits(hall, as_derived=True)
    lose(hall)
    assert answered(hall, new) is None
    assert hall.metrics.drops[Reason.NOT_RECOVERABLE] == 1
    comes_back(hall, old)
    joins(hall, waits(hall))
    assert answered(hall, new) is None


def test_a05_b07_a_device_that_lost_its_numbers_keeps_the_key_that_waits(hall: Hall) -> None:
    """RFC 9031 §8.3.3: nothing was received under that one."""
    old = enroll(hall)
    joins(hall, old)
    new = waits_while_lost(hall, old)
    joins(hall, new)
    assert answered(hall, old) is None


def test_a05_b07_a_run_that_was_begun_with_the_key_before_ends_with_it(hall: Hall) -> None:
    """RFC 8613 App. B.2 step 4: its request #2 comes to nothing."""
    old = enroll(hall)
    joins(hall, old)
    new = waits_while_lost(hall, old)
    joins(hall, new)
    assert [] == hall.desk.sql("SELECT r2 FROM recovery_run")
    assert answered(hall, old) is None


def stale(turns: Turns) -> set[int]:
    """The nodes of updates under way that may not be told any more."""
    found: set[int] = set()
    for errand in turns.errands:
        refs: dict[int, object] = {
            node: update.ref.inner
            for node, update in turns.open.items()
            if isinstance(update.ref, Ref) and update.ref.errand == errand.name
        }
        found.update(turns.desk.read(lambda tx: errand.stale(tx, refs)))  # noqa: B023
    return found


def keys(turns: Turns) -> None:
    turns.command(start_rollover)


def former_keys(turns: Turns) -> None:
    """After an abort those in force are told again."""
    turns.command(start_rollover)
    turns.take()
    turns.end(1)
    turns.desk.now_ms += PAUSE_MS
    turns.take()
    turns.command(abort_rollover)
    turns.desk.now_ms += PAUSE_MS


def settings(turns: Turns) -> None:
    turns.command(set_network, changes=NetworkChanges(join_rate_bytes_per_s=40), agreed=True)


@pytest.mark.parametrize("change", [keys, former_keys, settings])
def test_a05_an_update_under_the_key_before_is_called_off(
    hall: Hall, change: Callable[[Turns], None]
) -> None:
    """RFC 9031 §8.2: what was protected with it leaves no more, and counts for nobody."""
    old = enroll(hall)
    joins(hall, old)
    new = waits(hall)
    turns = Turns(hall.desk, Retry(first_s=300, most_s=3600), is_pushing=True)
    change(turns)
    said = hall.desk.sql("SELECT count(*) FROM event WHERE kind LIKE 'node.%'")
    (update,) = turns.take().updates
    assert update.security.sender_key == old.odd().context.recipient_key
    assert set() == stale(turns)
    joins(hall, new)
    assert {1} == stale(turns)
    turns.end(1)
    turns.take()
    assert said == hall.desk.sql("SELECT count(*) FROM event WHERE kind LIKE 'node.%'")

"""Why a rollover waits: who has paused it, for what reason, and the way on."""

from jrc.service.rollover import pause_rollover, resume_rollover, start_rollover
from jrc.service.rollover_pause import PauseReport
from jrc.service.rollover_reports import status
from tests.desk import Desk
from tests.rollovers import Floor


def _plan(desk: Desk, network: str) -> None:
    """A rollover that begins in a minute."""
    later_ms = desk.now_ms + 60_000
    desk.write(lambda tx: start_rollover(tx, network, actor="carol", not_before_ms=later_ms))


def _pause(desk: Desk, network: str, actor: str, reason: str = "") -> None:
    desk.write(lambda tx: pause_rollover(tx, network, actor=actor, reason=reason))


def _resume(desk: Desk, network: str) -> None:
    desk.write(lambda tx: resume_rollover(tx, network, actor="carol"))


def _paused(desk: Desk, network: str) -> PauseReport:
    found = desk.read(lambda tx: status(tx, network)).paused
    assert found is not None
    return found


def test_a_pause_tells_who_and_why(floor: Floor) -> None:
    """Not the reason for which the rollover was started; of several pauses the last one's."""
    floor.start(reason="yearly")
    _pause(floor.desk, "lab", "alice", "storm")
    _resume(floor.desk, "lab")
    floor.desk.now_ms += 5000
    _pause(floor.desk, "lab", "bob", "radio\nnoise")
    found = _paused(floor.desk, "lab")
    assert ("operator", "distributing", "bob", "radio\nnoise", "2026-11-30T00:53:25.000Z") == (
        found.cause,
        found.phase,
        found.actor,
        found.reason,
        found.at,
    )
    assert found.sentence.startswith(
        'It was paused by bob ("radio noise"): `jrc rollover resume lab` goes on'
    )
    assert "yearly" == floor.status().reason


def test_a_pause_without_a_reason_names_the_operator(floor: Floor) -> None:
    """Who can be asked."""
    floor.start()
    _pause(floor.desk, "lab", "alice")
    assert _paused(floor.desk, "lab").sentence.startswith("It was paused by alice: `jrc")


def test_e02_a_deadline_that_pauses_tells_the_share_and_when(floor: Floor) -> None:
    """Nobody's reason, but how many are reached and how many are needed (row E2)."""
    floor.start()
    floor.tell(only={1})
    floor.desk.now_ms += 3_600_000
    floor.advance(deadline_passed=True)
    found = _paused(floor.desk, "lab")
    assert ("deadline", "jrc", "", "2026-11-30T01:53:20.000Z") == (
        found.cause,
        found.actor,
        found.reason,
        found.at,
    )
    assert "The deadline has passed with 1 of 3 6LNs reached, and 100 % are" in found.sentence


def test_the_pause_of_another_key_domain_is_not_taken_for_this_one(desk: Desk) -> None:
    """Both are of a second generation; in a shared key domain each network shows the same."""
    desk.network("lab", b"\xca\xfe", key_domain="hq")
    desk.network("hall", b"\xca\xfd", key_domain="hq", prefix="2001:db8:1::/64")
    desk.network("far", b"\xca\xfc", prefix="2001:db8:2::/64")
    for name in ("lab", "far"):
        _plan(desk, name)
    _pause(desk, "hall", "alice", "storm")
    _pause(desk, "far", "bob", "noise")
    assert ["storm", "storm", "noise"] == [
        _paused(desk, name).reason for name in ("lab", "hall", "far")
    ]

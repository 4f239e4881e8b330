"""Why a node that has joined is not heard: what it has, and is told, of its network's keys."""

from collections.abc import Iterator

import pytest

from jrc.model import Profile
from jrc.policy.rollover import NodeState
from jrc.service.explain import FactReport, explain_pledge
from jrc.service.registry import Registry
from jrc.service.revoking import revoke_pledges
from jrc.service.wording import utc_text
from tests.desk import ACTOR, NOW_MS, Desk, pledge_id
from tests.rollovers import Floor, floor_at

MINUTE_MS = 60_000
LABEL = "4.00 can't act upon label 2"
NEW = "new link-layer keys of network lab"


@pytest.fixture
def floor(desk: Desk) -> Iterator[Floor]:
    """Two 6LNs (rows 1 and 2) and a 6LBR (row 3)."""
    with floor_at(desk, 2) as opened:
        yield opened


def facts(floor: Floor, number: int) -> list[FactReport]:
    found = floor.desk.read(lambda tx: explain_pledge(tx, pledge_id(number), []))
    return [fact for fact in found.facts if fact.reason.startswith("keys_")]


def fact(floor: Floor, number: int) -> tuple[str, str, str]:
    """The one thing that is said of its keys; it keeps nobody from joining."""
    (found,) = facts(floor, number)
    assert not found.blocks
    return found.reason, found.sentence, found.what_to_do


def set_node(floor: Floor, number: int, **values: object) -> None:
    def work(tx: Registry) -> None:
        node = tx.rollovers.find(1, [number])[number]
        tx.rollovers.save_nodes([node._replace(**values)])  # type: ignore[arg-type]

    floor.desk.write(work)


def end_without(floor: Floor, *left: int, state: NodeState = NodeState.UNREACHABLE) -> None:
    """A rollover that ends a minute after its start, when these did not get the keys."""
    floor.start()
    floor.tell(state, only=left)
    floor.tell()
    floor.advance(deadline_passed=True)
    floor.resume(anyway=True)
    floor.tell(only=[3])
    floor.advance()
    floor.desk.now_ms += MINUTE_MS
    floor.advance(guard_over=True)


def test_nothing_is_said_of_a_node_that_has_the_keys_in_force(floor: Floor) -> None:
    """Nor of a pledge that never joined."""
    floor.hall.enroll(9)
    assert facts(floor, 1) == facts(floor, 9) == []
    floor.start()
    floor.to_done()
    assert facts(floor, 1) == []


def test_a_node_that_was_left_behind_holds_retired_keys(floor: Floor) -> None:
    """Since when, and that it has to join again (RFC 9031 §8.4.3.1)."""
    end_without(floor, 1)
    reason, sentence, what_to_do = fact(floor, 1)
    assert reason == "keys_retired"
    assert sentence == (
        f"It holds link-layer keys of network lab that are retired since"
        f" {utc_text(NOW_MS + MINUTE_MS)}: it did not answer to the new ones (1 attempt)."
    )
    assert what_to_do == "No update helps: restart it, so that it joins again."
    assert facts(floor, 2) == []
    floor.hall.contexts.forget_all()
    floor.hall.join(floor.pledges[1])
    assert facts(floor, 1) == []


def test_a_node_that_takes_no_updates_may_be_given_a_new_image(floor: Floor) -> None:
    """Profile openwsn: while the rollover runs, and when it has ended."""
    floor.join(4, profile=Profile.OPENWSN)
    floor.start()
    reason, sentence, what_to_do = fact(floor, 4)
    assert (reason, sentence) == ("keys_by_joining", f"There are {NEW}, and it takes no updates.")
    assert "joins again, or give it a new image" in what_to_do
    floor.to_done()
    reason, sentence, what_to_do = fact(floor, 4)
    assert (reason, sentence.endswith(": it takes no updates.")) == ("keys_retired", True)
    assert "profile openwsn" in what_to_do
    assert "joins again, or give it a new image" in what_to_do


def test_a_node_that_had_refused_is_told_with_the_label(floor: Floor) -> None:
    """RFC 9031 §8.4.5: while the rollover runs, and when it has ended."""
    floor.start()
    floor.tell(NodeState.REFUSED, only=[1])
    set_node(floor, 1, last_error=LABEL)
    reason, sentence, what_to_do = fact(floor, 1)
    assert (reason, sentence) == ("keys_refused", f"It refused the {NEW}: {LABEL}.")
    assert "firmware" in what_to_do
    assert f"`jrc pledge clear-reports {pledge_id(1)}`" in what_to_do
    floor.tell()
    floor.advance(deadline_passed=True)
    floor.resume(anyway=True)
    floor.tell(only=[3])
    floor.advance()
    floor.advance(guard_over=True)
    reason, sentence, what_to_do = fact(floor, 1)
    assert (reason, f"it refused the new ones ({LABEL})" in sentence) == ("keys_retired", True)
    assert "firmware" in what_to_do
    assert f"`jrc pledge clear-reports {pledge_id(1)}`" in what_to_do


def test_a_node_that_is_told_keys_just_now_is_left_alone(floor: Floor) -> None:
    """6LNs first; a 6LBR hears of them afterwards (RFC 9031 §8.4.3.1)."""
    floor.start()
    assert fact(floor, 1)[:2] == ("keys_under_way", f"It is to be told the {NEW}.")
    assert fact(floor, 3)[:2] == ("keys_under_way", f"It is told the {NEW} after the 6LNs.")
    floor.tell(NodeState.SENT, only=[1])
    _, sentence, what_to_do = fact(floor, 1)
    assert sentence == (
        f"It is being told the {NEW} just now (1 attempt, the last at {utc_text(NOW_MS)})."
    )
    assert what_to_do.startswith("Nothing: it is told by update. `jrc rollover status lab`")
    floor.pause()
    assert fact(floor, 1)[1].startswith(f"It is to be told the {NEW} (1 attempt, the last at")
    floor.resume()
    floor.tell()
    assert facts(floor, 2) == []


def test_a_node_that_is_not_reached_is_told_with_its_tries(floor: Floor) -> None:
    """And that a pause keeps it waiting."""
    floor.start()
    floor.tell(NodeState.UNREACHABLE, only=[1])
    reason, sentence, what_to_do = fact(floor, 1)
    tries = f"1 attempt, the last at {utc_text(NOW_MS)}, the next at {utc_text(NOW_MS + 300_000)}"
    assert (reason, sentence) == ("keys_unanswered", f"It does not answer to the {NEW} ({tries}).")
    assert f"`jrc node push {pledge_id(1)}`" in what_to_do
    floor.pause()
    assert fact(floor, 1)[1].endswith("; that is paused.")


def test_a_node_that_is_to_go_back_after_an_abort_is_said(floor: Floor) -> None:
    """It may send with keys that nobody else has."""
    floor.start()
    floor.tell(only=[1])
    floor.abort()
    reason, sentence, _ = fact(floor, 1)
    assert (reason, "told the keys in force again" in sentence) == ("keys_reverting", True)
    floor.tell(NodeState.REVERTED)
    assert facts(floor, 1) == []


def test_a_planned_rollover_and_a_revoked_node_say_nothing(floor: Floor) -> None:
    """Nothing has happened yet; who is put out is to have no keys."""
    floor.start(not_before_ms=NOW_MS + MINUTE_MS)
    assert facts(floor, 1) == []
    floor.abort()
    floor.desk.write(
        lambda tx: revoke_pledges(tx, [pledge_id(1)], actor=ACTOR, agreed=True, rekey=False)
    )
    floor.start()
    assert facts(floor, 1) == []
    assert facts(floor, 2) != []

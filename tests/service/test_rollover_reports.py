"""What is shown of a rollover: the running one or the last, page by page."""

from dataclasses import asdict

import pytest

from jrc.errors import OperatorError
from jrc.policy.rollover import NodeState
from jrc.service.installers import InstallerId
from jrc.service.records import InstallationRecord
from jrc.service.rollover_reports import InstallerReport
from tests.desk import pledge_id
from tests.rollovers import Floor


def test_before_the_first_rollover_there_is_no_phase(floor: Floor) -> None:
    """Everything but the networks is null or empty."""
    shown = asdict(floor.status())
    assert ("lab", ("lab",), "lab") == (
        shown.pop("network"),
        shown.pop("networks"),
        shown.pop("key_domain"),
    )
    assert not any(shown.values())


def test_a_node_is_shown_with_its_times(floor: Floor) -> None:
    """In UTC; what did not happen yet is null."""
    floor.start()
    floor.desk.now_ms += 1000
    floor.tell(only={1})
    first, second, *_ = floor.status().nodes
    at = "2026-11-30T00:53:21.000Z"
    assert {
        "pledge_id": str(pledge_id(1)),
        "role": "6ln",
        "network": "lab",
        "state": "reached",
        "attempts": 1,
        "last_error": None,
        "sent": at,
        "reached": at,
        "tried": at,
        "next": None,
    } == asdict(first)
    assert ("pending", None, "2026-11-30T00:53:20.000Z") == (
        second.state,
        second.sent,
        second.next,
    )


def test_counts_have_both_roles(floor: Floor) -> None:
    """And no state that nobody is in."""
    floor.start()
    floor.tell(only={1, 2})
    assert {"6ln": {"reached": 2, "pending": 1}, "6lbr": {"pending": 1}} == floor.status().counts


def test_nodes_come_in_pages(floor: Floor) -> None:
    """Each with what gives the next; none at all for a glance."""
    floor.start()
    seen, after = [], 0
    for _ in range(3):
        shown = floor.status(after=after, limit=2)
        seen += [node.pledge_id for node in shown.nodes]
        if shown.next_page is None:
            break
        after = shown.next_page
    assert [str(pledge_id(number)) for number in (1, 2, 3, 4)] == seen
    assert () == floor.status(limit=0).nodes


def test_nodes_of_some_states_are_shown_alone(floor: Floor) -> None:
    """Such as those that hold a rollover up."""
    floor.start()
    floor.tell(only={1, 3})
    floor.tell(NodeState.UNREACHABLE)
    shown = floor.status(states=[NodeState.UNREACHABLE]).nodes
    assert [str(pledge_id(2))] == [node.pledge_id for node in shown]


def test_the_last_rollover_stays_to_be_seen(floor: Floor) -> None:
    """With how each node was in the end; older ones by their number."""
    floor.start(reason="a leak")
    floor.to_done()
    shown = floor.status()
    assert ("done", "a leak", {"6ln": {"reached": 3}, "6lbr": {"reached": 1}}) == (
        shown.phase,
        shown.reason,
        shown.counts,
    )
    assert shown.ended
    floor.start()
    assert (2, "distributing") == (floor.status().id, floor.status().phase)
    assert (1, "done") == (floor.status(rollover_id=1).id, floor.status(rollover_id=1).phase)
    with pytest.raises(OperatorError, match="had no rollover of number 7"):
        floor.status(rollover_id=7)


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("distributing", "`abort lab` calls it off"),
        ("switching", "there is no way back"),
        ("guarding", "begins the guard time anew"),
    ],
)
def test_a_paused_rollover_says_what_to_do(floor: Floor, phase: str, said: str) -> None:
    """By where it goes back to."""
    floor.start()
    while floor.status().phase != phase:
        floor.tell()
        floor.advance()
    assert floor.status().paused is None
    floor.pause()
    paused = floor.status().paused
    assert paused is not None
    assert ("operator", phase) == (paused.cause, paused.phase)
    assert said in paused.sentence
    assert "jrc rollover resume lab" in paused.sentence


def test_an_installer_tells_its_trouble_and_its_next_run(floor: Floor) -> None:
    """What is stored of its last run; the process knows when it is run again."""
    failed = InstallationRecord(
        network_id=1, installer="exec", generation=1, tried_at_ms=1000, failures=3, error="exit 1"
    )
    floor.desk.write(lambda tx: tx.installations.save(failed))
    floor.start()
    one, two = InstallerId("lab", "exec"), InstallerId("lab", "new")
    found = floor.status(installers=[one, two], waits_s={one: 2.5}).installers
    assert {
        "lab/exec": InstallerReport(
            installed=False,
            failures=3,
            error="exit 1",
            tried="1970-01-01T00:00:01.000Z",
            next="2026-11-30T00:53:22.500Z",
        ),
        "lab/new": InstallerReport(installed=False, failures=0, error=None, tried=None, next=None),
    } == found

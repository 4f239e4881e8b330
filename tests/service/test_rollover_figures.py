"""Figures of rollovers for metrics, and the sizes that a rehearsal is given."""

import pytest

from jrc.errors import OperatorError
from jrc.model import Profile
from jrc.policy.rollover import NodeState, Phase
from jrc.service.rollover_figures import RolloverFigures, rollover_figures
from jrc.service.rollover_sizes import sizes_of
from tests.desk import NOW_MS
from tests.rollovers import Floor


def _figures(floor: Floor) -> list[RolloverFigures]:
    return floor.desk.read(rollover_figures)


def test_before_the_first_rollover_there_is_the_age_of_the_keys(floor: Floor) -> None:
    """And nothing else."""
    assert _figures(floor) == [RolloverFigures(network="lab", keys_since_ms=NOW_MS)]


def test_networks_that_share_keys_have_the_same_figures(floor: Floor) -> None:
    """Nodes of all roles are counted together."""
    floor.desk.network("hall", b"\xbe\xef", prefix="2001:db8:9::/64", key_domain="lab")
    floor.start()
    floor.tell(only=[1])
    floor.tell(NodeState.UNREACHABLE, only=[2])
    hall, lab = _figures(floor)
    assert (hall.network, lab.network) == ("hall", "lab")
    assert (hall.phase, hall.started_at_ms, hall.ended_at_ms) == (
        Phase.DISTRIBUTING, NOW_MS, None
    )  # fmt: skip
    assert {state: count for state, count in lab.nodes.items() if count} == {
        NodeState.REACHED: 1, NodeState.UNREACHABLE: 1, NodeState.PENDING: 2
    }  # fmt: skip
    assert hall.nodes == lab.nodes


def test_new_keys_are_young(floor: Floor) -> None:
    """From the moment they are in force, which is the switch."""
    floor.start()
    floor.desk.now_ms += 5000
    floor.to_switching()
    floor.desk.now_ms += 5000
    floor.to_done()
    (found,) = _figures(floor)
    assert (found.phase, found.keys_since_ms) == (Phase.DONE, NOW_MS + 5000)
    assert found.ended_at_ms == NOW_MS + 10_000


def test_a_rehearsal_is_given_who_is_told_by_update(floor: Floor) -> None:
    """By network; motes that take no updates are counted apart, and who is known to sleep."""
    floor.desk.network("hall", b"\xbe\xef", prefix="2001:db8:9::/64", key_domain="lab")
    floor.join(5, profile=Profile.OPENWSN)
    floor.desk.sql("UPDATE node SET sleep_s = 600 WHERE pledge_id = 1")
    floor.desk.sql("UPDATE node SET sleep_s = 1200 WHERE pledge_id IN (2, 4, 5)")
    size = floor.desk.read(lambda tx: sizes_of(tx, "lab"))
    assert [(each.network, each.nodes, each.border_routers) for each in size.networks] == [
        ("hall", 0, 0), ("lab", 3, 1)
    ]  # fmt: skip
    assert [each.must_join for each in size.networks] == [0, 1]
    assert (size.sleepy, size.sleep_s) == (2, 1200)


def test_an_unknown_network_has_no_size(floor: Floor) -> None:
    """With a near one."""
    with pytest.raises(OperatorError, match="did you mean lab"):
        floor.desk.read(lambda tx: sizes_of(tx, "lob"))

"""What a plan says before keys are changed."""

from functools import partial

import pytest

from jrc.errors import OperatorError
from jrc.model import Profile
from jrc.service.enroll import remove_pledge
from jrc.service.installers import InstallerId
from jrc.service.records import InstallationRecord
from jrc.service.rollover_plan import plan_rollover
from jrc.service.wording import Plan
from tests.desk import Desk, pledge_id
from tests.rollovers import Floor, floor_at


def plan(floor: Floor) -> Plan:
    return floor.desk.read(lambda tx: plan_rollover(tx, "lab"))


def test_the_plan_counts_whom_it_tells(desk: Desk) -> None:
    """In both roles, and it needs consent."""
    with floor_at(desk, 2) as floor:
        found = plan(floor)
        assert "Network lab gets new link-layer keys: 2 6LNs, then 1 6LBR, are told" in str(found)
        assert "Nothing here changes the keys" not in str(found), "its 6LBR is told by update"
        assert found.needs_consent
        assert ((), 0) == (found.pledges, found.count)
        with pytest.raises(OperatorError):
            found.require(agreed=False)


def test_the_plan_names_who_has_to_join_again(desk: Desk) -> None:
    """Nodes of profile openwsn take no updates."""
    with floor_at(desk, 1) as floor:
        floor.join(3, profile=Profile.OPENWSN)
        found = plan(floor)
        assert (str(pledge_id(3)),) == found.pledges
        assert 1 == found.count
        assert "1 node of profile openwsn can't be told new keys" in str(found)
        assert "1 6LN, then 1 6LBR" in str(found)


def test_the_plan_names_networks_that_switch_too(desk: Desk) -> None:
    """They share the keys."""
    desk.network("yard", b"\xca\xff", key_domain="lab")
    with floor_at(desk, 1, key_domain="lab") as floor:
        assert "It shares its keys with yard: they switch with it." in plan(floor).sentences


def test_the_plan_says_where_no_6lbr_is_given_keys(desk: Desk) -> None:
    """One without a 6LBR that takes updates and without an installer."""
    with floor_at(desk, 1, 0) as floor:
        floor.join(2, role=1, profile=Profile.OPENWSN)
        assert "Nothing here changes the keys of a 6LBR of network lab" in str(plan(floor))
        record = InstallationRecord(network_id=1, installer="exec", generation=1, tried_at_ms=1)
        desk.write(lambda tx: tx.installations.save(record))
        assert "Nothing here changes" not in str(plan(floor))
        for name, is_set in (("lab", True), ("yard", False)):
            read = partial(plan_rollover, network_name="lab", installers=[InstallerId(name, "new")])
            assert ("Nothing here changes" not in str(desk.read(read))) == is_set


def test_the_plan_counts_free_ids_and_what_becomes_free(desk: Desk) -> None:
    """Key ids of aborted keys are none; a removed pledge's short identifier is given again."""
    with floor_at(desk, 2) as floor:
        floor.start()
        floor.abort()
        floor.hall.act(remove_pledge, 2)
        said = plan(floor).sentences[-1]
        assert "252 key ids are free for it; 1 short identifier that nobody holds" in said


def test_no_plan_without_a_network(desk: Desk) -> None:
    """A near name is offered."""
    desk.network()
    with pytest.raises(OperatorError, match="did you mean lab"):
        desk.read(lambda tx: plan_rollover(tx, "lap"))

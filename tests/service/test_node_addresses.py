"""Where a joined node is reached: derived, or as the operator says."""

from ipaddress import IPv6Address, IPv6Network

import pytest

from jrc.errors import OperatorError
from jrc.model import PledgeId
from jrc.service.events import list_events
from jrc.service.networks import NetworkChanges, set_network
from jrc.service.node_addresses import Readdressed, set_address
from jrc.service.pledges import list_pledges
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import Hall, hall_at, next_generation

GIVEN = IPv6Address("2001:db8:7::7")
DERIVED = "2001:db8::212:4b00:0:1"


def give(hall: Hall, address: IPv6Address | None, name: PledgeId | None = None) -> Readdressed:
    who = name or pledge_id(1)
    return hall.desk.write(lambda tx: set_address(tx, who, address, actor=ACTOR, reason="lab"))


def shown(hall: Hall) -> str | None:
    (report,) = hall.desk.read(list_pledges)
    return report.address


def test_a_given_address_is_shown_and_can_be_taken_back(desk: Desk) -> None:
    """RFC 9031 §8.2.1 leaves open how the registrar knows it."""
    desk.network()
    with hall_at(desk) as hall:
        hall.join(hall.enroll())
        assert DERIVED == shown(hall)
        done = give(hall, GIVEN)
        assert ("2001:db8:7::7", True, True) == (done.address, done.given, done.changed)
        assert "2001:db8:7::7" == shown(hall)
        assert not give(hall, GIVEN).changed
        done = give(hall, None)
        assert (DERIVED, False, True) == (done.address, done.given, done.changed)
        assert DERIVED == shown(hall)
    events = [each for each in desk.read(list_events) if each.kind == "pledge.address_changed"]
    changes = [{"address": [None, str(GIVEN)]}, {"address": [str(GIVEN), None]}]
    assert changes == [each.detail for each in events]
    assert {(ACTOR, "lab")} == {(each.actor, each.reason) for each in events}


def test_only_a_joined_node_has_an_address(desk: Desk) -> None:
    """The hint says where to look."""
    desk.network()
    with hall_at(desk) as hall:
        hall.enroll()
        with pytest.raises(OperatorError, match="has not joined"):
            give(hall, GIVEN)
        with pytest.raises(OperatorError, match="pledge"):
            give(hall, GIVEN, pledge_id(9))


@pytest.mark.parametrize(
    "text", ["ff02::1", "::", "::1", "fe80::1", "::ffff:192.0.2.1", "2001:db8::1%eth0"]
)
def test_an_address_that_no_node_can_have_is_refused(desk: Desk, text: str) -> None:
    """RFC 4291 §2.5: unicast, and of use beyond one link."""
    desk.network()
    with hall_at(desk) as hall:
        hall.join(hall.enroll())
        with pytest.raises(OperatorError, match="a node is reached at a global one"):
            give(hall, IPv6Address(text))
        assert DERIVED == shown(hall)


def test_it_outlives_new_keys_and_not_a_new_network_or_prefix(desk: Desk) -> None:
    """An address is of the network that the node is in."""
    desk.network()
    desk.network("south", b"\x05", prefix="2001:db8:5::/64", key_domain="lab")
    with hall_at(desk) as hall:
        pledge = hall.enroll(networks=("lab", "south"))
        hall.join(pledge)
        give(hall, GIVEN)
        next_generation(desk, retire=False)
        hall.contexts.forget_all()
        hall.join(pledge)
        assert str(GIVEN) == shown(hall)
        hall.join(pledge, bytes.fromhex("a1054105"))
        assert "2001:db8:5:0:212:4b00:0:1" == shown(hall)
        give(hall, GIVEN)
        changes = NetworkChanges(prefix=IPv6Network("2001:db8:6::/64"))
        desk.write(lambda tx: set_network(tx, "south", changes, actor=ACTOR, agreed=True))
        hall.contexts.forget_all()
        assert shown(hall) is None
        hall.join(pledge, bytes.fromhex("a1054105"))
        assert "2001:db8:6:0:212:4b00:0:1" == shown(hall)


def test_a_damaged_address_counts_for_nothing(desk: Desk) -> None:
    """No MAC covers the row: what the identifier gives is shown."""
    desk.network()
    with hall_at(desk) as hall:
        hall.join(hall.enroll())
        desk.sql("UPDATE node SET address = 'x001:db8::1'")
        assert DERIVED == shown(hall)

"""Who has joined the networks of a key domain."""

from jrc.model import Profile
from tests.desk import Desk, pledge_id
from tests.joining import hall_at


def test_joined_nodes_are_those_in_force_in_live_networks(desk: Desk) -> None:
    """Each with the profile that counts and the operator's word on sleep."""
    desk.network("lab", b"\xca\xfe", key_domain="site")
    desk.network("yard", b"\xca\xff", key_domain="site")
    desk.network("far", b"\xca\xfd")
    with hall_at(desk) as hall:
        for number in (1, 2, 3):
            hall.join(hall.enroll(number, networks=("lab",)))
        hall.join(hall.enroll(4, networks=("yard",)), bytes.fromhex("a10542caff"))
        hall.join(hall.enroll(5, networks=("far",)), bytes.fromhex("a10542cafd"))
        hall.join(
            hall.enroll(6, role=1, networks=("lab",), profile=Profile.OPENWSN),
            bytes.fromhex("a201010542cafe"),
        )
        hall.enroll(7, networks=("lab",))
    desk.sql("UPDATE node SET sleep_s = 7200 WHERE pledge_id = 3")
    found = desk.read(lambda tx: list(tx.rollovers.joined_nodes(1)))
    assert [1, 2, 3, 4, 6] == [each.pledge_id for each in found], "5 and 7 are not here"
    assert 7200 == found[2].sleep_s
    assert (2, pledge_id(4)) == (found[3].network_id, found[3].identifier)
    assert (1, Profile.OPENWSN) == (found[4].role, found[4].profile)
    assert {3: pledge_id(3).value} == desk.read(lambda tx: tx.rollovers.identifiers([3, 99]))

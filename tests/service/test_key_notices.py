"""What an operator is told of keys at a glance."""

from jrc.model import Profile
from jrc.policy.rollover import NodeState, Phase
from jrc.service.enroll import remove_pledge
from jrc.service.installers import InstallerId
from jrc.service.key_notices import KeyNotice, key_notices
from jrc.service.records import InstallationRecord
from jrc.service.revoking import revoke_pledges
from jrc.service.rollover import advance
from jrc.service.rollover_records import RolloverCause, RolloverSettings
from jrc.service.rollover_wishes import want_rollover
from jrc.service.wording import utc_text
from tests.desk import ACTOR, NOW_MS, Desk, pledge_id
from tests.rollovers import Floor, floor_at

HOUR_MS = 3_600_000


def noticed(floor: Floor) -> list[KeyNotice]:
    return floor.desk.read(key_notices)


def only(floor: Floor) -> KeyNotice:
    (notice,) = noticed(floor)
    return notice


def test_nothing_is_said_where_all_have_the_keys_in_force(floor: Floor) -> None:
    """Before the first rollover, and after one that has reached everybody."""
    assert noticed(floor) == []
    floor.start()
    floor.to_done()
    assert noticed(floor) == []


def test_a_rollover_under_way_is_said_with_how_far_it_is(floor: Floor) -> None:
    """Once for networks that share keys; it needs nobody while it is in time."""
    floor.desk.network("hall", b"\xbe\xef", prefix="2001:db8:9::/64", key_domain="lab")
    floor.start()
    floor.tell(only=[1])
    found = only(floor)
    assert (found.networks, found.phase, found.wants_operator) == (
        ("hall", "lab"), "distributing", False
    )  # fmt: skip
    assert found.sentence == (
        "hall and lab: a rollover is distributing, 1 of 3 6LNs and 0 of 1 6LBR reached, until"
        f" {utc_text(NOW_MS + HOUR_MS)}"
    )
    assert found.look == "jrc rollover status hall"
    floor.to_switching()
    assert only(floor).sentence == (
        "hall and lab: a rollover is switching, 3 of 3 6LNs and 0 of 1 6LBR reached"
    )


def test_one_that_is_planned_says_when_it_begins(floor: Floor) -> None:
    """Nobody is told anything before."""
    floor.start(not_before_ms=NOW_MS + HOUR_MS)
    found = only(floor)
    assert found.sentence == f"lab: a rollover begins at {utc_text(NOW_MS + HOUR_MS)}"
    assert not found.wants_operator


def test_e02_one_that_waits_at_its_deadline_wants_the_operator(floor: Floor) -> None:
    """With why, and each way on (RFC 9031 §8.4.3.1)."""
    floor.start()
    floor.tell(only=[1])
    floor.advance(deadline_passed=True)
    found = only(floor)
    assert (found.phase, found.wants_operator) == ("paused", True)
    assert found.sentence == (
        "lab: a rollover is paused (the deadline has passed with 1 of 3 6LNs reached, and 100 %"
        " are needed)"
    )
    assert "`jrc rollover resume lab` goes on telling them" in found.what_to_do
    assert "calls it off" in found.what_to_do


def test_one_that_the_operator_has_paused_says_how_far_it_was(floor: Floor) -> None:
    """It is easily forgotten."""
    floor.start()
    floor.pause()
    found = only(floor)
    assert found.wants_operator
    assert "a rollover is paused, 0 of 3 6LNs and 0 of 1 6LBR reached (it was" in found.sentence


def test_e02_one_past_its_deadline_wants_the_operator(floor: Floor) -> None:
    """A daemon would have asked; it has ten seconds for that."""
    floor.start(RolloverSettings(deadline_s=60))
    floor.desk.now_ms += 70_000
    assert not only(floor).wants_operator
    floor.desk.now_ms += 1
    found = only(floor)
    assert (found.phase, found.wants_operator) == ("distributing", True)
    assert f"past its deadline ({utc_text(NOW_MS + 60_000)})" in found.sentence
    assert "daemon" in found.what_to_do


def test_nodes_that_a_rollover_has_left_behind_are_counted(floor: Floor) -> None:
    """They hold retired keys, and no update helps; who is put out does not count."""
    floor.join(5, profile=Profile.OPENWSN)
    floor.start()
    floor.tell(only=[1])
    floor.tell(NodeState.UNREACHABLE)
    floor.advance(deadline_passed=True)
    floor.resume(anyway=True)
    floor.tell(only=[4])
    floor.advance()
    assert "guarding" in only(floor).sentence
    floor.advance(guard_over=True)
    found = only(floor)
    assert (found.networks, found.phase, found.wants_operator) == (("lab",), None, True)
    assert found.sentence == "lab: 3 nodes hold retired keys and have to join again"
    assert found.look == "jrc node list lab --behind"
    assert "openwsn" in found.what_to_do
    floor.desk.write(lambda tx: remove_pledge(tx, pledge_id(2), actor=ACTOR, agreed=True))
    floor.desk.write(lambda tx: remove_pledge(tx, pledge_id(5), actor=ACTOR, agreed=True))
    assert only(floor).sentence == "lab: 1 node holds retired keys and has to join again"
    floor.desk.write(lambda tx: revoke_pledges(tx, [pledge_id(3)], actor=ACTOR, rekey=False))
    assert noticed(floor) == []


def test_a_node_that_has_joined_again_is_not_left_behind(floor: Floor) -> None:
    """Its place has the keys in force."""
    floor.start()
    floor.tell(NodeState.UNREACHABLE, only=[1])
    floor.tell()
    floor.advance(deadline_passed=True)
    floor.resume(anyway=True)
    floor.tell(only=[4])
    floor.advance()
    floor.advance(guard_over=True)
    assert "1 node" in only(floor).sentence
    floor.hall.contexts.forget_all()
    floor.hall.join(floor.pledges[1])
    assert noticed(floor) == []


def _revoke(floor: Floor, *numbers: int, rekey: bool) -> None:
    names = [pledge_id(number) for number in numbers]
    floor.desk.write(lambda tx: revoke_pledges(tx, names, actor=ACTOR, rekey=rekey))


def test_revoked_devices_that_have_the_keys_in_force_want_the_operator(floor: Floor) -> None:
    """Once for networks that share keys, until others are in force (RFC 9031 §8.4.3.1)."""
    floor.desk.network("hall", b"\xbe\xef", prefix="2001:db8:9::/64", key_domain="lab")
    _revoke(floor, 1, rekey=False)
    found = only(floor)
    assert (found.networks, found.phase, found.wants_operator) == (("hall", "lab"), None, True)
    assert found.sentence == (
        "hall and lab: 1 revoked device still has the keys in force, and can go on reading and"
        " sending"
    )
    assert found.what_to_do == "`jrc rollover start hall` puts it out"
    assert found.look == "jrc pledge list --state revoked"
    _revoke(floor, 2, rekey=False)
    assert "2 revoked devices still have the keys in force" in only(floor).sentence
    floor.start()
    assert "a rollover is distributing" in only(floor).sentence
    floor.to_done()
    assert noticed(floor) == []


def test_a_revocation_whose_rollover_is_aborted_leaves_the_device_in(floor: Floor) -> None:
    """A rollover that is wanted puts it out as well as one that runs."""
    _revoke(floor, 1, rekey=True)
    assert "1 revoked device" not in only(floor).sentence
    floor.abort()
    assert "lab: 1 revoked device still has" in only(floor).sentence
    wish = {"cause": RolloverCause.REVOCATION, "actor": ACTOR}
    floor.desk.write(lambda tx: want_rollover(tx, 1, **wish))  # type: ignore[arg-type]
    assert noticed(floor) == []


def test_an_aborted_one_is_said_until_all_are_told_the_keys_in_force(floor: Floor) -> None:
    """Those that hold what is given up."""
    floor.start()
    floor.tell(only=[1])
    floor.abort()
    found = only(floor)
    assert found.sentence == (
        "lab: a rollover was aborted, and 1 node is still to be told the keys in force again"
    )
    assert not found.wants_operator
    floor.tell(NodeState.REVERTED)
    assert noticed(floor) == []


def test_a_damaged_rollover_is_said_and_hides_no_other(floor: Floor) -> None:
    """Rows that do not authenticate say nothing that counts."""
    floor.desk.network("hall", b"\xbe\xef", prefix="2001:db8:9::/64")
    floor.start()
    floor.desk.sql("UPDATE rollover SET deadline_s = 1")
    found = only(floor)
    assert (found.networks, found.wants_operator) == (("lab",), True)
    assert "does not authenticate" in found.sentence


def test_a_switch_in_which_nobody_begins_wants_the_operator(desk: Desk) -> None:
    """An installer that the config file does not name any more begins nowhere, whatever it did."""
    record = InstallationRecord(network_id=1, installer="exec", generation=1, tried_at_ms=1)
    with floor_at(desk, 1, 0) as floor:
        desk.write(lambda tx: tx.installations.save(record))
        floor.start()
        floor.tell()
        desk.write(lambda tx: advance(tx, 1, installers=()))
        (found,) = desk.read(lambda tx: key_notices(tx, ()))
        assert (found.phase, found.wants_operator) == ("switching", True)
        assert "network lab has no 6LBR that is told the new keys" in found.sentence
        assert "`jrc rollover resume lab --anyway`" in found.what_to_do
        (waits,) = desk.read(lambda tx: key_notices(tx, [InstallerId("lab", "exec")]))
        assert not waits.wants_operator


def test_a_network_that_was_switched_without_a_6lbr_is_named_until_one_joins(desk: Desk) -> None:
    """Its 6LNs go on with retired keys, and so can whoever was revoked."""
    with floor_at(desk, 1, 0) as floor:
        floor.start()
        floor.to_switching()
        floor.resume(anyway=True)
        assert floor.advance(guard_over=True) is Phase.DONE
        found = only(floor)
        assert found.wants_operator
        assert found.sentence.endswith("its 6LNs go on with the old ones, which are retired")
        assert "--anyway" not in found.what_to_do
        floor.join(2, role=1)
        assert noticed(floor) == []


def test_a_6lbr_that_was_restarted_while_keys_are_changed_is_said(floor: Floor) -> None:
    """It has keys that it may have used with the same slots (RFC 9031 §5.1)."""
    floor.start()
    wish = {"cause": RolloverCause.BORDER_ROUTER, "actor": "jrc"}
    floor.desk.write(lambda tx: want_rollover(tx, 1, **wish))  # type: ignore[arg-type]
    assert "a 6LBR was restarted while keys are changed" in noticed(floor)[-1].sentence

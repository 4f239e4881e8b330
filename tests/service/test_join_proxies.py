"""Join Proxies of profile join-proxy: what they are told, and what they are no part of.

They join as 6LBRs (RFC 9031 §8.4.1) and have no radio, so no link-layer keys are theirs.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.app.border_routers import look_at_border_routers
from jrc.cojp import codec
from jrc.cojp.constants import Code, Label
from jrc.cojp.objects import Configuration, JoinRequest, UnsupportedParameter
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId, Profile, Secret
from jrc.policy.rollover import Phase
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge
from jrc.service.examine import OnConflict
from jrc.service.explain import explain_pledge
from jrc.service.import_file import read_rows
from jrc.service.imports import Import, ImportReport
from jrc.service.key_notices import key_notices
from jrc.service.networks import NetworkChanges, set_network
from jrc.service.nodes import NodeDetails, show_node
from jrc.service.pledge_settings import PledgeChanges, plan_pledge_change, set_pledge
from jrc.service.revoking import plan_revocation
from jrc.service.rollover import advance
from jrc.service.rollover_plan import plan_rollover
from jrc.service.rollover_records import OnBorderRouterJoin, RolloverSettings
from jrc.service.rollover_sizes import sizes_of
from jrc.store.schema import rollover_node
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import hall_at
from tests.pushing import Bureau
from tests.rollovers import AS_6LBR, Floor, floor_at
from tests.service.office import Office, answered

JOIN_PROXY = Profile.JOIN_PROXY
RATE = 77


@pytest.fixture
def floor(desk: Desk) -> Iterator[Floor]:
    """Two 6LNs (rows 1 and 2), a 6LBR (3) and a Join Proxy (4), with fresh keys for 6LBRs."""
    with floor_at(desk, 2, join_rate_bytes_per_s=RATE) as opened:
        opened.join(4, role=1, profile=JOIN_PROXY)
        settings = RolloverSettings(on_6lbr_join=OnBorderRouterJoin.FRESH)
        opened.hall.database.on_border_router = look_at_border_routers(settings)
        yield opened


def join_again(floor: Floor, number: int = 4, payload: bytes = AS_6LBR) -> Configuration:
    floor.hall.contexts.forget_all()
    floor.desk.now_ms += 5000
    return floor.hall.join(floor.pledges[number], payload)


def set_profile(floor: Floor, number: int, profile: Profile | None) -> None:
    changes = PledgeChanges(profile=profile)
    name = pledge_id(number)
    floor.desk.write(lambda tx: set_pledge(tx, name, changes, actor=ACTOR, agreed=True))


def details(floor: Floor, number: int = 4) -> NodeDetails:
    return floor.desk.read(lambda tx: show_node(tx, pledge_id(number)))


def held(floor: Floor, number: int = 4) -> list[tuple[object, ...]]:
    """The generation of a node's place, and short identifiers that it has not given back."""
    place = "SELECT generation_id FROM node WHERE pledge_id = :p"
    lease = "SELECT value FROM short_identifier WHERE pledge_id = :p AND released_at_ms IS NULL"
    return [*floor.desk.sql(place, p=number), *floor.desk.sql(lease, p=number)]


# Joining


def test_g01_it_is_told_rate_and_blocklist_and_neither_keys_nor_a_short_identifier(
    floor: Floor,
) -> None:
    """Least privilege: it has no radio (RFC 9031 §8.4.2 leaves each of them out at will)."""
    assert join_again(floor) == Configuration(blocklist=(), join_rate_bytes_per_s=RATE)
    assert [(None,)] == held(floor)
    query = "SELECT detail FROM event WHERE kind = 'pledge.joined' ORDER BY number DESC LIMIT 1"
    assert [('{"generation":null,"role":1,"short_id":null}',)] == floor.desk.sql(query)


def test_e07_it_may_join_as_often_as_it_likes_and_no_keys_are_changed(floor: Floor) -> None:
    """It counts no slots (RFC 9031 §5.1); a 6LBR with a radio changes them."""
    for _ in range(3):
        join_again(floor)
    assert {1: "current"} == floor.generations()
    assert [] == floor.desk.sql("SELECT * FROM rollover")
    assert [] == floor.desk.sql("SELECT * FROM wanted_rollover")
    assert [] == floor.desk.sql("SELECT * FROM event WHERE kind = 'border_router.same_keys'")
    join_again(floor, 3)
    assert {1: "previous", 2: "current"} == floor.generations()


def test_c07_that_it_takes_no_keys_is_no_reason_to_refuse_it(floor: Floor) -> None:
    """As it says where it was enrolled as a 6LBR with a radio (RFC 9031 §8.4.5)."""
    report = UnsupportedParameter(Code.UNSUPPORTED, Label.LINK_LAYER_KEY_SET)
    request = codec.encode_join_request(JoinRequest(b"\xca\xfe", 1, (report,)))
    assert join_again(floor, payload=request).join_rate_bytes_per_s == RATE
    assert join_again(floor).join_rate_bytes_per_s == RATE
    found = floor.desk.read(lambda tx: explain_pledge(tx, pledge_id(4), []))
    assert [] == [fact for fact in found.facts if fact.blocks]


# Rollovers


def test_e02_no_rollover_takes_it_in_nor_waits_for_it(floor: Floor) -> None:
    """Neither at its start nor when it joins meanwhile (RFC 9031 §8.4.3.1)."""
    floor.start()
    assert {1: "pending", 2: "pending", 3: "pending"} == floor.states()
    floor.to_switching()
    assert join_again(floor).keys == ()
    assert {1: "reached", 2: "reached", 3: "pending"} == floor.states()
    floor.tell(only=[3])
    assert floor.advance() is Phase.GUARDING
    assert floor.advance(guard_over=True) is Phase.DONE


def test_the_plan_does_not_count_it(floor: Floor) -> None:
    """Nor do the rehearsal, and the plan of a revocation."""
    said = " ".join(floor.desk.read(lambda tx: plan_rollover(tx, "lab")).sentences)
    assert "2 6LNs, then 1 6LBR, are told by update" in said
    revocation = floor.desk.read(lambda tx: plan_revocation(tx, [pledge_id(1)]))
    assert "1 6LN, then 1 6LBR, are told by update" in " ".join(revocation.sentences)
    (size,) = floor.desk.read(lambda tx: sizes_of(tx, "lab")).networks
    assert (2, 1, 0) == (size.nodes, size.border_routers, size.must_join)


def test_without_another_6lbr_the_plan_says_that_nothing_changes_its_keys(desk: Desk) -> None:
    """A Join Proxy beside it is none."""
    with floor_at(desk, 1, 0) as floor:
        floor.join(2, role=1, profile=JOIN_PROXY)
        said = " ".join(desk.read(lambda tx: plan_rollover(tx, "lab")).sentences)
    assert "Nothing here changes the keys of a 6LBR of network lab" in said


def test_it_is_not_counted_as_one_that_lacks_keys(floor: Floor) -> None:
    """Neither in listings and notices, nor to who asks about it."""
    floor.start()
    floor.to_done()
    assert [] == floor.desk.read(key_notices)
    shown = details(floor)
    assert ((), False, False) == (shown.node.lacks, shown.node.behind, shown.node.must_join)
    assert (None, None) == (shown.wanted.generation, shown.has.generation)
    assert (None, RATE) == (shown.wanted.lease_hours, shown.has.join_rate_bytes_per_s)
    found = floor.desk.read(lambda tx: explain_pledge(tx, pledge_id(4), []))
    assert [] == [fact for fact in found.facts if fact.reason.startswith("keys_")]


def test_its_revocation_changes_no_keys(floor: Floor) -> None:
    """It never had any, and is no border router that the network loses."""
    plan = floor.desk.read(lambda tx: plan_revocation(tx, [pledge_id(4)]))
    said = " ".join(plan.sentences)
    assert "link-layer keys go to everybody else" not in said
    assert "BORDER ROUTER" not in said


def test_its_address_is_not_among_the_neighbours_of_a_local_radio(floor: Floor) -> None:
    """Those are the nodes that have the network's keys."""
    found = floor.desk.read(lambda tx: tx.pledges.nodes(1, 1))
    assert [pledge_id(n).value for n in (1, 2, 3)] == [each.identifier for each in found]


# Settings


def test_g02_it_is_told_a_changed_rate_and_blocklist_by_update(tmp_path: Path) -> None:
    """As every node is that takes updates (RFC 9031 §8.2, §8.4.2)."""
    bureau = Bureau(tmp_path)
    bureau.desk.network()
    bureau.join(9, role=1, profile=JOIN_PROXY)
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=33)
    assert bureau.told()[9] == Configuration(join_rate_bytes_per_s=33)
    bureau.revoke(1)
    blocked = (pledge_id(1).value,)
    expected = Configuration(blocklist=blocked, join_rate_bytes_per_s=33)
    assert {9: expected} == bureau.told()
    bureau.desk.close()


def test_m02_a_damaged_row_of_a_rollover_tells_it_no_keys(tmp_path: Path) -> None:
    """Nor does the rollover wait for it: what counts is the profile of the pledge."""
    office = Office(tmp_path)
    office.desk.network()
    office.join(1)
    with hall_at(office.desk) as hall:
        hall.join(hall.enroll(9, role=1, profile=JOIN_PROXY), AS_6LBR)
    office.start()
    columns = ", ".join(column.name for column in rollover_node.columns)
    copied = columns.replace("pledge_id", str(office.row_number(9)))
    office.desk.sql(f"INSERT INTO rollover_node ({columns}) SELECT {copied} FROM rollover_node")
    (update,) = office.turn().updates
    assert (office.row_number(1), "left") == (update.node, office.node(9).state)
    office.turn(answered(update))
    phase = office.desk.write(lambda tx: advance(tx, office.record().id)).phase
    assert (phase, office.turn().updates) == (Phase.SWITCHING, ())
    office.desk.close()


# Moves


def test_one_that_becomes_a_join_proxy_leaves_the_rollover(floor: Floor) -> None:
    """Nothing waits for it: the rollover gets to its end (RFC 9031 §8.4.3.1)."""
    floor.hall.database.on_border_router = None
    floor.join(5, role=1)
    floor.start()
    floor.to_switching()
    floor.tell(only=[3])
    assert floor.advance() is Phase.SWITCHING
    changes = PledgeChanges(profile=JOIN_PROXY)
    plan = floor.desk.read(lambda tx: plan_pledge_change(tx, pledge_id(5), changes))
    assert "goes on without it" in plan.sentences[-1]
    set_profile(floor, 5, JOIN_PROXY)
    assert "left" == floor.states()[5]
    assert floor.advance() is Phase.GUARDING
    assert join_again(floor, 5) == Configuration(blocklist=(), join_rate_bytes_per_s=RATE)
    assert "left" == floor.states()[5]
    assert [(None,)] == held(floor, 5)


def test_the_keys_that_it_was_told_before_count_when_it_is_revoked(floor: Floor) -> None:
    """It may have kept them: the plan of its move says so, that of its revocation changes them."""
    changes = PledgeChanges(profile=JOIN_PROXY)
    plan = floor.desk.read(lambda tx: plan_pledge_change(tx, pledge_id(3), changes))
    assert "are good until `jrc rollover start lab` has changed them" in plan.sentences[-1]
    set_profile(floor, 3, JOIN_PROXY)
    join_again(floor, 3)
    said = " ".join(floor.desk.read(lambda tx: plan_revocation(tx, [pledge_id(3)])).sentences)
    assert "link-layer keys go to everybody else" in said


def test_keys_without_a_short_identifier_count_as_well(floor: Floor) -> None:
    """Of one that had reported that it takes none (RFC 9031 §8.4.5): until they are retired."""
    floor.hall.database.on_border_router = None
    report = UnsupportedParameter(Code.UNSUPPORTED, Label.SHORT_IDENTIFIER)
    floor.pledges[5] = floor.hall.enroll(5, role=1)
    request = codec.encode_join_request(JoinRequest(b"\xca\xfe", 1, (report,)))
    assert join_again(floor, 5, request).short_identifier is None
    set_profile(floor, 5, JOIN_PROXY)

    def told() -> set[str]:
        (found,) = floor.desk.read(lambda tx: tx.pledges.told_keys([5])).values()
        return {each.state.value for each in found}

    for _ in range(2):
        assert join_again(floor, 5).keys == ()
        assert {"current"} == told()
    floor.start()
    floor.to_done()
    join_again(floor, 5)
    assert set() == told()
    last = "SELECT answer_generation_id FROM context_state ORDER BY context_id DESC LIMIT 1"
    assert [(None,)] == floor.desk.sql(last)


def test_one_that_is_assigned_to_several_networks_has_keys_of_none(floor: Floor) -> None:
    """So its revocation changes none (RFC 9031 §8.4.3.1)."""
    floor.desk.network("hall", b"\xbe\xef")
    floor.join(5, role=1, profile=JOIN_PROXY, networks=("lab", "hall"))
    said = " ".join(floor.desk.read(lambda tx: plan_revocation(tx, [pledge_id(5)])).sentences)
    assert "link-layer keys go to everybody else" not in said


def test_one_that_is_a_border_router_after_all_gets_keys_again(floor: Floor) -> None:
    """Those in force, and a short identifier."""
    set_profile(floor, 4, None)
    told = join_again(floor)
    assert len(told.keys) == 1
    assert told.short_identifier is not None
    assert details(floor).wanted.generation == details(floor).has.generation


# Who may have it


def applicant(role: int | None, profile: Profile | None = JOIN_PROXY) -> Applicant:
    key = Secret(bytes.fromhex("8c1d5f0ba7e34296d8317cb05efa6921"))
    return Applicant(identifier=PledgeId(b"\x00\x12"), keys=key, role=role, profile=profile)


@pytest.mark.parametrize("role", [None, 0])
def test_the_profile_is_for_6lbrs_alone(floor: Floor, role: int | None) -> None:
    """RFC 9031 §8.4.1: a Join Proxy that is told by what to forward joins as one."""
    with pytest.raises(OperatorError, match="which joins as a 6LBR") as refusal:
        floor.desk.write(lambda tx: add_pledge(tx, applicant(role), actor=ACTOR))
    assert refusal.value.exit_code is ExitCode.REFUSED
    assert "--role 6lbr" in refusal.value.hint


def test_a_6ln_can_not_become_a_join_proxy_nor_a_join_proxy_a_6ln(floor: Floor) -> None:
    """One sentence, and nothing is changed."""
    with pytest.raises(OperatorError, match="which joins as a 6LBR"):
        set_profile(floor, 1, JOIN_PROXY)
    floor.desk.write(lambda tx: add_pledge(tx, applicant(1), actor=ACTOR))
    with pytest.raises(OperatorError, match="which joins as a 6LBR"):
        floor.desk.write(
            lambda tx: add_pledge(
                tx, applicant(0, None), actor=ACTOR, on_conflict=OnConflict.REPLACE
            )
        )


def test_an_import_says_it_of_the_row(floor: Floor) -> None:
    """With line and column (row A8)."""
    good, bad = (imported(floor.desk, role) for role in ("6lbr", "6ln"))
    assert (1, 0) == (good.added, good.error_count)
    (error,) = bad.errors
    assert "profile" == error.column
    assert error.reason.startswith("profile join-proxy is for a Join Proxy")


def imported(desk: Desk, role: str) -> ImportReport:
    """One row of this role with the profile."""
    job = Import("keys.csv", actor=ACTOR)
    number = {"6lbr": "aa", "6ln": "bb"}[role]
    row = f"00124b00000000{number},8c1d5f0ba7e34296d8317cb05efa69{number},{role},join-proxy\n"
    data = f"pledge_id,psk,role,profile\n{row}".encode()
    desk.write(job.begin)
    desk.write(lambda tx: job.stage(tx, list(read_rows([data]))))
    return desk.write(job.finish)


def test_no_network_has_it(floor: Floor) -> None:
    """Its pledges may be 6LNs."""
    with pytest.raises(OperatorError, match="is for single pledges, and no network's"):
        floor.desk.network("hall", b"\xbe\xef", profile=JOIN_PROXY)
    changes = NetworkChanges(profile=JOIN_PROXY)
    with pytest.raises(OperatorError, match="is for single pledges"):
        floor.desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))

"""What is on disk before an update leaves, and what becomes of its outcome."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jrc.cojp.codec import decode_configuration, encode_unsupported
from jrc.cojp.constants import CoapCode
from jrc.cojp.objects import UnsupportedParameter
from jrc.errors import ConflictError
from jrc.model import Profile
from jrc.policy.rollover import NodeState
from jrc.service.keying import Keying
from jrc.service.outcomes import MAX_EXCHANGE_MS, Retry
from jrc.service.registry import Registry
from jrc.service.revoking import revoke_pledge
from jrc.service.rollover import advance, start_rollover
from jrc.service.rollover_records import RolloverNode, RolloverRecord
from jrc.service.telling import Facts
from jrc.service.update import Room, Turned, Want, turn
from jrc.service.update_ports import (
    Answered,
    PreparedUpdate,
    UpdateError,
    UpdateHint,
    UpdateOutcome,
)
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import hall_at

SECOND_MS = 1000
NUMBERS_EPOCH_MS = 1_767_225_600_000


class Office:
    """A registrar with joined nodes that tells them keys; nothing leaves."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.facts = Facts()
        self.keying = Keying(Retry(first_s=300, most_s=3600), self.facts)
        self.open: dict[int, int] = {}

    def join(self, *numbers: int, **more: Any) -> list[OddPledge]:
        """Pledges that have joined network lab."""
        with hall_at(self.desk) as hall:
            pledges = [hall.enroll(number, networks=("lab",), **more) for number in numbers]
            for pledge in pledges:
                hall.join(pledge)
        return pledges

    def start(self, network: str = "lab") -> None:
        """New keys for a network."""
        self.desk.write(lambda tx: start_rollover(tx, network, actor=ACTOR))

    def turn(self, *outcomes: UpdateOutcome, room: int = 64, each: int = 64) -> Turned:
        """One turn at the desk's time."""
        return self.desk.write(
            lambda tx: turn(tx, [self.keying], outcomes, Room(self.open, room, each), self.facts)
        )

    def node(self, number: int = 1) -> RolloverNode:
        """The row of a pledge in the running rollover, or the last one."""
        return self.nodes()[self.row_number(number)]

    def nodes(self) -> Mapping[int, RolloverNode]:
        return self.desk.read(
            lambda tx: {each.pledge_id: each for each in tx.rollovers.nodes(self.record().id)}
        )

    def record(self) -> RolloverRecord:
        return self.desk.read(lambda tx: tx.rollovers.latest(1)[0])

    def row_number(self, number: int) -> int:
        identifier = pledge_id(number).value
        ((found,),) = self.desk.sql("SELECT id FROM pledge WHERE identifier = :i", i=identifier)
        assert isinstance(found, int)
        return found

    def state(self, number: int = 1) -> Mapping[str, Any]:
        """A pledge's mutable context row."""
        names = ["numbers_reserved", "version"]
        (values,) = self.desk.sql(
            f"SELECT {', '.join(names)} FROM context_state WHERE context_id IN"
            " (SELECT id FROM context WHERE pledge_id = :p)",
            p=self.row_number(number),
        )
        return dict(zip(names, values, strict=True))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with a network."""
    office = Office(tmp_path)
    office.desk.network()
    yield office
    office.desk.close()


def answered(
    update: PreparedUpdate, code: int = CoapCode.CHANGED, payload: bytes = b""
) -> UpdateOutcome:
    return UpdateOutcome(update.ref, update.node, Answered(code, payload), None, None, 1)


def unanswered(
    update: PreparedUpdate, error: str = UpdateError.NO_ANSWER, hint: str | None = None
) -> UpdateOutcome:
    return UpdateOutcome(update.ref, update.node, None, error, hint, 5)


def test_e03_a_6ln_is_told_the_new_set_alone(office: Office) -> None:
    """It keeps the old ones for sending by itself (RFC 9031 §8.4.3.2)."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    told = decode_configuration(update.payload)
    key_ids = [key.key_id for key in told.keys]
    assert [2] == key_ids
    assert (None, None, None) == (told.short_identifier, told.jrc_address, told.blocklist)
    assert "2001:db8::212:4b00:0:1" == str(update.address)
    assert (True, True) == (update.with_kid_context, update.with_uri_host)


def test_b04_numbers_are_on_disk_before_an_update_is_given_out(office: Office) -> None:
    """Reserved in the row, above the seconds since 2026 (RFC 8613 App. B.1.1)."""
    office.join(1)
    office.start()
    before = office.state()
    (update,) = office.turn().updates
    after = office.state()
    assert update.numbers.reserved == after["numbers_reserved"] == update.numbers.first + 8
    assert (office.desk.now_ms - NUMBERS_EPOCH_MS) // 1000 == update.numbers.first
    assert before["version"] + 1 == after["version"]


def test_b04_a_second_update_has_other_numbers(office: Office) -> None:
    """Those that were left of the first block are lost."""
    office.join(1)
    office.start()
    (first,) = office.turn().updates
    office.turn(unanswered(first))
    office.desk.now_ms = office.node().next_at_ms or 0
    (second,) = office.turn().updates
    assert first.numbers.reserved <= second.numbers.first


def test_f03_the_short_identifier_is_burned_before_the_keys_leave(office: Office) -> None:
    """With the first datagram that may carry them, whether it arrives or not (§8.4.4.1)."""
    office.join(1)
    office.start()
    query = "SELECT first_generation, last_generation FROM short_identifier"
    assert [(1, 1)] == office.desk.sql(query)
    office.turn()
    assert [(1, 2)] == office.desk.sql(query)
    assert NodeState.SENT is office.node().state
    assert office.desk.now_ms == office.node().sent_at_ms


def test_b04_without_a_clock_nobody_is_told(office: Office) -> None:
    """A clock behind what was seen gives no numbers; nothing is written of nodes."""
    office.join(1)
    office.start()
    office.desk.now_ms -= 2 * SECOND_MS
    turned = office.turn()
    assert () == turned.updates
    assert "clock" in (turned.no_numbers or "")
    assert NodeState.PENDING is office.node().state
    office.desk.now_ms += 2 * SECOND_MS
    assert 1 == len(office.turn().updates)


def test_e02_only_a_verified_success_counts_as_reached(office: Office) -> None:
    """The rollover goes on to the switch when all are (RFC 9031 §8.4.3.1)."""
    office.join(1, 2)
    office.start()
    first, second = office.turn().updates
    office.turn(answered(first), unanswered(second, hint=UpdateHint.ACKNOWLEDGED))
    assert (NodeState.REACHED, office.desk.now_ms) == (
        office.node(1).state,
        office.node(1).reached_at_ms,
    )
    assert NodeState.UNREACHABLE is office.node(2).state
    assert "no_answer (acknowledged)" == office.node(2).last_error
    assert {1} == office.keying.touched


def test_e05_who_does_not_answer_is_tried_again_ever_more_seldom(office: Office) -> None:
    """After 5 minutes, then 10, up to an hour."""
    office.join(1)
    office.start()
    waits = []
    for _ in range(6):
        (update,) = office.turn().updates
        office.turn(unanswered(update))
        next_ms = office.node().next_at_ms
        assert next_ms is not None
        waits.append((next_ms - office.desk.now_ms) // 1000)
        office.desk.now_ms = next_ms
    assert [300, 600, 1200, 2400, 3600, 3600] == waits


def test_a_node_that_sleeps_is_tried_when_it_may_be_awake(office: Office) -> None:
    """The operator says how long it sleeps."""
    office.join(1)
    office.desk.sql("UPDATE node SET sleep_s = 7200")
    office.start()
    (update,) = office.turn().updates
    office.turn(unanswered(update))
    assert office.desk.now_ms + 7200 * SECOND_MS == office.node().next_at_ms


def test_the_addresses_of_a_node_take_turns(office: Office) -> None:
    """EUI-64 and short form; the operator's word is the only one (RFC 9031 §8.2.1)."""
    office.join(1)
    office.start()
    seen = []
    for address in (None, None, None, "2001:db8:7::9", "2001:db8:7::9"):
        office.desk.sql("UPDATE node SET address = :a", a=address)
        (update,) = office.turn().updates
        seen.append(str(update.address))
        office.turn(unanswered(update))
        office.desk.now_ms = office.node().next_at_ms or 0
    ((short_id,),) = office.desk.sql("SELECT value FROM short_identifier")
    eui64, short = "2001:db8::212:4b00:0:1", f"2001:db8::ff:fe00:{short_id:x}"
    assert [eui64, short, eui64, "2001:db8:7::9", "2001:db8:7::9"] == seen


def test_e04_a_refusal_is_stored_and_the_rollover_goes_on(office: Office) -> None:
    """4.00 with Unsupported_Configuration (RFC 9031 §8.3)."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    payload = encode_unsupported((UnsupportedParameter(0, 2),))
    office.turn(answered(update, CoapCode.BAD_REQUEST, payload))
    assert (NodeState.REFUSED, "4.00 can't act upon label 2") == (
        office.node().state,
        office.node().last_error,
    )
    assert [(2, 0)] == office.desk.sql("SELECT label, code FROM unsupported_parameter")
    office.desk.now_ms += 86_400 * SECOND_MS
    assert () == office.turn().updates


@pytest.mark.parametrize(
    ("code", "payload", "error"),
    [(CoapCode.NOT_FOUND, b"", "4.04"), (CoapCode.BAD_REQUEST, b"\xff", "4.00")],
)
def test_e04_any_other_error_is_shown(
    office: Office, code: int, payload: bytes, error: str
) -> None:
    """What can't be read is its code alone."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    office.turn(answered(update, code, payload))
    assert (NodeState.REFUSED, error) == (office.node().state, office.node().last_error)


def test_k09_a_revoked_pledge_is_told_nothing(office: Office) -> None:
    """Looked at in the transaction that prepares the update."""
    office.join(1, 2)
    office.start()
    office.desk.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR))
    told = {update.node for update in office.turn().updates}
    assert office.row_number(1) not in told


@pytest.mark.parametrize(
    "damage",
    [
        (
            "UPDATE context_state SET highest = highest + 1 WHERE context_id IN"
            " (SELECT id FROM context WHERE pledge_id = :p)"
        ),
        "UPDATE pledge SET label = 'x' WHERE id = :p",
        "UPDATE short_identifier SET last_generation = 9 WHERE pledge_id = :p",
    ],
)
def test_m02_a_damaged_pledge_keeps_nobody_else_from_being_told(
    office: Office, damage: str
) -> None:
    """It is told nothing itself."""
    office.join(1, 2, 3)
    office.start()
    office.desk.sql(damage, p=office.row_number(2))
    told = {update.node for update in office.turn().updates}
    assert {office.row_number(1), office.row_number(3)} == told


def test_what_takes_no_updates_has_to_join_again(office: Office) -> None:
    """Listed, counted nowhere, and never sent anything (profile openwsn)."""
    office.join(1, profile=Profile.OPENWSN)
    office.start()
    assert () == office.turn().updates
    assert NodeState.MUST_JOIN is office.node().state


def test_e03_an_answer_counts_only_for_what_the_node_has_now(office: Office) -> None:
    """A node that joined meanwhile has lost the new keys, whatever it acknowledged before."""
    (pledge,) = office.join(1)
    office.start()
    (update,) = office.turn().updates
    with hall_at(office.desk) as hall:
        assert [1] == [key.key_id for key in hall.join(pledge).keys]
    assert (NodeState.PENDING, office.desk.now_ms) == (
        office.node().state,
        office.node().next_at_ms,
    )
    with pytest.raises(ConflictError):
        office.turn(answered(update))
    office.keying.anew = True
    (again,) = office.turn(answered(update)).updates
    assert NodeState.SENT is office.node().state
    office.turn(answered(again))
    assert NodeState.REACHED is office.node().state


def test_a_join_under_a_cached_context_looks_again_after_an_update(office: Office) -> None:
    """The update has changed the context's row: the numbers it reserved are not lost."""
    with hall_at(office.desk) as hall:
        pledge = hall.enroll(1, networks=("lab",))
        hall.join(pledge)
        office.start()
        hall.join(pledge)
        (update,) = office.turn().updates
        hall.join(pledge)
    assert update.numbers.reserved == office.state()["numbers_reserved"]


def test_room_is_kept_for_other_networks(office: Office) -> None:
    """A network that is full does not take the places of another."""
    office.desk.network("two", b"\x00\x02", prefix="2001:db8:2::/64")
    office.join(1, 2, 3)
    with hall_at(office.desk) as hall:
        for number in (11, 12):
            hall.join(hall.enroll(number, networks=("two",)), bytes.fromhex("a105420002"))
    office.start("lab")
    office.start("two")
    first = office.turn(each=3, room=3).updates
    office.open = {update.node: update.network for update in first}
    second = office.turn(each=3, room=6).updates
    networks = sorted(update.network for update in (*first, *second))
    assert [1, 1, 2, 2] == networks


def test_n09_an_update_that_was_called_off_is_told_anew(office: Office) -> None:
    """Nothing was heard of it, so it counts as nothing."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    office.turn(unanswered(update, UpdateError.CANCELLED))
    assert NodeState.SENT is office.node().state
    office.desk.now_ms += SECOND_MS
    (again,) = office.turn().updates
    assert update.numbers.reserved <= again.numbers.first


def test_e03_after_the_switch_a_6ln_joins_with_both_sets(office: Office) -> None:
    """And is told the new one alone before the end (RFC 9031 §8.4.3.2)."""
    office.join(1)
    with hall_at(office.desk) as hall:
        router = hall.enroll(9, networks=("lab",), role=1)
        hall.join(router, bytes.fromhex("a20101 0542cafe".replace(" ", "")))
    office.start()
    (update,) = office.turn().updates
    office.turn(answered(update))
    moved = office.desk.write(lambda tx: advance(tx, office_record(tx).id))
    assert "switching" == moved.phase
    with hall_at(office.desk) as hall:
        late = hall.enroll(5, networks=("lab",))
        assert [1, 2] == [key.key_id for key in hall.join(late).keys]
        assert [2] == [
            key.key_id
            for key in hall.join(router, bytes.fromhex("a20101 0542cafe".replace(" ", ""))).keys
        ]
    assert NodeState.REACHED is office.node(9).state
    told = {update.node: update for update in office.turn().updates}
    keys = decode_configuration(told[office.row_number(5)].payload).keys
    assert [2] == [key.key_id for key in keys]


def office_record(tx: Registry) -> RolloverRecord:
    return tx.rollovers.latest(1)[0]


@pytest.mark.parametrize(
    "reported",
    [
        (UnsupportedParameter(0, 2**63),),
        (UnsupportedParameter(2**64 - 1, 2),),
        tuple(UnsupportedParameter(0, 1000 + each) for each in range(40)),
    ],
)
def test_c07_what_no_column_holds_is_not_stored(
    office: Office, reported: tuple[UnsupportedParameter, ...]
) -> None:
    """A joined node may say anything in an answer that verifies (RFC 9031 §8.4.5)."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    office.turn(answered(update, CoapCode.BAD_REQUEST, encode_unsupported(reported)))
    assert NodeState.REFUSED is office.node().state
    assert [] == office.desk.sql("SELECT * FROM unsupported_parameter")


def test_c07_what_can_not_be_set_at_all_stays_so(office: Office) -> None:
    """Whatever is said of one value of it later (RFC 9031 §8.4.5)."""
    office.join(1)
    tell = office.desk.write
    tell(lambda tx: tx.nodes.report(1, [(0, 7, b"\x01"), (1, 7, None), (0, 7, b"\x02")]))
    tell(lambda tx: tx.nodes.report(1, [(0, 7, b"\x03"), (0, 4, b"\x04")]))
    expected = [(4, b"\x04"), (7, None)]
    query = "SELECT label, addinfo FROM unsupported_parameter ORDER BY label"
    assert expected == office.desk.sql(query)


def test_a_6lbr_that_can_not_be_read_holds_the_switch_up(office: Office) -> None:
    """It may send with the old keys: the network is not switched without it."""
    office.join(1)
    with hall_at(office.desk) as hall:
        hall.join(hall.enroll(9, networks=("lab",), role=1), bytes.fromhex("a201010542cafe"))
    office.start()
    office.desk.sql(
        "UPDATE context_state SET highest = highest + 1 WHERE context_id IN"
        " (SELECT id FROM context WHERE pledge_id = :p)",
        p=office.row_number(9),
    )
    (update,) = office.turn().updates
    office.turn(answered(update))
    office.desk.write(lambda tx: advance(tx, office_record(tx).id))
    office.turn()
    after = office.desk.write(lambda tx: advance(tx, office_record(tx).id))
    assert "switching" == after.phase
    assert (NodeState.UNREACHABLE, "damaged") == (office.node(9).state, office.node(9).last_error)
    assert (office.node(9).next_at_ms or 0) > office.desk.now_ms


@pytest.mark.parametrize("damage", ["role = 1", "attempts = 9", "role = 7"])
def test_a_damaged_row_is_mended_by_where_its_node_is(office: Office, damage: str) -> None:
    """So that the rollover can end (the row would be told nothing as it is)."""
    office.join(1)
    office.start()
    office.desk.sql(f"UPDATE rollover_node SET {damage}")
    (update,) = office.turn().updates
    office.turn(answered(update))
    assert (NodeState.REACHED, 0) == (office.node().state, office.node().role)


def test_keys_leave_room_for_settings_in_every_network(office: Office) -> None:
    """A throttle does not wait for hours until everybody has new keys."""
    room = Room({}, 64, 8)
    wants = [Want(number, 1, 0) for number in range(20)]
    assert 7 == len(room.take(wants, leaves_room=True))
    assert {1} == room.full(leaves_room=True)
    assert set() == room.full()
    assert 1 == len(room.take(wants))
    assert {1} == room.full()


def test_what_a_process_was_telling_is_taken_up_in_any_state(office: Office) -> None:
    """Also who was tried before: half a switched network must not wait for ten minutes."""
    office.join(1, 2)
    office.start()
    first, _ = office.turn().updates
    office.turn(unanswered(first))
    office.desk.now_ms = office.nodes()[first.node].next_at_ms or 0
    office.turn()
    assert NodeState.UNREACHABLE is office.nodes()[first.node].state
    office.desk.now_ms += 1000
    taken = office.desk.write(lambda tx: tx.rollovers.take_up(1, MAX_EXCHANGE_MS))
    assert 2 == taken
    assert {office.desk.now_ms} == {each.next_at_ms for each in office.nodes().values()}

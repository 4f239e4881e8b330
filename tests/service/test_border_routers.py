"""6LBRs that join again get keys that were never in use (row E7, RFC 9031 §5.1)."""

from collections.abc import Iterator
from typing import Any

import pytest

from jrc.app.border_routers import look_at_border_routers
from jrc.cojp.codec import decode_configuration
from jrc.cojp.objects import Configuration
from jrc.errors import OperatorError
from jrc.model import KeySetState, Profile
from jrc.policy.rollover import NodeState, Phase
from jrc.service.border_routers import radio_restarted
from jrc.service.enroll import remove_pledge
from jrc.service.events import list_events
from jrc.service.records import InstallationRecord
from jrc.service.recover import quarantine
from jrc.service.registry import Registry
from jrc.service.revoking import restore_pledge, revoke_pledge
from jrc.service.rollover import advance, pause_rollover, start_rollover
from jrc.service.rollover_records import (
    OnBorderRouterJoin,
    RolloverRecord,
    RolloverSettings,
)
from jrc.service.rollover_wishes import start_wanted
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk
from tests.joining import JOIN, Hall, ciphertext, hall_at

AS_6LBR = bytes.fromhex("a201010542cafe")


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    desk.network()
    with hall_at(desk) as opened:
        acts(opened, OnBorderRouterJoin.FRESH)
        yield opened


def acts(hall: Hall, word: OnBorderRouterJoin) -> None:
    """As `rollover.on_6lbr_join` in the config file."""
    settings = RolloverSettings(on_6lbr_join=word)
    hall.database.on_border_router = look_at_border_routers(settings)


def router(hall: Hall, number: int = 9, **more: Any) -> OddPledge:
    return hall.enroll(number, role=1, **more)


def values(told: Configuration) -> list[bytes]:
    return [key.key_value.reveal() for key in told.keys]


def generations(hall: Hall) -> list[tuple[KeySetState, list[bytes]]]:
    """Live sets of domain 1, the oldest first."""

    def work(tx: Registry) -> list[tuple[KeySetState, list[bytes]]]:
        return [
            (each.state, [key.key_value.reveal() for key in each.keys])
            for each in tx.keysets.live(1)
        ]

    return hall.desk.read(work)


def rollovers(hall: Hall) -> list[RolloverRecord]:
    return list(hall.desk.read(lambda tx: tx.rollovers.latest(1, 9)))


def wanted(hall: Hall) -> str | None:
    found = hall.desk.read(lambda tx: tx.rollovers.wanted(1))
    return None if found is None else found.cause.value


def node_states(hall: Hall) -> dict[int, NodeState]:
    """Of the newest rollover, by number of the pledge's row."""
    number = rollovers(hall)[0].id
    nodes = hall.desk.read(lambda tx: tx.rollovers.nodes(number))
    return {node.pledge_id: node.state for node in nodes}


def kinds(hall: Hall) -> list[str]:
    return [entry.kind for entry in hall.desk.read(list_events)]


def joins_while_network_runs(hall: Hall) -> tuple[OddPledge, OddPledge, list[bytes]]:
    """A 6LBR and a 6LN that have joined in this order, and the keys that both have."""
    border, node = router(hall), hall.enroll(1)
    first = values(hall.join(border, AS_6LBR))
    assert values(hall.join(node)) == first
    return border, node, first


# What starts nothing


def test_e07_the_first_joins_of_a_network_start_nothing(hall: Hall) -> None:
    """Nobody has sent with these keys."""
    joins_while_network_runs(hall)
    assert (rollovers(hall), wanted(hall)) == ([], None)


def test_e07_a_copy_of_a_join_starts_nothing(hall: Hall) -> None:
    """It gets the stored answer (row C11): the 6LBR has not joined again."""
    border = router(hall)
    request = border.request(AS_6LBR)
    first = hall.ask(request)
    hall.desk.now_ms += 2000
    copy = hall.ask(request)
    assert first is not None
    assert copy is not None
    assert ciphertext(first) == ciphertext(copy)
    assert rollovers(hall) == []


def test_e07_a_node_that_joins_again_starts_nothing(hall: Hall) -> None:
    """Its slots are those of its network."""
    _, node, first = joins_while_network_runs(hall)
    assert values(hall.join(node)) == first
    assert rollovers(hall) == []


def test_e07_keys_that_nobody_has_yet_are_as_good_as_new(hall: Hall) -> None:
    """The rollover before reached nobody: what it has put in force was never in use."""
    border = router(hall)
    first = values(hall.join(border, AS_6LBR))
    hall.desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR))
    assert rollovers(hall)[0].phase is Phase.SWITCHING
    assert values(hall.join(border, AS_6LBR)) != first
    assert (wanted(hall), len(rollovers(hall))) == (None, 1)


# Fresh keys


@pytest.mark.parametrize("is_alone", [False, True])
def test_e07_a_6lbr_that_joins_again_gets_a_set_that_was_never_used(
    hall: Hall, is_alone: bool
) -> None:
    """In its Join Response itself, and in force with it; the other set is told no 6LBR again."""
    border = router(hall)
    first = values(hall.join(border, AS_6LBR))
    node = hall.enroll(1)
    if not is_alone:
        hall.join(node)
    fresh = values(hall.join(border, AS_6LBR))
    assert not set(fresh) & set(first)
    assert generations(hall) == [(KeySetState.PREVIOUS, first), (KeySetState.CURRENT, fresh)]
    (record,) = rollovers(hall)
    assert (record.cause.value, record.actor) == ("border-router", "jrc")
    assert "6LBR 00124b0000000009 joined again" in record.reason
    if not is_alone:
        assert node_states(hall) == {1: NodeState.PENDING, 2: NodeState.PENDING}
        assert values(hall.join(node)) == [*first, *fresh]


def test_e07_nodes_in_the_same_batch_come_into_the_rollover(hall: Hall) -> None:
    """Those before the 6LBR have the old set and are told; those after it get both."""
    border = router(hall)
    first = values(hall.join(border, AS_6LBR))
    before, after = hall.enroll(1), hall.enroll(2)
    hall.take(before.request(JOIN), border.request(AS_6LBR), after.request(JOIN))
    hall.commit()
    assert len(hall.tries) == 2
    answers = [datagram for datagram, _ in hall.outbox.sent[-3:]]
    fresh = generations(hall)[1][1]
    asked = zip((before, border, after), answers, strict=True)
    told = [opened(pledge, answer) for pledge, answer in asked]
    assert told == [first, fresh, [*first, *fresh]]
    assert dict.fromkeys((1, 2, 3), NodeState.PENDING) == node_states(hall)
    values_taken = hall.desk.sql("SELECT count(DISTINCT value), count(*) FROM short_identifier")
    assert values_taken == [(3, 3)]


def opened(pledge: OddPledge, answer: bytes) -> list[bytes]:
    return values(decode_configuration(pledge.open(answer).payload))


def test_e07_the_old_set_is_retired_after_the_guard_time(hall: Hall) -> None:
    """As in any rollover (RFC 9031 §8.5): when the nodes were told, or have joined again."""
    border = router(hall)
    hall.join(border, AS_6LBR)
    hall.join(border, AS_6LBR)
    (record,) = rollovers(hall)
    hall.desk.write(lambda tx: advance(tx, record.id))
    # Its Join Response may be lost: it is asked (row E3).
    assert rollovers(hall)[0].phase is Phase.SWITCHING
    hall.desk.write(lambda tx: acknowledged(tx, record.id))
    hall.desk.write(lambda tx: advance(tx, record.id))
    assert rollovers(hall)[0].phase is Phase.GUARDING
    hall.desk.write(lambda tx: advance(tx, record.id, guard_over=True))
    assert [state for state, _ in generations(hall)] == [KeySetState.CURRENT]


def acknowledged(tx: Registry, rollover_id: int) -> None:
    """Each node has answered an update."""
    nodes = tx.rollovers.nodes(rollover_id)
    tx.rollovers.save_nodes([each._replace(state=NodeState.REACHED) for each in nodes])


def test_e07_a_device_in_its_place_counts_as_the_same_6lbr(hall: Hall) -> None:
    """The nodes have sent with these keys, and count slots as the new one does."""
    _, _, first = joins_while_network_runs(hall)
    hall.act(remove_pledge, 9)
    told = values(hall.join(router(hall, 8), AS_6LBR))
    assert not set(told) & set(first)
    assert rollovers(hall)[0].cause.value == "border-router"


def test_e07_a_6lbr_whose_place_was_forgotten_counts_as_the_same(hall: Hall) -> None:
    """What was burned for it tells that it has had the keys (RFC 9031 §8.4.4.1)."""
    border = router(hall)
    first = values(hall.join(border, AS_6LBR))
    hall.desk.write(lambda tx: tx.pledges.forget_place(1))
    hall.contexts.forget_all()
    assert not set(values(hall.join(border, AS_6LBR))) & set(first)


def test_e07_joins_while_a_rollover_runs_are_one_successor(hall: Hall) -> None:
    """Each of them gets what row E3 says; the keys are changed once more afterwards."""
    border, _, first = joins_while_network_runs(hall)
    hall.desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR))
    for _ in range(3):
        assert values(hall.join(border, AS_6LBR)) == first
    assert (wanted(hall), len(rollovers(hall))) == ("border-router", 1)
    assert kinds(hall).count("border_router.same_keys") == 1


def test_e07_a_6lbr_that_restarts_again_and_again_has_one_successor(hall: Hall) -> None:
    """The first time it gets fresh keys, then those until they are changed once more."""
    border, _, first = joins_while_network_runs(hall)
    told = [values(hall.join(border, AS_6LBR)) for _ in range(4)]
    assert told[0] != first
    assert told[1:] == [told[0]] * 3
    assert (wanted(hall), len(rollovers(hall))) == ("border-router", 1)


@pytest.mark.parametrize("is_paused", [False, True])
def test_e07_a_switch_that_does_not_end_keeps_no_6lbr_on_keys_it_has_used(
    hall: Hall, is_paused: bool
) -> None:
    """Past the deadline it gives way: each restart has keys that were never in use (§5.1)."""
    border, _, first = joins_while_network_runs(hall)
    told = [first, values(hall.join(border, AS_6LBR))]
    if is_paused:
        hall.desk.write(lambda tx: pause_rollover(tx, "lab", actor=ACTOR))
    for _ in range(3):
        hall.desk.now_ms += 3600 * 1000 - 1
        assert values(hall.join(border, AS_6LBR)) == told[-1]
        hall.desk.now_ms += 1
        told.append(values(hall.join(border, AS_6LBR)))
    assert len({*map(tuple, told)}) == len(told)
    assert [each.phase for each in rollovers(hall)] == [Phase.SWITCHING, *[Phase.DONE] * 3]
    assert [state for state, _ in generations(hall)] == [KeySetState.PREVIOUS, KeySetState.CURRENT]


def test_e07_a_switch_of_a_database_that_is_closed_gives_way_to_nobody(hall: Hall) -> None:
    """The old keys stay, since no others can be drawn (row E9)."""
    border, _, _ = joins_while_network_runs(hall)
    hall.join(border, AS_6LBR)
    before = generations(hall)
    hall.desk.now_ms += 7200 * 1000
    hall.desk.write(lambda tx: quarantine(tx, "an old copy", actor=ACTOR))
    assert restarted(hall) is False
    assert (generations(hall), rollovers(hall)[0].phase) == (before, Phase.SWITCHING)


def test_e07_fresh_keys_fulfil_what_an_earlier_restart_has_asked_for(hall: Hall) -> None:
    """Nobody is told keys once more for nothing; a person's wish stays."""
    border, _, _ = joins_while_network_runs(hall)
    for after_ms in (0, 1800 * 1000):
        hall.desk.now_ms += after_ms
        hall.join(border, AS_6LBR)
    assert wanted(hall) == "border-router"
    hall.desk.now_ms += 3600 * 1000
    hall.join(border, AS_6LBR)
    assert (wanted(hall), len(rollovers(hall))) == (None, 2)


def test_e07_another_6lbr_in_a_switch_where_nobody_has_begun_gets_its_keys(hall: Hall) -> None:
    """6LNs hold both sets and send with the former one, so these were never in use (§8.4.3.2)."""
    _, _, first = joins_while_network_runs(hall)
    hall.act(revoke_pledge, 9)
    number = rollovers(hall)[0].id
    hall.desk.write(lambda tx: acknowledged(tx, number))
    assert hall.desk.write(lambda tx: advance(tx, number)).phase is Phase.SWITCHING
    hall.desk.now_ms += 7200 * 1000
    other = router(hall, 8)
    fresh = values(hall.join(other, AS_6LBR))
    assert fresh != first
    assert (len(rollovers(hall)), wanted(hall)) == (1, None)
    assert values(hall.join(other, AS_6LBR)) != fresh, "it may have sent with them now"


def test_e07_a_6ln_that_has_joined_in_a_switch_with_the_new_set_alone_may_send_with_it(
    hall: Hall,
) -> None:
    """It has no other; its firmware holds one."""
    _, _, first = joins_while_network_runs(hall)
    hall.act(revoke_pledge, 9)
    number = rollovers(hall)[0].id
    hall.desk.write(lambda tx: acknowledged(tx, number))
    assert hall.desk.write(lambda tx: advance(tx, number)).phase is Phase.SWITCHING
    mote = hall.enroll(3, profile=Profile.OPENWSN)
    new = values(hall.join(mote))
    assert new != first
    assert len(new) == 1
    hall.desk.now_ms += 7200 * 1000
    assert not set(values(hall.join(router(hall, 8), AS_6LBR))) & set(new)


def test_e07_a_6lbr_that_joins_in_the_guard_time_is_not_left_behind(hall: Hall) -> None:
    """It has the new set alone by its Join Response, and nothing waits for it any more."""
    joins_while_network_runs(hall)
    hall.desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR))
    number = rollovers(hall)[0].id
    hall.desk.write(lambda tx: acknowledged(tx, number))
    assert hall.desk.write(lambda tx: advance(tx, number)).phase is Phase.GUARDING
    hall.join(router(hall, 8), AS_6LBR)
    hall.desk.write(lambda tx: advance(tx, number, guard_over=True))
    assert NodeState.UNREACHABLE not in node_states(hall).values()


def test_e07_a_restored_6lbr_gets_fresh_keys(hall: Hall) -> None:
    """It may have been restarted meanwhile; its own rollover is running, so they come after it."""
    border, _, first = joins_while_network_runs(hall)
    hall.act(revoke_pledge, 9)
    hall.act(restore_pledge, 9)
    hall.contexts.forget_all()
    assert values(hall.join(border, AS_6LBR)) == first
    assert (wanted(hall), rollovers(hall)[0].cause.value) == ("border-router", "revocation")


@pytest.mark.parametrize("anew", [False, True])
def test_e07_where_no_fresh_keys_can_be_drawn_the_6lbr_joins_all_the_same(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    """It gets those in force; new ones stay wanted, and the audit log says why."""

    def none_free(*_given: object) -> None:
        raise OperatorError("1 new key ids are needed, and 0 of 254 are free")

    border, _, first = joins_while_network_runs(hall)
    if anew:
        hall.contexts.forget_all()
    monkeypatch.setattr("jrc.service.rollover.draw_keys", none_free)
    assert values(hall.join(border, AS_6LBR)) == first
    assert generations(hall) == [(KeySetState.CURRENT, first)]
    assert wanted(hall) == "border-router"
    last = hall.desk.read(list_events)
    (note,) = [entry for entry in last if entry.kind == "border_router.same_keys"]
    assert "0 of 254 are free" in str(note.detail["error"])


# The other two


def test_e07_with_rollover_it_gets_those_in_force_which_are_changed_afterwards(hall: Hall) -> None:
    """An ordinary rollover begins after the commit."""
    border, _, first = joins_while_network_runs(hall)
    acts(hall, OnBorderRouterJoin.ROLLOVER)
    revision = hall.database.instance.policy_revision
    assert values(hall.join(border, AS_6LBR)) == first
    assert wanted(hall) == "border-router"
    assert hall.database.instance.policy_revision > revision
    hall.desk.write(lambda tx: start_wanted(tx, 1, RolloverSettings()))
    assert rollovers(hall)[0].phase is Phase.DISTRIBUTING


def test_e07_with_keep_nothing_happens_but_a_line_in_the_audit_log(hall: Hall) -> None:
    """The operator knows that the 6LBR keeps its slot number."""
    border, _, first = joins_while_network_runs(hall)
    acts(hall, OnBorderRouterJoin.KEEP)
    assert values(hall.join(border, AS_6LBR)) == first
    assert (rollovers(hall), wanted(hall)) == ([], None)
    assert kinds(hall)[-2:] == ["border_router.same_keys", "pledge.joined"]


def test_e07_a_6lbr_that_is_not_let_in_changes_no_keys(hall: Hall) -> None:
    """One that asks for another network, or as what it is not."""
    _, node, first = joins_while_network_runs(hall)
    assert hall.ask(node.request(AS_6LBR)) is not None
    assert (rollovers(hall), generations(hall)) == ([], [(KeySetState.CURRENT, first)])


# Radios that an installer sets


def installed(hall: Hall, generation: int) -> None:
    record = InstallationRecord(network_id=1, installer="exec", generation=generation)
    hall.desk.write(lambda tx: tx.installations.save(record))


def restarted(hall: Hall, word: OnBorderRouterJoin = OnBorderRouterJoin.FRESH) -> bool:
    settings = RolloverSettings(on_6lbr_join=word)
    return hall.desk.write(lambda tx: radio_restarted(tx, "lab", settings, actor=ACTOR))


def test_e07_a_radio_that_was_restarted_gets_a_set_that_was_never_used(hall: Hall) -> None:
    """It is told with `jrc network install --restarted`; the switch waits for the radio."""
    hall.join(hall.enroll(1))
    installed(hall, 1)
    assert restarted(hall) is True
    assert [state for state, _ in generations(hall)] == [KeySetState.PREVIOUS, KeySetState.CURRENT]
    assert rollovers(hall)[0].phase is Phase.SWITCHING
    assert restarted(hall) is False
    assert wanted(hall) is None


def test_e07_a_radio_with_the_keys_in_force_may_have_sent_with_them(hall: Hall) -> None:
    """Also where no node has joined yet, and where it is a 6LBR that joins in its place."""
    installed(hall, 1)
    assert not hall.desk.read(lambda tx: tx.keysets.is_held(1, 1))
    first = generations(hall)[0][1]
    assert not set(values(hall.join(router(hall), AS_6LBR))) & set(first)


def test_e07_a_radio_that_has_never_had_the_keys_may_have_them(hall: Hall) -> None:
    """Nobody has sent with them."""
    assert restarted(hall) is False
    installed(hall, 1)
    assert restarted(hall, OnBorderRouterJoin.KEEP) is False
    assert rollovers(hall) == []

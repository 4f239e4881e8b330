"""Rehearsals: the real machine and pacing under virtual time, and what they say they assume."""

import time
from collections.abc import Mapping
from dataclasses import fields, replace
from random import Random
from typing import Any

import pytest

from jrc.coap.update_message import protect
from jrc.cojp import codec, message
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.exchange import RetransmissionTiming
from jrc.cojp.objects import Configuration, LinkLayerKey
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.model import Secret
from jrc.policy.pacing import Pace
from jrc.policy.rollover import NodeState
from jrc.service.outcomes import Retry
from jrc.service.rehearsal import Figure, rehearse, sentences
from jrc.service.rehearsal_mesh import ANSWER_BYTES, Assumptions, Size, update_bytes
from jrc.service.rehearsal_run import Outcome, Run, Settings
from tests.service.rehearsal_table import PAGE, draw, drawn

PERFECT = Assumptions(loss=0.0)
SETTINGS = Settings(
    key_usages=(0,),
    timing=RetransmissionTiming(),
    pace=Pace(10_000_000, 10_000),
    retry=Retry(),
    quorum_permille=1000,
    deadline_s=3600,
    guard_time_s=12,
)
UPDATE_BYTES = update_bytes((0,))


def network(nodes: int, border_routers: int = 1) -> list[Size]:
    return [Size(nodes=nodes, border_routers=border_routers)]


def run(
    sizes: list[Size], settings: Settings = SETTINGS, assumed: Assumptions = PERFECT, seed: int = 1
) -> Outcome:
    return Run(sizes, settings, assumed, Random(seed), 10**6).go()


def test_the_same_seed_gives_the_same_rehearsal() -> None:
    """An operator who asks twice must not get two answers."""
    assumed = Assumptions(loss=0.2, sleepy=0.1, dead=0.05)
    once = rehearse(network(100), SETTINGS, assumed)
    assert once == rehearse(network(100), SETTINGS, assumed)
    assert once.datagrams != rehearse(network(100), SETTINGS, assumed, seed=2).datagrams
    assert (once.datagrams.median or 0) < (once.datagrams.worst or 0)


def test_e02_a_network_that_loses_nothing_takes_its_round_trips_and_the_guard_time() -> None:
    """6LNs, then 6LBRs, then 12 s (RFC 9031 §8.4.3.1, §8.5)."""
    found = run(network(3), assumed=replace(PERFECT, round_trip_s=2.0))
    assert (2.0, 4.0, 16.0) == (found.distributed_s, found.switched_s, found.done_s)
    assert (2.0, 2.0, 2.0) == found.reached_s
    assert (8, 4 * (UPDATE_BYTES + ANSWER_BYTES)) == (found.datagrams, found.bytes)
    assert {NodeState.REACHED: 3} == found.states


def test_a_domain_without_nodes_passes_through() -> None:
    """Nothing is sent, and the guard time is kept."""
    found = run(network(0, 0))
    assert (0.0, 0.0, 12.0, 0) == (
        found.distributed_s, found.switched_s, found.done_s, found.datagrams
    )  # fmt: skip


def test_the_pace_is_the_real_one() -> None:
    """An update a second, but for the second that was saved up at the start (RFC 9031 §6.1)."""
    found = run(network(100), replace(SETTINGS, pace=Pace(UPDATE_BYTES, 10_000)))
    assert 98 + 2 == pytest.approx(found.distributed_s, abs=1)


def test_so_many_exchanges_are_open_at_once_in_each_network() -> None:
    """Two in flight, a round trip of two seconds: a node a second."""
    pace = replace(SETTINGS, pace=Pace(10**6, 2))
    assert 100 == pytest.approx(run(network(100), pace).distributed_s)
    assert 100 == pytest.approx(run(network(100) * 3, pace).distributed_s)


def test_e01_a_lost_datagram_is_sent_again_at_the_real_times() -> None:
    """The first retransmission leaves after 10 to 15 s (RFC 9031 §7.2)."""
    found = run(network(2000), assumed=Assumptions(loss=0.1, round_trip_s=1.0))
    late = [at for at in found.reached_s if at > 1.0]
    assert 0.81 == pytest.approx(1 - len(late) / 2000, abs=0.03)
    assert all(11 <= at <= 16 or at >= 31 for at in late)
    assert any(11 <= at <= 16 for at in late)


def test_e02_dead_nodes_hold_up_a_network_that_wants_all() -> None:
    """The deadline passes with less, and the operator is asked (RFC 9031 §8.4.3.1)."""
    found = run(network(100), assumed=replace(PERFECT, dead=0.03))
    assert (3600, 3600, 97) == (found.paused_s, found.distributed_s, found.reached_at_switch)
    assert {NodeState.REACHED: 97, NodeState.UNREACHABLE: 3} == found.states
    left = run(network(100), assumed=replace(PERFECT, dead=0.03, goes_on_anyway=False))
    assert (3600, None, None) == (left.paused_s, left.distributed_s, left.done_s)


def test_e02_with_a_share_dead_nodes_are_tried_once_to_the_end() -> None:
    """Five transmissions, doubling: 310 s at least, 465 s at most (RFC 9031 §7.2)."""
    share = replace(SETTINGS, quorum_permille=900)
    found = run(network(100), share, replace(PERFECT, dead=0.05))
    assert found.paused_s is None
    assert found.distributed_s is not None
    assert 310 <= found.distributed_s <= 465
    too_many = run(network(100), share, replace(PERFECT, dead=0.11))
    assert 3600 == too_many.paused_s


def test_a_sleeping_node_hears_while_it_is_awake_and_never_else() -> None:
    """It is tried again on a schedule of its own, not before it has slept once."""
    assumed = replace(PERFECT, sleepy=1.0, sleep_s=900.0, awake_s=100.0)
    found = run(network(500), replace(SETTINGS, deadline_s=20 * 86_400), assumed)
    at_once = [at for at in found.reached_s if at == assumed.round_trip_s]
    assert 0.1 == pytest.approx(len(at_once) / 500, abs=0.04)
    assert not [at for at in found.reached_s if 465 + 2 < at < 310 + 900]
    assert 500 == len(found.reached_s)


def test_the_border_routers_do_not_wait_for_nodes_that_are_left() -> None:
    """Half of the nodes are still to be told when the deadline passes."""
    slow = replace(SETTINGS, pace=Pace(UPDATE_BYTES, 4), deadline_s=60)
    found = run(network(500), slow)
    assert found.reached_at_switch < 250
    assert found.switched_s is not None
    assert found.switched_s < 60 + 10


def test_messages_have_the_size_that_they_have_on_the_wire() -> None:
    """RFC 9031 §8.2.1, with an EUI-64 and a number of 2026 or later."""
    security = derive_for_jrc(bytes(range(16)), bytes(8))
    for usages in ((0,), (7, 13)):
        keys = tuple(LinkLayerKey(254, Secret(bytes(16)), usage) for usage in usages)
        payload = codec.encode_configuration(Configuration(keys=keys))
        asked = protect(
            security, 28_000_000, bytes(8), 1, payload, None,
            with_kid_context=True, with_uri_host=True,
        )  # fmt: skip
        assert len(asked.datagram) == update_bytes(usages)
    answer = message.encode_response(
        MessageType.ACK, CoapCode.CHANGED, 1, bytes(8), ((OptionNumber.OSCORE, b""),),
        bytes(len(message.encode_inner(CoapCode.CHANGED, (), b"")) + 8),
    )  # fmt: skip
    assert len(answer) == ANSWER_BYTES


@pytest.mark.parametrize(
    "changed",
    [
        {"loss": 0.3}, {"round_trip_s": 5.0}, {"sleepy": 0.4}, {"sleep_s": 60.0}, {"awake_s": 7.0},
        {"dead": 0.2}, {"goes_on_anyway": False},
    ],
)  # fmt: skip
def test_each_assumption_is_in_what_is_said(changed: Mapping[str, Any]) -> None:
    """So nobody takes a guess for a promise."""
    assumed = Assumptions(sleepy=0.1)
    told = rehearse(network(3), SETTINGS, replace(assumed, **changed), runs=1)
    plain = rehearse(network(3), SETTINGS, assumed, runs=1)
    assert plain.assumed != told.assumed
    assert plain.configured == told.configured
    assert {f"assumed: {each}" for each in told.assumed} < set(sentences(told))


def test_each_assumption_is_tried_above() -> None:
    """One that is added has to be said, too."""
    marks = [
        mark for mark in test_each_assumption_is_in_what_is_said.pytestmark
        if mark.name == "parametrize"
    ]  # fmt: skip
    assert {each.name for each in fields(Assumptions)} == {k for d in marks[0].args[1] for k in d}


@pytest.mark.parametrize(
    "changed",
    [
        {"pace": Pace(7, 10_000)}, {"pace": Pace(10_000_000, 9)}, {"deadline_s": 77},
        {"guard_time_s": 5},
        {"quorum_permille": 950}, {"retry": Retry(60, 3600)}, {"retry": Retry(300, 400)},
        {"timing": RetransmissionTiming(3.0)}, {"timing": RetransmissionTiming(max_retransmit=2)},
        {"timing": RetransmissionTiming(random_factor=2.0)}, {"key_usages": (7, 13)},
    ],
)  # fmt: skip
def test_each_setting_is_in_what_is_said(changed: Mapping[str, Any]) -> None:
    """Whoever changes the config file sees what was rehearsed."""
    told = rehearse(network(0), replace(SETTINGS, **changed), runs=1)
    plain = rehearse(network(0), SETTINGS, runs=1)
    assert plain.configured != told.configured
    assert {f"configured: {each}" for each in told.configured} < set(sentences(told))


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": 0.95}, {"loss": -0.1}, {"dead": -0.1}, {"sleepy": -0.1},
        {"sleepy": 0.6, "dead": 0.5}, {"awake_s": 0.0}, {"sleep_s": -1.0}, {"round_trip_s": -1.0},
    ],
)  # fmt: skip
def test_what_cannot_be_assumed_is_refused(wrong: Mapping[str, Any]) -> None:
    """A network that loses all of it has no rollover to rehearse."""
    with pytest.raises(ValueError, match=r"loss|share|times"):
        replace(Assumptions(), **wrong)


def test_what_never_came_is_the_worst() -> None:
    """A median of runs that mostly end is still a time."""
    deaths = replace(PERFECT, dead=0.5, goes_on_anyway=False)
    found = rehearse(network(10), replace(SETTINGS, deadline_s=600), deaths, runs=3)
    assert Figure(None, None) == found.done_s
    assert Figure(None, None) == found.unreached_at_switch
    assert Figure(5, 5) == found.unreached
    assert (3, 3) == (found.paused, found.unfinished)
    assert (2.0, None) == (found.milestones[0].at_s.median, found.milestones[-1].at_s.worst)
    said = "\n".join(sentences(found))
    assert "100 % of the 6LNs (10) reached: never" in said
    assert "3 of 3 runs came to no end" in said


def test_milestones_are_when_so_many_nodes_were_reached() -> None:
    """The last one is when the switch could begin."""
    found = rehearse(network(200), replace(SETTINGS, pace=Pace(UPDATE_BYTES, 99)), PERFECT, runs=1)
    assert [100, 180, 198, 200] == [each.nodes for each in found.milestones]
    times = [each.at_s.median or 0.0 for each in found.milestones]
    assert sorted(times) == times
    assert found.distributed_s.median == times[-1]


def test_nodes_that_must_join_are_named_and_not_told() -> None:
    """They count nowhere."""
    found = rehearse([Size(nodes=1, border_routers=1, must_join=7)], SETTINGS, PERFECT)
    assert 4 == found.datagrams.median
    assert "7 6LNs more must join again or have a new image" in sentences(found)


def test_ten_thousand_nodes_take_less_than_twenty_seconds_of_cpu() -> None:
    """It is a second on a small machine, so the test has room."""
    begun = time.process_time()
    found = rehearse(
        network(10_000), replace(SETTINGS, pace=Pace(1000, 64)), Assumptions(sleepy=0.02, dead=0.01)
    )
    assert time.process_time() - begun < 20
    assert 5 == found.runs


def test_a_hopeless_network_is_rehearsed_less_often() -> None:
    """So that it takes no longer either."""
    hopeless = Assumptions(loss=0.9, dead=0.1)
    found = rehearse(network(100), SETTINGS, hopeless, max_datagrams=7_000)
    assert 1 <= found.runs < 5
    assert 0 == found.unfinished
    once = rehearse(network(100), SETTINGS, hopeless, max_datagrams=500)
    assert (1, 1, 501) == (once.runs, once.unfinished, round(once.datagrams.worst or 0, -1) + 1)


def test_the_page_shows_what_is_rehearsed() -> None:
    """Drawn anew by `python -m tests.service.rehearsal_table`."""
    assert draw() == drawn(PAGE.read_text())

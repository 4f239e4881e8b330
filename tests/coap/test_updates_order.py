"""When updates leave: NSTART, numbers, pace, cancelling, ten thousand at once (RFC 9031 §7.2)."""

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest

from jrc.coap.updates import MAX_NUMBER_WAIT_S
from jrc.cojp import oscore
from jrc.cojp.replay import NumberBlock
from jrc.lab import datagram
from jrc.policy.pacing import Pace
from jrc.service.update_ports import Answered, UpdateError, UpdateHint, UpdateOutcome
from tests.coap.update_bed import (
    CON,
    FIXED,
    FIXED_END,
    FIXED_TIMES,
    NUMBER,
    Bed,
    Leaving,
    Node,
    arrived,
)

DONE = Answered(0x44, b"")
MANY = 10_000


def number_of(leaving: Leaving) -> int:
    outer = datagram.decode(leaving.data)
    assert outer is not None
    piv = oscore.decode_option(outer.message.opt.oscore).piv
    assert piv is not None
    return oscore.decode_piv(piv)


# --- Timing ------------------------------------------------------------------------------------


def test_e01_without_an_answer_it_is_sent_five_times_and_then_given_up() -> None:
    """ACK_TIMEOUT 10 s, doubled each time, 4 retransmissions (RFC 9031 §7.2)."""
    bed = Bed()
    bed.client.begin(Node().update())
    bed.until(FIXED_END - 0.001)
    assert (FIXED_TIMES, []) == (bed.times, bed.outcomes)
    bed.until(FIXED_END)
    expected = UpdateOutcome("ref", 1, None, UpdateError.NO_ANSWER, None, 5)
    assert [expected] == bed.outcomes
    assert bed.client.next_due() is None


def test_e01_the_timing_is_settable() -> None:
    """RFC 9031 §7.2 gives defaults."""
    bed = Bed(timing=replace(FIXED, ack_timeout_s=2.0, max_retransmit=1))
    bed.client.begin(Node().update())
    bed.until(6)
    assert (0.0, 2.0) == bed.times
    assert 1 == len(bed.outcomes)


def test_e01_first_waits_are_spread_by_chance() -> None:
    """Between ACK_TIMEOUT and 1.5 times that (RFC 7252 §4.2), so that nodes come apart."""
    bed = Bed(timing=replace(FIXED, random_factor=1.5))
    for index in range(1, 201):
        bed.client.begin(Node(index).update())
    bed.until(15.001)
    waits = sorted(bed.times[200:])
    assert 200 == len(waits) == len(set(waits))
    assert 10 <= waits[0] < 10.2
    assert 14.8 < waits[-1] <= 15


# --- NSTART ------------------------------------------------------------------------------------


def test_e01_a_second_update_of_a_node_waits_for_the_first() -> None:
    """NSTART is 1 (RFC 9031 §7.2)."""
    bed, node = Bed(), Node()
    bed.client.begin(node.update("a"))
    bed.client.begin(node.update("b", numbers=NumberBlock(NUMBER + 8, NUMBER + 16)))
    bed.until(9)
    assert 1 == len(bed.sent)
    bed.hear(node.answer(bed.sent[0].data), node)
    assert ["a"] == [each.ref for each in bed.outcomes]
    assert 2 == len(bed.sent)
    bed.hear(node.answer(bed.sent[1].data), node)
    assert ["a", "b"] == [each.ref for each in bed.outcomes]


def test_e01_the_second_goes_on_when_the_first_is_given_up() -> None:
    """Each has its own numbers and its own end."""
    bed, node = Bed(), Node()
    bed.client.begin(node.update("a"))
    bed.client.begin(node.update("b", numbers=NumberBlock(NUMBER + 8, NUMBER + 16)))
    bed.until(2 * FIXED_END)
    assert [("a", 5), ("b", 5)] == [(each.ref, each.transmissions) for each in bed.outcomes]
    assert {NUMBER: 5, NUMBER + 8: 5} == Counter(map(number_of, bed.sent))
    assert 0 == bed.client.open


def test_e01_nodes_do_not_wait_for_each_other() -> None:
    """Several are in flight."""
    bed = Bed()
    for index in range(1, 101):
        bed.client.begin(Node(index).update())
    assert 100 == len(bed.sent)


def test_many_updates_of_one_node_without_numbers_end_one_after_the_other() -> None:
    """Whatever the caller gives; no recursion."""
    bed, node = Bed(), Node()
    for ref in range(3000):
        bed.client.begin(node.update(ref, numbers=NumberBlock(NUMBER, NUMBER)))
    assert 0 == bed.client.open
    assert [] == bed.outcomes, "outcomes come from receive and on_time alone"
    assert bed.now == bed.client.next_due()
    bed.until(0)
    assert list(range(3000)) == [each.ref for each in bed.outcomes]
    assert {UpdateError.OUT_OF_NUMBERS} == {each.error for each in bed.outcomes}


# --- Numbers and clocks ------------------------------------------------------------------------


def test_b04_a_number_that_is_not_due_yet_is_waited_for() -> None:
    """None is skipped, none taken early (RFC 9031 §7.3.1)."""
    bed = Bed()
    bed.client.begin(Node().update(numbers=NumberBlock(NUMBER + 5, NUMBER + 13)))
    bed.until(4.9)
    assert [] == bed.sent
    bed.until(5)
    assert [NUMBER + 5] == [number_of(each) for each in bed.sent]


def test_b04_a_clock_that_went_back_ends_the_update() -> None:
    """Said, and not waited for without end."""
    bed = Bed()
    bed.clock_ms -= 1000 * (MAX_NUMBER_WAIT_S + 1)
    bed.client.begin(Node().update())
    bed.until(0)
    expected = UpdateOutcome("ref", 1, None, UpdateError.NUMBERS_NOT_DUE, None, 0)
    assert [expected] == bed.outcomes


def test_b04_a_clock_that_goes_back_while_it_waits_for_its_turn_is_waited_for() -> None:
    """The number is taken when it leaves, by the clock of that moment."""
    bed = Bed(Pace(1, 100))
    first, second = Node(1), Node(2)
    bed.client.begin(first.update())
    bed.client.begin(second.update())
    assert 1 == len(bed.sent)
    cost = len(bed.sent[0].data)
    bed.clock_ms -= 300_000
    bed.hear(first.answer(bed.sent[0].data), first)
    bed.until(299)
    assert 1 == len(bed.sent)
    assert cost < 299, "its network's bytes were there before"
    bed.until(300)
    assert [NUMBER, NUMBER] == [number_of(each) for each in bed.sent]


def test_b04_a_clock_that_jumps_changes_no_timer() -> None:
    """Retransmissions go by a clock that is never set."""
    bed = Bed()
    bed.client.begin(Node().update())
    bed.clock_ms += 10**9
    bed.until(11)
    bed.clock_ms -= 2 * 10**9
    bed.until(FIXED_END)
    assert FIXED_TIMES == bed.times


# --- Pace --------------------------------------------------------------------------------------


def test_e01_a_network_stays_under_its_bytes_a_second_with_retransmissions() -> None:
    """A second's bytes saved up, one datagram of debt, then the rate; nothing is lost."""
    rate = 200
    bed = Bed(Pace(rate, 1000))
    for index in range(1, 101):
        bed.client.begin(Node(index).update())
    bed.until(3000)
    sizes = [len(each.data) for each in bed.sent]
    for first, began in enumerate(bed.times):
        size = 0
        for last in range(first, min(first + 60, len(sizes))):
            size += sizes[last]
            assert size <= rate * (bed.times[last] - began + 1.01) + sizes[last]
    assert 100 == len(bed.outcomes)
    assert {UpdateError.NO_ANSWER} == {each.error for each in bed.outcomes}
    assert set(range(1, 101)) == {int(each.address) & 0xFFFF for each in bed.sent}


def test_e01_retransmissions_keep_their_distance_when_the_pace_holds_them_up() -> None:
    """At least ACK_TIMEOUT, within MAX_TRANSMIT_SPAN, never after the end (RFC 7252 §4.2)."""
    bed = Bed(Pace(20, 1000))
    for index in range(1, 41):
        bed.client.begin(Node(index).update())
    bed.until(3000)
    for index in range(1, 41):
        times = [each.at for each in bed.sent if int(each.address) & 0xFFFF == index]
        assert all(second - first >= 10 for first, second in itertools.pairwise(times))
        assert times[-1] - times[0] <= FIXED.max_transmit_span_s + 1
    assert 40 == len(bed.outcomes)


def test_e01_so_many_exchanges_are_open_and_the_others_follow_in_order() -> None:
    """The next one leaves when one is over."""
    bed = Bed(Pace(1_000_000, 3))
    nodes = {str(node.address): node for node in map(Node, range(1, 11))}
    for node in nodes.values():
        bed.client.begin(node.update())
    assert 3 == len(bed.sent)
    for count in range(1, 8):
        leaving = bed.sent[count - 1]
        node = nodes[str(leaving.address)]
        bed.hear(node.answer(leaving.data), node)
        assert 3 + count == len(bed.sent)
    assert list(range(1, 11)) == [int(each.address) & 0xFFFF for each in bed.sent]


def test_e01_networks_have_a_pace_each() -> None:
    """One that is slow holds no other up."""
    bed = Bed(Pace(100, 2))
    for index in range(1, 21):
        bed.client.begin(Node(index).update())
    count = len(bed.sent)
    bed.client.begin(Node(99).update(network=2))
    assert count + 1 == len(bed.sent)


def test_e01_a_repetition_for_echo_has_its_turn_already() -> None:
    """It is the same exchange to the network's pace; afterwards the next one leaves."""
    bed, node, other = Bed(Pace(1_000_000, 1)), Node(1), Node(2)
    node.challenge(bytes(8))
    bed.client.begin(node.update())
    bed.client.begin(other.update())
    bed.hear(node.demand(bed.sent[0].data), node)
    bed.until(1)
    assert [node.address] * 2 == [each.address for each in bed.sent]
    bed.hear(node.answer(bed.sent[1].data), node)
    assert other.address == bed.sent[2].address
    bed.hear(other.answer(bed.sent[2].data), other)
    assert [DONE, DONE] == [each.answer for each in bed.outcomes]


# --- Cancelling --------------------------------------------------------------------------------


@pytest.mark.parametrize("elapsed_s", [0.0, 15.0])
def test_e01_what_is_cancelled_ends_at_once(elapsed_s: float) -> None:
    """Nothing more of it leaves, and its answer is no longer taken."""
    bed, node = Bed(), Node()
    bed.client.begin(node.update())
    bed.until(elapsed_s)
    count = len(bed.sent)
    bed.client.cancel(node.index)
    assert 0 == bed.client.open
    assert 1 == len(bed.hear(node.answer(bed.sent[0].data), node))
    bed.until(500)
    assert count == len(bed.sent)
    expected = UpdateOutcome("ref", 1, None, UpdateError.CANCELLED, None, count)
    assert [expected] == bed.outcomes


def test_e01_cancelling_takes_those_that_wait_along_and_frees_the_turn() -> None:
    """Behind the first one of the node, for a number, and for the pace."""
    bed = Bed(Pace(1_000_000, 1))
    first, second, third = Node(1), Node(2), Node(3)
    bed.client.begin(first.update("a"))
    bed.client.begin(first.update("b"))
    bed.client.begin(second.update("c"))
    bed.client.begin(second.update("d", numbers=NumberBlock(NUMBER + 9, NUMBER + 10)))
    bed.client.begin(third.update("e"))
    bed.client.cancel(2)
    bed.client.cancel(1)
    assert ["fd00::1", "fd00::3"] == [str(each.address) for each in bed.sent]
    bed.until(0)
    assert ["c", "d", "a", "b"] == [each.ref for each in bed.outcomes]
    assert 10.0 == (bed.client.next_due() or 0) - bed.now, "nobody's number is waited for"
    assert 1 == bed.client.open
    bed.client.begin(second.update("f"))
    bed.hear(third.answer(bed.sent[1].data), third)
    assert "fd00::2" == str(bed.sent[2].address)


def test_e01_a_retransmission_that_waits_for_its_pace_is_not_sent_after_the_answer() -> None:
    """What the pace gives out late is looked at again."""
    bed = Bed(Pace(5, 100))
    first, second = Node(1), Node(2)
    bed.client.begin(first.update())
    bed.client.begin(second.update())
    bed.until(11)
    assert 1 == len(bed.sent), "its retransmission is due, and waits"
    bed.hear(first.answer(bed.sent[0].data), first)
    bed.until(60)
    assert first.address == bed.sent[0].address
    assert {second.address} == {each.address for each in bed.sent[1:]}


def test_a_caller_may_begin_another_when_it_hears_of_the_end() -> None:
    """Its next attempt, at another of the node's addresses."""
    heard: list[UpdateOutcome] = []
    node = Node()

    def again(outcomes: list[UpdateOutcome]) -> None:
        heard.extend(outcomes)
        if len(heard) < 3:
            numbers = NumberBlock(NUMBER + 8 * len(heard), NUMBER + 8 * len(heard) + 8)
            bed.client.begin(node.update(numbers=numbers))

    bed = Bed(finished=again)
    bed.client.begin(node.update())
    bed.until(2000)
    assert 3 == len(heard)
    assert 3 == len(set(map(number_of, bed.sent)))


# --- Many --------------------------------------------------------------------------------------


def test_e01_ten_thousand_at_once_reach_their_nodes() -> None:
    """One in ten is lost each way; those that went well have been told once."""
    bed = Bed()
    chance = random.Random(2)
    nodes = {str(node.address): node for node in map(Node, range(1, MANY + 1))}
    for node in nodes.values():
        bed.client.begin(node.update(node.index))
    seen: dict[str, bytes] = {}
    done, elapsed_s = 0, 0
    while bed.client.open:
        for leaving in bed.sent[done:]:
            name = str(leaving.address)
            if len(leaving.data) == 4 or chance.random() < 0.1:
                continue
            if name not in seen:
                seen[name] = nodes[name].answer(leaving.data, CON if leaving.at % 2 else 1)
            if chance.random() >= 0.1:
                bed.client.receive([arrived(seen[name], leaving.address)])
        done = len(bed.sent)
        elapsed_s += 5
        bed.until(elapsed_s)
    assert MANY == len({each.ref for each in bed.outcomes}) == len(bed.outcomes)
    good = [each for each in bed.outcomes if each.answer == DONE]
    assert 0.999 * MANY < len(good)
    assert all(len(nodes[f"fd00::{each.node:x}"].taken) == 1 for each in good)


def test_e01_a_hint_is_the_last_one() -> None:
    """What a person reads of a node that does not answer."""
    bed, node = Bed(), Node()
    bed.can_send = False
    bed.client.begin(node.update())
    bed.can_send = True
    bed.until(10)
    bed.hear(bytes((0x70, 0)) + bed.sent[0].data[2:4], node)
    bed.until(FIXED_END)
    assert (UpdateHint.RESET, 4) == (bed.outcomes[0].hint, bed.outcomes[0].transmissions)


def test_e01_what_waits_for_its_number_can_be_cancelled() -> None:
    """Nothing wakes up for it any more, and nothing leaves when it would have been due."""
    bed, node = Bed(), Node()
    bed.client.begin(node.update(numbers=NumberBlock(NUMBER + 5, NUMBER + 13)))
    bed.client.cancel(node.index)
    bed.until(0)
    assert [UpdateError.CANCELLED] == [each.error for each in bed.outcomes]
    assert bed.client.next_due() is None
    bed.until(10)
    assert [] == bed.sent


def test_k09_nothing_leaves_while_it_is_looked_who_may_be_told() -> None:
    """Neither what is begun nor what was sent before; who is cancelled meanwhile hears nothing."""
    bed, revoked, other = Bed(), Node(1), Node(2)
    bed.client.begin(revoked.update())
    assert 1 == len(bed.sent)
    bed.client.hold()
    bed.client.begin(other.update())
    bed.until(60)
    assert 1 == len(bed.sent)
    bed.client.cancel(revoked.index)
    bed.client.go_on()
    bed.until(500)
    assert 5 == sum(datagram.data != bed.sent[0].data for datagram in bed.sent)
    assert 1 == sum(datagram.data == bed.sent[0].data for datagram in bed.sent)

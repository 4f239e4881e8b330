"""A node that asks for an update's freshness with Echo (RFC 8613 App. B.1.2, RFC 9175 §2.3)."""

import aiocoap  # type: ignore[import-untyped]
import pytest

from jrc.cojp import oscore
from jrc.cojp.replay import NumberBlock
from jrc.service.update_ports import Answered, UpdateError
from tests.coap.update_bed import ACK, CON, NUMBER, PAYLOAD, Bed, Node, empty, outcome

ECHO = bytes(range(8))


@pytest.mark.parametrize("type", [ACK, CON])
def test_b07_a_demand_for_echo_is_met_under_the_next_number(
    bed: Bed, node: Node, type: int
) -> None:
    """RFC 9175 §2.3, RFC 8613 App. B.1.2: the same request again, a second later at most."""
    node.challenge(ECHO)
    first = bed.asked(node)
    demand = node.demand(first, type)
    bed.hear(demand, node)
    assert [empty(demand)] * (type == CON) == [each.data for each in bed.sent[1:]]
    bed.until(1)
    second = bed.sent[-1].data
    outer, inner, _ = node.open(second)
    assert (ECHO, PAYLOAD) == (inner.opt.echo, inner.payload)
    assert oscore.encode_piv(NUMBER + 1) == oscore.decode_option(outer.message.opt.oscore).piv
    assert first[4:12] != second[4:12]
    assert first[2:4] != second[2:4]


def test_b07_the_answer_to_the_repetition_counts_and_a_late_demand_does_not(
    bed: Bed, node: Node
) -> None:
    """The token of the first message is no longer known (RFC 7252 §5.3.1)."""
    node.challenge(ECHO)
    demand = node.demand(bed.asked(node))
    bed.hear(demand, node)
    bed.until(1)
    assert 1 == len(bed.hear(demand, node))
    bed.hear(node.answer(bed.sent[-1].data), node)
    assert [outcome(transmissions=2)] == bed.outcomes


def test_b07_a_node_that_asks_for_echo_for_ever_is_left_alone(bed: Bed, node: Node) -> None:
    """Bounded: two repetitions."""
    bed.client.begin(node.update())
    for turn in range(3):
        node.challenge(bytes([turn] * 8))
        bed.hear(node.demand(bed.sent[-1].data), node)
        bed.until(turn + 1)
    assert 3 == len(bed.sent)
    assert [outcome(answer=None, error=UpdateError.ECHO_LOOP, transmissions=3)] == bed.outcomes


def test_b07_without_a_number_left_there_is_no_repetition(bed: Bed, node: Node) -> None:
    """No number is used twice (RFC 9031 §7.3.1)."""
    node.challenge(ECHO)
    bed.hear(node.demand(bed.asked(node, numbers=NumberBlock(NUMBER, NUMBER + 1))), node)
    bed.until(400)
    assert 1 == len(bed.sent)
    assert [outcome(answer=None, error=UpdateError.OUT_OF_NUMBERS)] == bed.outcomes


def test_b07_a_protected_4_01_without_echo_is_an_answer(bed: Bed, node: Node) -> None:
    """RFC 9175 §2.3 speaks of those with the option alone."""
    bed.hear(node.answer(bed.asked(node), ACK, aiocoap.UNAUTHORIZED), node)
    assert [outcome(answer=Answered(0x81, b""))] == bed.outcomes

"""Answers to Parameter Updates that do not count: nothing is taken from them."""

from typing import Any

import aiocoap  # type: ignore[import-untyped]
import pytest
from aiocoap.numbers.codes import CHANGED  # type: ignore[import-untyped]

from jrc.cojp import message, oscore
from jrc.cojp.constants import JRC_ID
from jrc.cojp.replay import NumberBlock
from jrc.errors import Reason
from jrc.lab import datagram
from jrc.service.update_ports import UpdateError
from tests.coap.update_bed import (
    ACK,
    CON,
    FIXED_END,
    NON,
    NUMBER,
    Bed,
    Node,
    arrived,
    is_ignored,
    outcome,
    plain,
    still_works,
)


@pytest.mark.parametrize("type", [ACK, CON, NON])
@pytest.mark.parametrize("code", [0x44, 0x80, 0x81, 0x84, 0xA0])
def test_b06_an_unprotected_answer_is_ignored(bed: Bed, node: Node, type: int, code: int) -> None:
    """Errors included (RFC 9031 §7.3.2); a confirmable one gets neither ACK nor RST."""
    data = bed.asked(node)
    is_ignored(bed, node, plain(data, code, type), Reason.UNPROTECTED)
    still_works(bed, node, data)


def test_b06_an_answer_of_another_node_is_ignored(bed: Bed, node: Node) -> None:
    """Protected with other keys, under the right token and address (RFC 8613 §8.4)."""
    data = bed.asked(node)
    other = Node(2)
    forged = oscore.protect_request(other.security, b"\x01", b"\x44", with_kid_context=False)
    option = datagram.decode(data)
    assert option is not None
    inside = aiocoap.Message(code=CHANGED, payload=forged[1])
    inside.opt.oscore = b""
    is_ignored(bed, node, node.wrap(option, inside), Reason.BAD_TAG)
    still_works(bed, node, data)


def test_b06_an_answer_to_another_update_is_ignored(bed: Bed, node: Node) -> None:
    """A replayed one: its tag covers the number of the request (RFC 8613 §5.4)."""
    old = bed.asked(node)
    late = datagram.decode(node.answer(old, NON))
    assert late is not None
    bed.client.cancel(node.index)
    bed.until(0)
    bed.outcomes.clear()
    data = bed.asked(node, numbers=NumberBlock(NUMBER - 1, NUMBER))
    is_ignored(bed, node, datagram.encode(late), None)
    replayed = datagram.encode(late._replace(token=data[4:12]))
    is_ignored(bed, node, replayed, Reason.BAD_TAG)


@pytest.mark.parametrize("fields", [{"port": 5684}, {"address": Node(2).address}])
def test_b06_an_answer_from_elsewhere_is_ignored(
    bed: Bed, node: Node, fields: dict[str, Any]
) -> None:
    """RFC 7252 §5.3.2: it comes from where the request went to, or it is none."""
    data = bed.asked(node)
    answer = node.answer(data)
    elsewhere = Node()
    elsewhere.address = fields.pop("address", elsewhere.address)
    is_ignored(bed, elsewhere, answer, Reason.WRONG_PEER, **fields)
    bed.hear(answer, node)
    assert [outcome()] == bed.outcomes


def test_b06_a_piggybacked_answer_needs_the_message_id(bed: Bed, node: Node) -> None:
    """RFC 7252 §5.3.2."""
    answer = node.answer(bed.asked(node))
    other = bytes((answer[0], answer[1], answer[2] ^ 1, answer[3])) + answer[4:]
    is_ignored(bed, node, other, Reason.NOT_A_RESPONSE)


def test_b06_a_reset_with_content_is_none(bed: Bed, node: Node) -> None:
    """RFC 7252 §4.2: it MUST be empty."""
    answer = node.answer(bed.asked(node))
    is_ignored(bed, node, bytes((answer[0] | 0x30,)) + answer[1:], Reason.NOT_A_RESPONSE)


def test_b10_an_answer_to_a_group_is_ignored(bed: Bed, node: Node) -> None:
    """RFC 7252 §11.3."""
    answer = node.answer(bed.asked(node))
    there = arrived(answer, node.address)
    grouped = there._replace(way=there.way._replace(local=b"\xff\x02" + bytes(14)))
    assert [] == list(bed.client.receive([grouped]))
    assert [Reason.MULTICAST] == bed.dropped
    is_truncated = there._replace(truncated=True)
    assert [] == list(bed.client.receive([is_truncated]))
    assert [Reason.MULTICAST, Reason.TOO_LONG] == bed.dropped
    assert [] == bed.outcomes


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (b"", Reason.MALFORMED_INNER),
        (b"\x00", Reason.MALFORMED_INNER),
        (b"\xe1", Reason.MALFORMED_INNER),
        (b"\x44\xff", Reason.MALFORMED_INNER),
        (b"\x02", Reason.NOT_A_RESPONSE),
        (b"\x44\xd1\x0a\x06", Reason.CRITICAL_OPTION),
    ],
)
def test_b06_a_verified_answer_that_is_no_response_is_ignored(
    bed: Bed, node: Node, inner: bytes, reason: Reason
) -> None:
    """Code of a response, options that are known, or silence (RFC 8613 §8.4, RFC 7252 §5.4.1)."""
    data = bed.asked(node)
    mirrored = node.security.mirrored()
    value, ciphertext = oscore.protect_response(
        mirrored, JRC_ID, oscore.encode_piv(NUMBER), inner, b"\x09"
    )
    outer = datagram.decode(data)
    assert outer is not None
    inside = aiocoap.Message(code=CHANGED, payload=ciphertext)
    inside.opt.oscore = value
    is_ignored(bed, node, node.wrap(outer, inside, CON), reason)
    still_works(bed, node, data)


@pytest.mark.parametrize("number", [1, 5, 7, 13, 23, 27])
def test_b06_an_unknown_critical_outer_option_is_ignored(bed: Bed, node: Node, number: int) -> None:
    """RFC 7252 §5.4.1; blocks are not for a Configuration's answer."""
    answer = message.decode(node.answer(bed.asked(node)))
    options = tuple(sorted([*answer.options, (number, b"")]))
    is_ignored(bed, node, message.encode(answer._replace(options=options)), Reason.CRITICAL_OPTION)


def test_b06_each_flipped_bit_and_each_cut_is_silence(bed: Bed, node: Node) -> None:
    """None ends the exchange or is answered, but for bits that nobody protects (RFC 8613 §8.4)."""
    data = bed.asked(node)
    good = node.answer(data, CON)
    for bit in range(16, 8 * len(good)):
        if bit // 8 in (2, 3):  # a separate answer's message id is its own
            continue
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        bed.hear(bytes(flipped), node)
    for size in range(len(good)):
        bed.hear(good[:size], node)
    assert [] == bed.outcomes
    assert 1 == len(bed.sent)
    bed.hear(good, node)
    assert [outcome()] == bed.outcomes


@pytest.mark.parametrize("twice", [ACK, NON])
def test_e01_a_second_answer_and_a_late_one_change_nothing(
    bed: Bed, node: Node, twice: int
) -> None:
    """What is no longer asked for is left to the join path, which drops it."""
    answer = node.answer(bed.asked(node), twice)
    assert [] == bed.hear(answer, node)
    other = Node(2)
    bed.asked(other)
    assert 1 == len(bed.hear(answer, node))
    bed.until(400)
    assert 1 == len(bed.hear(answer, node))
    assert 2 == len(bed.outcomes)


def test_e01_a_late_answer_to_an_update_that_was_given_up_is_not_taken(
    bed: Bed, node: Node
) -> None:
    """The caller has been told that nothing was heard; it tells the node again."""
    data = bed.asked(node)
    bed.until(FIXED_END)
    assert 1 == len(bed.hear(node.answer(data, CON), node))
    assert [outcome(answer=None, error=UpdateError.NO_ANSWER, transmissions=5)] == bed.outcomes
    assert 5 == len(bed.sent)

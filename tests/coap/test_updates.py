"""Parameter Updates and what comes back (RFC 9031 §8.2, RFC 7252 §5.2); nodes use aiocoap."""

from typing import Any

import aiocoap  # type: ignore[import-untyped]
import pytest
from aiocoap.numbers.codes import BAD_REQUEST, CHANGED, POST  # type: ignore[import-untyped]

from jrc.cojp import message, oscore
from jrc.cojp.constants import JRC_ID
from jrc.cojp.replay import NumberBlock
from jrc.errors import Reason
from jrc.lab import datagram
from jrc.service.update_ports import Answered, UpdateError, UpdateHint, UpdateOutcome
from tests.coap.update_bed import (
    ACK,
    CON,
    FIXED_END,
    NON,
    NUMBER,
    PAYLOAD,
    RST,
    Bed,
    Node,
    arrived,
    empty,
    plain,
)

DONE = Answered(0x44, b"")
ECHO = bytes(range(8))


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
def node() -> Node:
    return Node()


def outcome(**fields: Any) -> UpdateOutcome:
    return UpdateOutcome("ref", 1, DONE, None, None, 1)._replace(**fields)


# --- The request -------------------------------------------------------------------------------


def test_e01_the_request_is_a_protected_post_to_j(bed: Bed, node: Node) -> None:
    """CON, Uri-Host 6tisch.arpa, kid JRC, the Configuration inside (RFC 9031 §8.2.1)."""
    data = bed.asked(node)
    outer, inner, _ = node.open(data)
    assert (CON, POST) == (outer.type, outer.message.code)
    assert "6tisch.arpa" == outer.message.opt.uri_host
    option = oscore.decode_option(outer.message.opt.oscore)
    assert (oscore.encode_piv(NUMBER), JRC_ID, node.identifier) == option
    assert (POST, ("j",), PAYLOAD) == (inner.code, inner.opt.uri_path, inner.payload)
    assert node.address == bed.sent[0].address


def test_e01_traits_leave_kid_context_and_host_out(bed: Bed, node: Node) -> None:
    """RFC 8613 §6.1 leaves the first open; firmware of old drafts knows no host."""
    data = bed.asked(node, with_kid_context=False, with_uri_host=False)
    outer, _, _ = node.open(data)
    assert outer.message.opt.uri_host is None
    assert oscore.decode_option(outer.message.opt.oscore).kid_context is None


def test_e01_tokens_are_eight_bytes_that_differ(bed: Bed) -> None:
    """RFC 7252 §5.3.1: nobody guesses one."""
    tokens = {bed.asked(Node(index))[4:12] for index in range(1, 101)}
    assert 100 == len(tokens)


# --- Answers that count ------------------------------------------------------------------------


@pytest.mark.parametrize("type", [ACK, CON, NON])
def test_e01_piggybacked_separate_and_non_confirmable_answers_count(
    bed: Bed, node: Node, type: int
) -> None:
    """RFC 7252 §5.2.1 to §5.2.3; a confirmable one alone is acknowledged."""
    answer = node.answer(bed.asked(node), type)
    assert [] == bed.hear(answer, node)
    assert [outcome()] == bed.outcomes
    acks = [empty(answer)] if type == CON else []
    assert acks == [each.data for each in bed.sent[1:]]
    assert 0 == bed.client.open


@pytest.mark.parametrize("type", [CON, NON])
def test_e01_an_empty_ack_may_come_before_the_answer(bed: Bed, node: Node, type: int) -> None:
    """RFC 7252 §5.2.2: no retransmission then; the answer is waited for."""
    data = bed.asked(node)
    assert [] == bed.hear(empty(data), node)
    bed.until(FIXED_END - 1)
    assert 1 == len(bed.sent)
    bed.hear(node.answer(data, type), node)
    assert [outcome(hint=UpdateHint.ACKNOWLEDGED)] == bed.outcomes


def test_e01_after_an_empty_ack_the_exchange_ends_at_its_time(bed: Bed, node: Node) -> None:
    """Anybody could have sent it."""
    bed.hear(empty(bed.asked(node)), node)
    bed.until(FIXED_END - 0.1)
    assert [] == bed.outcomes
    bed.until(FIXED_END)
    expected = outcome(answer=None, error=UpdateError.NO_ANSWER, hint=UpdateHint.ACKNOWLEDGED)
    assert [expected] == bed.outcomes


def test_e04_an_error_that_verifies_is_an_answer(bed: Bed, node: Node) -> None:
    """4.00 with Unsupported_Configuration is the caller's to store (RFC 9031 §8.3.2)."""
    diagnostic = bytes.fromhex("830102f6")
    bed.hear(node.answer(bed.asked(node), ACK, BAD_REQUEST, diagnostic), node)
    assert [outcome(answer=Answered(0x80, diagnostic))] == bed.outcomes


def test_e01_an_answer_to_a_retransmission_counts(bed: Bed, node: Node) -> None:
    """All transmissions are the same bytes (RFC 7252 §4.2)."""
    bed.asked(node)
    bed.until(35)
    assert 3 == len(bed.sent)
    assert 1 == len({each.data for each in bed.sent})
    bed.hear(node.answer(bed.sent[2].data), node)
    assert [outcome(transmissions=3)] == bed.outcomes


def test_e01_a_copy_of_a_separate_answer_is_acknowledged_again(bed: Bed, node: Node) -> None:
    """Our ACK was lost (RFC 7252 §4.2); after a while it can be no copy any more."""
    answer = node.answer(bed.asked(node), CON)
    bed.hear(answer, node)
    bed.until(200)
    assert [] == bed.hear(answer, node)
    assert [empty(answer)] * 2 == [each.data for each in bed.sent[1:]]
    assert 1 == len(bed.outcomes)
    bed.until(300)
    assert [answer] == [each.payload for each in bed.hear(answer, node)]
    assert 3 == len(bed.sent)
    assert bed.client.next_due() is None


@pytest.mark.parametrize("fields", [{"port": 1}, {"address": Node(2).address}])
def test_b06_a_copy_from_elsewhere_is_not_acknowledged(
    bed: Bed, node: Node, fields: dict[str, Any]
) -> None:
    """It is given to the join path, which is silent as well (RFC 9031 §7.3.2)."""
    answer = node.answer(bed.asked(node), CON)
    bed.hear(answer, node)
    stranger = Node()
    stranger.address = fields.pop("address", stranger.address)
    assert 1 == len(bed.hear(answer, stranger, **fields))
    assert 1 == len(bed.hear(answer[:-1] + b"?", node))
    assert 2 == len(bed.sent)


# --- Echo --------------------------------------------------------------------------------------


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


# --- What does not count -----------------------------------------------------------------------


def is_ignored(bed: Bed, node: Node, data: bytes, reason: Reason | None, **fields: Any) -> None:
    """Silence, a count by reason, and the exchange goes on; ``None`` is left for others."""
    sent = len(bed.sent)
    left = bed.hear(data, node, **fields)
    assert ([data] if reason is None else []) == [each.payload for each in left]
    assert ([] if reason is None else [reason]) == bed.dropped
    assert [] == bed.outcomes
    assert 1 == bed.client.open
    assert sent == len(bed.sent)


def still_works(bed: Bed, node: Node, data: bytes) -> None:
    bed.until(10)
    assert bed.sent[-1].data == data
    bed.hear(node.answer(data), node)
    assert [DONE] == [each.answer for each in bed.outcomes]


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


# --- Hints -------------------------------------------------------------------------------------


def test_e01_a_reset_is_a_hint_and_no_more(bed: Bed, node: Node) -> None:
    """Anybody could have sent it (RFC 9031 §7.3.2)."""
    data = bed.asked(node)
    assert [] == bed.hear(empty(data, RST), node)
    still_works(bed, node, data)
    assert UpdateHint.RESET == bed.outcomes[0].hint


def test_e01_what_can_not_be_sent_is_tried_again(bed: Bed, node: Node) -> None:
    """A route may come back (RFC 7252 §4.2)."""
    bed.can_send = False
    bed.client.begin(node.update())
    bed.until(5)
    bed.can_send = True
    bed.until(10)
    bed.hear(node.answer(bed.sent[0].data), node)
    assert [outcome(hint=UpdateHint.UNREACHABLE)] == bed.outcomes


def test_e01_without_a_way_no_transmission_is_counted(bed: Bed, node: Node) -> None:
    """So that the caller knows that nobody can have got the keys."""
    bed.can_send = False
    bed.client.begin(node.update())
    bed.until(FIXED_END)
    expected = outcome(
        answer=None, error=UpdateError.NO_ANSWER, hint=UpdateHint.UNREACHABLE, transmissions=0
    )
    assert [expected] == bed.outcomes


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"\x60\x00\x99\x99", {}),
        (b"\x61\x00\x00\x01\x00", {}),
        (b"\x60\x00\x00\x01\xff", {}),
        (b"\x40\x00\x00\x01", {}),
        (b"\x50\x00\x00\x01", {}),
        (b"\x60\x00\x00\x01", {"port": 1}),
        (b"", {}),
        (b"\x60\x00\x00", {}),
        (b"\x48\x02\x00\x01" + bytes(8), {}),
        (b"\x44\x45\x00\x01abcd", {}),
    ],
)
def test_what_is_not_ours_is_left_as_it_came(
    bed: Bed, node: Node, data: bytes, fields: dict[str, Any]
) -> None:
    """Pings, requests, acknowledgements of nothing, other tokens: for the join path to drop."""
    bed.asked(node)
    is_ignored(bed, node, data, None, **fields)


@pytest.mark.parametrize("code", [1, 2, 31])
@pytest.mark.parametrize("type", [CON, NON])
def test_a_request_is_left_whatever_its_token(bed: Bed, node: Node, code: int, type: int) -> None:
    """Tokens of both directions are apart (RFC 7252 §5.3.1)."""
    is_ignored(bed, node, plain(bed.asked(node), code, type), None)


def test_an_ack_of_what_is_over_is_left(bed: Bed, node: Node) -> None:
    """Nothing of an exchange is kept."""
    data = bed.asked(node)
    bed.hear(node.answer(data), node)
    bed.asked(Node(2))
    assert 1 == len(bed.hear(empty(data), node))


def test_without_anything_open_nothing_is_looked_at(bed: Bed) -> None:
    """The join path pays nothing for updates while there are none."""
    batch: Any = [object()]
    assert bed.client.receive(batch) is batch


def test_of_a_batch_what_is_not_taken_keeps_its_order(bed: Bed, node: Node) -> None:
    """Join Requests go on to the join path."""
    answer = arrived(node.answer(bed.asked(node)), node.address)
    others = [arrived(b"\x44\x02\x00\x01abcd", node.address, port) for port in range(3)]
    assert others == bed.client.receive([others[0], answer, *others[1:]])
    assert [outcome()] == bed.outcomes

"""Parameter Updates and what comes back (RFC 9031 §8.2, RFC 7252 §5.2); nodes use aiocoap."""

from typing import Any

import pytest
from aiocoap.numbers.codes import BAD_REQUEST, POST  # type: ignore[import-untyped]

from jrc.cojp import oscore
from jrc.cojp.constants import JRC_ID
from jrc.service.update_ports import Answered, UpdateError, UpdateHint
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
    is_ignored,
    outcome,
    plain,
    still_works,
)

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

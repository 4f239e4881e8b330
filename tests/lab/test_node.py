"""The simulated node against our own side: what it takes, refuses, ignores and remembers."""

from collections.abc import Collection

import cbor2
import pytest

from jrc.cojp import message
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Inner
from jrc.lab.configuration import JOIN_RATE, KEYS, LabConfiguration
from jrc.lab.node import EVERYTHING, SimulatedNode
from jrc.lab.pledge import SimulatedPledge
from jrc.model import Secret
from tests.lab.teller import HOST, Teller, key

H = bytes.fromhex
NAME = H("00124b0014b5b67e")
PSK = bytes(range(16))
OLD, NEW = key(1), key(2)


def made(role: int = 0, understands: Collection[int] = EVERYTHING) -> tuple[SimulatedNode, Teller]:
    pledge = SimulatedPledge(NAME, Secret(PSK), H("cafe"), role)
    node = SimulatedNode(pledge, understands=understands)
    node.joined(LabConfiguration(keys=(OLD,), short_id=H("af93"), join_rate_bytes_per_s=5))
    return node, Teller(NAME, PSK)


def ask(node: SimulatedNode, teller: Teller, request: bytes, now_s: float = 0) -> Inner:
    return teller.read(node.receive(request, now_s), request)


def test_e01_a_node_takes_an_update_and_answers_under_protection() -> None:
    """2.04, empty, in the ACK of the CON (RFC 9031 §8.2.1)."""
    node, teller = made()
    request = teller.keys(NEW)
    answer = node.receive(request, 0)
    assert answer is not None
    assert teller.read(answer, request) == Inner(CoapCode.CHANGED, (), b"")
    outer = message.decode(answer)
    assert (outer.type, outer.message_id) == (MessageType.ACK, 99)
    assert node.keys.newest == (NEW,)
    assert [told.keys for told in node.record.told] == [(NEW,)]


@pytest.mark.parametrize("with_kid_context", [True, False])
@pytest.mark.parametrize("type", [MessageType.CON, MessageType.NON])
def test_e01_an_update_is_taken_in_every_form(type: MessageType, with_kid_context: bool) -> None:
    """With or without kid context and Uri-Host, CON or NON (RFC 9031 §8.2.1)."""
    node, teller = made()
    request = teller.request(
        b"\xa0", type=type, with_kid_context=with_kid_context, head=() if type else HOST
    )
    assert ask(node, teller, request).code == CoapCode.CHANGED


def test_what_an_update_leaves_out_stays_as_it_was() -> None:
    """RFC 9031 §8.4.2."""
    node, teller = made()
    ask(node, teller, teller.request(cbor2.dumps({6: [b"\x01"], 4: bytes(16)})))
    assert (node.short_id, node.join_rate_bytes_per_s) == (H("af93"), 5)
    assert (node.blocklist, node.jrc_address) == ((b"\x01",), bytes(16))
    ask(node, teller, teller.request(cbor2.dumps({7: 0, 3: [H("0002")]})))
    assert (node.short_id, node.join_rate_bytes_per_s) == (H("0002"), 0)
    assert node.keys.sending == (OLD,)


def test_a_copy_gets_the_same_answer_and_has_no_second_effect() -> None:
    """RFC 7252 §4.2."""
    node, teller = made()
    request = teller.keys(NEW)
    assert node.receive(request, 0) == node.receive(request, 1)
    assert (len(node.record.told), node.record.copies, node.record.violations) == (1, 1, [])


def test_b04_a_number_in_two_datagrams_is_a_violation() -> None:
    """RFC 8613 §7.2.1: also where the two are far apart, and whatever else came between."""
    node, teller = made()
    ask(node, teller, teller.keys(NEW, number=7))
    for number in range(100, 150):
        ask(node, teller, teller.keys(NEW, number=number))
    assert node.receive(teller.keys(key(3), number=7), 0) is None
    assert node.record.violations == ["00124b0014b5b67e was sent number 7 in two datagrams"]
    assert node.keys.newest == (NEW,)


def test_b04_the_same_update_under_another_token_is_a_violation_too() -> None:
    """A retransmission is the same datagram (RFC 7252 §4.2); anything else needs a new number."""
    node, teller = made()
    ask(node, teller, teller.keys(NEW, number=7))
    node.receive(teller.keys(NEW, number=7, message_id=100), 0)
    assert len(node.record.violations) == 1


def test_nobody_else_can_make_a_violation_or_an_answer() -> None:
    """What does not verify is ignored, and accuses nobody (RFC 9031 §7.3.2)."""
    node, teller = made()
    good = teller.keys(NEW, number=7)
    ask(node, teller, good)
    stranger = Teller(NAME, bytes(16))
    for bad in (
        good[:-1] + bytes((good[-1] ^ 1,)),
        stranger.keys(NEW, number=7),
        stranger.keys(NEW, number=8),
        teller.keys(NEW, number=9)[:-1],
        b"",
        b"\x40\x02\x00\x01",
        *(good[:size] for size in range(len(good))),
    ):
        assert node.receive(bad, 0) is None, bad.hex()
    assert node.record.violations == []
    assert list(node.record.numbers) == [7]


def test_an_update_for_another_host_or_without_post_outside_is_ignored() -> None:
    """RFC 9031 §8.2.1, RFC 8613 §4.2."""
    node, teller = made()
    host: message.Options = ((int(OptionNumber.URI_HOST), b"example.org"),)
    assert node.receive(teller.request(b"\xa0", head=host), 0) is None
    assert node.receive(teller.request(b"\xa0", outer_code=CoapCode.FETCH), 0) is None


def test_e04_what_it_can_not_act_upon_is_named_and_changes_nothing() -> None:
    """4.00 with Unsupported_Configuration (RFC 9031 §8.3.2, §8.4.5)."""
    node, teller = made(understands={JOIN_RATE})
    refusal = ask(node, teller, teller.keys(NEW))
    assert refusal == Inner(CoapCode.BAD_REQUEST, (), cbor2.dumps([0, KEYS, None]))
    assert (node.keys.newest, node.record.told) == ((OLD,), [])
    garbage = ask(node, teller, teller.request(b"\x01"))
    assert garbage == Inner(CoapCode.BAD_REQUEST, (), cbor2.dumps([1, KEYS, None]))


def test_what_is_no_post_to_j_gets_a_protected_error() -> None:
    """RFC 7252 §5.8."""
    node, teller = made()
    assert ask(node, teller, teller.request(b"\xa0", options=())).code == CoapCode.NOT_FOUND
    wrong = teller.request(b"\xa0", inner_code=CoapCode.PUT)
    assert ask(node, teller, wrong).code == CoapCode.METHOD_NOT_ALLOWED


def test_a_node_without_its_window_asks_for_the_request_again() -> None:
    """4.01 with Echo under a number of its own; with the Echo it is fresh (RFC 8613 App. B.1.2)."""
    node, teller = made()
    ask(node, teller, teller.keys(NEW))
    node.forget_window()
    old = teller.keys(key(3))
    challenge = ask(node, teller, old)
    ((number, echo),) = challenge.options
    assert (challenge.code, number) == (CoapCode.UNAUTHORIZED, OptionNumber.ECHO)
    again = teller.request(
        b"\xa1\x07\x01", options=((int(OptionNumber.URI_PATH), b"j"), (number, echo))
    )
    assert ask(node, teller, again).code == CoapCode.CHANGED
    assert (node.join_rate_bytes_per_s, node.record.violations) == (1, [])
    assert ask(node, teller, teller.keys(key(3))).code == CoapCode.CHANGED


def test_a_6lbr_sends_with_new_keys_at_once() -> None:
    """RFC 9031 §8.4.3.1: role 1 in its Join Request made it one."""
    node, teller = made(role=1)
    ask(node, teller, teller.keys(NEW))
    assert node.keys.sending == (NEW,)

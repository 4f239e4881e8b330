"""Which separate answers are acknowledged once more (RFC 7252 §4.2)."""

from ipaddress import IPv6Address

from jrc.coap.update_acks import MAX_REMEMBERED, Acknowledged
from jrc.coap.update_message import Acknowledgement

HOST = IPv6Address("fd00::1")
PEER = (str(HOST), 5683)
ACK = Acknowledgement(b"\x60\x00\x12\x34")


def test_what_is_remembered_is_bounded_and_the_oldest_goes() -> None:
    """However many nodes answer apart."""
    sent: list[tuple[bytes, IPv6Address]] = []
    memory = Acknowledged(lambda ack, address: sent.append((ack, address)), 100.0)
    tokens = [number.to_bytes(8) for number in range(MAX_REMEMBERED + 1)]
    for now, token in enumerate(tokens):
        memory.first(token, b"answer" + token, PEER, HOST, ACK, now / 1000)
    assert (MAX_REMEMBERED, MAX_REMEMBERED + 1) == (len(memory), len(sent))
    assert not memory.again(tokens[0], b"answer" + tokens[0], PEER)
    assert memory.again(tokens[1], b"answer" + tokens[1], PEER)
    assert (ACK, HOST) == sent[-1]


def test_what_is_old_is_forgotten() -> None:
    """No copy can come any more; nothing is left to wake up for."""
    memory = Acknowledged(lambda _ack, _address: None, 100.0)
    for now, token in ((0.0, b"a"), (50.0, b"b")):
        memory.first(token, b"answer", PEER, HOST, ACK, now)
    assert 100.0 == memory.next_due()
    memory.forget(99.9)
    assert 2 == len(memory)
    memory.forget(100.0)
    assert 150.0 == memory.next_due()
    memory.forget(150.0)
    assert memory.next_due() is None

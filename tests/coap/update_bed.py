"""The client of updates under virtual time, and nodes with aiocoap's OSCORE to answer it."""

import random
import socket
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any, NamedTuple, cast

import aiocoap  # type: ignore[import-untyped]
from aiocoap.numbers.codes import CHANGED, Code  # type: ignore[import-untyped]
from aiocoap.oscore import ProtectionInvalid  # type: ignore[import-untyped]

from jrc.coap.endpoint import COAP_PORT, Datagram, Way
from jrc.coap.update_message import Outgoing
from jrc.coap.updates import UpdateClient
from jrc.cojp.constants import NUMBERS_EPOCH_S
from jrc.cojp.exchange import RetransmissionTiming
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.cojp.replay import NumberBlock
from jrc.errors import Reason
from jrc.lab import datagram
from jrc.lab.datagram import Envelope
from jrc.lab.pledge import ACK, CON, NON, PledgeContext
from jrc.model import Secret
from jrc.policy.pacing import Pace
from jrc.service.update_ports import Answered, PreparedUpdate, UpdateOutcome

RST = 3
DONE = Answered(0x44, b"")
PAYLOAD = bytes.fromhex("a1028201500102030405060708090a0b0c0d0e0f10")
BEGAN_S = 1000.0
NUMBER = 5_000_000
"""The number that is due when the bed begins."""
FAST = Pace(1_000_000, 100_000)
FIXED = RetransmissionTiming(random_factor=1.0)
"""Without chance: sent after 0, 10, 30, 70 and 150 s, over after 310."""
FIXED_TIMES = (0.0, 10.0, 30.0, 70.0, 150.0)
FIXED_END = 310.0


class Leaving(NamedTuple):
    """A datagram that the client has sent."""

    data: bytes
    address: IPv6Address
    at: float


class Node:
    """A joined node: aiocoap's OSCORE, CoAP of the lab; ``index`` makes address and identifier."""

    def __init__(self, index: int = 1, first_number: int = 7) -> None:
        self.index = index
        self.address = IPv6Address(0xFD00 << 112 | index)
        self.identifier = index.to_bytes(8)
        self.psk = Secret(bytes([index & 0xFF, index >> 8]) * 8)
        self.context = PledgeContext(self.identifier, first_number)
        self.context.derive_keys(b"", self.psk.reveal())
        self.security = derive_for_jrc(self.psk.reveal(), self.identifier)
        self.taken: list[bytes] = []
        self.message_id = 0x4000

    def update(self, ref: object = "ref", **fields: Any) -> PreparedUpdate:
        update = PreparedUpdate(
            ref,
            self.index,
            1,
            self.address,
            self.security,
            NumberBlock(NUMBER, NUMBER + 8),
            PAYLOAD,
            with_kid_context=True,
            with_uri_host=True,
        )
        return update._replace(**fields)

    def open(self, data: bytes) -> tuple[Envelope, Any, Any]:
        """Outer envelope, inner request and what its answer is bound to; fails if it is bad."""
        outer = datagram.decode(data)
        assert outer is not None
        inner, identifiers = self.context.unprotect(outer.message)
        self.taken.append(inner.payload)
        return outer, inner, identifiers

    def challenge(self, echo: bytes) -> None:
        """Know no window any more: who wants to be heard repeats this (RFC 8613 App. B.1.2)."""
        self.context.recipient_replay_window._index = None
        self.context.echo_recovery = echo

    def answer(
        self, data: bytes, type: int = ACK, code: Code = CHANGED, payload: bytes = b""
    ) -> bytes:
        """A protected answer in one of the forms of RFC 7252 §5.2."""
        outer, _, identifiers = self.open(data)
        inner = aiocoap.Message(code=code, payload=payload)
        message, _ = self.context.protect(inner, identifiers)
        return self.wrap(outer, message, type)

    def wrap(self, outer: Envelope, message: Any, type: int = ACK) -> bytes:
        return datagram.encode(self.envelope(outer, message, type))

    def envelope(self, outer: Envelope, message: Any, type: int = ACK) -> Envelope:
        """An answer around a message; a separate one has a message id of the node's own."""
        if type == ACK:
            return Envelope(ACK, outer.message_id, outer.token, message)
        self.message_id += 1
        return Envelope(type, self.message_id, outer.token, message)

    def demand(self, data: bytes, type: int = ACK) -> bytes:
        """The 4.01 that such a node gives to what does not repeat its Echo."""
        outer = datagram.decode(data)
        assert outer is not None
        try:
            self.context.unprotect(outer.message)
        except ProtectionInvalid as error:
            return self.wrap(outer, cast(Any, error).to_message(), type)
        raise AssertionError("it took the request")


def empty(data: bytes, type: int = ACK) -> bytes:
    """An empty ACK or RST to a message."""
    return bytes((0x40 | type << 4, 0)) + data[2:4]


def plain(data: bytes, code: int = 0x44, type: int = ACK) -> bytes:
    """An unprotected answer to a message."""
    return bytes((0x48 | type << 4, code)) + data[2:4] + data[4:12]


def arrived(data: bytes, address: IPv6Address, port: int = COAP_PORT, **fields: Any) -> Datagram:
    way = Way((str(address), port, 0, 0), b"", 0, cast(socket.socket, None))
    return Datagram(data, way, truncated=False)._replace(**fields)


class Bed:
    """One client; time stands still but for ``until``."""

    def __init__(
        self,
        pace: Pace = FAST,
        timing: RetransmissionTiming = FIXED,
        finished: Callable[[list[UpdateOutcome]], None] | None = None,
    ) -> None:
        self.now = BEGAN_S
        self.clock_ms = (NUMBERS_EPOCH_S + NUMBER) * 1000
        self.sent: list[Leaving] = []
        self.outcomes: list[UpdateOutcome] = []
        self.dropped: list[Reason] = []
        self.can_send = True
        self.message_id = 0
        chance = random.Random(1)
        self.client = UpdateClient(
            self._send,
            self,
            lambda: self.now,
            chance.randbytes,
            finished or self.outcomes.extend,
            self.dropped.append,
            self._next_message_id,
            pace,
            timing,
        )

    def now_ms(self) -> int:
        """As ``Clock``: the wall clock goes with the other one."""
        return self.clock_ms + round((self.now - BEGAN_S) * 1000)

    def _send(self, data: Outgoing, address: IPv6Address) -> bool:
        if self.can_send:
            self.sent.append(Leaving(data, address, self.now))
        return self.can_send

    def _next_message_id(self) -> int:
        self.message_id = (self.message_id + 1) & 0xFFFF
        return self.message_id

    def until(self, elapsed_s: float) -> None:
        """Let the time go by until so long after the beginning."""
        end = BEGAN_S + elapsed_s
        while (due := self.client.next_due()) is not None and due <= end:
            assert due >= self.now, "time goes on"
            self.now = due
            self.client.on_time(due)
        self.now = end
        self.client.on_time(end)

    @property
    def times(self) -> tuple[float, ...]:
        """When datagrams left, since the beginning."""
        return tuple(leaving.at - BEGAN_S for leaving in self.sent)

    def hear(self, data: bytes, source: Node, **fields: Any) -> list[Datagram]:
        """What is left of a datagram of a node's."""
        return list(self.client.receive([arrived(data, source.address, **fields)]))

    def asked(self, node: Node, **fields: Any) -> bytes:
        """The first datagram of an update that begins now."""
        count = len(self.sent)
        self.client.begin(node.update(**fields))
        assert len(self.sent) == count + 1
        return self.sent[-1].data


def outcome(**fields: Any) -> UpdateOutcome:
    """What the one update has come to: acknowledged at once, unless told otherwise."""
    return UpdateOutcome("ref", 1, DONE, None, None, 1)._replace(**fields)


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
    """It is sent again, and the true answer counts."""
    bed.until(10)
    assert bed.sent[-1].data == data
    bed.hear(node.answer(data), node)
    assert [DONE] == [each.answer for each in bed.outcomes]


__all__ = [
    "ACK",
    "CON",
    "DONE",
    "NON",
    "RST",
    "Bed",
    "Node",
    "arrived",
    "empty",
    "is_ignored",
    "outcome",
    "plain",
    "still_works",
]

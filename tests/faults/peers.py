"""Pledges of a storm, and every request that each has sent."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from jrc.cojp import message, oscore
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.lab import configuration
from tests.daemon.site import Device
from tests.daemon.wire import OddPledge
from tests.faults.witness import Witness

JOIN_CAFE = bytes.fromhex("a10542cafe")
"""RFC 9031 App. A."""
LBR_CAFE = bytes.fromhex("a201010542cafe")
"""The same in role 1 (RFC 9031 §8.4.1)."""
FORGED = 0xFFFFFFFF
"""In a token: no pledge has sent this."""
FORGED_AHEAD = 100
"""Past every window: a forged number that were taken for true would lock its pledge out."""


@dataclass(slots=True)
class Peer:
    """One pledge and the requests it has sent, by number; ``gone`` where it may be revoked."""

    index: int
    odd: OddPledge
    identifier: bytes
    psk: bytes
    payload: bytes = JOIN_CAFE
    requests: list[Message] = field(default_factory=list)
    gone: bool = False

    def next_request(self) -> int:
        """A new request; its number."""
        self.requests.append(message.decode(self.odd.request(self.payload)))
        return len(self.requests) - 1

    @property
    def last(self) -> int:
        """The number of its last request."""
        return len(self.requests) - 1


class Heard(NamedTuple):
    """Which request an answer was for."""

    peer: Peer
    number: int


class Peers(list[Peer]):
    """All pledges; they only ever become more, and live longer than any daemon."""

    def __init__(self, witness: Witness, chance: random.Random) -> None:
        super().__init__()
        self.serial = 0
        """Datagrams that were sent."""
        self._witness = witness
        self._chance = chance

    @classmethod
    def again(cls, others: "Peers", witness: Witness, chance: random.Random) -> "Peers":
        """The same pledges, for another witness."""
        peers = cls(witness, chance)
        peers.extend(others)
        peers.serial = others.serial
        return peers

    def enroll(self, devices: Iterable[Device], payload: bytes = JOIN_CAFE) -> None:
        """Devices that the registrar has acknowledged."""
        for device in devices:
            psk = device.psk.reveal()
            odd = OddPledge(device.identifier, psk)
            self.append(Peer(len(self), odd, device.identifier, psk, payload))
            self._witness.imported.add(device.identifier)

    def dressed(self, peer: Peer, number: int) -> bytes:
        """The request as a stateless proxy sends it: with a token and message id of its own."""
        before = self._witness.highest_answered(peer.identifier)
        return self._with_token(peer.requests[number], peer.index, number, before + 1)

    def forged(self, peer: Peer) -> bytes:
        """A request under the pledge's name that does not verify, far ahead of its own."""
        option = oscore.OscoreOption(
            oscore.encode_piv(peer.last + FORGED_AHEAD), b"", peer.identifier
        )
        options = ((int(OptionNumber.OSCORE), oscore.encode_option(option)),)
        request = Message(0, CoapCode.POST, 0, b"", options, self._chance.randbytes(20))
        return self._with_token(request, FORGED, 0, 0)

    def _with_token(self, request: Message, *fields: int) -> bytes:
        self.serial += 1
        token = b"".join(part.to_bytes(4) for part in (*fields, self.serial))
        kind = self._chance.choice((MessageType.CON, MessageType.NON))
        dressed = request._replace(type=kind, message_id=self.serial & 0xFFFF, token=token)
        return message.encode(dressed)

    def hear(self, datagram: bytes) -> Heard | None:
        """Tell the witness of an answer; which request it was for."""
        outer = message.decode(datagram)
        index, number, before, serial = (
            int.from_bytes(outer.token[at : at + 4]) for at in range(0, 16, 4)
        )
        if index == FORGED:
            self._witness.violated(f"forged datagram {serial} was answered")
            return None
        peer = self[index]
        self._witness.came(serial, peer.identifier)
        self.tell(peer, number, outer, highest_before=before - 1)
        return Heard(peer, number)

    def tell(self, peer: Peer, number: int, outer: Message, *, highest_before: int = -1) -> None:
        """Tell the witness what an answer says."""
        (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
        piv, option = oscore.encode_piv(number), oscore.decode_option(value)
        opened = oscore.unprotect_response(peer.odd.context, b"", piv, option, outer.payload)
        inner = message.decode_inner(opened)
        self._witness.saw(peer.identifier, number, outer.payload, highest_before=highest_before)
        if inner.code != CoapCode.CHANGED:
            return
        given = configuration.read(inner.payload)
        if given.short_id is not None:
            keys = [key.value.reveal() for key in given.keys]
            self._witness.joined(peer.identifier, given.short_id, keys)

"""Pledges that come back after a loss by RFC 8613 App. B.2, with aiocoap's OSCORE.

They never give up: the same datagram again and again, until it has its answer, over any number of
daemons. So an answer that was owed and never comes shows.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cbor2

from jrc.cojp import message, oscore
from jrc.cojp.constants import OptionNumber, Role
from jrc.cojp.message import Message
from jrc.cojp.oscore_context import SecurityContext, derive_for_jrc
from jrc.lab.pledge import Joined, Recovering, SimulatedPledge
from jrc.model import Secret
from tests.daemon.site import CAFE, Daemon
from tests.daemon.wire import Wire
from tests.faults.peers import LBR_CAFE, Peer
from tests.faults.witness import Witness

TOKEN_BYTES = 4
FIRST = b"request #1 of "
"""Before a pledge's identifier: what its requests #1 were answered with, under whatever keys."""


@dataclass(slots=True)
class Returner:
    """One pledge; ``asked`` is its last request, ``number`` the Partial IV of that.

    ``id_context`` is what a request #2 is under, empty before there is one.
    """

    pledge: SimulatedPledge
    psk: bytes
    asked: bytes = b""
    number: int = 0
    id_context: bytes = b""
    is_back: bool = False

    def ask(self, index: int, *, is_second: bool = False) -> None:
        """Its next request: #1, or #2 once it knows an R2."""
        self.asked = self.pledge.request(token=index.to_bytes(TOKEN_BYTES))
        option = _option_of(message.decode(self.asked))
        self.number = oscore.decode_piv(option.piv or b"")
        if is_second:
            self.id_context = cbor2.loads(option.kid_context or b"")


class Returners:
    """All that come back, and the witness of what they are told on the way."""

    def __init__(self, peers: Iterable[Peer], witness: Witness) -> None:
        self.witness = witness
        self.all = [Returner(_pledge(peer), peer.psk) for peer in peers]
        for index, each in enumerate(self.all):
            each.ask(index)

    @property
    def missing(self) -> int:
        """How many are not back."""
        return sum(not each.is_back for each in self.all)

    def contexts(self) -> Mapping[bytes, SecurityContext]:
        """The new context of each, as a node has it, by identifier."""
        return {
            each.pledge.identifier: derive_for_jrc(each.psk, each.id_context).mirrored()
            for each in self.all
            if each.is_back
        }

    def come_back(
        self, daemon: Daemon, *, patience_s: float, again_s: float = 0.3, most: int = 1 << 30
    ) -> int:
        """Ask until all are back, or so many answers were heard, or time is up; how many were."""
        ends_s, heard = time.monotonic() + patience_s, 0
        with Wire(daemon.address) as wire:
            wire.socket.settimeout(again_s)
            self._send_all(wire)
            while self.missing and heard < most and time.monotonic() < ends_s:
                try:
                    heard += self._hear(wire.hear().payload, wire)
                except TimeoutError:
                    self._send_all(wire)
        return heard

    def _send_all(self, wire: Wire) -> None:
        wire.send(*(each.asked for each in self.all if not each.is_back))

    def _hear(self, datagram: bytes, wire: Wire) -> bool:
        """Whether it was an answer that somebody waited for."""
        outer = message.decode(datagram)
        index = int.from_bytes(outer.token)
        each = self.all[index]
        r2, identifier = _option_of(outer).kid_context, each.pledge.identifier
        if r2 is None:
            self.witness.saw(each.id_context or identifier, each.number, outer.payload)
        elif not each.id_context:  # later ones are copies that came late
            self.witness.saw(FIRST + identifier, each.number, outer.payload)
            self.witness.saw(r2 + identifier, each.number, outer.payload)
        if each.is_back:
            return False
        outcome = each.pledge.receive(datagram)
        if isinstance(outcome, Recovering):
            each.ask(index, is_second=True)
            wire.send(each.asked)
        elif isinstance(outcome, Joined):
            each.is_back = True
            self._joined(identifier, outcome)
        return outcome is not None

    def _joined(self, identifier: bytes, outcome: Joined) -> None:
        given = outcome.configuration
        if given.short_id is not None:
            keys = [key.value.reveal() for key in given.keys]
            self.witness.joined(identifier, given.short_id, keys)


def _option_of(outer: Message) -> oscore.OscoreOption:
    (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
    return oscore.decode_option(value)


def _pledge(peer: Peer) -> SimulatedPledge:
    role = Role.LBR if peer.payload == LBR_CAFE else Role.NODE
    return SimulatedPledge(
        peer.identifier, Secret(peer.psk), CAFE, int(role), first_number=peer.odd.number
    )

"""Pledges that join in a storm, with copies and replays among it, and outlive the registrar."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jrc.cojp import message, oscore
from jrc.cojp.constants import MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.lab import configuration
from tests.daemon.site import Daemon, Device
from tests.daemon.wire import OddPledge, Wire
from tests.faults.witness import Witness

JOIN_CAFE = bytes.fromhex("a10542cafe")
"""RFC 9031 App. A."""

RESEND_AFTER_S = 0.2
PAGE = 500
"""Pledges the registrar lists at a time, and so the most a storm may have."""


@dataclass(slots=True)
class Peer:
    """One pledge and the requests it has sent, by number."""

    index: int
    odd: OddPledge
    identifier: bytes
    requests: list[Message] = field(default_factory=list)

    def next_request(self) -> int:
        """A new request; its number."""
        self.requests.append(message.decode(self.odd.request(JOIN_CAFE)))
        return len(self.requests) - 1


class Storm:
    """All pledges and the witness of what they hear; lives longer than any daemon."""

    def __init__(self, devices: Sequence[Device], seed: int, patience_s: float) -> None:
        assert len(devices) <= PAGE
        self.witness = Witness()
        self.stalls = 0
        self.random = random.Random(seed)
        self._peers = [
            Peer(index, OddPledge(d.identifier, d.psk.reveal()), d.identifier)
            for index, d in enumerate(devices)
        ]
        self._patience_s = patience_s
        self._settling = False
        self._known = 0
        self._waiting: set[int] = set()
        self._serial = 0

    @property
    def answered(self) -> int:
        """Requests that were answered."""
        return len(self.witness.answers)

    def blow(self, daemon: Daemon, newcomers: int, answers: int) -> None:
        """Joins until so many answers have come, then SIGKILL with requests in the air."""
        with Wire(daemon.address) as wire:
            wire.socket.settimeout(RESEND_AFTER_S)
            self._go_on(wire)
            self._known = min(self._known + newcomers, len(self._peers))
            for peer in self._peers[self._known - newcomers : self._known]:
                self._send(wire, peer, peer.next_request())
            self._until(wire, lambda heard: heard >= answers)
            daemon.kill()
            for datagram in wire.waiting():
                self._hear(datagram)
        self._waiting.clear()

    def settle(self, daemon: Daemon) -> None:
        """Each pledge sends its last request again; whatever was answered must still be so."""
        self._settling = True
        with Wire(daemon.address) as wire:
            wire.socket.settimeout(RESEND_AFTER_S)
            self._go_on(wire)
            self._until(wire, lambda _heard: not self._waiting)

    def compare(self, daemon: Daemon) -> None:
        """Hold the registrar's list of pledges against what it has answered."""
        stored = daemon.api("GET", "/v1/pledges", params={"limit": PAGE})["pledges"]
        assert isinstance(stored, list)
        self.witness.compare({bytes.fromhex(p["pledge_id"]): p["short_id"] for p in stored})

    def _go_on(self, wire: Wire) -> None:
        """After a kill nobody knows what was taken: the last requests go out as they were."""
        for peer in self._peers[: self._known]:
            self._send(wire, peer, len(peer.requests) - 1)
            self._replay(wire, peer)

    def _until(self, wire: Wire, enough: Callable[[int], bool]) -> None:
        """Hear answers and go on, until their count is enough or none has come for too long.

        Who waits sends again after a while, as a pledge does.
        """
        heard = resends = 0
        while not enough(heard):
            try:
                datagram = wire.hear().payload
            except TimeoutError:
                resends += 1
                if resends * RESEND_AFTER_S > self._patience_s:
                    self.stalls += 1
                    return
                self._go_on(wire)
                continue
            heard, resends = heard + 1, 0
            peer, number = self._hear(datagram)
            if not self._settling and number == len(peer.requests) - 1:
                self._next(wire, peer)

    def _next(self, wire: Wire, peer: Peer) -> None:
        """A new request; at times after a copy of the last one, or of an older one.

        Nobody waits for answers to those: what matters is that no wrong one comes.
        """
        if self.random.random() < 0.2:
            wire.send(self._dressed(peer, len(peer.requests) - 1))
        if self.random.random() < 0.2:
            self._replay(wire, peer)
        self._send(wire, peer, peer.next_request())

    def _replay(self, wire: Wire, peer: Peer) -> None:
        """An old request, as from somebody who has heard it."""
        if len(peer.requests) > 1:
            number = self.random.randrange(max(0, len(peer.requests) - 30), len(peer.requests) - 1)
            wire.send(self._dressed(peer, number))

    def _send(self, wire: Wire, peer: Peer, number: int) -> None:
        self._waiting.add(peer.index)
        wire.send(self._dressed(peer, number))

    def _dressed(self, peer: Peer, number: int) -> bytes:
        """The request as a stateless proxy sends it: with a token and message id of its own."""
        self._serial += 1
        before = self.witness.highest_answered(peer.identifier)
        token = b"".join(
            part.to_bytes(4) for part in (peer.index, number, before + 1, self._serial)
        )
        kind = self.random.choice((MessageType.CON, MessageType.NON))
        request = peer.requests[number]
        return message.encode(
            request._replace(type=kind, message_id=self._serial & 0xFFFF, token=token)
        )

    def _hear(self, datagram: bytes) -> tuple[Peer, int]:
        """Tell the witness of an answer; whose it is, and to which request."""
        outer = message.decode(datagram)
        index, number, before, _ = (
            int.from_bytes(outer.token[at : at + 4]) for at in range(0, 16, 4)
        )
        peer = self._peers[index]
        if number == len(peer.requests) - 1:
            self._waiting.discard(index)
        (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
        plaintext = oscore.unprotect_response(
            peer.odd.context,
            b"",
            oscore.encode_piv(number),
            oscore.decode_option(value),
            outer.payload,
        )
        given = configuration.read(message.decode_inner(plaintext).payload)
        assert given.short_id is not None
        self.witness.saw(
            peer.identifier, number, outer.payload, given.short_id, highest_before=before - 1
        )
        return peer, number


def run(
    storm: Storm,
    start: Callable[[], Daemon],
    runs: int,
    newcomers: int,
    enough: Callable[[Witness], bool] = lambda _witness: False,
) -> None:
    """Start and kill the registrar ``runs`` times, each time with other settings; then settle.

    It ends before where the witness has seen ``enough``.

    A changed join rate changes every Configuration: an answer that is made anew shows.
    """
    for number in range(runs + 1):
        with start() as daemon:
            storm.compare(daemon)
            body = {"join_rate_bytes_per_s": 1000 + number}
            daemon.api("PATCH", "/v1/networks/lab", json=body)
            if number == runs:
                storm.settle(daemon)
            else:
                storm.blow(daemon, newcomers, storm.random.randrange(20, 400))
        if enough(storm.witness):
            return

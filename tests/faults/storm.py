"""Pledges that join in a storm, with copies, replays and forgeries among it, as daemons die."""

import random
import time
from collections.abc import Iterable, Sequence

from tests.daemon.site import Daemon, Device
from tests.daemon.wire import Wire
from tests.faults.peers import LBR_CAFE, Peer, Peers
from tests.faults.witness import Witness

RESEND_AFTER_S = 0.2
PAGE = 500
"""Pledges the registrar lists at a time."""
STRETCH = 10_000
"""Events it verifies at a time; there are hundreds a kill."""
SETTLING_ROUNDS = 3
COPY_PATIENCE_S = 2.0
REVOKED_ASKING = 8
"""Of those revoked last, who go on asking, in vain."""


class Storm:
    """All pledges and the witness of what they hear; lives longer than any daemon.

    The first device is a 6LBR, which joins once and then stays. ``patience_s`` is how long
    ``settle`` waits for an answer that is owed.
    """

    def __init__(self, devices: Sequence[Device], seed: int, patience_s: float) -> None:
        self.witness = Witness()
        self.chance = random.Random(seed)
        self.peers = Peers(self.witness, self.chance)
        self.peers.enroll(devices[:1], LBR_CAFE)
        self.peers.enroll(devices[1:])
        self.stalls = 0
        self._verified: dict[str, str | int] = {}
        self._patience_s = patience_s
        self._waiting: set[int] = set()
        self._daemons: Sequence[Daemon] = ()

    @property
    def answered(self) -> int:
        """Requests that were answered."""
        return len(self.witness.answers)

    # Storms

    def blow(self, daemons: Sequence[Daemon], seconds: float, most: int = 1 << 30) -> None:
        """Joins for so long, or until so many were answered, with requests in the air at the end.

        Whoever ends a daemon then calls ``listen`` for what it said last.
        """
        self._daemons = daemons
        self._wire = Wire(daemons[0].address)
        self._wire.socket.settimeout(RESEND_AFTER_S)
        self._go_on()
        ends_s, heard = time.monotonic() + seconds, 0
        while heard < most and time.monotonic() < ends_s:
            try:
                datagram = self._wire.hear().payload
            except TimeoutError:
                self._go_on()
                continue
            heard += 1
            found = self.peers.hear(datagram)
            if found is not None and found.number == found.peer.last:
                self._next(found.peer)

    def listen(self) -> None:
        """Hear what has been said by daemons that are dead now."""
        for datagram in self._wire.waiting():
            self.peers.hear(datagram)
        self._wire.socket.close()
        self._waiting.clear()

    def _go_on(self) -> None:
        """After a kill nobody knows what was taken: the last requests go out as they were.

        A pledge gives up after a while and asks anew: keys may have changed meanwhile, so that its
        copies are not answered.
        """
        for peer in list(self.peers):
            if not peer.gone and (peer.index > 0 or not peer.requests):
                if not peer.requests or self.chance.random() < 0.3:
                    peer.next_request()
                self._send(peer, peer.last)
                self._replay(peer)
                if self.chance.random() < 0.1:
                    self._say(self.peers.forged(peer))
        self._try_revoked()

    def _try_revoked(self) -> None:
        revoked = [peer for peer in self.peers if peer.identifier in self.witness.revoked]
        for peer in revoked[-REVOKED_ASKING:]:
            answered = self.witness.highest_answered(peer.identifier)
            if answered >= 0:
                self._say(self.peers.dressed(peer, answered))
            if self.chance.random() < 0.5:
                self._say(self.peers.dressed(peer, peer.next_request()))

    def _next(self, peer: Peer) -> None:
        """A new request; at times after copies of the last one, or of an older one.

        Nobody waits for answers to those: what matters is that no wrong one comes.
        """
        if self.chance.random() < 0.2:
            self._say(self.peers.dressed(peer, peer.last))
        if self.chance.random() < 0.2:
            self._replay(peer)
        if not peer.gone:
            peer.next_request()
            self._send(peer, peer.last)

    def _replay(self, peer: Peer) -> None:
        """An old request, as from somebody who has heard it."""
        if peer.last > 0:
            number = self.chance.randrange(max(0, peer.last - 30), peer.last)
            self._say(self.peers.dressed(peer, number))

    def _send(self, peer: Peer, number: int) -> None:
        """To a registrar, and at times to all of them at once, as anycast might do it."""
        self._waiting.add(peer.index)
        if len(self._daemons) > 1 and self.chance.random() < 0.3:
            for daemon in self._daemons:
                self._wire.send(self.peers.dressed(peer, number), to=daemon.address)
        else:
            self._say(self.peers.dressed(peer, number))

    def _say(self, datagram: bytes) -> None:
        self._wire.send(datagram, to=self.chance.choice(self._daemons).address)

    # Afterwards

    def settle(self, daemons: Sequence[Daemon]) -> None:
        """Everybody is answered: the last request or a new one, and then a copy of that.

        Keys may change in between, and then a copy gets silence; but not time and again.
        """
        self._daemons = daemons
        with Wire(daemons[0].address) as self._wire:
            self._wire.socket.settimeout(RESEND_AFTER_S)
            staying = [peer for peer in self.peers if not peer.gone and peer.index > 0]
            self._ask(peer for peer in staying if peer.requests)
            self._hear_all(RESEND_AFTER_S)
            self._waiting.clear()
            unanswered = 0
            for _ in range(SETTLING_ROUNDS):
                for peer in staying:
                    peer.next_request()
                self._ask(staying)
                self._hear_all(self._patience_s)
                unanswered = len(self._waiting)
                for peer in staying:
                    self._say(self.peers.forged(peer))
                self._ask(staying)
                self._hear_all(min(self._patience_s, COPY_PATIENCE_S))
                if not self._waiting and not unanswered:
                    return
            self.stalls += len(self._waiting) + unanswered

    def _ask(self, peers: Iterable[Peer]) -> None:
        for peer in peers:
            self._send(peer, peer.last)

    def _hear_all(self, patience_s: float) -> None:
        """Hear answers until all that wait have theirs, or none has come for too long."""
        last_s = time.monotonic()
        while self._waiting and any(each.process.poll() is None for each in self._daemons):
            try:
                found = self.peers.hear(self._wire.hear().payload)
            except TimeoutError:
                if time.monotonic() - last_s > patience_s:
                    return
                self._ask_again()
                continue
            last_s = time.monotonic()
            if found is not None and found.number == found.peer.last:
                self._waiting.discard(found.peer.index)

    def _ask_again(self) -> None:
        for index in sorted(self._waiting):
            self._say(self.peers.dressed(self.peers[index], self.peers[index].last))

    def compare(self, daemon: Daemon, witness: Witness | None = None) -> None:
        """Hold the registrar's list of pledges against what it has said, as a witness has it."""
        stored: dict[bytes, dict[str, object]] = {}
        after: dict[str, str] = {}
        while True:
            page = daemon.api("GET", "/v1/pledges", params={"limit": PAGE, **after})
            rows = page["pledges"]
            assert isinstance(rows, list)
            stored.update({bytes.fromhex(row["pledge_id"]): row for row in rows})
            if page["next"] is None:
                break
            after = {"after": str(page["next"])}
        (witness or self.witness).compare(self._with_uncertain(stored))

    def verify(self, daemon: Daemon, *, anew: bool = False) -> None:
        """The audit log is whole, as the registrar itself proves it, a stretch at a time.

        It goes on from where it was verified last, unless ``anew`` from its beginning.
        """
        reached = {} if anew else self._verified
        while True:
            asked = {**reached, "limit": STRETCH}
            found = daemon.api("GET", "/v1/events/verify", params=asked)
            if not found["intact"]:
                self.witness.violated(f"the audit log is not as it was written: {found}")
                return
            reached = {"after": int(str(found["number"])), "hash": str(found["hash"])}
            if found["done"]:
                self._verified = reached
                return

    def _with_uncertain(
        self, stored: dict[bytes, dict[str, object]]
    ) -> dict[bytes, dict[str, object]]:
        """A revocation whose acknowledgement never came may have been done, or not."""
        for peer in self.peers:
            row = stored.get(peer.identifier)
            if peer.gone and peer.identifier not in self.witness.revoked and row is not None:
                row["short_id"] = "gone"
        return stored

    def look_for_secrets(self, lines: Sequence[str]) -> None:
        """No key of a pledge may stand in a daemon's log (RFC 9031 §9)."""
        text = "\n".join(lines)
        for peer in self.peers:
            if peer.psk.hex() in text or repr(peer.psk)[2:-1] in text:
                self.witness.violated(f"the key of {peer.identifier.hex()} is in the log")

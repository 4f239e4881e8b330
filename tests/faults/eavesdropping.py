"""Somebody who has heard all that pledges have said, and says it again to another registrar."""

import copy
from collections.abc import Iterator

from jrc.errors import PeerError
from tests.daemon.site import Daemon
from tests.daemon.wire import Wire
from tests.faults.peers import Peers
from tests.faults.storm import Storm

QUIET_S = 0.5
OLDER = 4
"""Of each pledge's answered requests, said again."""


class Eavesdropper:
    """Says again what pledges have said, and holds what comes against what was answered before."""

    def __init__(self, storm: Storm) -> None:
        self.witness = copy.deepcopy(storm.witness)
        self.challenged = 0
        """Answers under other keys than the pledges had: those of RFC 8613 App. B.2."""
        self._peers = Peers.again(storm.peers, self.witness, storm.chance)
        self._own = storm.witness

    def listen(self, daemon: Daemon) -> int:
        """Old requests and a new one of everybody; how many answers came."""
        with Wire(daemon.address) as wire:
            wire.socket.settimeout(QUIET_S)
            wire.send(*self._requests())
            heard = 0
            for datagram in _until_quiet(wire):
                heard += 1
                try:
                    self._peers.hear(datagram)
                except PeerError:
                    self.challenged += 1
        return heard

    def _requests(self) -> Iterator[bytes]:
        for peer in self._peers:
            answered = self._own.answers
            numbers = [n for n in range(len(peer.requests)) if (peer.identifier, n) in answered]
            for number in (*numbers[-OLDER:], peer.next_request()):
                yield self._peers.dressed(peer, number)


def _until_quiet(wire: Wire) -> Iterator[bytes]:
    while True:
        try:
            yield wire.hear().payload
        except TimeoutError:
            return

"""Pledges that do RFC 8613 App. B.2, for tests on a hall."""

from typing import Any

from jrc.lab.pledge import Outcome, SimulatedPledge
from jrc.model import Secret
from jrc.service.registry import Registry
from tests.daemon.wire import OddPledge
from tests.joining import Hall

CAFE = b"\xca\xfe"


class Peer(SimulatedPledge):
    """A pledge of the hall, with aiocoap's OSCORE."""

    def odd(self, id_context: bytes | None = None) -> OddPledge:
        """The same PSK for any plaintext and number."""
        return OddPledge(id_context or self.identifier, self._psk.reveal())


def enroll(hall: Hall, number: int = 1, first: int = 0, **more: Any) -> Peer:
    """A new pledge."""
    name, psk = hall.desk.pledge(number, **more)
    hall.contexts.learn([name.value])
    return Peer(name.value, Secret(psk), CAFE, first_number=first)


def lose(hall: Hall) -> None:
    """What a restored backup does to every context."""

    def work(tx: Registry) -> None:
        while tx.recoveries.lose_some(100):
            pass
        tx.policy_changed()

    hall.desk.write(work)
    hall.contexts.forget_all()


def answered(hall: Hall, pledge: SimulatedPledge) -> Outcome | None:
    """What comes of a new request."""
    answer = hall.ask(pledge.request())
    return None if answer is None else pledge.receive(answer)

"""Pledges that do RFC 8613 App. B.2, for tests on a hall."""

from typing import Any

from jrc.cojp import message, oscore
from jrc.cojp.constants import MessageType, OptionNumber
from jrc.lab.pledge import Joined, Outcome, Recovering, SimulatedPledge
from jrc.model import Secret
from jrc.service.registry import Registry
from tests.daemon.wire import OddPledge, with_header
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


def begins(hall: Hall, pledge: SimulatedPledge) -> None:
    """It makes request #1, and gets the answer to it (RFC 8613 App. B.2 step 2)."""
    assert isinstance(answered(hall, pledge), Recovering)


def joins(hall: Hall, pledge: SimulatedPledge) -> None:
    """It asks, and is told its configuration."""
    assert isinstance(answered(hall, pledge), Joined)


def comes_back(hall: Hall, pledge: SimulatedPledge) -> None:
    """It goes through both exchanges."""
    begins(hall, pledge)
    joins(hall, pledge)


def copy(request: bytes, number: int = 9) -> bytes:
    """The same OSCORE message as a stateless proxy sends it once more."""
    return with_header(request, type=MessageType.NON, message_id=number, token=bytes((number,)))


def option_of(datagram: bytes) -> oscore.OscoreOption:
    (value,) = message.option_values(message.decode(datagram).options, OptionNumber.OSCORE)
    return oscore.decode_option(value)


def with_option(datagram: bytes, option: oscore.OscoreOption) -> bytes:
    """A message that has another OSCORE option in the place of its own."""
    outer = message.decode(datagram)
    value = oscore.encode_option(option)
    options = tuple(
        (number, value if number == OptionNumber.OSCORE else said) for number, said in outer.options
    )
    return message.encode(outer._replace(options=options))


def runs(hall: Hall) -> list[object]:
    """The numbers of request #1 of the runs on disk."""
    return [number for (number,) in hall.desk.sql("SELECT number FROM recovery_run ORDER BY 1")]


def contexts(hall: Hall) -> list[tuple[object, ...]]:
    """ID Contexts on disk, and which of them are lost."""
    return hall.desk.sql(
        "SELECT id_context, needs_recovery FROM context JOIN context_state"
        " ON context_id = context.id ORDER BY context.id"
    )

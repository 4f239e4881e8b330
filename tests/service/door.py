"""An intake with everything around it in memory."""

from typing import Any

from jrc.cojp.constants import MessageType
from jrc.errors import Reason
from jrc.service.contexts import Contexts
from jrc.service.intake import Intake
from jrc.service.join import Ask, Outcome
from jrc.service.join_ports import ContextState, KnownContext, NodePlace, Standing, StoredAnswer
from tests.daemon.wire import OddPledge, with_header
from tests.service.fakes import GivenClock, Outbox, Packet, Path, Shelf, Tally, lease

JOIN = bytes.fromhex("a10542cafe")
ANSWER = b"protected answer"
STANDING = Standing((lease(),), NodePlace(1, 0, 11))
NEAR, FAR, FARTHER = (Path(bytes(15) + bytes((number,))) for number in (1, 2, 3))


class Door:
    """An intake with everything around it in memory."""

    def __init__(self, *contexts: KnownContext, **options: Any) -> None:
        self.shelf, self.metrics, self.outbox = Shelf(), Tally(), Outbox()
        self.clock = GivenClock()
        self.asks: list[Ask] = []
        for known in contexts:
            self.shelf.known.setdefault(known.kid_context, []).append(known)
        self.contexts = Contexts(self.shelf)
        self.contexts.learn(self.shelf.known)
        self.intake = Intake(
            self.contexts,
            self.shelf,
            self.asks.append,
            self.outbox,
            self.metrics,
            self.clock,
            **options,
        )

    def take(self, *datagrams: bytes, way: Path = NEAR) -> None:
        self.intake.take([Packet(datagram, way) for datagram in datagrams])

    def drop_of(self, datagram: bytes, **flags: bool) -> Reason:
        """The one reason that a datagram was dropped for, with nothing else happening."""
        before = self.metrics.drops.copy()
        asks, sent = len(self.asks), len(self.outbox.sent)
        self.intake.take([Packet(datagram, NEAR, **flags)])
        assert (asks, sent) == (len(self.asks), len(self.outbox.sent))
        ((reason, count),) = (self.metrics.drops - before).items()
        assert count == 1
        return reason

    def commit(self, reason: Reason | None = None) -> list[bytes]:
        """Every ask accepted and on disk; the answers that left."""
        outcomes = [Outcome(ask, self.after(ask), STANDING, reason, "lab") for ask in self.asks]
        self.asks.clear()
        sent = len(self.outbox.sent)
        self.intake.finish(outcomes)
        return [datagram for datagram, _ in self.outbox.sent[sent:]]

    def after(self, ask: Ask) -> ContextState:
        state = ask.known.state
        return ContextState(
            state.version + 1,
            state.window.accept(ask.number),
            request_digest=ask.digest,
            answer=ANSWER,
            answered_at_ms=self.clock.now,
            answer_peer=ask.way.peer_address(),
        )

    def answered(self, pledge: OddPledge, known: KnownContext) -> bytes:
        """A request that was answered and whose answer is stored; the request."""
        request = pledge.request(JOIN)
        self.take(request)
        self.commit()
        self.shelf.stored[known.context_id] = StoredAnswer(known.state, good=True)
        return request


def copy(request: bytes, number: int = 9, type: int = MessageType.NON) -> bytes:
    return with_header(request, type=type, message_id=number, token=bytes((0xC0, number % 256)))

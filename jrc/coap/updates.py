"""The client of Parameter Updates (RFC 9031 §8.2): no socket, no task, no database.

An update waits for the one before it to the same node (NSTART), for its number, and for its
network's pace. Then it is a confirmable exchange: only an answer that verifies ends it well;
whatever else comes is silence and a count, or a hint at most (RFC 9031 §7.3.2).
"""

from collections import deque
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address
from typing import Final

from jrc.coap.endpoint import COAP_PORT, Datagram
from jrc.coap.update_acks import Acknowledged
from jrc.coap.update_message import TOKEN_BYTES, Outgoing, acknowledge, protect, read
from jrc.coap.update_run import Peer, UpdateRun
from jrc.cojp import oscore
from jrc.cojp.constants import CoapCode
from jrc.cojp.exchange import Exchanges, RetransmissionTiming, Timers
from jrc.cojp.message import Inner
from jrc.errors import PeerError, Reason, StateError
from jrc.policy.pacing import Pace, Pacing
from jrc.service.ports import Clock
from jrc.service.update_ports import (
    Answered,
    PreparedUpdate,
    UpdateError,
    UpdateHint,
    UpdateOutcome,
)

MAX_ECHOES: Final = 2
"""How often a node may ask for the request again (RFC 9175 §2.3): fresh once, and once more where
it has restarted between."""
MAX_NUMBER_WAIT_S: Final = 600
"""A number that is due later says that the clock went back: this update ends."""

_CHANCE_BYTES: Final = TOKEN_BYTES + 2
"""A message's token, and the random part of its first timeout (RFC 7252 §4.2)."""
_DRAWN: Final = 64
"""Messages for which chance is drawn at once: the kernel is asked for it."""
_HEADER_BYTES: Final = 4
_METHODS: Final = range(1, 32)
_EMPTY = int(CoapCode.EMPTY)
_HINTS: Final = {0x60: UpdateHint.ACKNOWLEDGED, 0x70: UpdateHint.RESET}
"""By the first byte of an empty message: version 1, ACK or RST, no token (RFC 7252 §3)."""


class UpdateClient:
    """``UpdateSender`` for who drives it: by ``receive``, and by ``on_time`` when ``next_due`` is.

    ``send`` says whether a datagram left. ``monotonic`` gives seconds that never go back,
    ``random`` that many unpredictable bytes. ``finished`` hears outcomes from within ``receive``
    and ``on_time`` alone, as the last thing they do, and may begin others. ``dropped`` counts what
    ends in silence. ``next_message_id`` is shared with whoever else sends from the same port.
    """

    def __init__(
        self,
        send: Callable[[Outgoing, IPv6Address], bool],
        clock: Clock,
        monotonic: Callable[[], float],
        random: Callable[[int], bytes],
        finished: Callable[[list[UpdateOutcome]], None],
        dropped: Callable[[Reason], None],
        next_message_id: Callable[[], int],
        pace: Pace,
        timing: RetransmissionTiming | None = None,
        *,
        port: int = COAP_PORT,
    ) -> None:
        timing = timing or RetransmissionTiming()
        self.sent = 0
        self._send = send
        self._clock = clock
        self._monotonic = monotonic
        self._random = random
        self._finished = finished
        self._dropped = dropped
        self._next_message_id = next_message_id
        self._port = port
        self._open = 0
        self._is_held = False
        self._lines: dict[int, list[UpdateRun]] = {}
        self._first: deque[UpdateRun] = deque()
        self._waits: Timers[UpdateRun] = Timers()
        self._pacing: Pacing[UpdateRun] = Pacing(pace)
        self._exchanges: Exchanges[UpdateRun] = Exchanges(timing)
        self._by_token: dict[bytes, UpdateRun] = {}
        self._by_message_id: dict[tuple[Peer, int], UpdateRun] = {}
        self._acknowledged = Acknowledged(send, timing.non_lifetime_s)
        self._outcomes: list[UpdateOutcome] = []
        self._chances: list[bytes] = []

    # As UpdateSender

    @property
    def open(self) -> int:
        """As ``UpdateSender.open``."""
        return self._open

    def begin(self, *updates: PreparedUpdate) -> None:
        """As ``UpdateSender.begin``."""
        for update in updates:
            run = UpdateRun(update, self._port)
            line = self._lines.setdefault(update.node, [])
            line.append(run)
            if len(line) == 1:
                self._first.append(run)
        self._open += len(updates)
        self._settle(self._monotonic())

    def cancel(self, node: int) -> None:
        """As ``UpdateSender.cancel``."""
        for run in self._lines.pop(node, ()):
            self._close(run, None, UpdateError.CANCELLED)
        self._settle(self._monotonic())

    def hold(self) -> None:
        """Send nothing, until ``go_on``: who may be told is being looked at again."""
        self._is_held = True

    def go_on(self) -> None:
        """Send what has waited, but for what was cancelled meanwhile."""
        self._is_held = False
        self._settle(self._monotonic())

    def use(self, pace: Pace) -> None:
        """Another pace from now on."""
        self._pacing.use(pace, self._monotonic())
        self._settle(self._monotonic())

    # Driving it

    def next_due(self) -> float | None:
        """When ``on_time`` is to be called; ``None`` while there is nothing to wait for."""
        if self._outcomes:
            return self._monotonic()
        clocks = (self._exchanges, self._pacing, self._waits, self._acknowledged)
        return min((at for each in clocks if (at := each.next_due()) is not None), default=None)

    def on_time(self, now: float) -> None:
        """Do what has fallen due by ``now``, in the seconds of ``monotonic``."""
        again, ended = self._exchanges.due(now)
        for run in ended:
            self._end(run, None, UpdateError.NO_ANSWER)
        for run in again:
            self._pacing.again(run.update.network, run, now)
        self._first.extend(self._waits.pop_due(now))
        self._acknowledged.forget(now)
        self._settle(now)
        self._deliver()

    def receive(self, datagrams: Sequence[Datagram]) -> Sequence[Datagram]:
        """Take what answers something of ours; what is left is for others.

        Requests are looked at no further than their code.
        """
        if not self._by_token and not self._acknowledged:
            return datagrams
        now = self._monotonic()
        left = [datagram for datagram in datagrams if not self._took(datagram, now)]
        if len(left) < len(datagrams):
            self._settle(now)
            self._deliver()
        return left

    # Receiving

    def _took(self, datagram: Datagram, now: float) -> bool:
        payload = datagram.payload
        if len(payload) < _HEADER_BYTES or payload[1] in _METHODS:
            return False
        if payload[1] == _EMPTY:
            return self._took_empty(datagram)
        if payload[0] & 15 != TOKEN_BYTES:
            return False
        token = payload[_HEADER_BYTES : _HEADER_BYTES + TOKEN_BYTES]
        run = self._by_token.get(token)
        if run is None:
            return self._acknowledged.again(token, payload, datagram.way.peer[:2])
        try:
            self._answered(run, datagram, now)
        except PeerError as error:
            self._dropped(error.reason)
        return True

    def _took_empty(self, datagram: Datagram) -> bool:
        """An empty ACK or RST: anybody could have sent it, so it is a hint (RFC 7252 §4.2)."""
        payload = datagram.payload
        hint = _HINTS.get(payload[0])
        run = self._by_message_id.get((datagram.way.peer[:2], payload[2] << 8 | payload[3]))
        if run is None or hint is None or len(payload) > _HEADER_BYTES:
            return False
        if hint is UpdateHint.ACKNOWLEDGED:
            # The answer comes apart from it, or not at all (RFC 7252 §5.2.2).
            self._exchanges.acknowledge(run)
        run.hint = hint
        return True

    def _answered(self, run: UpdateRun, datagram: Datagram, now: float) -> None:
        """Take an answer with the token of a message that is open.

        Raises:
            PeerError: it does not count; the exchange goes on.
        """
        if datagram.truncated:
            raise PeerError(Reason.TOO_LONG)
        if datagram.to_multicast:
            raise PeerError(Reason.MULTICAST)
        if datagram.way.peer[:2] != run.peer:
            raise PeerError(Reason.WRONG_PEER)
        asked = run.asked
        assert asked is not None, "a token that is known is that of a message"
        answer = read(datagram.payload, asked)
        acknowledgement = acknowledge(answer)
        if acknowledgement is not None:
            self._acknowledged.first(
                asked.token, datagram.payload, run.peer, run.update.address, acknowledgement, now
            )
        self._act(run, answer.inner)

    def _act(self, run: UpdateRun, answer: Inner) -> None:
        echo = oscore.echo_of(answer)
        if echo is None:
            self._end(run, tuple.__new__(Answered, (answer.code, answer.payload)), None)
        elif run.echoes == MAX_ECHOES:
            self._end(run, None, UpdateError.ECHO_LOOP)
        else:
            self._stop_asking(run)
            run.echo = echo
            run.echoes += 1
            self._first.append(run)

    # On the way

    def _settle(self, now: float) -> None:
        """Move everything on that can be; nothing that is protected leaves but from here."""
        if self._is_held:
            return
        now_s = self._clock.now_ms() // 1000
        while True:
            while self._first:
                self._line_up(self._first.popleft(), now, now_s)
            run = self._pacing.take(now)
            if run is None:
                return
            self._leave(run, now, now_s)

    def _line_up(self, run: UpdateRun, now: float, now_s: int) -> None:
        """Have a run wait for its next number, or else for its network's pace."""
        if not run.numbers:
            self._end(run, None, UpdateError.OUT_OF_NUMBERS)
            return
        wait_s = run.numbers.wait_s(now_s)
        if wait_s > MAX_NUMBER_WAIT_S:
            self._end(run, None, UpdateError.NUMBERS_NOT_DUE)
        elif wait_s:
            self._waits.set(run, now + wait_s)
        else:
            run.is_ready = True
            wait = self._pacing.again if run.has_turn else self._pacing.start
            wait(run.update.network, run, now)

    def _leave(self, run: UpdateRun, now: float, now_s: int) -> None:
        """It is a run's turn, if it still wants one."""
        had_turn, run.has_turn = run.has_turn, True
        if run.has_ended:
            if not had_turn:
                self._pacing.done(run.update.network)
        elif run.is_ready:
            run.is_ready = False
            self._ask(run, now, now_s)
        elif self._exchanges.repeat(run, now):
            self._transmit(run)

    def _ask(self, run: UpdateRun, now: float, now_s: int) -> None:
        """Send the next protected message of a run, for the first time."""
        try:
            number, run.numbers = run.numbers.take(now_s)
        except StateError:  # the clock went back while it waited
            self._first.append(run)
            return
        update, chance = run.update, self._chance()
        run.asked = asked = protect(
            update.security,
            number,
            chance[:TOKEN_BYTES],
            self._next_message_id(),
            update.payload,
            run.echo,
            with_kid_context=update.with_kid_context,
            with_uri_host=update.with_uri_host,
        )
        self._by_token[asked.token] = run
        self._by_message_id[run.peer, asked.message_id] = run
        self._exchanges.begin(run, now, int.from_bytes(chance[TOKEN_BYTES:]) / (1 << 16))
        self._transmit(run)

    def _chance(self) -> bytes:
        """What no other message has had."""
        if not self._chances:
            drawn = self._random(_DRAWN * _CHANCE_BYTES)
            starts = range(0, len(drawn), _CHANCE_BYTES)
            self._chances = [drawn[at : at + _CHANCE_BYTES] for at in starts]
        return self._chances.pop()

    def _transmit(self, run: UpdateRun) -> None:
        assert run.asked is not None, "only what was protected is sent"
        datagram = run.asked.datagram
        if self._send(datagram, run.update.address):
            run.transmissions += 1
            self.sent += 1
        else:
            run.hint = UpdateHint.UNREACHABLE
        self._pacing.charge(run.update.network, len(datagram))

    # Ending

    def _end(self, run: UpdateRun, answer: Answered | None, error: str | None) -> None:
        """End a run; the next one of its node begins."""
        line = self._lines[run.update.node]
        line.remove(run)
        self._close(run, answer, error)
        if line:
            self._first.append(line[0])
        else:
            del self._lines[run.update.node]

    def _close(self, run: UpdateRun, answer: Answered | None, error: str | None) -> None:
        self._stop_asking(run)
        self._waits.cancel(run)
        run.has_ended = True
        if run.has_turn:
            self._pacing.done(run.update.network)
        self._open -= 1
        update = run.update
        fields = (update.ref, update.node, answer, error, run.hint, run.transmissions)
        self._outcomes.append(tuple.__new__(UpdateOutcome, fields))

    def _stop_asking(self, run: UpdateRun) -> None:
        """Take no answer to the last message any more."""
        asked, run.asked = run.asked, None
        if asked is not None:
            self._exchanges.end(run)
            self._by_token.pop(asked.token, None)
            self._by_message_id.pop((run.peer, asked.message_id), None)

    def _deliver(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        if outcomes:
            self._finished(outcomes)

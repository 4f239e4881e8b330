"""The Join Proxy as a CoJP node: it joins as a 6LBR and takes Parameter Updates (RFC 9031 §8).

It goes to the registrar directly, over the socket on which it also forwards. The Configuration
gives it join rate and blocklist; link-layer keys are another's to install, so an update with keys
is answered as one that can't be acted upon. A registrar that knows what it is sends none.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from jrc.coap.proxy_answers import GIVEN_KEYS, acknowledgement, content_of, oscore_value
from jrc.coap.proxy_state import NodeState
from jrc.cojp import codec, message, oscore, recovery
from jrc.cojp.constants import (
    COJP_MAX_JOIN_ATTEMPTS,
    ENDPOINT_MAX_TOKEN_BYTES,
    JOIN_PATH,
    JRC_HOST,
    JRC_ID,
    CoapCode,
    Code,
    Label,
    MessageType,
    OptionNumber,
    Role,
)
from jrc.cojp.exchange import RetransmissionTiming
from jrc.cojp.message import Inner, Message, option_values
from jrc.cojp.objects import Configuration, JoinRequest, UnsupportedParameter
from jrc.cojp.oscore import OscoreOption
from jrc.cojp.oscore_context import SecurityContext
from jrc.errors import JrcError, OperatorError, PeerError, Reason
from jrc.service.ports import Clock

FIRST_BACKOFF_S: Final = 30.0
MAX_BACKOFF_S: Final = 3600.0
"""Between attempts that failed; each lasts minutes by itself (RFC 7252 §4.8.2)."""
REJOIN_S: Final = 86_400.0
"""Without a word of the registrar before a joined proxy joins again, and up to half as long again.

What changes comes by Parameter Update. One may find no way here (no address that the registrar can
form, a firewall, a registrar put back from a backup that knows of no such node), and then nobody
here would ever know; a day is short enough for that. A join is not free: to a registrar that takes
this for a 6LBR with a radio it is a reason to change the keys of the network (RFC 9031 §5.1)."""
TOKEN_BYTES: Final = 4
ECHO_BYTES: Final = 8
_HEAD: Final = ((int(OptionNumber.URI_HOST), JRC_HOST),)
_PATH: Final = ((int(OptionNumber.URI_PATH), JOIN_PATH),)
_UNDERSTOOD: Final = frozenset({OptionNumber.URI_HOST, OptionNumber.URI_PATH})
_METHODS: Final = range(1, 32)
_KEYS_UNSUPPORTED: Final = UnsupportedParameter(Code.UNSUPPORTED, Label.LINK_LAYER_KEY_SET)

_log = structlog.get_logger("jrc")


@dataclass(frozen=True, slots=True)
class Timing(RetransmissionTiming):
    """RFC 9031 §7.2, how long to wait after an attempt that failed, and for updates; seconds."""

    first_backoff_s: float = FIRST_BACKOFF_S
    max_backoff_s: float = MAX_BACKOFF_S
    rejoin_s: float = REJOIN_S


class _Asked(NamedTuple):
    """The Join Request that waits for its answer (NSTART is 1)."""

    token: bytes
    message_id: int
    piv: bytes
    context: SecurityContext
    acknowledged: asyncio.Event
    answer: "asyncio.Future[Inner]"


class _Answered(NamedTuple):
    """The last Parameter Update and the protected answer that it got."""

    option: bytes
    ciphertext: bytes
    answer_option: bytes
    answer_ciphertext: bytes


class ProxyNode:
    """One node; ``context`` is its own side of the security context (RFC 9031 §7.3).

    ``send`` hands a datagram to the network, ``configured`` hears what the registrar configures:
    True with a Join Response, whose Configuration is whole, False with an update; ``dropped``
    counts what ends in silence. ``random`` gives that many unpredictable bytes. ``given_keys`` is
    what the operator is to know of link-layer keys that the registrar has told, None without any.
    ``derive`` gives the context of another ID Context (RFC 8613 App. B.2).
    """

    def __init__(
        self,
        context: SecurityContext,
        network_identifier: bytes,
        state: NodeState,
        clock: Clock,
        random: Callable[[int], bytes],
        send: Callable[[bytes], bool],
        configured: Callable[[Configuration, bool], None],
        dropped: Callable[[Reason], None],
        timing: Timing | None = None,
        derive: Callable[[bytes], SecurityContext] | None = None,
    ) -> None:
        self.joined = False
        self.why: str | None = "it has not joined yet"
        self.given_keys: str | None = None
        self.updates = 0
        self._context = context
        self._derive = derive
        self._offered: SecurityContext | None = None
        self._network_identifier = network_identifier
        self._state = state
        self._clock = clock
        self._random = random
        self._send = send
        self._configured = configured
        self._dropped = dropped
        self._timing = timing or Timing()
        self._message_id = int.from_bytes(random(2))
        self._asked: _Asked | None = None
        self._last_token: bytes | None = None
        self._answered: _Answered | None = None
        self._echo: bytes | None = None
        self._heard = asyncio.Event()

    # Joining

    async def run(self) -> None:
        """Join, and again whenever the registrar has not been heard for long."""
        while True:
            await self.join()
            await self._silence()

    async def _silence(self) -> None:
        """Until no update has come for ``rejoin_s`` and up to half as long again."""
        while True:
            self._heard.clear()
            try:
                async with asyncio.timeout(self._timing.rejoin_s * (1 + self._fraction() / 2)):
                    await self._heard.wait()
            except TimeoutError:
                return

    async def join(self) -> None:
        """Join, and again later as long as that fails."""
        wait_s = self._timing.first_backoff_s
        while not await self._attempt():
            _log.warning("proxy_not_joined", why=self.why, again_in_s=round(wait_s))
            await asyncio.sleep(wait_s * (1 + self._fraction() / 2))
            wait_s = min(2 * wait_s, self._timing.max_backoff_s)
        _log.info("proxy_joined", pledge=self._state.identifier)

    async def _attempt(self) -> bool:
        """Ask until a Configuration can be acted upon, as often as is allowed (RFC 9031 §8.3.1)."""
        reported: tuple[UnsupportedParameter, ...] = ()
        for attempt in range(COJP_MAX_JOIN_ATTEMPTS):
            try:
                answer = await self._exchange(reported)
                config, reported = codec.read_configuration(content_of(answer))
            except PeerError as error:
                self.why = f"the registrar's Configuration can't be read ({error.reason})"
                continue
            except JrcError as error:
                self.why = getattr(error, "message", str(error))
                return False
            if not reported or attempt == COJP_MAX_JOIN_ATTEMPTS - 1:
                self.joined, self.why = True, None
                self.given_keys = self._note_keys(config)
                self._configured(config, True)
                return True
        return False

    async def _exchange(self, reported: tuple[UnsupportedParameter, ...]) -> Inner:
        """The verified answer to a new Join Request.

        Raises:
            OperatorError: there is none, or no number for a request can be had.
        """
        await asyncio.sleep(self._state.wait_s(self._now_s()))
        piv = oscore.encode_piv(self._state.take(self._now_s()))
        asked = _Asked(
            self._random(TOKEN_BYTES),
            self._next_message_id(),
            piv,
            self._offered or self._context,
            asyncio.Event(),
            asyncio.get_running_loop().create_future(),
        )
        self._asked, self._last_token, self._offered = asked, asked.token, None
        try:
            await self._transmit(self._join_request(asked, reported), asked)
        finally:
            self._asked = None
        if not asked.answer.done():
            raise OperatorError("the registrar does not answer")
        answer = asked.answer.result()
        return await self._exchange(reported) if self._has_offer() else answer

    async def _transmit(self, datagram: bytes, asked: _Asked) -> None:
        """Send until there is an answer, or no more time (RFC 7252 §4.2)."""
        for wait_s in self._timing.waits(self._fraction()):
            if not asked.acknowledged.is_set():
                self._send(datagram)
            await asyncio.wait((asked.answer,), timeout=wait_s)
            if asked.answer.done():
                return

    def _join_request(self, asked: _Asked, reported: tuple[UnsupportedParameter, ...]) -> bytes:
        request = JoinRequest(self._network_identifier, Role.LBR, reported)
        inner = message.encode_inner(CoapCode.POST, _PATH, codec.encode_join_request(request))
        option, ciphertext = oscore.protect_request(
            asked.context, asked.piv, inner, with_kid_context=True
        )
        if asked.context is not self._context:
            option = recovery.request_option(option, asked.context.id_context or b"")
        options = (*_HEAD, (int(OptionNumber.OSCORE), option))
        fields = (MessageType.CON, CoapCode.POST, asked.message_id, asked.token, options)
        return message.encode(Message(*fields, ciphertext))

    # Receiving

    def receive(self, datagram: bytes) -> Sequence[bytes]:
        """What goes back for a message of the registrar; a bad one gets nothing (§7.3.2)."""
        try:
            received = message.decode(datagram, ENDPOINT_MAX_TOKEN_BYTES)
            if received.code in _METHODS and received.type in (MessageType.CON, MessageType.NON):
                return (self._serve(received),)
            if received.code == CoapCode.EMPTY:
                self._note_acknowledged(received)
                return ()
            return self._take_answer(received)
        except PeerError as error:
            self._dropped(error.reason)
        except OperatorError as error:
            self._dropped(Reason.DAMAGED_STATE)
            _log.error("proxy_update_not_taken", error=error.message, hint=error.hint)
        return ()

    def _note_acknowledged(self, received: Message) -> None:
        """An empty ACK: the answer comes apart from it (RFC 7252 §5.2.2)."""
        asked = self._asked
        expected = asked and (MessageType.ACK, asked.message_id)
        if asked is not None and (received.type, received.message_id) == expected:
            asked.acknowledged.set()

    def _take_answer(self, received: Message) -> Sequence[bytes]:
        asked = self._asked
        if asked is None or asked.answer.done() or received.token != asked.token:
            if received.token == self._last_token:
                return acknowledgement(received)
            raise PeerError(Reason.NOT_A_RESPONSE)
        if received.type == MessageType.ACK and received.message_id != asked.message_id:
            raise PeerError(Reason.NOT_A_RESPONSE)
        option = oscore.decode_option(oscore_value(received))
        r2 = None if asked.context is not self._context else recovery.r2_of(option)
        context = asked.context if r2 is None else self._second(r2)
        plaintext = oscore.unprotect_response(
            context, context.sender_id, asked.piv, option, received.payload
        )
        inner = message.decode_inner(plaintext)
        self._take_context(asked, r2)
        asked.answer.set_result(inner)
        return acknowledgement(received)

    def _has_offer(self) -> bool:
        """Whether the answer was response #1: request #2 follows, and no further one."""
        return self._offered is not None

    def _second(self, r2: bytes) -> SecurityContext:
        """What response #1 verifies under (RFC 8613 App. B.2 step 3)."""
        if self._derive is None:
            raise PeerError(Reason.UNKNOWN_CONTEXT)
        return self._derive(recovery.second_id_context(r2, self._context.id_context or b""))

    def _take_context(self, asked: _Asked, r2: bytes | None) -> None:
        """After a verified answer: another context to ask under, or the one asked under for good.

        On disk before the answer counts (RFC 8613 App. B.2 step 5, RFC 9031 §7.3.1).
        """
        if r2 is not None and self._derive is not None:
            self._offered = self._derive(r2 + self._random(recovery.MIN_NONCE_BYTES))
        elif asked.context is not self._context:
            self._state.renew(asked.context.id_context or b"")
            self._context, self._answered, self._echo = asked.context, None, None

    def _serve(self, request: Message) -> bytes:
        """The answer to a Parameter Update; a copy gets the same one (RFC 9031 §8.2.1)."""
        value = oscore_value(request)
        last = self._answered
        if last is not None and (last.option, last.ciphertext) == (value, request.payload):
            return self._reply(request, last.answer_option, last.answer_ciphertext)
        option = oscore.decode_option(value)
        piv, plaintext = self._unprotect(option, request.payload)
        number = oscore.decode_piv(piv)
        inner = message.decode_inner(plaintext)
        if self._state.window is None:
            if not self._is_fresh(inner):
                return self._challenge(request, piv)
        elif not self._state.window.is_fresh(number):
            raise PeerError(Reason.REPLAYED)
        self._state.accept(number)
        code, payload = self._act(inner)
        answer = oscore.protect_response(
            self._context, JRC_ID, piv, message.encode_inner(code, (), payload)
        )
        self._answered = _Answered(value, request.payload, *answer)
        return self._reply(request, *answer)

    def _unprotect(self, option: OscoreOption, ciphertext: bytes) -> tuple[bytes, bytes]:
        """Partial IV and plaintext of a request under the registrar's kid (RFC 9031 §8.2.1)."""
        if option.piv is None:
            raise PeerError(Reason.NO_PARTIAL_IV)
        if option.kid != JRC_ID or option.kid_context not in (None, self._context.id_context):
            raise PeerError(Reason.UNKNOWN_CONTEXT)
        return option.piv, oscore.unprotect_request(self._context, option.piv, JRC_ID, ciphertext)

    def _is_fresh(self, inner: Inner) -> bool:
        """Whether the request answers our challenge, which no old one can (RFC 8613 App. B.1.2)."""
        return self._echo is not None and option_values(inner.options, OptionNumber.ECHO) == (
            self._echo,
        )

    def _challenge(self, request: Message, piv: bytes) -> bytes:
        """A 4.01 with an Echo, under a number of our own (RFC 8613 App. B.1.2, RFC 9175 §2.3)."""
        if self._state.wait_s(self._now_s()):
            raise PeerError(Reason.OVERLOADED)
        own = oscore.encode_piv(self._state.take(self._now_s()))
        self._echo = self._random(ECHO_BYTES)
        options = ((int(OptionNumber.ECHO), self._echo),)
        inner = message.encode_inner(CoapCode.UNAUTHORIZED, options, b"")
        answer = oscore.protect_response(self._context, JRC_ID, piv, inner, own)
        return self._reply(request, *answer)

    def _act(self, inner: Inner) -> tuple[int, bytes]:
        """Code and payload of the answer to a verified request (RFC 9031 §8.2.1, §8.3.1)."""
        path = option_values(inner.options, OptionNumber.URI_PATH)
        unknown = (
            number
            for number, _ in inner.options
            if message.is_critical(number) and number not in _UNDERSTOOD
        )
        if any(unknown):
            return CoapCode.BAD_OPTION, b""
        if path != (JOIN_PATH,):
            return CoapCode.NOT_FOUND, b""
        if inner.code != CoapCode.POST:
            return CoapCode.METHOD_NOT_ALLOWED, b""
        try:
            config = codec.decode_configuration(inner.payload)
        except PeerError as error:
            return CoapCode.BAD_REQUEST, error.answer or b""
        self._heard.set()
        if config.keys:
            self.given_keys = self._note_keys(config)
            return CoapCode.BAD_REQUEST, codec.encode_unsupported((_KEYS_UNSUPPORTED,))
        self.updates += 1
        self._configured(config, False)
        return CoapCode.CHANGED, b""

    def _note_keys(self, config: Configuration) -> str | None:
        """What is to be known of keys that the registrar tells: they are thrown away here."""
        if not config.keys:
            return None
        hint = GIVEN_KEYS.format(self._state.identifier.hex())
        if self.given_keys is None:
            _log.warning("proxy_given_keys", hint=hint)
        return hint

    def _reply(self, request: Message, option: bytes, ciphertext: bytes) -> bytes:
        confirmable = request.type == MessageType.CON
        return message.encode(
            Message(
                MessageType.ACK if confirmable else MessageType.NON,
                CoapCode.CHANGED,
                request.message_id if confirmable else self._next_message_id(),
                request.token,
                ((int(OptionNumber.OSCORE), option),),
                ciphertext,
            )
        )

    def _next_message_id(self) -> int:
        self._message_id = (self._message_id + 1) & 0xFFFF
        return self._message_id

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000

    def _fraction(self) -> float:
        return int.from_bytes(self._random(2)) / (1 << 16)

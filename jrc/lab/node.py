"""A simulated node that has joined: it takes Parameter Updates (RFC 9031 §8.2), without sockets.

Like the pledge it once was, it is an independent witness: OSCORE is aiocoap's, CBOR is cbor2's. It
remembers every sequence number the registrar ever used with it, over restarts of the registrar.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

import cbor2
from aiocoap import Message  # type: ignore[import-untyped]
from aiocoap.error import UnparsableMessage  # type: ignore[import-untyped]
from aiocoap.numbers.codes import (  # type: ignore[import-untyped]
    BAD_REQUEST,
    CHANGED,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    POST,
)
from aiocoap.oscore import (  # type: ignore[import-untyped]
    ProtectionInvalid,
    ReplayError,
    ReplayErrorWithEcho,
    ReplayWindow,
)

from jrc.cojp.constants import COJP_REKEYING_GUARD_TIME_S
from jrc.lab import configuration, datagram
from jrc.lab.configuration import (
    BLOCKLIST,
    JOIN_RATE,
    JRC_ADDRESS,
    KEYS,
    SHORT_IDENTIFIER,
    LabConfiguration,
)
from jrc.lab.datagram import Envelope
from jrc.lab.link_keys import LinkKeys
from jrc.lab.pledge import (
    ACK,
    CON,
    JOIN_PATH,
    JRC_HOST,
    JRC_KID,
    MAX_PIV_BYTES,
    NON,
    WINDOW_SIZE,
    SimulatedPledge,
)

LBR: Final = 1
"""RFC 9031 §8.4.1, Table 3."""
UNSUPPORTED, MALFORMED = 0, 1
"""RFC 9031 §11.3."""
EVERYTHING: Final = frozenset({KEYS, SHORT_IDENTIFIER, JRC_ADDRESS, BLOCKLIST, JOIN_RATE})
ECHO_BYTES: Final = 8
_PIV_LENGTH_BITS: Final = 0x07
_KID_FLAG, _KID_CONTEXT_FLAG = 0x08, 0x10
"""RFC 8613 §6.1."""

Answer = tuple[Any, bytes]


@dataclass(slots=True)
class Record:
    """What a node has seen, and what of it ought never to have happened.

    ``numbers`` holds the whole datagram that a sequence number of the registrar came in, ``told``
    each Configuration that an update carried, in their order; ``copies`` counts retransmissions.
    """

    numbers: dict[int, bytes] = field(default_factory=dict)
    told: list[LabConfiguration] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    copies: int = 0


class SimulatedNode:
    """One node, which ``pledge`` became; it goes on with its security context (RFC 9031 §7.3).

    ``understands`` are the labels of what it can act upon: an update with any other is refused.
    """

    def __init__(
        self,
        pledge: SimulatedPledge,
        *,
        guard_time_s: float = COJP_REKEYING_GUARD_TIME_S,
        understands: Collection[int] = EVERYTHING,
    ) -> None:
        self.pledge = pledge
        self.identifier = pledge.identifier
        self.is_border_router = pledge.role == LBR
        self.keys = LinkKeys(is_border_router=self.is_border_router, guard_time_s=guard_time_s)
        self.record = Record()
        self.short_id: bytes | None = None
        self.join_rate_bytes_per_s: int | None = None
        self.blocklist: tuple[bytes, ...] = ()
        self.jrc_address: bytes | None = None
        self._understands = understands
        self._last: tuple[bytes, bytes | None] = (b"", None)
        self._message_id = 0

    def joined(self, given: LabConfiguration) -> None:
        """What a Join Response configures, which is whole: what it leaves out has its default."""
        self.keys.begin(given.keys)
        self.short_id = given.short_id
        self.join_rate_bytes_per_s = given.join_rate_bytes_per_s
        self.blocklist = given.blocklist or ()
        self.jrc_address = given.jrc_address

    def forget_window(self) -> None:
        """As after a reboot without memory: it takes a fresh request only (RFC 8613 App. B.1.2)."""
        context = self.pledge.context
        context.recipient_replay_window = ReplayWindow(WINDOW_SIZE, lambda: None)
        context.echo_recovery = secrets.token_bytes(ECHO_BYTES)

    def receive(self, data: bytes, now_s: float) -> bytes | None:
        """The answer to a datagram: None to anything but a Parameter Update that verifies.

        A copy of the last one gets the same answer and has no second effect (RFC 7252 §4.2).
        """
        request = datagram.decode(data)
        if request is None or not _is_update(request):
            return None
        if data == self._last[0]:
            self.record.copies += 1
            return self._last[1]
        answer = self._serve(request, data, now_s)
        if answer is None:
            return None
        reply = datagram.encode(self._reply(request, answer))
        self._last = (data, reply)
        return reply

    def _serve(self, request: Envelope, data: bytes, now_s: float) -> Message | None:
        """The protected answer."""
        number = _number(request.message.opt.oscore)
        self._look_at(number, request, data)
        context = self.pledge.context
        try:
            inner, identifiers = context.unprotect(request.message)
        except ReplayErrorWithEcho as challenge:
            self._note(number, data)
            return challenge.to_message()
        except (ProtectionInvalid, UnparsableMessage, UnicodeDecodeError):
            return None
        self._note(number, data)
        code, payload = self._act(inner, now_s)
        outer, _ = context.protect(Message(code=code, payload=payload), identifiers)
        return outer

    def _note(self, number: int, data: bytes) -> None:
        self.record.numbers.setdefault(number, data)

    def _look_at(self, number: int, request: Envelope, data: bytes) -> None:
        """Whether the registrar has used a number for two datagrams (RFC 8613 §7.2.1).

        A forged one can't accuse it: the datagram has to verify, against an empty window.
        """
        if self.record.numbers.get(number, data) == data:
            return
        context = self.pledge.context
        window = context.recipient_replay_window
        context.recipient_replay_window = ReplayWindow(WINDOW_SIZE, lambda: None)
        context.recipient_replay_window.initialize_empty()
        try:
            context.unprotect(request.message)
            self.record.violations.append(
                f"{self.identifier.hex()} was sent number {number} in two datagrams"
            )
        except (ProtectionInvalid, ReplayError, UnparsableMessage, UnicodeDecodeError):
            pass
        finally:
            context.recipient_replay_window = window

    def _act(self, inner: Message, now_s: float) -> Answer:
        """Code and payload of the answer to a request that verified (RFC 9031 §8.2.1, §8.3.1)."""
        if inner.opt.uri_path != JOIN_PATH:
            return NOT_FOUND, b""
        if inner.code != POST:
            return METHOD_NOT_ALLOWED, b""
        try:
            given = configuration.read(inner.payload)
        except ValueError:
            return BAD_REQUEST, cbor2.dumps([MALFORMED, KEYS, None])
        labels = cbor2.loads(inner.payload)
        unknown = [label for label in labels if label not in self._understands]
        if unknown:
            flat = [item for label in unknown for item in (UNSUPPORTED, label, None)]
            return BAD_REQUEST, cbor2.dumps(flat)
        self.record.told.append(given)
        self._take(given, now_s)
        return CHANGED, b""

    def _take(self, given: LabConfiguration, now_s: float) -> None:
        """What is left out stays as it was."""
        if given.keys:
            self.keys.install(given.keys, now_s)
        if given.short_id is not None:
            self.short_id = given.short_id
        if given.join_rate_bytes_per_s is not None:
            self.join_rate_bytes_per_s = given.join_rate_bytes_per_s
        if given.blocklist is not None:
            self.blocklist = given.blocklist
        if given.jrc_address is not None:
            self.jrc_address = given.jrc_address

    def _reply(self, request: Envelope, outer: Message) -> Envelope:
        """Piggybacked on the ACK of a CON, a NON to a NON (RFC 7252 §5.2)."""
        if request.type == CON:
            return Envelope(ACK, request.message_id, request.token, outer)
        self._message_id = (self._message_id + 1) % 0x10000
        return Envelope(NON, self._message_id, request.token, outer)


def _is_update(request: Envelope) -> bool:
    """A POST under OSCORE from the registrar's kid (RFC 9031 §8.2.1), at its host if at any."""
    message = request.message
    value = message.opt.oscore
    if request.type not in (CON, NON) or message.code != POST or not value:
        return False
    if message.opt.uri_host not in (None, JRC_HOST):
        return False
    size = value[0] & _PIV_LENGTH_BITS
    if not 1 <= size <= MAX_PIV_BYTES or not value[0] & _KID_FLAG:
        return False
    rest = value[1 + size :]
    if value[0] & _KID_CONTEXT_FLAG:
        rest = rest[1 + rest[0] :] if rest else b""
    return bytes(rest) == JRC_KID


def _number(value: bytes) -> int:
    """The Partial IV of an OSCORE option."""
    return int.from_bytes(value[1 : 1 + (value[0] & _PIV_LENGTH_BITS)])

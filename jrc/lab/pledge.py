"""A simulated pledge: joins with aiocoap's OSCORE, without sockets (RFC 9031 §7.3, §8.1).

It is an independent witness: key derivation, protection and CBOR are not those of ``jrc.cojp``.
RFC 8613 App. B.2, which aiocoap lacks, is put together here from its contexts.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import cbor2
from aiocoap import Message  # type: ignore[import-untyped]
from aiocoap.error import UnparsableMessage  # type: ignore[import-untyped]
from aiocoap.numbers.codes import CHANGED, POST, UNAUTHORIZED  # type: ignore[import-untyped]
from aiocoap.oscore import (  # type: ignore[import-untyped]
    AES_CCM_16_64_128,
    CanProtect,
    CanUnprotect,
    ProtectionInvalid,
    ReplayWindow,
    SecurityContextUtils,
)
from cryptography.hazmat.primitives.hashes import SHA256

from jrc.lab import configuration, datagram
from jrc.lab.configuration import LabConfiguration
from jrc.lab.datagram import Envelope
from jrc.model import Secret

PLEDGE_KID: Final = b""
JRC_KID: Final = b"JRC"
"""RFC 9031 §7.3."""
JRC_HOST: Final = "6tisch.arpa"
JOIN_PATH: Final = ("j",)
"""RFC 9031 §8.1.1."""
ROLE: Final = 1
NETWORK_IDENTIFIER: Final = 5
"""RFC 9031 §11.1."""
WINDOW_SIZE: Final = 32
MAX_PIV_BYTES: Final = 5
"""RFC 8613 §6.1."""
R3_BYTES: Final = 8
"""RFC 9031 §8.3.3."""
KID_CONTEXT_FLAG: Final = 0x10
"""RFC 8613 §6.1."""
CON, NON, ACK = 0, 1, 2
"""RFC 7252 §3."""


class PledgeContext(CanProtect, CanUnprotect, SecurityContextUtils):  # type: ignore[misc]
    """aiocoap's OSCORE context with the profile of RFC 9031 §7.3, in memory."""

    echo_recovery: bytes | None = None

    def __init__(self, identifier: bytes, first_number: int) -> None:
        self.alg_aead = AES_CCM_16_64_128()
        self.hashfun = SHA256()
        self.id_context = identifier
        self.sender_id = PLEDGE_KID
        self.recipient_id = JRC_KID
        self.sender_sequence_number = first_number
        self.recipient_replay_window = ReplayWindow(WINDOW_SIZE, lambda: None)
        self.recipient_replay_window.initialize_empty()
        self.sender_key = self.recipient_key = self.common_iv = b""

    def post_seqnoincrease(self) -> None:
        """Nothing to store: a simulated pledge has no life after the process."""


class DerivedKeys(NamedTuple):
    """What a pledge without HKDF is given in place of a PSK (RFC 9031 App. B)."""

    sender_key: Secret
    recipient_key: Secret
    common_iv: Secret


@dataclass(frozen=True, slots=True)
class Joined:
    """The registrar admitted the pledge."""

    configuration: LabConfiguration


@dataclass(frozen=True, slots=True)
class Refused:
    """A protected answer without a Configuration that can be read; ``code`` like ``4.00``."""

    code: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Recovering:
    """The registrar has lost its state: the next request is in a new context (App. B.2)."""


Outcome = Joined | Refused | Recovering


class _Open(NamedTuple):
    """The request that waits for its answer (NSTART is 1, RFC 9031 §7.2)."""

    envelope: Envelope
    identifiers: Any
    context: PledgeContext


class SimulatedPledge:
    """One device; ``identifier``, ``network_id`` are bytes as on the wire, ``role`` 1 is a 6LBR.

    It counts its own sequence number from ``first_number``: it has no memory but its own.
    ``random`` gives it that many bytes, for R3 of RFC 8613 App. B.2.
    """

    def __init__(
        self,
        identifier: bytes,
        psk: Secret,
        network_id: bytes,
        role: int = 0,
        *,
        first_number: int = 0,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.identifier = identifier
        self.network_id = network_id
        self.role = role
        self._psk = psk
        self._random = random
        self.context = self._derived(identifier, first_number)
        self._offered: PledgeContext | None = None
        self._message_id = 0
        self._open: _Open | None = None

    @classmethod
    def with_derived_keys(cls, identifier: bytes, keys: DerivedKeys, network_id: bytes) -> Self:
        """A pledge that was given its OSCORE parameters and no PSK (RFC 9031 App. B)."""
        pledge = cls(identifier, Secret(b""), network_id)
        pledge.context.sender_key = keys.sender_key.reveal()
        pledge.context.recipient_key = keys.recipient_key.reveal()
        pledge.context.common_iv = keys.common_iv.reveal()
        return pledge

    def _derived(self, id_context: bytes, first_number: int = 0) -> PledgeContext:
        context = PledgeContext(id_context, first_number)
        context.derive_keys(b"", self._psk.reveal())
        return context

    def request(
        self,
        *,
        confirmable: bool = True,
        token: bytes = b"",
        proxy_scheme: bool = True,
        uri_host: str | None = JRC_HOST,
    ) -> bytes:
        """A new Join Request as a datagram (RFC 9031 §8.1.1), with the next sequence number.

        After ``Recovering`` it is request #2; one that gets no answer is the only one of its run.
        """
        inner = Message(
            code=POST, uri_host=uri_host, uri_path=JOIN_PATH, payload=self._join_request()
        )
        context, self._offered = self._offered, None
        wrapped = context is not None and cbor2.dumps(context.id_context)
        context = context or self.context
        outer, identifiers = context.protect(inner, kid_context=wrapped or True)
        if proxy_scheme:
            outer.opt.proxy_scheme = "coap"
        self._message_id = (self._message_id + 1) % 0x10000
        envelope = Envelope(CON if confirmable else NON, self._message_id, token, outer)
        self._open = _Open(envelope, identifiers, context)
        return datagram.encode(envelope)

    def receive(self, data: bytes) -> Outcome | None:
        """What a datagram says to the open request: ``None`` if nothing that can be trusted.

        RFC 9031 §7.3.2: anything unprotected is ignored, errors included.
        """
        reply = datagram.decode(data)
        if reply is None or self._open is None or not _answers(reply, self._open.envelope):
            return None
        r2 = _r2_of(reply.message.opt.oscore)
        if r2 is not None:
            return self._recover(self._open, reply.message, r2)
        if not _is_response_option(reply.message.opt.oscore):
            return None
        inner = _unprotected(self._open.context, reply.message, self._open)
        if inner is None:
            return None
        self.context, self._open = self._open.context, None
        return _outcome(inner)

    def _recover(self, asked: _Open, message: Message, r2: bytes) -> Recovering | None:
        """A response #1 that verifies under R2 || ID1 offers a context (RFC 8613 App. B.2)."""
        if not self._psk:
            return None
        second = self._derived(r2 + asked.context.id_context)
        message.opt.oscore = b""  # aiocoap looks for its own kid context there
        inner = _unprotected(second, message, asked)
        if inner is None or inner.code != UNAUTHORIZED:
            return None
        self._offered, self._open = self._derived(r2 + self._random(R3_BYTES)), None
        return Recovering()

    def _join_request(self) -> bytes:
        """Role 0 is the default and left out (RFC 9031 §8.4.1)."""
        role = {ROLE: self.role} if self.role else {}
        return cbor2.dumps(role | {NETWORK_IDENTIFIER: self.network_id})


def _answers(reply: Envelope, request: Envelope) -> bool:
    """Whether a message is the response to a request (RFC 7252 §5.3.2)."""
    if not reply.message.code.is_response() or reply.token != request.token:
        return False
    if request.type == CON:
        return reply.type == ACK and reply.message_id == request.message_id
    return reply.type == NON


def _unprotected(context: PledgeContext, message: Message, asked: _Open) -> Message | None:
    try:
        inner, _ = context.unprotect(message, asked.identifiers)
    except (ProtectionInvalid, UnparsableMessage, UnicodeDecodeError):
        return None
    return inner


def _r2_of(option: bytes | None) -> bytes | None:
    """R2 of a response #1, which has it in a CBOR bstr as kid context and nothing else."""
    if (
        not option
        or option[0] != KID_CONTEXT_FLAG
        or len(option) < 3
        or option[1] + 2 != len(option)
    ):
        return None
    try:
        r2 = cbor2.loads(option[2:])
    except (cbor2.CBORDecodeError, ValueError):
        return None
    return r2 if isinstance(r2, bytes) and cbor2.dumps(r2) == option[2:] else None


def _is_response_option(value: bytes | None) -> bool:
    """Whether an OSCORE option is that of a response: empty, or a Partial IV (RFC 8613 §5.2).

    aiocoap does not take every other value without failing.
    """
    if value is None:
        return False
    return not value or (value[0] <= MAX_PIV_BYTES and len(value) == 1 + value[0])


def _outcome(answer: Message) -> Joined | Refused:
    if answer.code == CHANGED:
        try:
            return Joined(configuration.read(answer.payload))
        except ValueError:
            pass
    return Refused(answer.code.dotted, answer.payload)

"""The state a Join Proxy keeps in its tokens and nowhere else (RFC 9031 §7.1, RFC 8974 §3.1).

A sealed token is, in this order::

    1  which key sealed it
    3  number of the token under that key, also its nonce
    n  encrypted: flags, age of the key in seconds, message id, port, address, the address asked if
       it is not the proxy's usual one, the pledge's token
    8  tag

AES-CCM with a 64-bit tag, a sequence number and a replay window are what RFC 8974 §5.2
recommends. The state of a link-local pledge takes 31 bytes, that of another 35, an address asked
16 more, and its own token comes on top. The format may change with each release: the keys live no
longer than the process.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from jrc.errors import PeerError, Reason

FRESHNESS_MS: Final = 465_000
"""RFC 7252 §4.8.2, MAX_TRANSMIT_WAIT with the timing of RFC 9031 §7.2: no pledge waits longer."""
KEY_LIFETIME_MS: Final = 3_600_000
"""Then a new key is drawn, and the last one opens what it sealed."""
MAX_TOKENS_PER_KEY: Final = 1 << 20
"""A bound on what one AES-CCM key with a 64-bit tag protects."""
REPLAY_SLOTS: Final = 1 << 16
"""Requests that may be open at a time; at one bit each the filter takes 8 KiB for a key."""

KEY_BYTES: Final = 16
TAG_BYTES: Final = 8
NONCE_BYTES: Final = 13
HEADER_BYTES: Final = 4
FIXED = Struct(">BHHH")
"""Flags, seconds, message id, port."""
FIXED_WITH_SCOPE = Struct(">BHHHI")
"""The same, and the number of the interface."""

TYPE_MASK: Final = 0b011
LINK_LOCAL_FLAG: Final = 0b100
"""The address is fe80::/64: its last 8 bytes and the interface's number stand for it."""
ASKED_FLAG: Final = 0b1000
"""The address that the pledge asked at follows its own."""
LINK_LOCAL_PREFIX: Final = bytes.fromhex("fe80000000000000")
IID_BYTES: Final = 8
ADDRESS_BYTES: Final = 16
MAX_STATE_BYTES: Final = HEADER_BYTES + FIXED.size + 2 * ADDRESS_BYTES + TAG_BYTES
"""How much longer than the pledge's own token a sealed one is at most."""
_LEAST_TOKEN_BYTES: Final = HEADER_BYTES + FIXED.size + TAG_BYTES


class Origin(NamedTuple):
    """Who sent a request and how it has to be answered (RFC 7252 §5.2).

    ``address`` has 16 bytes; ``scope_id`` is the interface's number, 0 but for link-local ones.
    ``asked`` is the address of ours that the answer leaves from, empty for the usual one.
    """

    address: bytes
    port: int
    scope_id: int
    message_type: int
    message_id: int
    token: bytes
    asked: bytes = b""


class _Key:
    """One sealing key with its count of tokens and the filter of those that came back."""

    __slots__ = ("_decrypt", "_encrypt", "_head", "_issued", "_seen", "_slots", "drawn_ms", "tag")

    def __init__(self, tag: int, secret: bytes, drawn_ms: int, slots: int) -> None:
        self.tag = tag
        self.drawn_ms = drawn_ms
        self._head = tag << 8 * (HEADER_BYTES - 1)
        aead = AESCCM(secret, tag_length=TAG_BYTES)
        self._encrypt, self._decrypt = aead.encrypt, aead.decrypt
        self._issued = 0
        self._slots = slots
        self._seen = bytearray(slots // 8)

    def is_worn_out(self, now_ms: int) -> bool:
        """Whether the next token needs another key."""
        return now_ms - self.drawn_ms >= KEY_LIFETIME_MS or self._issued >= MAX_TOKENS_PER_KEY

    def seal(self, state: bytes) -> bytes:
        number = self._issued
        self._issued = number + 1
        if number >= self._slots:
            self._seen[number % self._slots >> 3] &= ~(1 << (number & 7))
        header = (self._head | number).to_bytes(HEADER_BYTES)
        return header + self._encrypt(number.to_bytes(NONCE_BYTES), state, header)

    def open(self, number: int, header: bytes, sealed: bytes) -> bytes:
        try:
            return self._decrypt(number.to_bytes(NONCE_BYTES), sealed, header)
        except InvalidTag:
            raise PeerError(Reason.TOKEN_FORGED) from None

    def strike_out(self, number: int) -> None:
        """Marks a number as used; one too far behind the latest can't be told from a used one."""
        slot, bit = number % self._slots >> 3, 1 << (number & 7)
        if number < self._issued - self._slots or self._seen[slot] & bit:
            raise PeerError(Reason.TOKEN_REPLAYED)
        self._seen[slot] |= bit


class TokenSealer:
    """Turns origins into tokens and back; what it holds does not grow with the number of pledges.

    ``random`` gives that many unpredictable bytes. All times are milliseconds of one clock that
    never goes back. ``replay_slots`` is a multiple of 8.
    """

    __slots__ = ("_current", "_freshness_ms", "_previous", "_random", "_slots")

    def __init__(
        self,
        random: Callable[[int], bytes],
        now_ms: int,
        *,
        freshness_ms: int = FRESHNESS_MS,
        replay_slots: int = REPLAY_SLOTS,
    ) -> None:
        if not 0 < freshness_ms <= KEY_LIFETIME_MS:
            raise ValueError("a token can't be fresh for longer than a key is in use")
        if replay_slots <= 0 or replay_slots % 8:
            raise ValueError("the replay filter has a multiple of 8 slots")
        self._random = random
        self._freshness_ms = freshness_ms
        self._slots = replay_slots
        self._previous: _Key | None = None
        self._current = _Key(0, random(KEY_BYTES), now_ms, replay_slots)

    def seal(self, origin: Origin, now_ms: int) -> bytes:
        """The token of the request that goes to the registrar for ``origin``."""
        if self._current.is_worn_out(now_ms):
            self._renew(now_ms)
        return self._current.seal(_encode(origin, now_ms - self._current.drawn_ms))

    def open(self, token: bytes, now_ms: int) -> Origin:
        """The origin sealed in a token, which is good for this one time.

        Raises:
            PeerError: it was not sealed here, has been opened before, or is too old.
        """
        key, number, sealed_ms, origin = self._opened(token)
        # The state holds whole seconds: rounded down, it ends up to a second before its time.
        if now_ms - key.drawn_ms - sealed_ms > self._freshness_ms:
            raise PeerError(Reason.TOKEN_STALE)
        key.strike_out(number)
        return origin

    def peek(self, token: bytes) -> Origin:
        """The origin sealed in a token, which stays good for its answer.

        Raises:
            PeerError: it was not sealed here.
        """
        return self._opened(token)[3]

    def _opened(self, token: bytes) -> tuple[_Key, int, int, Origin]:
        """The key, the number under it, when it was sealed in ms of the key's age, the origin."""
        key = self._key(token[0]) if token else None
        if key is None or len(token) < _LEAST_TOKEN_BYTES:
            raise PeerError(Reason.TOKEN_FORGED)
        header = token[:HEADER_BYTES]
        number = int.from_bytes(header[1:])
        return (key, number, *_decode(key.open(number, header, token[HEADER_BYTES:])))

    def _key(self, tag: int) -> _Key | None:
        if tag == self._current.tag:
            return self._current
        previous = self._previous
        return previous if previous is not None and tag == previous.tag else None

    def _renew(self, now_ms: int) -> None:
        self._previous = self._current
        tag = (self._previous.tag + 1) % 256
        self._current = _Key(tag, self._random(KEY_BYTES), now_ms, self._slots)


def _encode(origin: Origin, key_age_ms: int) -> bytes:
    address, port, scope_id, message_type, message_id, token, asked = origin
    if asked:
        message_type |= ASKED_FLAG
    if address[:IID_BYTES] != LINK_LOCAL_PREFIX:
        fixed = FIXED.pack(message_type, key_age_ms // 1000, message_id, port)
        return fixed + address + asked + token
    fixed = FIXED_WITH_SCOPE.pack(
        message_type | LINK_LOCAL_FLAG, key_age_ms // 1000, message_id, port, scope_id
    )
    return fixed + address[IID_BYTES:] + asked + token


def _decode(state: bytes) -> tuple[int, Origin]:
    """What ``_encode`` was given; ``state`` has been authenticated, so it is whole."""
    if state[0] & LINK_LOCAL_FLAG:
        flags, age_s, message_id, port, scope_id = FIXED_WITH_SCOPE.unpack_from(state)
        end = FIXED_WITH_SCOPE.size + IID_BYTES
        address = LINK_LOCAL_PREFIX + state[FIXED_WITH_SCOPE.size : end]
    else:
        flags, age_s, message_id, port = FIXED.unpack_from(state)
        scope_id, end = 0, FIXED.size + ADDRESS_BYTES
        address = state[FIXED.size : end]
    asked = b""
    if flags & ASKED_FLAG:
        asked, end = state[end : end + ADDRESS_BYTES], end + ADDRESS_BYTES
    fields = (address, port, scope_id, flags & TYPE_MASK, message_id, state[end:], asked)
    return age_s * 1000, tuple.__new__(Origin, fields)

"""The bytes of a sealed file, written and strictly read (RFC 9052 §4.2, §5.1; docs/handover.md).

There is one way alone to write a file: what is read is written once more and has to be the same.
So no header, tag, length or algorithm of a file is anybody's choice, and no byte is unaccounted
for. Of the outer layer nothing but its shape is known before the signature was verified.
"""

import builtins
from typing import Final, NamedTuple, Self

from jrc.cojp.cbor import (
    ARRAY,
    BYTES,
    MAP,
    TAG,
    TEXT,
    NotWellFormedError,
    encode_bytes,
    encode_int,
    head,
    read_bytes,
    read_head,
    read_unsigned,
)
from jrc.handover import refusals
from jrc.handover.keys import COORDINATE_BYTES, point_as_cose_key
from jrc.service.handovers import KEY_ID_BYTES, MAX_TIME_MS, SERIAL

MAX_CONTENT_BYTES: Final = 16 * 1024 * 1024
"""Some 120,000 devices. All of it is in memory, several times: COSE seals in one piece."""
_MAX_COVER_BYTES: Final = 1024
MAX_SEALED_BYTES: Final = MAX_CONTENT_BYTES + _MAX_COVER_BYTES
IV_BYTES: Final = 12
_TAG_BYTES: Final = 16
_SIGNATURE_BYTES: Final = 64
MAX_SERIAL_BYTES: Final = 64

# Labels of headers (RFC 9052 §3.1; RFC 9596: type; RFC 9597: claims; RFC 9053 §6.3.1).
_ALG, _CRIT, _CONTENT_TYPE, _KID, _IV, _CLAIMS, _TYPE = 1, 2, 3, 4, 5, 15, 16
_EPHEMERAL_KEY: Final = -1
# Labels of claims (RFC 8392 §3.1); the last one is private (RFC 8392 §9.1).
_ISS, _AUD, _EXP, _IAT, _CTI, _ROWS = 1, 3, 4, 6, 7, -70001
# RFC 9053 §2.2, §4.1, §6.3.1.
_EDDSA, _A256GCM, _ECDH_ES_HKDF_256 = -8, 3, -25
# RFC 9052 §2.
_COSE_SIGN1, _COSE_ENCRYPT = 18, 96

_HANDOVER: Final = "application/vnd.jrc.handover+cose"
_ENCRYPTED: Final = 'application/cose; cose-type="cose-encrypt"'
_PLEDGES: Final = "application/vnd.jrc.pledges+cbor"


class Cover(NamedTuple):
    """What can be read without a key; times in seconds since 1970.

    ``builder`` and ``registrar`` are identifiers of keys. ``serial`` is unique for a builder.
    """

    builder: bytes
    registrar: bytes
    serial: str
    made_at_s: int
    expires_at_s: int
    rows: int


class Outer(NamedTuple):
    """The builder's layer."""

    builder: bytes
    payload: bytes
    signature: bytes


class Inner(NamedTuple):
    """The layer to the registrar; the key is the sender's ephemeral one, as x and y."""

    cover: Cover
    iv: bytes
    ciphertext: bytes
    ephemeral_key: tuple[bytes, bytes]


def outer_protected(builder: bytes) -> bytes:
    """The protected headers of the COSE_Sign1."""
    return head(MAP, 4) + b"".join(
        (
            encode_int(_ALG) + encode_int(_EDDSA),
            encode_int(_CONTENT_TYPE) + _text(_ENCRYPTED),
            encode_int(_KID) + encode_bytes(builder),
            encode_int(_TYPE) + _text(_HANDOVER),
        )
    )


def body_protected(cover: Cover, iv: bytes) -> bytes:
    """The protected headers of the COSE_Encrypt: they are in what the AEAD authenticates."""
    return head(MAP, 5) + b"".join(
        (
            encode_int(_ALG) + encode_int(_A256GCM),
            encode_int(_CRIT) + head(ARRAY, 1) + encode_int(_CLAIMS),
            encode_int(_CONTENT_TYPE) + _text(_PLEDGES),
            encode_int(_IV) + encode_bytes(iv),
            encode_int(_CLAIMS) + _claims(cover),
        )
    )


def recipient_protected(registrar: bytes) -> bytes:
    """The protected headers of the recipient: they are in the context of the key derivation."""
    algorithm = encode_int(_ALG) + encode_int(_ECDH_ES_HKDF_256)
    return head(MAP, 2) + algorithm + encode_int(_KID) + encode_bytes(registrar)


def _claims(cover: Cover) -> bytes:
    return head(MAP, 6) + b"".join(
        (
            encode_int(_ISS) + _text(cover.builder.hex()),
            encode_int(_AUD) + _text(cover.registrar.hex()),
            encode_int(_EXP) + encode_int(cover.expires_at_s),
            encode_int(_IAT) + encode_int(cover.made_at_s),
            encode_int(_CTI) + encode_bytes(cover.serial.encode()),
            encode_int(_ROWS) + encode_int(cover.rows),
        )
    )


def _text(text: str) -> bytes:
    return head(TEXT, len(text)) + text.encode()


def written(outer: Outer) -> bytes:
    """The sealed file."""
    start = head(TAG, _COSE_SIGN1) + head(ARRAY, 4) + encode_bytes(outer_protected(outer.builder))
    return start + head(MAP, 0) + encode_bytes(outer.payload) + encode_bytes(outer.signature)


def payload_of(inner: Inner) -> bytes:
    """The COSE_Encrypt, which the builder signs."""
    cover, iv, ciphertext, (x, y) = inner
    recipient = encode_bytes(recipient_protected(cover.registrar)) + head(MAP, 1)
    recipient += encode_int(_EPHEMERAL_KEY) + point_as_cose_key(x, y) + encode_bytes(b"")
    start = head(TAG, _COSE_ENCRYPT) + head(ARRAY, 4) + encode_bytes(body_protected(cover, iv))
    return b"".join(
        (start, head(MAP, 0), encode_bytes(ciphertext), head(ARRAY, 1), head(ARRAY, 3), recipient)
    )


_BEFORE_BUILDER: Final = written(Outer(bytes(KEY_ID_BYTES), b"", b"")).partition(
    bytes(KEY_ID_BYTES)
)[0]


def read_outer(data: bytes, name: str) -> Outer:
    """The builder's layer of a file; ``name`` is the file's, for a person.

    Raises:
        OperatorError: it is no sealed file, too long, cut short, or goes on behind its end.
    """
    if len(data) > MAX_SEALED_BYTES:
        raise refusals.too_large(name, MAX_SEALED_BYTES)
    if not data.startswith(_BEFORE_BUILDER):
        is_start = data and _BEFORE_BUILDER.startswith(data)
        raise refusals.cut_short(name) if is_start else refusals.no_sealed_file(name)
    at = len(_BEFORE_BUILDER) + KEY_ID_BYTES
    builder = data[len(_BEFORE_BUILDER) : at].ljust(KEY_ID_BYTES, b"\0")
    start = written(Outer(builder, b"", b""))[:-2]
    if not data.startswith(start):
        raise refusals.cut_short(name) if start.startswith(data) else refusals.no_sealed_file(name)
    outer = Outer(builder, *_payload_and_signature(data, len(start), name))
    if written(outer) != data:
        raise refusals.no_sealed_file(name)
    return outer


def _payload_and_signature(data: bytes, at: int, name: str) -> tuple[bytes, bytes]:
    found = []
    for _ in range(2):
        try:
            major, size, at = read_head(data, at)
        except NotWellFormedError:
            raise refusals.cut_short(name) from None
        if major != BYTES or size > MAX_SEALED_BYTES:
            raise refusals.no_sealed_file(name)
        if size > len(data) - at:
            raise refusals.cut_short(name)
        found.append(data[at : at + size])
        at += size
    if at != len(data):
        raise refusals.goes_on(name)
    if len(found[1]) != _SIGNATURE_BYTES:
        raise refusals.no_sealed_file(name)
    return found[0], found[1]


def read_inner(outer: Outer, name: str) -> Inner:
    """The layer to the registrar, which the signature covers.

    Raises:
        OperatorError: it is written otherwise than it has to be, or is another builder's.
    """
    try:
        inner = _inner(outer.payload)
    except (NotWellFormedError, UnicodeDecodeError):
        raise refusals.other_form(name) from None
    if payload_of(inner) != outer.payload or not _is_sound(inner.cover):
        raise refusals.other_form(name)
    if inner.cover.builder != outer.builder:
        raise refusals.other_builder_inside(name, outer.builder, inner.cover.builder)
    return inner


def _is_sound(cover: Cover) -> bool:
    return (
        SERIAL.fullmatch(cover.serial) is not None
        and 0 < cover.rows <= MAX_CONTENT_BYTES
        and cover.made_at_s < cover.expires_at_s <= MAX_TIME_MS // 1000
    )


class _Reader:
    """Takes what has to be there, one after the other.

    Each call raises ``NotWellFormedError`` where something else is.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def past(self, *expected: bytes) -> Self:
        """Go behind bytes that are always the same."""
        for each in expected:
            if not self._data.startswith(each, self._at):
                raise NotWellFormedError
            self._at += len(each)
        return self

    def bytes(self, least: int = 0, most: int = MAX_SEALED_BYTES) -> bytes:
        """A byte string of that many bytes."""
        value, self._at = read_bytes(self._data, self._at)
        if not least <= len(value) <= most:
            raise NotWellFormedError
        return value

    def unsigned(self) -> int:
        """A number."""
        value, self._at = read_unsigned(self._data, self._at)
        return value

    def key_id(self) -> builtins.bytes:
        """The identifier of a key as text."""
        self.past(head(TEXT, 2 * KEY_ID_BYTES))
        end = self._at + 2 * KEY_ID_BYTES
        digits, self._at = self._data[self._at : end], end
        try:
            return bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            raise NotWellFormedError from None


def _inner(data: bytes) -> Inner:
    """What is between what is always the same; the rest is compared by who calls this."""
    reader = _Reader(data).past(head(TAG, _COSE_ENCRYPT), head(ARRAY, 4))
    protected = reader.bytes()
    ciphertext = reader.past(head(MAP, 0)).bytes(least=_TAG_BYTES)
    reader.past(head(ARRAY, 1), head(ARRAY, 3)).bytes()
    start, middle, _ = point_as_cose_key(_ANY, _ANY).split(encode_bytes(_ANY))
    reader.past(head(MAP, 1), encode_int(_EPHEMERAL_KEY), start)
    x = reader.bytes(COORDINATE_BYTES, COORDINATE_BYTES)
    y = reader.past(middle).bytes(COORDINATE_BYTES, COORDINATE_BYTES)
    cover, iv = _cover(protected)
    return Inner(cover, iv, ciphertext, (x, y))


_ANY: Final = b"any coordinate"


def _cover(data: bytes) -> tuple[Cover, bytes]:
    any_cover = Cover(b"", b"", "", 0, 0, 0)
    start, _ = body_protected(any_cover, _ANY).split(encode_bytes(_ANY))
    reader = _Reader(data).past(start)
    iv = reader.bytes(IV_BYTES, IV_BYTES)
    reader.past(encode_int(_CLAIMS), head(MAP, 6))
    builder = reader.past(encode_int(_ISS)).key_id()
    registrar = reader.past(encode_int(_AUD)).key_id()
    expires_at_s = reader.past(encode_int(_EXP)).unsigned()
    made_at_s = reader.past(encode_int(_IAT)).unsigned()
    serial = reader.past(encode_int(_CTI)).bytes(1, MAX_SERIAL_BYTES)
    rows = reader.past(encode_int(_ROWS)).unsigned()
    return Cover(builder, registrar, serial.decode("ascii"), made_at_s, expires_at_s, rows), iv

"""Bytes <-> CoJP objects, and the answer for an object that can't be acted upon.

Decoding goes in two steps: the form of the whole map first (RFC 8949: well-formed, definite, no
label twice, nothing after it, within ``MAX_CBOR_BYTES`` and ``MAX_CBOR_DEPTH``), then the meaning
of each parameter in the order of the map. So a malformed object is told from one that is merely
unknown, and one answer names the first parameter that fails (RFC 9031 §8.3.1). Values of unknown
labels and ``parameter_addinfo`` may be any CBOR; everything else has definite lengths, no tags.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from jrc.cojp import cbor
from jrc.cojp.constants import (
    DEFAULT_KEY_USAGE,
    JRC_ADDRESS_BYTES,
    MAX_CBOR_BYTES,
    Code,
    Label,
    Role,
)
from jrc.cojp.objects import (
    Configuration,
    JoinRequest,
    LinkLayerKey,
    ShortIdentifier,
    UnsupportedParameter,
)
from jrc.errors import PeerError, Reason
from jrc.model import Secret

_T = TypeVar("_T")
_KNOWN_ROLES: Final = frozenset(role.value for role in Role)
_Entries = dict[int, bytes]
"""Encoded value by label, in the order of the map."""


# --- Unsupported_Configuration (RFC 9031 §8.4.5) -----------------------------------------------


def encode_unsupported(parameters: Iterable[UnsupportedParameter]) -> bytes:
    """An Unsupported_Configuration object.

    Raises:
        ValueError: no parameter is given; the array holds at least one.
    """
    parts = [_encode_parameter(parameter) for parameter in parameters]
    if not parts:
        raise ValueError("an Unsupported_Configuration names at least one parameter")
    return cbor.head(cbor.ARRAY, 3 * len(parts)) + b"".join(parts)


def _encode_parameter(parameter: UnsupportedParameter) -> bytes:
    addinfo = cbor.NULL if parameter.addinfo is None else parameter.addinfo
    return cbor.encode_int(parameter.code) + cbor.encode_int(parameter.label) + addinfo


def decode_unsupported(data: bytes) -> tuple[UnsupportedParameter, ...]:
    """The parameters in the payload of a diagnostic response (RFC 9031 §8.3.2).

    A malformed one whose addinfo is not null is accepted: what the sender says stays clear.

    Raises:
        PeerError: with no answer, since this comes in a response.
    """
    try:
        if len(data) > MAX_CBOR_BYTES or cbor.skip(data, 0) != len(data):
            raise cbor.NotWellFormedError
        return _read_unsupported(data, depth=1)
    except cbor.NotWellFormedError:
        raise PeerError(Reason.MALFORMED_OBJECT) from None


def _read_unsupported(data: bytes, depth: int) -> tuple[UnsupportedParameter, ...]:
    """The parameters of one encoded array, which ``depth`` containers hold (itself included)."""
    count, pos = cbor.read_container(data, 0, cbor.ARRAY)
    if count == 0 or count % 3:
        raise cbor.NotWellFormedError
    parameters = []
    for _ in range(count // 3):
        code, pos = cbor.read_int(data, pos)
        label, pos = cbor.read_int(data, pos)
        end = cbor.skip(data, pos, depth)
        addinfo = data[pos:end]
        parameters.append(
            UnsupportedParameter(code, label, None if addinfo == cbor.NULL else addinfo)
        )
        pos = end
    return tuple(parameters)


def _malformed(label: int) -> PeerError:
    answer = encode_unsupported((UnsupportedParameter(Code.MALFORMED, label),))
    return PeerError(Reason.MALFORMED_OBJECT, answer)


def _unknown_parameter(label: int) -> PeerError:
    answer = encode_unsupported((UnsupportedParameter(Code.UNSUPPORTED, label),))
    return PeerError(Reason.UNKNOWN_PARAMETER, answer)


def _unknown_role(role: int) -> PeerError:
    parameter = UnsupportedParameter(Code.UNSUPPORTED, Label.ROLE, cbor.encode_int(role))
    return PeerError(Reason.UNKNOWN_ROLE, encode_unsupported((parameter,)))


# --- The map that Join_Request and Configuration are -------------------------------------------


def _read_map(data: bytes, fallback: int) -> _Entries:
    """Encoded values by label; ``fallback`` is the label told where none can be named.

    Raises:
        PeerError: the form is wrong, with the label where it went wrong.
    """
    label = fallback
    entries: _Entries = {}
    try:
        if len(data) > MAX_CBOR_BYTES:
            raise cbor.NotWellFormedError
        count, pos = cbor.read_container(data, 0, cbor.MAP)
        for _ in range(count):
            label = fallback
            label, pos = cbor.read_int(data, pos)
            end = cbor.skip(data, pos, depth=1)
            if label in entries:
                raise cbor.NotWellFormedError
            entries[label] = data[pos:end]
            pos = end
        label = fallback
        if pos != len(data):
            raise cbor.NotWellFormedError
    except cbor.NotWellFormedError:
        raise _malformed(label) from None
    return entries


def _whole(read: Callable[[bytes, int], tuple[_T, int]], value: bytes) -> _T:
    """The one item that ``value`` holds."""
    return read(value, 0)[0]


# --- Join_Request (RFC 9031 §8.4.1) ------------------------------------------------------------


def encode_join_request(request: JoinRequest) -> bytes:
    """A Join_Request object; the default role is left out."""
    parts = []
    if request.role != Role.NODE:
        parts.append(b"\x01" + cbor.head(cbor.UNSIGNED, request.role))
    parts.append(b"\x05" + cbor.encode_bytes(request.network_identifier))
    if request.unsupported:
        parts.append(b"\x08" + encode_unsupported(request.unsupported))
    return cbor.head(cbor.MAP, len(parts)) + b"".join(parts)


def decode_join_request(data: bytes) -> JoinRequest:
    """What the pledge asks for.

    Raises:
        PeerError: with the payload of the diagnostic response (RFC 9031 §8.3.1): malformed
            objects and parameters, unknown parameters, unknown roles.
    """
    # {5: bytes of less than 24}, which nearly all pledges send: the length says it is all.
    if data[:2] == b"\xa1\x05" and len(data) > 2 and len(data) - 3 == data[2] - 0x40 < 24:
        return JoinRequest(data[3:])
    return _decode_join_request(data)


def _decode_join_request(data: bytes) -> JoinRequest:
    entries = _read_map(data, Label.NETWORK_IDENTIFIER)
    identifier: bytes | None = None
    role = Role.NODE.value
    unsupported: tuple[UnsupportedParameter, ...] = ()
    for label, value in entries.items():
        try:
            if label == Label.NETWORK_IDENTIFIER:
                identifier = _whole(cbor.read_bytes, value)
            elif label == Label.ROLE:
                role = _known_role(_whole(cbor.read_unsigned, value))
            elif label == Label.UNSUPPORTED_CONFIGURATION:
                unsupported = _read_unsupported(value, depth=2)
            else:
                raise _unknown_parameter(label)
        except cbor.NotWellFormedError:
            raise _malformed(label) from None
    if identifier is None:
        raise _malformed(Label.NETWORK_IDENTIFIER)
    return JoinRequest(identifier, role, unsupported)


def _known_role(role: int) -> int:
    if role not in _KNOWN_ROLES:
        raise _unknown_role(role)
    return role


# --- Configuration (RFC 9031 §8.4.2) -----------------------------------------------------------


def encode_configuration(config: Configuration, *, explicit_usage: bool = False) -> bytes:
    """A Configuration object, labels ascending; usage 0 is left out unless ``explicit_usage``."""
    short = config.short_identifier
    identifier = b"" if short is None else short.identifier
    return ConfigurationForm(config, explicit_usage=explicit_usage).fill(identifier)


class ConfigurationForm:
    """A Configuration encoded but for the short identifier's value, which differs by pledge.

    The value in ``config`` stands for any other of the same length; without one, nothing is left
    to fill in.
    """

    __slots__ = ("_after", "_before")

    def __init__(self, config: Configuration, *, explicit_usage: bool = False) -> None:
        first = [] if not config.keys else [b"\x02" + _encode_keys(config.keys, explicit_usage)]
        last = _entries_after_short_identifier(config)
        short = config.short_identifier
        count = len(first) + len(last) + (short is not None)
        before, after = (b"", b"") if short is None else _around_identifier(short)
        self._before = cbor.head(cbor.MAP, count) + b"".join(first) + before
        self._after = after + b"".join(last)

    def fill(self, identifier: bytes) -> bytes:
        """The object for a pledge; ``identifier`` is empty where it has no short identifier."""
        return self._before + identifier + self._after


def _entries_after_short_identifier(config: Configuration) -> list[bytes]:
    parts = []
    if config.jrc_address is not None:
        parts.append(b"\x04" + cbor.encode_bytes(config.jrc_address))
    if config.blocklist is not None:
        members = b"".join(map(cbor.encode_bytes, config.blocklist))
        parts.append(b"\x06" + cbor.head(cbor.ARRAY, len(config.blocklist)) + members)
    if config.join_rate_bytes_per_s is not None:
        parts.append(b"\x07" + cbor.head(cbor.UNSIGNED, config.join_rate_bytes_per_s))
    return parts


def _around_identifier(short: ShortIdentifier) -> tuple[bytes, bytes]:
    """What stands before and after the value in the entry of label 3 (RFC 9031 §8.4.4)."""
    head = cbor.head(cbor.BYTES, len(short.identifier))
    if short.lease_hours is None:
        return b"\x03\x81" + head, b""
    return b"\x03\x82" + head, cbor.head(cbor.UNSIGNED, short.lease_hours)


def _encode_keys(keys: tuple[LinkLayerKey, ...], explicit_usage: bool) -> bytes:
    """The key set: one array, its keys as sequences without brackets (RFC 9031 §8.4.3)."""
    elements: list[bytes] = []
    for key in keys:
        elements.append(cbor.head(cbor.UNSIGNED, key.key_id))
        if explicit_usage or key.key_usage != DEFAULT_KEY_USAGE:
            elements.append(cbor.encode_int(key.key_usage))
        elements.append(cbor.encode_bytes(key.key_value.reveal()))
        if key.addinfo is not None:
            elements.append(cbor.encode_bytes(key.addinfo))
    return cbor.head(cbor.ARRAY, len(elements)) + b"".join(elements)


def decode_configuration(data: bytes) -> Configuration:
    """What the JRC configures, where a node can act on all of it.

    Raises:
        PeerError: ``read_configuration`` would report something, or can't read it at all.
    """
    config, reported = read_configuration(data)
    if reported:
        malformed = any(parameter.code == Code.MALFORMED for parameter in reported)
        reason = Reason.MALFORMED_OBJECT if malformed else Reason.UNKNOWN_PARAMETER
        raise PeerError(reason, encode_unsupported(reported))
    return config


def read_configuration(data: bytes) -> tuple[Configuration, tuple[UnsupportedParameter, ...]]:
    """What a node can act on, and what it has to report of the rest (RFC 9031 §8.3.1).

    A bad key is discarded and reported with code 0 and itself as addinfo (§8.4.3, §8.4.5), a
    malformed parameter with code 1, an unknown label with code 0 and null. A JRC address that
    has not 16 bytes (§8.4.2) and an invalid short identifier (§8.4.4) are dropped in silence.

    Raises:
        PeerError: the map itself is malformed.
    """
    fields: dict[str, object] = {}
    reported: list[UnsupportedParameter] = []
    for label, value in _read_map(data, Label.LINK_LAYER_KEY_SET).items():
        reader = _READERS.get(label)
        if reader is None:
            reported.append(UnsupportedParameter(Code.UNSUPPORTED, label))
            continue
        try:
            name, content, bad = reader(value)
        except cbor.NotWellFormedError:
            reported.append(UnsupportedParameter(Code.MALFORMED, label))
            continue
        fields[name] = content
        if bad is not None:
            reported.append(UnsupportedParameter(Code.UNSUPPORTED, label, bad))
    return Configuration(**fields), tuple(reported)  # type: ignore[arg-type]


_Field = tuple[str, object, bytes | None]
"""Name of the field, its content, and the encoded part that had to be discarded."""


def _read_keys(value: bytes) -> _Field:
    """The good keys, and a key set of the bad ones where there are any."""
    count, pos = cbor.read_container(value, 0, cbor.ARRAY)
    if count == 0:
        raise cbor.NotWellFormedError
    keys: list[LinkLayerKey] = []
    bad_elements, bad = 0, b""
    while count > 0:
        begin = pos
        key, used, pos = _read_key(value, pos, count)
        count -= used
        if key is not None:
            keys.append(key)
        else:
            bad_elements, bad = bad_elements + used, bad + value[begin:pos]
    rejected = cbor.head(cbor.ARRAY, bad_elements) + bad if bad_elements else None
    return "keys", tuple(keys), rejected


def _read_key(value: bytes, pos: int, left: int) -> tuple[LinkLayerKey | None, int, int]:
    """The key at ``pos`` (``None``: invalid), how many of ``left`` elements it has, its end."""
    usage, addinfo, used = DEFAULT_KEY_USAGE, None, 2
    key_id, pos = cbor.read_unsigned(value, pos)
    if left >= 2 and value[pos] >> 5 <= cbor.NEGATIVE:
        usage, pos = cbor.read_int(value, pos)
        used += 1
    if used > left:
        raise cbor.NotWellFormedError
    key_value, pos = cbor.read_bytes(value, pos)
    if used < left and value[pos] >> 5 == cbor.BYTES:
        addinfo, pos = cbor.read_bytes(value, pos)
        used += 1
    try:
        return LinkLayerKey(key_id, Secret(key_value), usage, addinfo), used, pos
    except ValueError:
        return None, used, pos


def _read_short_identifier(value: bytes) -> _Field:
    """The short identifier; one that no node can have is ignored (RFC 9031 §8.4.4)."""
    count, pos = cbor.read_container(value, 0, cbor.ARRAY)
    if count not in (1, 2):
        raise cbor.NotWellFormedError
    identifier, pos = cbor.read_bytes(value, pos)
    lease_hours = cbor.read_unsigned(value, pos)[0] if count == 2 else None
    try:
        return "short_identifier", ShortIdentifier(identifier, lease_hours), None
    except ValueError:
        return "short_identifier", None, None


def _read_jrc_address(value: bytes) -> _Field:
    address = _whole(cbor.read_bytes, value)
    return "jrc_address", address if len(address) == JRC_ADDRESS_BYTES else None, None


def _read_blocklist(value: bytes) -> _Field:
    count, pos = cbor.read_container(value, 0, cbor.ARRAY)
    members = []
    for _ in range(count):
        member, pos = cbor.read_bytes(value, pos)
        members.append(member)
    return "blocklist", tuple(members), None


def _read_join_rate(value: bytes) -> _Field:
    return "join_rate_bytes_per_s", _whole(cbor.read_unsigned, value), None


_READERS: Final[dict[int, Callable[[bytes], _Field]]] = {
    Label.LINK_LAYER_KEY_SET: _read_keys,
    Label.SHORT_IDENTIFIER: _read_short_identifier,
    Label.JRC_ADDRESS: _read_jrc_address,
    Label.BLOCKLIST: _read_blocklist,
    Label.JOIN_RATE: _read_join_rate,
}

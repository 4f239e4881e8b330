"""What each parser is held to, whatever the bytes: a value that comes back, or a ``PeerError``."""

import cbor2

from jrc.coap import update_message
from jrc.coap.update_message import Acknowledgement
from jrc.cojp import codec, credential, message, oscore, recovery
from jrc.cojp.constants import JRC_ID, MAX_CBOR_BYTES, MessageType
from jrc.cojp.objects import JoinRequest
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import PeerError, Reason
from tests.fuzz.console_targets import CONSOLE_TARGETS, fuzz_back_channel, fuzz_console
from tests.fuzz.file_targets import (
    FILE_TARGETS,
    Target,
    fuzz_backup_content,
    fuzz_backup_header,
    fuzz_config,
    fuzz_event_line,
    fuzz_import,
    fuzz_sealed_file,
)
from tests.fuzz.operator_targets import (
    OPERATOR_TARGETS,
    fuzz_admin_body,
    fuzz_derived_file,
    fuzz_identifier_list,
    fuzz_instance_file,
    fuzz_key_file,
    fuzz_proxy_state,
    fuzz_restored_record,
    fuzz_take_over,
)
from tests.fuzz.proxy_targets import (
    PROXY_TARGETS,
    fuzz_proxy_request,
    fuzz_proxy_response,
    fuzz_proxy_token,
)
from tests.identities import claims, cose_key

__all__ = [
    "TARGETS",
    "Target",
    "fuzz_admin_body",
    "fuzz_back_channel",
    "fuzz_backup_content",
    "fuzz_backup_header",
    "fuzz_config",
    "fuzz_console",
    "fuzz_derived_file",
    "fuzz_event_line",
    "fuzz_identifier_list",
    "fuzz_import",
    "fuzz_instance_file",
    "fuzz_key_file",
    "fuzz_proxy_request",
    "fuzz_proxy_response",
    "fuzz_proxy_state",
    "fuzz_proxy_token",
    "fuzz_restored_record",
    "fuzz_sealed_file",
    "fuzz_take_over",
]
"""The targets of consoles, files, operators and of the Join Proxy are found here too."""

H = bytes.fromhex


def fuzz_message(data: bytes) -> None:
    """A datagram that is read would be written the same way (RFC 7252 §3)."""
    try:
        got = message.decode(data, 1024)
    except PeerError as error:
        assert error.answer is None
        assert error.reason in (Reason.MALFORMED_MESSAGE, Reason.TOKEN_TOO_LONG)
    else:
        assert len(got.token) <= 1024
        assert message.encode(got) == data


def fuzz_inner(data: bytes) -> None:
    """A plaintext that is read would be written the same way (RFC 8613 §5.3)."""
    try:
        got = message.decode_inner(data)
    except PeerError as error:
        assert (error.reason, error.answer) == (Reason.MALFORMED_INNER, None)
    else:
        assert message.encode_inner(*got) == data


def fuzz_option(data: bytes) -> None:
    """An option value that is read would be written the same way (RFC 8613 §6.1)."""
    try:
        got = oscore.decode_option(data)
    except PeerError as error:
        assert (error.reason, error.answer) == (Reason.MALFORMED_OSCORE, None)
    else:
        if got.kid_context is None or len(got.kid_context) <= 255:
            assert oscore.encode_option(got) == data
        if got.piv is not None:
            assert oscore.encode_piv(oscore.decode_piv(got.piv)) == got.piv


def fuzz_recovery(data: bytes) -> None:
    """A kid context names at most what it was made of, a run's R2 first (RFC 8613 App. B.2)."""
    for claim in recovery.claims(data):
        assert claim.id3.startswith(claim.r2)
        assert recovery.MIN_NONCE_BYTES <= len(claim.id3) - len(claim.r2)
        assert data in recovery.kid_contexts_of(claim.id3)
    r2 = recovery.r2_of(oscore.OscoreOption(None, None, data))
    if r2 is not None:
        assert recovery.MIN_NONCE_BYTES <= len(r2)
        assert cbor2.loads(data) == r2


def fuzz_join_request(data: bytes) -> None:
    """An object that is read comes back; one that is not has one parameter as answer."""
    try:
        got = codec.decode_join_request(data)
    except PeerError as error:
        assert error.reason in (
            Reason.MALFORMED_OBJECT,
            Reason.UNKNOWN_PARAMETER,
            Reason.UNKNOWN_ROLE,
        )
        assert error.answer is not None
        assert len(codec.decode_unsupported(error.answer)) == 1
    else:
        assert len(data) <= MAX_CBOR_BYTES
        encoded = codec.encode_join_request(got)
        assert len(encoded) <= len(data)
        assert codec.decode_join_request(encoded) == got
        if not got.unsupported:  # else an addinfo may hold what cbor2 refuses
            theirs = cbor2.loads(data, allow_duplicate_keys=False, allow_indefinite=False)
            assert theirs == _with_role(got) or (
                got.role == 0 and theirs == {5: got.network_identifier}
            )
            assert len(data) >= len(cbor2.dumps(theirs))


def _with_role(request: JoinRequest) -> dict[int, object]:
    return {1: request.role, 5: request.network_identifier}


def fuzz_configuration(data: bytes) -> None:
    """An object that is read comes back without what was reported (RFC 9031 §8.4.2)."""
    try:
        got, reported = codec.read_configuration(data)
    except PeerError as error:
        assert error.reason is Reason.MALFORMED_OBJECT
        assert error.answer is not None
        assert len(codec.decode_unsupported(error.answer)) == 1
    else:
        assert codec.read_configuration(codec.encode_configuration(got)) == (got, ())
        if reported:
            _assert_comes_back(codec.encode_unsupported(reported))


def fuzz_unsupported(data: bytes) -> None:
    """Parameters that are read come back (RFC 9031 §8.4.5)."""
    try:
        codec.decode_unsupported(data)
    except PeerError as error:
        assert (error.reason, error.answer) == (Reason.MALFORMED_OBJECT, None)
    else:
        _assert_comes_back(data)


def _assert_comes_back(encoded: bytes) -> None:
    parameters = codec.decode_unsupported(encoded)
    assert codec.decode_unsupported(codec.encode_unsupported(parameters)) == parameters


_CONTEXT = derive_for_jrc(bytes(range(16)), H("141592cc00000002"))
_ASKED = update_message.protect(
    _CONTEXT, 7, b"\x55" * 8, 0x1234, b"\xa0", None, with_kid_context=True, with_uri_host=True
)


def fuzz_credential(data: bytes) -> None:
    """A credential is kept as it came, shows no private key, and can be written down."""
    try:
        found = credential.parse(data)
    except ValueError as error:
        assert str(error)
        return
    assert (found.value, len(found.thumbprint)) == (data, 32)
    key = cbor2.loads(data)[8][1]
    assert key[1] != 4
    assert -4 not in key
    assert credential.edn(data).isprintable()


def _answer(type: int, message_id: int, inner: bytes, piv: bytes | None = None) -> bytes:
    """What a node of the fuzzer's says to the one update there is."""
    value, ciphertext = oscore.protect_response(_CONTEXT.mirrored(), JRC_ID, _ASKED.piv, inner, piv)
    return message.encode(
        message.Message(type, 0x44, message_id, _ASKED.token, ((9, value),), ciphertext)
    )


def fuzz_update_answer(data: bytes) -> None:
    """What is taken for an answer has verified; an ACK is for a confirmable one (RFC 9031 §8.2)."""
    try:
        got = update_message.read(data, _ASKED)
    except PeerError as error:
        assert error.answer is None
    else:
        assert 0x40 <= got.inner.code < 0xC0
        outer = message.decode(data)
        option = oscore.decode_option(dict(outer.options)[9])
        plaintext = oscore.unprotect_response(_CONTEXT, JRC_ID, _ASKED.piv, option, outer.payload)
        assert message.decode_inner(plaintext) == got.inner
        expected = Acknowledgement(b"\x60\x00" + data[2:4])
        assert update_message.acknowledge(got) == (
            expected if outer.type == MessageType.CON else None
        )


_KEY = "50e6bf4287c2d7618d6a9687445ffd33e6"
TARGETS: dict[Target, tuple[bytes, ...]] = {
    fuzz_message: (
        H("5102d6f7453b3674697363682e617270616b190108141592cc00000002d411636f6170ff100571b3d6a5"),
        H("5102bd8e6f9b190108141592cc00000003d812141592cc00000003ffcff3e9ddaf7c4a242efa9c5ab403"),
        H("4d0200010000112233445566778899aabbccff01"),
        H("40000001"),
        H("40020001e0fef2"),
    ),
    fuzz_inner: (H("02b16affa10542feca"), H("80ff8183010205f6"), H("81d1ef00")),
    fuzz_option: (
        b"",
        H("190108141592cc00000002"),
        H("19050544616c656b"),
        H("0107"),
        H("090525"),
    ),
    fuzz_recovery: (
        H("5818" + "a5" * 24),
        H("50" + "a5" * 16),
        H("a5" * 24),
        H("58ff" + "00" * 253),
        H("590018" + "a5" * 24),
    ),
    fuzz_join_request: (
        H("a10542cafe"),
        H("a201010542cafe"),
        H("a20542cafe0886000282 01" + _KEY + "0003f6"),
        H("a20542cafe088300029f0102ff"),
    ),
    fuzz_configuration: (
        H("a2028201" + _KEY + "038142af93"),
        H("a10284 010c" + _KEY + "4401020304"),
        H("a30382420001181804 50" + "20" * 16 + "068148141592cc00000002"),
        H("a1070a"),
    ),
    fuzz_unsupported: (
        H("83010205"),
        H("8183010205f6"),
        H("860002f6010381f7"),
        H("83000282 01" + _KEY),
    ),
    fuzz_credential: (
        claims(1),
        cbor2.dumps({2: "lamp", 8: {1: {**cose_key(2), 3: -9, -3: True}}}),
        cbor2.dumps({8: {1: {1: 2, -1: 1, -4: bytes(31)}}}),
    ),
    fuzz_update_answer: (
        _answer(MessageType.ACK, 0x1234, b"\x44"),
        _answer(MessageType.CON, 0x4321, b"\x80\xff\x83\x01\x02\xf6"),
        _answer(MessageType.NON, 0x4321, b"\x81\xd1\xef\x00", b"\x05"),
        H("68441234" + "55" * 8 + "ff00"),
        H("60001234"),
    ),
    **CONSOLE_TARGETS,
    **FILE_TARGETS,
    **OPERATOR_TARGETS,
    **PROXY_TARGETS,
}
"""Seeds by target."""

"""Byte-exact vectors: RFC 8613 Appendix C, RFC 9031 Appendices A and B, real firmware."""

from typing import Any

import pytest

from jrc.cojp import codec, message, oscore
from jrc.cojp.constants import JRC_ID, OptionNumber
from jrc.cojp.message import Message
from jrc.cojp.objects import Configuration, JoinRequest, LinkLayerKey, ShortIdentifier
from jrc.cojp.oscore_context import SecurityContext, context_from_keys, derive, derive_for_jrc
from jrc.errors import PeerError, Reason
from jrc.model import Secret
from tests.cojp.strategies import load

H = bytes.fromhex
RFC8613 = {vector["section"]: vector for vector in load("rfc8613-appendix-c.json")["vectors"]}
DERIVATIONS = [v for v in RFC8613.values() if "master_secret" in v]
REQUESTS = [RFC8613[section] for section in ("C.4", "C.5", "C.6")]
RESPONSES = [RFC8613[section] for section in ("C.7", "C.8")]
CONTEXT_OF = {"C.4": "C.1.1", "C.5": "C.2.1", "C.6": "C.3.1", "C.7": "C.1.2", "C.8": "C.1.2"}
CAPTURES = load("openwsn-captures.json")
JOINS = CAPTURES["captures"]
ANSWERED = [c for c in JOINS if c["response_plaintext"] is not None]


def _section(vector: dict[str, Any]) -> str:
    return str(vector.get("section") or vector["id"])


def _context(section: str) -> SecurityContext:
    vector = RFC8613[section]
    return derive(
        H(vector["master_secret"]),
        H(vector.get("master_salt", "")),
        H(vector["id_context"]) if "id_context" in vector else None,
        H(vector["sender_id"]),
        H(vector["recipient_id"]),
    )


def _inner_of(datagram: bytes) -> bytes:
    """The plaintext of an unprotected message: all but Uri-Host is Class E here."""
    plain = message.decode(datagram)
    kept = tuple(option for option in plain.options if option[0] != OptionNumber.URI_HOST)
    return message.encode_inner(plain.code, kept, plain.payload)


@pytest.mark.parametrize("vector", DERIVATIONS, ids=_section)
def test_b01_derivation_gives_the_keys_of_appendix_c(vector: dict[str, Any]) -> None:
    """RFC 8613 §3.2.1, Appendix C.1 to C.3, both sides."""
    context = _context(vector["section"])
    assert context.sender_key == H(vector["sender_key"])
    assert context.recipient_key == H(vector["recipient_key"])
    assert context.common_iv == H(vector["common_iv"])
    zero = oscore.encode_piv(0)
    assert oscore.nonce(context.common_iv, context.sender_id, zero) == H(vector["sender_nonce"])
    assert oscore.nonce(context.common_iv, context.recipient_id, zero) == H(
        vector["recipient_nonce"]
    )


@pytest.mark.parametrize("vector", REQUESTS, ids=_section)
def test_protected_requests_are_those_of_appendix_c(vector: dict[str, Any]) -> None:
    """RFC 8613 §8.1, Appendix C.4 to C.6, from the plain datagram to the protected one."""
    context = _context(CONTEXT_OF[vector["section"]])
    plain = message.decode(H(vector["unprotected_coap_request"]))
    inner = _inner_of(H(vector["unprotected_coap_request"]))
    piv = oscore.encode_piv(vector["sender_sequence_number"])
    option, ciphertext = oscore.protect_request(
        context, piv, inner, with_kid_context="kid_context" in vector
    )
    host = tuple(value for value in plain.options if value[0] == OptionNumber.URI_HOST)
    protected = Message(
        plain.type,
        2,
        plain.message_id,
        plain.token,
        (*host, (OptionNumber.OSCORE, option)),
        ciphertext,
    )
    assert inner == H(vector["plaintext"])
    assert oscore.aad(context.aead, H(vector["kid"]), piv) == H(vector["aad"])
    assert oscore.nonce(context.common_iv, context.sender_id, piv) == H(vector["nonce"])
    assert option == H(vector["oscore_option_value"])
    assert ciphertext == H(vector["ciphertext"])
    assert message.encode(protected) == H(vector["protected_coap_request"])


@pytest.mark.parametrize("vector", REQUESTS, ids=_section)
def test_requests_of_appendix_c_are_unprotected(vector: dict[str, Any]) -> None:
    """RFC 8613 §8.2, Appendix C.4 to C.6."""
    server = _context(CONTEXT_OF[vector["section"]]).mirrored()
    outer = message.decode(H(vector["protected_coap_request"]))
    (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
    option = oscore.decode_option(value)
    assert option.kid == H(vector["kid"])
    assert option.kid_context == (H(vector["kid_context"]) if "kid_context" in vector else None)
    assert option.piv is not None
    plaintext = oscore.unprotect_request(server, option.piv, option.kid or b"", outer.payload)
    assert plaintext == H(vector["plaintext"])


@pytest.mark.parametrize("vector", RESPONSES, ids=_section)
def test_responses_of_appendix_c_go_both_ways(vector: dict[str, Any]) -> None:
    """RFC 8613 §8.3, §8.4, Appendix C.7 without and C.8 with a Partial IV."""
    server = _context(CONTEXT_OF[vector["section"]])
    request = RFC8613["C.4"]
    kid, request_piv = H(request["kid"]), H(request["partial_iv"])
    piv = H(vector["partial_iv"]) if "partial_iv" in vector else None
    plain = message.decode(H(vector["unprotected_coap_response"]))
    inner = _inner_of(H(vector["unprotected_coap_response"]))
    option, ciphertext = oscore.protect_response(server, kid, request_piv, inner, piv)
    assert inner == H(vector["plaintext"])
    assert option == H(vector["oscore_option_value"])
    assert ciphertext == H(vector["ciphertext"])
    datagram = message.encode_response(
        plain.type, 68, plain.message_id, plain.token, ((OptionNumber.OSCORE, option),), ciphertext
    )
    assert datagram == H(vector["protected_coap_response"])
    parsed = oscore.decode_option(option)
    opened = oscore.unprotect_response(server.mirrored(), kid, request_piv, parsed, ciphertext)
    assert opened == inner


def test_c08_the_join_request_of_appendix_a_is_byte_exact() -> None:
    """RFC 9031 Appendix A: h'a10542cafe'."""
    vector = load("rfc9031-appendix-a.json")["join_request"]
    request = JoinRequest(H(vector["object"]["network_identifier"]))
    assert codec.encode_join_request(request) == H(vector["encoded"])
    assert codec.decode_join_request(H(vector["encoded"])) == request


def test_c08_the_configuration_of_appendix_a_is_byte_exact() -> None:
    """RFC 9031 Appendix A: 26 bytes with one key and a short identifier."""
    vector = load("rfc9031-appendix-a.json")["configuration"]
    content = vector["object"]
    key = LinkLayerKey(content["key_id"], Secret(H(content["key_value"])))
    config = Configuration((key,), ShortIdentifier(H(content["short_identifier"])))
    assert codec.encode_configuration(config) == H(vector["encoded"])
    assert codec.decode_configuration(H(vector["encoded"])) == config
    assert len(H(vector["encoded"])) == vector["size"]


def test_a06_derived_keys_and_psk_give_one_context() -> None:
    """RFC 9031 Appendix B: what a device without HKDF is given, seen from the registrar."""
    vector = load("rfc9031-appendix-b.json")
    pledge_id = H(vector["pledge_id"])
    derived = derive_for_jrc(H(vector["psk"]), pledge_id)
    given = context_from_keys(
        H(vector["pledge_sender_key"]),
        H(vector["pledge_recipient_key"]),
        H(vector["common_iv"]),
        pledge_id,
    )
    assert derived == given
    assert (given.sender_id, given.recipient_id) == (JRC_ID, b"")


def _jrc(capture: dict[str, Any]) -> SecurityContext:
    return derive_for_jrc(H(capture["psk"]), H(capture["eui64"]))


def test_there_are_captures_of_every_kind() -> None:
    """The loops below are not empty: requests, answers, answers with a Partial IV, diagnostics."""
    assert len(JOINS) == 38
    assert len(ANSWERED) >= 30
    assert any(c["policy"].startswith("piv!") for c in ANSWERED)
    assert any(c["policy"].startswith("80:") for c in ANSWERED)


@pytest.mark.parametrize("capture", JOINS, ids=_section)
def test_b01_requests_of_real_firmware_verify(capture: dict[str, Any]) -> None:
    """RFC 9031 §7.3: datagram, OSCORE option, keys, nonce, plaintext and Join_Request."""
    outer = message.decode(H(capture["request"]))
    context = _jrc(capture)
    (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
    option = oscore.decode_option(value)
    assert outer.token == H(capture["outer"]["token"])
    assert outer.message_id == capture["outer"]["mid"]
    assert [(n, v.hex()) for n, v in outer.options] == [
        (n, v) for n, v in capture["outer"]["options"]
    ]
    assert option == (H(capture["piv"]), b"", H(capture["eui64"]))
    assert context.recipient_key == H(capture["derived"]["pledge_sender_key"])
    assert context.sender_key == H(capture["derived"]["jrc_sender_key"])
    assert context.common_iv == H(capture["derived"]["common_iv"])
    piv = H(capture["piv"])
    assert oscore.nonce(context.common_iv, b"", piv) == H(capture["nonce"])
    assert oscore.aad(context.aead, b"", piv) == H(capture["aad"])
    assert oscore.decode_piv(piv) == capture["sender_seq"]
    plaintext = oscore.unprotect_request(context, piv, b"", outer.payload)
    assert plaintext == H(capture["request_plaintext"])
    inner = message.decode_inner(plaintext)
    assert (inner.code, inner.options) == (2, ((OptionNumber.URI_PATH, b"j"),))
    request = codec.decode_join_request(inner.payload)
    assert request == JoinRequest(H(capture["join_request"])[3:])


@pytest.mark.parametrize("capture", JOINS, ids=_section)
def test_requests_of_real_firmware_are_built_byte_for_byte(capture: dict[str, Any]) -> None:
    """RFC 9031 §8.1.1: our pledge side gives the very datagram, on the wire and in the mesh."""
    for name in ("request", "mesh_request"):
        outer = message.decode(H(capture[name]))
        pledge = _jrc(capture).mirrored()
        request = codec.encode_join_request(JoinRequest(H(capture["join_request"])[3:]))
        inner = message.encode_inner(2, ((OptionNumber.URI_PATH, b"j"),), request)
        piv = oscore.encode_piv(capture["sender_seq"])
        option, ciphertext = oscore.protect_request(pledge, piv, inner, with_kid_context=True)
        options = tuple(
            (number, option if number == OptionNumber.OSCORE else value)
            for number, value in outer.options
        )
        again = outer._replace(options=options, payload=ciphertext)
        assert message.encode(again) == H(capture[name])


@pytest.mark.parametrize("capture", ANSWERED, ids=_section)
def test_responses_to_real_firmware_are_built_byte_for_byte(capture: dict[str, Any]) -> None:
    """RFC 8613 §8.3: what another registrar sent, and the firmware took or refused."""
    plaintext = H(capture["response_plaintext"])
    for name in ("response", "mesh_response"):
        outer = message.decode(H(capture[name]))
        (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
        own_piv = oscore.decode_option(value).piv
        option, ciphertext = oscore.protect_response(
            _jrc(capture), b"", H(capture["piv"]), plaintext, own_piv
        )
        assert (option, ciphertext) == (value, outer.payload)
        assert message.encode(outer) == H(capture[name])


@pytest.mark.parametrize("capture", ANSWERED, ids=_section)
def test_responses_to_real_firmware_are_opened(capture: dict[str, Any]) -> None:
    """RFC 8613 §8.4: the pledge's side, with its own and with the registrar's Partial IV."""
    outer = message.decode(H(capture["response"]))
    (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
    plaintext = oscore.unprotect_response(
        _jrc(capture).mirrored(),
        b"",
        H(capture["piv"]),
        oscore.decode_option(value),
        outer.payload,
    )
    assert plaintext == H(capture["response_plaintext"])


CONFIGURED = [c for c in ANSWERED if c["response_plaintext"].startswith("44ff")]


@pytest.mark.parametrize("capture", CONFIGURED, ids=_section)
def test_configurations_sent_to_real_firmware_decode_and_encode(capture: dict[str, Any]) -> None:
    """RFC 9031 §8.4.2: each object is given back byte for byte."""
    encoded = message.decode_inner(H(capture["response_plaintext"])).payload
    config, reported = codec.read_configuration(encoded)
    explicit = encoded.hex().startswith("a10283010050")
    assert not reported
    assert codec.encode_configuration(config, explicit_usage=explicit) == encoded


@pytest.mark.parametrize("update", CAPTURES["parameter_update"], ids=range(3))
def test_b08_updates_sent_to_real_firmware_open_with_the_same_context(
    update: dict[str, Any],
) -> None:
    """RFC 9031 §7.3: keys stay when the registrar becomes the client; kid is JRC."""
    outer = message.decode(H(update["request"]))
    (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
    option = oscore.decode_option(value)
    assert option.kid == JRC_ID
    assert option.piv is not None
    jrc = derive_for_jrc(H(CAPTURES["common"]["psk_stock"]), H(update["to"]))
    plaintext = oscore.unprotect_request(jrc.mirrored(), option.piv, JRC_ID, outer.payload)
    again = oscore.protect_request(
        jrc, option.piv, plaintext, with_kid_context=option.kid_context is not None
    )
    assert again == (value, outer.payload)
    assert message.decode_inner(plaintext).options == ((OptionNumber.URI_PATH, b"j"),)


@pytest.mark.parametrize("capture", JOINS[:3], ids=_section)
def test_b06_a_changed_bit_of_a_real_request_fails_its_tag(capture: dict[str, Any]) -> None:
    """RFC 8613 §8.2: every bit of the ciphertext and of the Partial IV counts."""
    context, piv = _jrc(capture), H(capture["piv"])
    ciphertext = message.decode(H(capture["request"])).payload
    for bit in range(8 * len(ciphertext)):
        changed = bytearray(ciphertext)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(PeerError) as caught:
            oscore.unprotect_request(context, piv, b"", bytes(changed))
        assert caught.value.reason is Reason.BAD_TAG
    for other in (b"\x00", b"\x01\x01", b"\xff" * 5):
        with pytest.raises(PeerError):
            oscore.unprotect_request(context, other, b"", ciphertext)

"""OSCORE for RFC 9031 §7.3, both roles; byte-exact vectors are in ``test_vectors.py``."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp import oscore
from jrc.cojp.algorithms import AEADS, Aead
from jrc.cojp.message import Inner
from jrc.cojp.oscore import OscoreOption
from jrc.cojp.oscore_context import SecurityContext, derive_for_jrc
from jrc.errors import PeerError, Reason, StateError
from tests.cojp.strategies import USABLE_AEADS as USABLE
from tests.cojp.strategies import oscore_options, partial_ivs

H = bytes.fromhex
PSK = bytes(range(32))
PLEDGE = H("141592cc00000002")


def both(aead: int = Aead.AES_CCM_16_64_128) -> tuple[SecurityContext, SecurityContext]:
    jrc = derive_for_jrc(PSK, PLEDGE, aead)
    return jrc, jrc.mirrored()


# --- The option --------------------------------------------------------------------------------


@given(oscore_options)
def test_options_come_back(option: OscoreOption) -> None:
    """RFC 8613 §6.1."""
    assert oscore.decode_option(oscore.encode_option(option)) == option


@given(st.binary(max_size=30))
def test_any_value_gives_an_option_or_a_reason(value: bytes) -> None:
    """RFC 8613 §6.1: the decoder is total; what it takes it would write the same way."""
    try:
        option = oscore.decode_option(value)
    except PeerError as error:
        assert (error.reason, error.answer) == (Reason.MALFORMED_OSCORE, None)
    else:
        assert oscore.encode_option(option) == value


@pytest.mark.parametrize(
    ("value", "option"),
    [
        ("", (None, None, None)),
        ("090525", ("05", "25", None)),
        ("0900", ("00", "", None)),
        ("19050544616c656b", ("05", "", "44616c656b")),
        ("0107", ("07", None, None)),
        ("08", (None, "", None)),
        ("1000", (None, None, "")),
        ("190100", ("01", "", "")),
        ("0dffffffffff", ("ffffffffff", "", None)),
    ],
)
def test_options_of_section_6_3_are_read(value: str, option: tuple[str | None, ...]) -> None:
    """RFC 8613 §6.3, and the shortest and longest of each field."""
    expected = OscoreOption(*(None if part is None else H(part) for part in option))
    assert oscore.decode_option(H(value)) == expected
    assert oscore.encode_option(expected) == H(value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("29", "reserved bit"),
        ("49", "reserved bit"),
        ("89", "reserved bit"),
        ("e9010203", "reserved bits"),
        ("2901", "reserved bit"),
        ("0e010203040506", "Partial IV of 6 bytes"),
        ("0f01020304050607", "Partial IV of 7 bytes"),
        ("00", "no flag in a value that is not empty"),
        ("0001", "no flag, and a byte"),
        ("01", "no Partial IV"),
        ("0501020304", "Partial IV cut"),
        ("0a0001", "Partial IV with a leading zero"),
        ("0b000000", "Partial IV of zeros"),
        ("10", "no length of the kid context"),
        ("1101", "no length of the kid context"),
        ("1001", "no kid context"),
        ("1903050161", "kid context cut"),
        ("11010100ff", "a byte after the kid context and no kid"),
        ("010100", "a byte after the Partial IV and no kid"),
    ],
)
def test_b06_malformed_options_are_refused(value: str, why: str) -> None:
    """RFC 8613 §2, §5, §6.1."""
    with pytest.raises(PeerError) as caught:
        oscore.decode_option(H(value))
    assert caught.value.reason is Reason.MALFORMED_OSCORE, why


def test_b06_an_option_truncated_at_any_byte_is_refused_or_shorter() -> None:
    """RFC 8613 §6.1: only the kid at its end may be cut unnoticed."""
    whole = H("1b010203 08 141592cc00000002 4a5243".replace(" ", ""))
    for end in range(1, len(whole)):
        if end >= len(whole) - 3:
            assert oscore.decode_option(whole[:end]).kid == whole[len(whole) - 3 : end]
        else:
            with pytest.raises(PeerError):
                oscore.decode_option(whole[:end])


@pytest.mark.parametrize(
    "option",
    [
        OscoreOption(b"", b"", None),
        OscoreOption(bytes(6), b"", None),
        OscoreOption(None, None, bytes(256)),
    ],
)
def test_options_without_encoding_are_refused(option: OscoreOption) -> None:
    """RFC 8613 §6.1."""
    with pytest.raises(ValueError, match="bytes"):
        oscore.encode_option(option)


def test_a04_the_longest_identifier_fits_an_option_of_255_bytes() -> None:
    """RFC 9031 §3, RFC 8613 §2: 248 bytes beside a Partial IV of 5."""
    option = OscoreOption(b"\xff" * 5, b"", bytes(248))
    assert len(oscore.encode_option(option)) == 255
    assert oscore.decode_option(oscore.encode_option(option)) == option


@given(st.integers(0, 2**40 - 1))
def test_partial_ivs_are_minimal_and_come_back(number: int) -> None:
    """RFC 8613 §5: no leading zeros, and 0 is one byte."""
    piv = oscore.encode_piv(number)
    assert oscore.decode_piv(piv) == number
    assert 1 <= len(piv) <= 5
    assert len(piv) == 1 or piv[0] != 0


@pytest.mark.parametrize("number", [-1, 2**40])
def test_b04_sequence_numbers_never_wrap(number: int) -> None:
    """RFC 8613 §7.2.1."""
    assert oscore.encode_piv(2**40 - 1) == b"\xff" * 5
    with pytest.raises(StateError):
        oscore.encode_piv(number)


# --- Nonce and associated data -----------------------------------------------------------------


@given(st.sampled_from(USABLE), st.binary(max_size=6), partial_ivs)
def test_nonces_are_built_as_figure_8_shows(aead: int, identifier: bytes, piv: bytes) -> None:
    """RFC 8613 §5.2: length, padded identifier and padded Partial IV, XORed with the Common IV."""
    common_iv = both(aead)[0].common_iv
    size = len(common_iv)
    plain = bytes((len(identifier),)) + identifier.rjust(size - 6, b"\0") + piv.rjust(5, b"\0")
    expected = bytes(a ^ b for a, b in zip(plain, common_iv, strict=True))
    assert oscore.nonce(common_iv, identifier, piv) == expected


@given(st.sampled_from(sorted(AEADS)), st.binary(max_size=7), partial_ivs)
def test_associated_data_is_the_structure_of_cose(aead: int, kid: bytes, piv: bytes) -> None:
    """RFC 8613 §5.4, for an empty kid too, which has a way of its own."""
    external = cbor2.dumps([1, [aead], kid, piv, b""])
    assert oscore.aad(aead, kid, piv) == cbor2.dumps(["Encrypt0", b"", external])


def test_what_a_nonce_has_no_room_for_is_refused() -> None:
    """RFC 8613 §3.3, §6.1."""
    for identifier, piv in ((bytes(8), b"\0"), (b"", bytes(6))):
        with pytest.raises(ValueError, match="too long"):
            oscore.nonce(bytes(13), identifier, piv)
    with pytest.raises(ValueError, match="no associated data"):
        oscore.aad(10, b"", bytes(6))
    with pytest.raises(ValueError, match="no associated data"):
        oscore.aad(2, b"", b"\0")


# --- Both roles --------------------------------------------------------------------------------


@pytest.mark.parametrize("aead", USABLE)
@given(partial_ivs, st.binary(max_size=80), st.one_of(st.none(), partial_ivs))
def test_b08_exchanges_go_both_ways_under_one_context(
    aead: int, piv: bytes, plaintext: bytes, response_piv: bytes | None
) -> None:
    """RFC 8613 §8: pledge asks, registrar asks; answers with and without a Partial IV."""
    jrc, pledge = both(aead)
    for client, server in ((pledge, jrc), (jrc, pledge)):
        value, sealed = oscore.protect_request(client, piv, plaintext, with_kid_context=True)
        option = oscore.decode_option(value)
        assert option == (piv, client.sender_id, PLEDGE)
        assert oscore.unprotect_request(server, piv, client.sender_id, sealed) == plaintext
        value, sealed = oscore.protect_response(
            server, client.sender_id, piv, plaintext, response_piv
        )
        option = oscore.decode_option(value)
        assert option == OscoreOption(response_piv, None, None)
        opened = oscore.unprotect_response(client, client.sender_id, piv, option, sealed)
        assert opened == plaintext


def test_b05_a_response_carries_no_partial_iv_unless_given_one() -> None:
    """RFC 8613 §5.2, §8.3."""
    jrc, _ = both()
    assert oscore.protect_response(jrc, b"", b"\x05", b"x")[0] == b""
    assert oscore.protect_response(jrc, b"", b"\x05", b"x", b"\x07")[0] == b"\x01\x07"


def test_the_kid_context_is_left_out_where_not_asked_for() -> None:
    """RFC 8613 §5: it MAY be present in requests; a profile decides."""
    jrc, _ = both()
    value, _ = oscore.protect_request(jrc, b"\x07", b"x", with_kid_context=False)
    assert oscore.decode_option(value) == (b"\x07", b"JRC", None)


@given(partial_ivs, partial_ivs, st.binary(max_size=40))
def test_b06_a_request_under_another_partial_iv_does_not_open(
    piv: bytes, other: bytes, plaintext: bytes
) -> None:
    """RFC 8613 §8.2: number, kid and context are bound into tag and nonce."""
    jrc, pledge = both()
    _, sealed = oscore.protect_request(pledge, piv, plaintext, with_kid_context=True)
    stranger = derive_for_jrc(PSK, PLEDGE + b"\0")
    wrong = [(jrc, piv, b"\0"), (stranger, piv, b""), (pledge, piv, b"")]
    if other != piv:
        wrong.append((jrc, other, b""))
    for context, number, kid in wrong:
        with pytest.raises(PeerError) as caught:
            oscore.unprotect_request(context, number, kid, sealed)
        assert caught.value.reason is Reason.BAD_TAG


@pytest.mark.parametrize("aead", USABLE)
def test_b06_a_ciphertext_of_any_length_fails_its_tag(aead: int) -> None:
    """RFC 8613 §8.2: none, shorter than the tag, longer than the algorithm has room for."""
    jrc, pledge = both(aead)
    _, sealed = oscore.protect_request(pledge, b"\x05", b"plain", with_kid_context=True)
    for bad in [sealed[:end] for end in range(len(sealed))] + [sealed + b"\0", bytes(70_000)]:
        with pytest.raises(PeerError) as caught:
            oscore.unprotect_request(jrc, b"\x05", b"", bad)
        assert caught.value.reason is Reason.BAD_TAG


def test_a_response_to_another_request_does_not_open() -> None:
    """RFC 8613 §5.4: request_kid and request_piv are in the associated data."""
    jrc, pledge = both()
    value, sealed = oscore.protect_response(jrc, b"", b"\x05", b"x", b"\x07")
    option = oscore.decode_option(value)
    wrong = [(b"\x06", option), (b"\x05", OscoreOption(None, b"", None))]
    for piv, given_option in wrong:
        with pytest.raises(PeerError) as caught:
            oscore.unprotect_response(pledge, b"", piv, given_option, sealed)
        assert caught.value.reason is Reason.BAD_TAG


# --- Echo --------------------------------------------------------------------------------------


def test_an_echo_is_found_in_a_401_and_put_into_the_repeated_request() -> None:
    """RFC 9175 §2.3."""
    assert oscore.echo_of(Inner(0x81, ((252, b"e"),), b"")) == b"e"
    repeated = oscore.with_echo(((11, b"j"), (252, b"old"), (292, b"t")), b"e")
    assert repeated == ((11, b"j"), (252, b"e"), (292, b"t"))


@pytest.mark.parametrize(
    "response",
    [
        Inner(0x81, (), b""),
        Inner(0x80, ((252, b"e"),), b""),
        Inner(0x44, ((252, b"e"),), b""),
        Inner(0x81, ((252, b""),), b""),
        Inner(0x81, ((252, bytes(41)),), b""),
        Inner(0x81, ((252, b"a"), (252, b"b")), b""),
    ],
)
def test_other_responses_ask_for_no_repetition(response: Inner) -> None:
    """RFC 9175 §2.2.1: 1 to 40 bytes, once, in a 4.01."""
    assert oscore.echo_of(response) is None

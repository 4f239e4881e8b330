"""The simulated pledge against our own side: two implementations of one profile have to agree."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp import codec, envelope, message, oscore
from jrc.cojp.constants import CoapCode
from jrc.cojp.objects import Configuration, JoinRequest, LinkLayerKey, ShortIdentifier
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import PeerError
from jrc.lab import datagram
from jrc.lab.configuration import LabKey, read
from jrc.lab.pledge import DerivedKeys, Joined, Refused, SimulatedPledge
from jrc.model import Secret
from tests.lab.registrar import CONFIGURATION, Registrar

VECTORS = Path(__file__).parents[1] / "vectors"
H = bytes.fromhex
PLEDGE_ID = H("00124b0014b5b67e")
PSK = bytes(range(16))
NETWORK_ID = H("cafe")
REGISTRAR = Registrar({PLEDGE_ID: PSK})
KEY = LabKey(1, 0, Secret(H("e6bf4287c2d7618d6a9687445ffd33e6")))


def make_pledge(role: int = 0, first_number: int = 0) -> SimulatedPledge:
    return SimulatedPledge(PLEDGE_ID, Secret(PSK), NETWORK_ID, role, first_number=first_number)


def answer(request: bytes, registrar: Registrar = REGISTRAR) -> bytes:
    return registrar.answer(message.decode(request))


@given(psk=st.binary(min_size=16, max_size=64), identifier=st.binary(min_size=1, max_size=248))
def test_b01_both_sides_derive_the_same_context(psk: bytes, identifier: bytes) -> None:
    """aiocoap's derivation agrees with ours for any PSK and identifier (RFC 9031 §7.3)."""
    theirs = SimulatedPledge(identifier, Secret(psk), NETWORK_ID).context
    ours = derive_for_jrc(psk, identifier).mirrored()
    assert (ours.sender_key, ours.recipient_key, ours.common_iv) == (
        theirs.sender_key,
        theirs.recipient_key,
        theirs.common_iv,
    )


def test_b01_derivation_gives_the_vector() -> None:
    """The parameters a build would be given in place of a PSK (RFC 9031 App. B)."""
    vector = json.loads((VECTORS / "rfc9031-appendix-b.json").read_text())
    pledge = SimulatedPledge(H(vector["pledge_id"]), Secret(H(vector["psk"])), NETWORK_ID)
    assert pledge.context.sender_key.hex() == vector["pledge_sender_key"]
    assert pledge.context.recipient_key.hex() == vector["pledge_recipient_key"]
    assert pledge.context.common_iv.hex() == vector["common_iv"]


@pytest.mark.parametrize("role", [0, 1])
@pytest.mark.parametrize("confirmable", [True, False])
@pytest.mark.parametrize("proxy_scheme", [True, False])
@pytest.mark.parametrize("uri_host", ["6tisch.arpa", None])
def test_c01_the_core_reads_requests_in_every_form(
    role: int, confirmable: bool, proxy_scheme: bool, uri_host: str | None
) -> None:
    """CON or NON, with or without Proxy-Scheme and Uri-Host (RFC 9031 §8.1.1)."""
    pledge = make_pledge(role, first_number=300)
    request = pledge.request(
        confirmable=confirmable, token=b"tok", proxy_scheme=proxy_scheme, uri_host=uri_host
    )
    opened = envelope.open_request(request, 1024)
    assert (opened.type, opened.token) == (0 if confirmable else 1, b"tok")
    assert (opened.kid_context, opened.partial_iv) == (PLEDGE_ID, H("012c"))
    context = derive_for_jrc(PSK, PLEDGE_ID)
    plaintext = oscore.unprotect_request(context, opened.partial_iv, b"", opened.ciphertext)
    inner = message.decode_inner(plaintext)
    assert (inner.code, inner.options) == (CoapCode.POST, ((11, b"j"),))
    assert codec.decode_join_request(inner.payload) == JoinRequest(NETWORK_ID, role)


@given(st.integers(0, 300))
def test_c03_tokens_of_any_length_are_written_and_read(size: int) -> None:
    """Extended tokens, in both directions (RFC 8974 §2.1)."""
    pledge = make_pledge()
    request = pledge.request(token=bytes(size))
    assert message.decode(request).token == bytes(size)
    assert isinstance(pledge.receive(answer(request)), Joined)


@pytest.mark.parametrize("confirmable", [True, False])
def test_c02_the_pledge_takes_our_answer(confirmable: bool) -> None:
    """A Configuration protected by us verifies under aiocoap (RFC 9031 §8.1.2, App. A)."""
    pledge = make_pledge()
    outcome = pledge.receive(answer(pledge.request(confirmable=confirmable, token=b"\x01")))
    assert isinstance(outcome, Joined)
    assert outcome.configuration.keys == (KEY,)
    assert outcome.configuration.short_id == H("af93")
    assert outcome.configuration.lease_hours is None


def test_c04_the_pledge_takes_a_refusal() -> None:
    """A protected diagnostic is told apart from a Configuration (RFC 9031 §8.3.2)."""
    pledge = make_pledge()
    registrar = Registrar({PLEDGE_ID: PSK}, CoapCode.BAD_REQUEST, H("81830005f6"))
    outcome = pledge.receive(answer(pledge.request(), registrar))
    assert outcome == Refused("4.00", H("81830005f6"))


@pytest.mark.parametrize("payload", ["", "80", "a1", "a10201", "a10281f6", "a1028101", "ff", "f6"])
def test_c02_what_is_no_configuration_joins_nobody(payload: str) -> None:
    """The witness does not guess (RFC 9031 §8.4.2)."""
    pledge = make_pledge()
    outcome = pledge.receive(
        answer(pledge.request(), Registrar({PLEDGE_ID: PSK}, payload=H(payload)))
    )
    assert outcome == Refused("2.04", H(payload))


def test_b06_the_pledge_ignores_what_does_not_verify() -> None:
    """RFC 9031 §7.3.2: unprotected and altered answers are no answers; the true one still is."""
    pledge = make_pledge()
    request = pledge.request(token=b"\x01")
    true = answer(request)
    asked = message.decode(request)
    wrong = [
        b"",
        true[:-1],
        true[:-1] + bytes([true[-1] ^ 1]),
        message.encode(message.decode(true)._replace(token=b"\x02")),
        message.encode(message.decode(true)._replace(message_id=asked.message_id + 1)),
        message.encode(message.decode(true)._replace(type=1)),
        message.encode_response(2, 0x80, asked.message_id, b"\x01", (), b""),
        request,
    ]
    assert [pledge.receive(data) for data in wrong] == [None] * len(wrong)
    assert isinstance(pledge.receive(true), Joined)
    assert pledge.receive(true) is None


def test_b05_an_answer_fits_its_own_request_alone() -> None:
    """The request's Partial IV binds the answer to it (RFC 8613 §5.4)."""
    pledge = make_pledge()
    old = answer(pledge.request(token=b"\x01"))
    new = pledge.request(token=b"\x01")
    moved = message.decode(old)._replace(message_id=message.decode(new).message_id)
    assert pledge.receive(message.encode(moved)) is None
    assert isinstance(pledge.receive(answer(new)), Joined)


def test_f05_a_rejoin_has_the_next_sequence_number() -> None:
    """No number is used twice under one PSK (RFC 9031 §7.3)."""
    pledge = make_pledge(first_number=255)
    numbers = [envelope.open_request(pledge.request(), 1024).partial_iv for _ in range(3)]
    assert numbers == [H("ff"), H("0100"), H("0101")]


def test_a06_a_pledge_with_derived_keys_joins() -> None:
    """RFC 9031 App. B: the parameters stand in for the PSK."""
    theirs = make_pledge().context
    keys = DerivedKeys(
        Secret(theirs.sender_key), Secret(theirs.recipient_key), Secret(theirs.common_iv)
    )
    pledge = SimulatedPledge.with_derived_keys(PLEDGE_ID, keys, NETWORK_ID)
    assert isinstance(pledge.receive(answer(pledge.request())), Joined)


keys = st.lists(
    st.builds(
        LinkLayerKey,
        key_id=st.integers(1, 254),
        key_value=st.binary(min_size=16, max_size=16).map(Secret),
        key_usage=st.integers(0, 14),
        addinfo=st.one_of(st.none(), st.binary(min_size=4, max_size=4)),
    ),
    max_size=4,
)


@given(
    keys=keys,
    short_id=st.integers(0, 0xFFFD),
    lease_hours=st.one_of(st.none(), st.integers(0, 10_000)),
    join_rate=st.one_of(st.none(), st.integers(0, 10_000)),
    blocklist=st.one_of(st.none(), st.lists(st.binary(min_size=8, max_size=8), max_size=3)),
    explicit_usage=st.booleans(),
)
def test_c08_both_sides_read_a_configuration_alike(
    keys: list[LinkLayerKey],
    short_id: int,
    lease_hours: int | None,
    join_rate: int | None,
    blocklist: list[bytes] | None,
    explicit_usage: bool,
) -> None:
    """What our codec writes, cbor2 reads (RFC 9031 §8.4.2)."""
    given_ = Configuration(
        tuple(keys),
        ShortIdentifier(short_id.to_bytes(2), lease_hours),
        bytes(15) + b"\x01",
        None if blocklist is None else tuple(blocklist),
        join_rate,
    )
    found = read(codec.encode_configuration(given_, explicit_usage=explicit_usage))
    assert found.keys == tuple(
        LabKey(key.key_id, key.key_usage, key.key_value, key.addinfo) for key in keys
    )
    assert (found.short_id, found.lease_hours) == (short_id.to_bytes(2), lease_hours)
    assert found.jrc_address == given_.jrc_address
    assert found.blocklist == given_.blocklist
    assert found.join_rate_bytes_per_s == join_rate


@given(st.binary(max_size=40))
def test_c03_any_bytes_are_read_alike_by_both_or_by_one(data: bytes) -> None:
    """The lab's reader is total, and never reads other than the strict one (RFC 7252 §3)."""
    found = datagram.decode(data)
    try:
        strict = message.decode(data)
    except PeerError:
        return
    if found is not None:
        assert (found.type, found.message_id, found.token) == (strict.type, *strict[2:4])
        assert (found.message.code, found.message.payload) == (strict.code, strict.payload)


@given(option=st.binary(max_size=12), payload=st.binary(max_size=12))
def test_b06_any_oscore_option_is_survived(option: bytes, payload: bytes) -> None:
    """RFC 9031 §7.3.2: formatting errors end in silence."""
    pledge = make_pledge()
    asked = message.decode(pledge.request())
    reply = message.encode_response(2, 0x44, asked.message_id, b"", ((9, option),), payload)
    assert pledge.receive(reply) is None


def test_c02_the_appendix_is_what_the_stand_in_answers() -> None:
    """The Configuration of RFC 9031 App. A, read without our codec."""
    assert read(CONFIGURATION).keys == (KEY,)

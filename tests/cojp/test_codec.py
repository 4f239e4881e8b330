"""CoJP objects on the wire, and the answers for bad ones."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp import codec
from jrc.cojp.constants import MAX_CBOR_BYTES, Label
from jrc.cojp.objects import JoinRequest, UnsupportedParameter
from jrc.errors import PeerError, Reason
from tests.cojp.strategies import join_requests, unsupported_parameters

H = bytes.fromhex
VALUE = "000102030405060708090a0b0c0d0e0f"


def refused(encoded: str | bytes) -> tuple[Reason, object]:
    """Reason and decoded answer for a Join_Request that is refused."""
    data = H(encoded) if isinstance(encoded, str) else encoded
    with pytest.raises(PeerError) as caught:
        codec.decode_join_request(data)
    assert caught.value.answer is not None
    return caught.value.reason, cbor2.loads(caught.value.answer)


def malformed(label: int) -> tuple[Reason, object]:
    return Reason.MALFORMED_OBJECT, [1, label, None]


# --- Join_Request ------------------------------------------------------------------------------


@given(join_requests)
def test_join_requests_come_back_from_the_wire(request: JoinRequest) -> None:
    """RFC 9031 §8.4.1, with every kind of addinfo."""
    encoded = codec.encode_join_request(request)
    if len(encoded) <= MAX_CBOR_BYTES:
        assert codec.decode_join_request(encoded) == request


@given(join_requests)
def test_join_requests_are_written_as_cbor2_reads_them(request: JoinRequest) -> None:
    """RFC 9031 §8.4.1: the map that the CDDL describes, labels ascending."""
    content = cbor2.loads(codec.encode_join_request(request))
    assert list(content) == sorted(content)
    assert content[5] == request.network_identifier
    assert content.get(1, 0) == request.role
    assert len(content.get(8, [])) == 3 * len(request.unsupported)


@given(st.binary(max_size=60))
def test_c12_any_bytes_give_a_join_request_or_an_answer(data: bytes) -> None:
    """RFC 9031 §8.3.1: the decoder is total, and its answer is itself an object."""
    try:
        request = codec.decode_join_request(data)
    except PeerError as error:
        assert error.answer is not None
        (parameter,) = codec.decode_unsupported(error.answer)
        assert parameter.code in (0, 1)
    else:
        assert cbor2.loads(data, allow_duplicate_keys=False)[5] == request.network_identifier


@given(st.integers(0, 2**64 - 1), st.binary(max_size=30), st.booleans())
def test_the_short_way_and_the_long_way_agree(extra: int, identifier: bytes, cut: bool) -> None:
    """Row C12: the common form is decoded without the general decoder, and just as strictly."""
    data = cbor2.dumps({5: identifier})
    if cut:
        data = (data + cbor2.dumps(extra))[: extra % (len(data) + 3)]
    try:
        long_way: object = codec._decode_join_request(data)
    except PeerError as error:
        long_way = (error.reason, error.answer)
    try:
        short_way: object = codec.decode_join_request(data)
    except PeerError as error:
        short_way = (error.reason, error.answer)
    assert short_way == long_way


@pytest.mark.parametrize("encoded", ["a0", "a10101", "a20100088300 01f6"])
def test_c04_a_missing_network_identifier_is_told_with_label_5(encoded: str) -> None:
    """RFC 9031 §8.4.1: it MUST be included."""
    assert refused(encoded) == malformed(Label.NETWORK_IDENTIFIER)


@pytest.mark.parametrize(
    ("encoded", "label"),
    [
        ("a10502", 5),
        ("a1056161", 5),
        ("a105f6", 5),
        ("a1058142cafe", 5),
        ("a2012005 42cafe", 1),
        ("a20142000105 42cafe", 1),
        ("a201f505 42cafe", 1),
        ("a20542cafe0800", 8),
        ("a20542cafe08a0", 8),
        ("a20542cafe0880", 8),
        ("a20542cafe08820102", 8),
        ("a20542cafe0884010203f6", 8),
        ("a20542cafe0883 4101 02f6", 8),
        ("a20542cafe0883 01 4102f6", 8),
    ],
)
def test_c04_a_wrong_type_is_told_with_its_label(encoded: str, label: int) -> None:
    """RFC 9031 §8.3.2, §8.4.5: 4.00 with [1, label, null]."""
    assert refused(encoded) == malformed(label)


@pytest.mark.parametrize(
    ("encoded", "label"),
    [
        ("a20542cafe0542cafe", 5),
        ("a30100010005 42cafe", 1),
        ("a20542cafe18054100", 5),
        ("a3090009000542cafe", 9),
    ],
)
def test_c04_a_duplicate_label_is_told(encoded: str, label: int) -> None:
    """RFC 8949 §5.6, RFC 9031 §8.4.5; also when one of the two is written longer than need be."""
    assert refused(encoded) == malformed(label)


@pytest.mark.parametrize("rest", ["00", "ff", "f6", "a10542cafe"])
def test_c04_trailing_bytes_get_a_protected_diagnostic(rest: str) -> None:
    """RFC 9031 §8.3.2: nothing may follow the object."""
    assert refused("a10542cafe" + rest) == malformed(5)


@pytest.mark.parametrize("encoded", ["", "00", "80", "42cafe", "f6", "ff", "bf0542cafeff", "c1a0"])
def test_c04_what_is_no_map_is_told_with_label_5(encoded: str) -> None:
    """RFC 9031 §8.3.1: nothing could be parsed. An indefinite or tagged map is none of ours."""
    assert refused(encoded) == malformed(5)


def test_c04_a_request_truncated_at_any_byte_is_told() -> None:
    """RFC 9031 §8.3.1: label 5, or the label whose value ends too early."""
    whole = H("a301010542cafe088300028301 50" + VALUE + "05")
    assert codec.decode_join_request(whole).role == 1
    for end in range(len(whole)):
        reason, answer = refused(whole[:end])
        assert reason is Reason.MALFORMED_OBJECT
        assert answer in ([1, 5, None], [1, 1, None], [1, 8, None])


@pytest.mark.parametrize(
    ("label", "value"),
    [
        (2, "80"), (3, "00"), (4, "40"), (6, "80"), (7, "00"), (9, "00"), (0, "f6"), (24, "6161"),
        (65536, "c100"), (2**64 - 1, "9f00ff"), (-1, "5f4100ff"), (-(2**64), "fb0000000000000000"),
    ],
)  # fmt: skip
def test_c05_an_unknown_label_is_told_with_code_0(label: int, value: str) -> None:
    """RFC 9031 §8.3.1, §8.4.5: [0, label, null], whatever its value; also what is no part of
    a Join_Request."""
    encoded = b"\xa2\x05\x42\xca\xfe" + cbor2.dumps(label) + H(value)
    assert refused(encoded) == (Reason.UNKNOWN_PARAMETER, [0, label, None])


@pytest.mark.parametrize("role", [2, 3, 23, 24, 255, 65536, 2**64 - 1])
def test_c05_an_unknown_role_is_told_with_its_value(role: int) -> None:
    """RFC 9031 §8.4.1, §8.4.5: [0, 1, role]."""
    encoded = cbor2.dumps({1: role, 5: b"\xca\xfe"})
    assert refused(encoded) == (Reason.UNKNOWN_ROLE, [0, 1, role])


def test_c05_a_malformed_object_is_not_called_unknown() -> None:
    """RFC 9031 §8.4.5: form comes before meaning."""
    assert refused("a2090005 42ca") == malformed(5)
    assert refused("a20900 0542cafe00") == malformed(5)


def test_of_several_bad_parameters_the_first_is_told() -> None:
    """RFC 9031 §8.3.2: the parameter that triggered the message."""
    assert refused("a30900010705 42cafe") == (Reason.UNKNOWN_PARAMETER, [0, 9, None])
    assert refused("a30107090005 42cafe") == (Reason.UNKNOWN_ROLE, [0, 1, 7])


def test_c12_a_request_of_1024_bytes_is_read_and_one_of_1025_is_not() -> None:
    """The limit on length comes before decoding."""
    whole = b"\xa1\x05" + cbor2.dumps(bytes(MAX_CBOR_BYTES - 5))
    assert len(whole) == MAX_CBOR_BYTES
    assert len(codec.decode_join_request(whole).network_identifier) == MAX_CBOR_BYTES - 5
    assert refused(b"\xa1\x05" + cbor2.dumps(bytes(MAX_CBOR_BYTES - 4))) == malformed(5)


@pytest.mark.parametrize(("addinfo", "fits"), [("8180", True), ("818100", True), ("818180", False)])
def test_c12_depth_4_is_read_and_5_is_not(addinfo: str, fits: bool) -> None:
    """The map and the array of label 8 are two levels, an addinfo may have two more."""
    encoded = "a20542cafe08830002" + addinfo
    if fits:
        assert codec.decode_join_request(H(encoded)).unsupported[0].addinfo == H(addinfo)
    else:
        assert refused(encoded) == malformed(8)


def test_c12_depth_counts_from_the_map_for_unknown_labels_too() -> None:
    """The map is a level, so a value has three more."""
    assert refused("a20542cafe09818100")[0] is Reason.UNKNOWN_PARAMETER
    assert refused("a20542cafe0981818100")[0] is Reason.UNKNOWN_PARAMETER
    assert refused("a20542cafe098181818100") == malformed(9)


@pytest.mark.parametrize(
    "addinfo",
    ["c1fb41d452d9e2000000", "9f0102ff", "5f41004101ff", "bf0102ff", "d81c00", "f7", "f90000"],
)
def test_c12_an_addinfo_may_hold_anything(addinfo: str) -> None:
    """RFC 9031 §8.4.5: nil / any, tags and indefinite lengths too; it is kept as it came."""
    request = codec.decode_join_request(H("a20542cafe08830002" + addinfo))
    assert request.unsupported == (UnsupportedParameter(0, 2, H(addinfo)),)


@pytest.mark.parametrize(
    "encoded",
    ["a2055f42cafeff0100", "a20542cafe089f0002f6ff", "a1c0 0542cafe", "a105c042cafe", "a16161 00"],
)
def test_c12_elsewhere_tags_and_indefinite_lengths_are_refused(encoded: str) -> None:
    """RFC 9031 §8.4: only what the CDDL says, in definite lengths; labels are integers."""
    assert refused(encoded)[0] is Reason.MALFORMED_OBJECT


def test_longer_integers_and_lengths_than_need_be_are_accepted() -> None:
    """RFC 8949 §3: well-formed, and no rule of RFC 9031 asks for more."""
    encoded = H("b90002 1801 1800 190005 590002cafe")
    assert codec.decode_join_request(encoded) == JoinRequest(b"\xca\xfe")


def test_c07_reported_parameters_are_read() -> None:
    """RFC 9031 §8.4.5: a key set that can't be acted upon, and a label that never can."""
    request = codec.decode_join_request(H("a20542cafe088600 02 820150" + VALUE + "0003f6"))
    assert request.unsupported == (
        UnsupportedParameter(0, 2, H("820150" + VALUE)),
        UnsupportedParameter(0, 3),
    )


# --- Unsupported_Configuration -----------------------------------------------------------------


@given(st.lists(unsupported_parameters, min_size=1, max_size=5))
def test_unsupported_configurations_come_back(parameters: list[UnsupportedParameter]) -> None:
    """RFC 9031 §8.4.5."""
    assert codec.decode_unsupported(codec.encode_unsupported(parameters)) == tuple(parameters)


def test_an_empty_unsupported_configuration_can_not_be_written() -> None:
    """RFC 9031 §8.4.5: at least one parameter."""
    with pytest.raises(ValueError, match="at least one"):
        codec.encode_unsupported(())


@given(st.binary(max_size=40))
def test_any_bytes_give_parameters_or_an_error_without_answer(data: bytes) -> None:
    """RFC 9031 §8.3.2: it comes in a response, and nothing is sent back."""
    try:
        assert codec.decode_unsupported(data)
    except PeerError as error:
        assert (error.reason, error.answer) == (Reason.MALFORMED_OBJECT, None)


def test_a_malformed_parameter_with_addinfo_is_read() -> None:
    """RFC 9031 §8.4.5 wants null there; what the sender says stays clear."""
    assert codec.decode_unsupported(H("83010205")) == (UnsupportedParameter(1, 2, b"\x05"),)


@pytest.mark.parametrize(
    "encoded", ["", "80", "8101", "820102", "8301020500", "a0", "9f010205ff", "83f60205"]
)
def test_misshapen_unsupported_configurations_are_refused(encoded: str) -> None:
    """RFC 9031 §8.4.5: triples in one array of definite length, nothing after it."""
    with pytest.raises(PeerError):
        codec.decode_unsupported(H(encoded))

"""Configuration objects (RFC 9031 §8.4.2): written, read back, and whatever is wrong with them."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp import codec
from jrc.cojp.objects import Configuration, LinkLayerKey, ShortIdentifier, UnsupportedParameter
from jrc.errors import PeerError, Reason
from jrc.model import Secret
from tests.cojp.strategies import configurations, items

H = bytes.fromhex
VALUE = "000102030405060708090a0b0c0d0e0f"
OTHER = "101112131415161718191a1b1c1d1e1f"


@given(configurations, st.booleans())
def test_configurations_come_back_from_the_wire(config: Configuration, explicit: bool) -> None:
    """RFC 9031 §8.4.2: every label, usage and Key ID Mode."""
    encoded = codec.encode_configuration(config, explicit_usage=explicit)
    assert codec.decode_configuration(encoded) == config


@given(configurations)
def test_d02_configurations_are_written_as_cbor2_reads_them(config: Configuration) -> None:
    """RFC 9031 §8.4.2: the map that the CDDL describes, labels ascending."""
    content = cbor2.loads(codec.encode_configuration(config))
    assert list(content) == sorted(content)
    elements = iter(content.get(2, []))
    for key in config.keys:
        assert next(elements) == key.key_id
        if key.key_usage:
            assert next(elements) == key.key_usage
        assert next(elements) == key.key_value.reveal()
        if key.addinfo is not None:
            assert next(elements) == key.addinfo
    assert next(elements, None) is None
    assert content.get(4) == config.jrc_address
    assert content.get(6) == (None if config.blocklist is None else list(config.blocklist))
    assert content.get(7) == config.join_rate_bytes_per_s


@given(st.binary(max_size=60))
def test_any_bytes_give_a_configuration_or_an_answer(data: bytes) -> None:
    """RFC 9031 §8.3.1: the node's decoder is total, too."""
    try:
        config, reported = codec.read_configuration(data)
    except PeerError as error:
        assert error.answer is not None
        assert codec.decode_unsupported(error.answer)[0].code == 1
    else:
        assert isinstance(config, Configuration)
        assert not reported or codec.decode_unsupported(codec.encode_unsupported(reported))


@given(items)
def test_any_item_in_a_key_set_gives_keys_or_a_report(item: bytes) -> None:
    """RFC 9031 §8.4.3."""
    config, reported = codec.read_configuration(b"\xa1\x02" + item)
    assert config.keys or reported


def test_g01_an_empty_blocklist_is_not_an_absent_one() -> None:
    """RFC 9031 §8.4.2: what is received overwrites."""
    assert codec.encode_configuration(Configuration(blocklist=())) == H("a10680")
    assert codec.decode_configuration(H("a10680")).blocklist == ()
    assert codec.decode_configuration(H("a0")).blocklist is None


def test_g02_join_rate_zero_is_not_an_absent_one() -> None:
    """RFC 9031 §8.4.2: 0 closes joining."""
    assert codec.encode_configuration(Configuration(join_rate_bytes_per_s=0)) == H("a10700")
    assert codec.decode_configuration(H("a10700")).join_rate_bytes_per_s == 0


def test_usage_0_is_explicit_only_where_asked() -> None:
    """RFC 9031 §8.4.3: it MAY be included, and some firmware wants it."""
    config = Configuration((LinkLayerKey(1, Secret(H(VALUE))),))
    assert codec.encode_configuration(config) == H("a1028201 50" + VALUE)
    explicit = codec.encode_configuration(config, explicit_usage=True)
    assert explicit == H("a102830100 50" + VALUE)
    assert codec.decode_configuration(explicit) == config


def test_an_address_of_another_length_is_discarded() -> None:
    """RFC 9031 §8.4.2: in silence."""
    for size in (0, 15, 17):
        encoded = cbor2.dumps({4: bytes(size)})
        assert codec.read_configuration(encoded) == (Configuration(), ())


@pytest.mark.parametrize("encoded", ["8140", "814101", "8142ffff", "8142fffe", "82 43000001 05"])
def test_an_invalid_short_identifier_is_ignored(encoded: str) -> None:
    """RFC 9031 §8.4.4: in silence."""
    assert codec.read_configuration(H("a103" + encoded)) == (Configuration(), ())


def test_leases_are_read_in_hours() -> None:
    """RFC 9031 §8.4.4: omitted means for ever."""
    assert codec.decode_configuration(H("a10382 420001 1818")) == Configuration(
        short_identifier=ShortIdentifier(b"\x00\x01", 24)
    )


@pytest.mark.parametrize(
    ("label", "value"),
    [
     (2, "80"), (2, "00"), (2, "8101"), (2, "82010a"), (2, "83010203"), (2, "8141ff"),
     (2, "822050" + VALUE), (2, "9f0150" + VALUE + "ff"),
     (2, "82f650" + VALUE), (3, "00"), (3, "80"), (3, "8100"),
     (3, "8242000120"), (3, "83420001 0000"), (4, "00"), (6, "00"), (6, "8100"), (7, "20"),
     (7, "4100")],
)  # fmt: skip
def test_a_malformed_parameter_is_reported_by_a_node(label: int, value: str) -> None:
    """RFC 9031 §8.3.1, §8.4.5: [1, label, null]; what is good besides is kept."""
    data = b"\xa2" + cbor2.dumps(label) + H(value) + (b"\x07\x05" if label != 7 else b"\x06\x80")
    config, reported = codec.read_configuration(data)
    assert reported == (UnsupportedParameter(1, label),)
    assert config == Configuration(
        **({"join_rate_bytes_per_s": 5} if label != 7 else {"blocklist": ()})
    )
    with pytest.raises(PeerError) as caught:
        codec.decode_configuration(data)
    assert caught.value.reason is Reason.MALFORMED_OBJECT


@pytest.mark.parametrize(
    "bad",
    [
        "18ff50" + VALUE,
        "190100 50" + VALUE,
        "0150" + VALUE + "4100",
        "010f50" + VALUE,
        "012050" + VALUE,
        "014f" + VALUE[2:],
        "0050" + VALUE,
        "0050" + VALUE + "44" + "00" * 4,
    ],
)
def test_d01_a_bad_key_is_discarded_and_told_and_the_good_one_kept(bad: str) -> None:
    """RFC 9031 §8.4.3, §8.4.5: addinfo is the key set of what can't be acted upon."""
    bad_count = len(cbor2.loads(H("9f" + bad + "ff")))
    good = "0750" + OTHER
    head = bytes([0x80 + bad_count + 2])
    for keys in (head + H(bad + good), head + H(good + bad)):
        config, reported = codec.read_configuration(b"\xa1\x02" + keys)
        assert config.keys == (LinkLayerKey(7, Secret(H(OTHER))),)
        expected = bytes([0x80 + bad_count]) + H(bad)
        assert reported == (UnsupportedParameter(0, 2, expected),)


def test_an_unknown_label_is_reported_by_a_node() -> None:
    """RFC 9031 §8.3.1: [0, label, null]; network identifier and role are none of a
    Configuration."""
    config, reported = codec.read_configuration(H("a4010005 42cafe 18ff 00 0705"))
    assert config == Configuration(join_rate_bytes_per_s=5)
    assert reported == tuple(UnsupportedParameter(0, label) for label in (1, 5, 255))
    with pytest.raises(PeerError) as caught:
        codec.decode_configuration(H("a10100"))
    assert caught.value.reason is Reason.UNKNOWN_PARAMETER


def test_a_configuration_truncated_at_any_byte_is_refused() -> None:
    """RFC 9031 §8.3.1."""
    whole = H("a202820150e6bf4287c2d7618d6a9687445ffd33e6038142af93")
    for end in range(len(whole)):
        with pytest.raises(PeerError):
            codec.decode_configuration(whole[:end])


def test_a_configuration_with_a_duplicate_or_a_tail_is_refused() -> None:
    """Row C12 holds for both directions."""
    for encoded in ("a207050705", "a1070500", "bf0705ff"):
        with pytest.raises(PeerError) as caught:
            codec.decode_configuration(H(encoded))
        assert caught.value.reason is Reason.MALFORMED_OBJECT

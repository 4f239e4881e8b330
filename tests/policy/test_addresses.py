"""Where a joined node is reached: addresses from prefix, identifier and short address."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.model import PledgeId, Profile
from jrc.policy.addresses import global_address, link_local_address

PREFIX = IPv6Network("2001:db8:0:1::/64")
EUI64 = PledgeId.from_hex("00:12:4b:00:14:b5:b6:7e")
short_ids = st.none() | st.integers(0, 0xFFFD)


def test_a04_an_eui64_gives_the_address_with_its_universal_bit_inverted() -> None:
    """An EUI-64 becomes the interface identifier (RFC 9031 §8.2.1; RFC 4944 §6)."""
    assert IPv6Address("2001:db8:0:1:212:4b00:14b5:b67e") == global_address(PREFIX, EUI64, None)


def test_a04_an_eui64_that_is_local_gets_its_bit_cleared() -> None:
    """The bit is inverted, not set (RFC 4291 App. A)."""
    local = PledgeId.from_hex("0200000000000001")
    assert IPv6Address("2001:db8:0:1::1") == global_address(PREFIX, local, 7)


@given(short_ids)
def test_a04_an_eui64_address_does_not_depend_on_the_short_identifier(short: int | None) -> None:
    """A node is reached at the same address whatever it was assigned (RFC 9031 §8.2.1)."""
    assert global_address(PREFIX, EUI64, None) == global_address(PREFIX, EUI64, short)


@given(st.binary(min_size=1, max_size=248).filter(lambda value: len(value) != 8))
def test_a04_any_other_identifier_gets_its_address_from_the_short_identifier(value: bytes) -> None:
    """Identifiers of 1 to 248 bytes work (RFC 9031 §10; RFC 6282 §3.2.2)."""
    expected = IPv6Address("2001:db8:0:1:0:ff:fe00:beef")
    assert expected == global_address(PREFIX, PledgeId(value), 0xBEEF)
    assert global_address(PREFIX, PledgeId(value), None) is None


@pytest.mark.parametrize(
    ("eui64", "address"),
    [
        # RFC 2464 §4: the interface identifier of the MAC address 34-56-78-9a-bc-de.
        ("345678fffe9abcde", "fe80::3656:78ff:fe9a:bcde"),
        # Linux, a veth interface with the MAC address 5e:67:63:ec:64:dd.
        ("5e6763fffeec64dd", "fe80::5c67:63ff:feec:64dd"),
    ],
)
def test_a04_addresses_are_those_that_others_form(eui64: str, address: str) -> None:
    """Worked out elsewhere (RFC 2464 §4, RFC 4944 §6)."""
    assert IPv6Address(address) == link_local_address(PledgeId.from_hex(eui64), None)


@pytest.mark.parametrize(
    ("eui64", "address"),
    [
        ("141592cc00000002", "bbbb::1415:92cc:0:2"),
        ("024b00fffe120003", "bbbb::24b:ff:fe12:3"),
        ("70b3d50000120003", "bbbb::70b3:d500:12:3"),
    ],
)
def test_a04_firmware_that_forgets_the_bit_is_reached_where_it_is(eui64: str, address: str) -> None:
    """OpenWSN, as seen on the wire: the EUI-64 is the interface identifier as it stands."""
    identifier, prefix = PledgeId.from_hex(eui64), IPv6Network("bbbb::/64")
    assert IPv6Address(address) == global_address(prefix, identifier, None, Profile.OPENWSN)


def test_a04_link_local_addresses_follow_the_same_rules() -> None:
    """The link-local prefix is fe80::/64 (RFC 4944 §7)."""
    assert IPv6Address("fe80::212:4b00:14b5:b67e") == link_local_address(EUI64, None)
    assert IPv6Address("fe80::ff:fe00:1") == link_local_address(PledgeId(b"node"), 1)
    assert link_local_address(PledgeId(b"node"), None) is None


@given(st.binary(min_size=8, max_size=8), short_ids)
def test_every_address_lies_in_its_prefix(value: bytes, short: int | None) -> None:
    """No identifier reaches into the bits of the prefix (RFC 9031 §8.2.1)."""
    address = global_address(PREFIX, PledgeId(value), short)
    assert address is not None
    assert address in PREFIX


def test_a_prefix_of_another_length_is_refused() -> None:
    """An interface identifier has 64 bits (RFC 4944 §6)."""
    with pytest.raises(ValueError, match="2001:db8::/48"):
        global_address(IPv6Network("2001:db8::/48"), EUI64, None)

"""Which prefix and which address a network takes from an interface."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.model import Network
from jrc.policy.interface import (
    Interface,
    InterfaceAddress,
    choose_address,
    choose_link_local,
    choose_prefix,
    follow,
)

A, B, C = (IPv6Network(f"fd00:{n}::/64") for n in "abc")
LAB = Network(
    id=1, name="lab", domain_id=1, domain="lab", identifiers=(b"\xca\xfe",), prefix=A
)  # fmt: skip


def at(prefix: IPv6Network, host: int = 1, **more: object) -> InterfaceAddress:
    return InterfaceAddress(prefix[host], 64, **more)  # type: ignore[arg-type]


def interface(*entries: InterfaceAddress) -> Interface:
    return Interface("lowpan0", 3, is_up=True, addresses=entries)


@pytest.mark.parametrize(
    ("entries", "chosen"),
    [
        ((at(A), at(B)), A),
        ((at(A, deprecated=True), at(B)), B),
        ((at(A, valid_s=100), at(B, valid_s=200)), B),
        ((at(A, valid_s=100), at(B)), B),
        ((at(A, temporary=True), at(B, valid_s=1)), B),
        ((at(A, deprecated=True, valid_s=9), at(B, deprecated=True)), B),
        ((InterfaceAddress(A[1], 128), at(B)), B),
        ((InterfaceAddress(A[1], 48),), None),
        ((), None),
    ],
)
def test_a_new_network_takes_the_prefix_that_lasts(
    entries: tuple[InterfaceAddress, ...], chosen: IPv6Network | None
) -> None:
    """Not deprecated, not temporary, the longest lifetime, then the lowest (RFC 4862 §5.5.4)."""
    assert chosen == choose_prefix(interface(*entries), None)
    assert chosen == choose_prefix(interface(*reversed(entries)), None)


@given(st.permutations([at(A, valid_s=5), at(B, valid_s=9), at(C)]))
def test_the_prefix_in_use_stays_while_it_is_good(entries: list[InterfaceAddress]) -> None:
    """A new one makes every node join again."""
    for current in (A, B, C):
        assert current == choose_prefix(interface(*entries), current)


def test_the_prefix_in_use_goes_when_it_is_deprecated_and_another_is_not() -> None:
    """It stays where all are deprecated alike."""
    old = at(A, deprecated=True)
    assert B == choose_prefix(interface(old, at(B)), A)
    assert A == choose_prefix(interface(old, at(B, deprecated=True)), A)


def test_c09_the_address_is_in_the_prefix_if_one_is() -> None:
    """RFC 9031 §8.4.2: nodes reach it without leaving the mesh; else any that lasts."""
    both = interface(at(A), at(B, 7), at(B, 9, temporary=True))
    assert B[7] == choose_address(both, None, B)
    assert B[7] == choose_address(both, A[1], B)
    assert A[1] == choose_address(both, A[1], C)
    assert A[1] == choose_address(interface(InterfaceAddress(A[1], 128)), None, B)
    assert choose_address(interface(), A[1], A) is None
    assert choose_address(None, A[1], A) is None


def test_c09_an_address_that_left_the_interface_is_not_kept() -> None:
    """The prefix is: nodes go on using it."""
    lab = follow(_following(), {"lowpan0": interface(at(B))})
    assert (B, B[1]) == (lab.prefix, lab.jrc_address)
    assert lab == follow(lab, {"lowpan0": interface(at(A), at(B))})
    for gone in (None, interface()):
        left = follow(lab, {"lowpan0": gone})
        assert (B, None) == (left.prefix, left.jrc_address)


def test_a_network_that_follows_nothing_stays_as_it_is() -> None:
    """Nor does one whose interface was not looked at."""
    assert LAB == follow(LAB, {"lowpan0": interface(at(B))})
    lab = _following()
    assert lab == follow(lab, {"eth0": interface(at(B))})


def test_a_lifetime_that_runs_is_no_change() -> None:
    """A router advertisement every minute is no news."""
    assert interface(at(A, valid_s=10)) == interface(at(A, valid_s=9))
    assert interface(at(A, deprecated=True)) != interface(at(A))


def test_an_interface_knows_its_own_addresses() -> None:
    """Link-local ones, too; prefixes are told once, in order."""
    link_local, further = IPv6Address("fe80::5"), IPv6Address("fe80::6")
    found = Interface(
        "lowpan0", 3, True, link_local, (at(B), at(A), at(B, 2)), link_locals=(further,)
    )
    expected = {link_local: True, further: True, A[1]: True, A[2]: False}
    assert expected == {each: found.has(each) for each in expected}
    assert (B, A) == found.prefixes


def test_a_link_local_address_stays_while_it_is_usable() -> None:
    """Pledges have it from the neighbour's beacons; another one is chosen when it goes."""
    one, two, gone = (IPv6Address(f"fe80::{n}") for n in (1, 2, 3))
    found = Interface("lowpan0", 3, True, link_local=one, link_locals=(one, two))
    assert [one, two, one] == [choose_link_local(found, each) for each in (None, two, gone)]
    assert choose_link_local(Interface("lowpan0", 3, True), two) is None


def _following() -> Network:
    return Network(
        id=1,
        name="lab",
        domain_id=1,
        domain="lab",
        identifiers=(b"\xca\xfe",),
        prefix=A,
        jrc_address=A[1],
        prefix_from="lowpan0",
        jrc_address_from="lowpan0",
    )

"""What devices of each profile can take."""

import pytest

from jrc.cojp.constants import EVERY_KEY_ID, KEY_USAGES, Label, Role
from jrc.errors import ExitCode, OperatorError
from jrc.model import Profile
from jrc.policy.keys import choose_key_ids
from jrc.policy.profiles import (
    TRAITS,
    accepted_identifiers,
    check_keys,
    check_network_profile,
    check_role,
    key_ids_for,
)

OPENWSN, RFC9031, JOIN_PROXY = Profile.OPENWSN, Profile.RFC9031, Profile.JOIN_PROXY
CAFE, FECA = b"\xca\xfe", b"\xfe\xca"


def test_every_profile_has_its_traits() -> None:
    """Also one that is added later."""
    assert set(Profile) == set(TRAITS)


def test_every_profile_but_that_of_join_proxies_takes_keys_and_says_what_it_means() -> None:
    """RFC 9031 §8.4.2: without keys nobody is in the network, and a Join Proxy is beside it."""
    for profile, traits in TRAITS.items():
        assert traits.takes_keys is (profile is not JOIN_PROXY)
        assert traits.meaning
        assert "\n" not in traits.meaning


@pytest.mark.parametrize(
    ("usages", "key_ids", "sentence"),
    [
        ((6, 12), (), "take a key set of 1 key, and this one has 2"),
        ((6, 12), (1, 2), "take a key set of 1 key, and this one has 2"),
        ((1,), (1,), "take key usage 0 alone, and not 1"),
        ((0,), (23,), "reject key id 23: they read its one byte 0x17 as"),
    ],
)
def test_d01_keys_that_openwsn_can_not_take_are_refused(
    usages: tuple[int, ...], key_ids: tuple[int, ...], sentence: str
) -> None:
    """RFC 9031 §8.4.3, read in the firmware's decoder; the RFC's devices take them all."""
    with pytest.raises(OperatorError, match=f"devices of profile openwsn {sentence}") as refusal:
        check_keys((RFC9031, OPENWSN), usages, key_ids)
    assert refusal.value.exit_code is ExitCode.REFUSED
    assert refusal.value.hint
    check_keys((RFC9031,), usages, key_ids)


def test_d02_openwsn_takes_no_key_source() -> None:
    """RFC 9031 §8.4.3.3: it takes the bytes after the value for the next key's id."""
    check_keys((RFC9031,), (0,), (1,), has_addinfo=True)
    with pytest.raises(OperatorError, match="no key with a key source"):
        check_keys((OPENWSN,), (0,), (1,), has_addinfo=True)


def test_d01_openwsn_takes_every_other_key_id() -> None:
    """RFC 9031 §8.4.3.3: 1 to 22, and from 24 on with a byte of their own."""
    assert {23} == EVERY_KEY_ID - key_ids_for((OPENWSN, RFC9031))
    for key_id in sorted(key_ids_for((OPENWSN,))):
        check_keys((OPENWSN,), (0,), (key_id,))


def test_key_ids_for_nobody_are_all() -> None:
    """RFC 9031 §8.4.3.3: 255 is reserved, 0 is for pairwise keys."""
    assert key_ids_for(()) == frozenset(range(1, 255))
    assert set(KEY_USAGES) == TRAITS[RFC9031].key_usages


def test_d05_a_key_id_is_chosen_among_those_that_all_can_take() -> None:
    """RFC 9031 §8.4.3.1: the next one after 22 is 24 where OpenWSN is there."""
    in_use = set(range(1, 23))
    assert choose_key_ids(1, in_use) == (23,)
    assert choose_key_ids(2, in_use, key_ids_for((OPENWSN,))) == (24, 25)
    with pytest.raises(OperatorError, match="1 new key ids are needed, and 0 of 253 are free"):
        choose_key_ids(1, EVERY_KEY_ID - {23}, key_ids_for((OPENWSN,)))


@pytest.mark.parametrize(
    ("profile", "given", "accepted"),
    [
        (RFC9031, (CAFE,), (CAFE,)),
        (OPENWSN, (CAFE,), (CAFE, FECA)),
        (OPENWSN, (CAFE, FECA), (CAFE, FECA)),
        (OPENWSN, (b"\xab\xab",), (b"\xab\xab",)),
        (OPENWSN, (b"name", CAFE), (b"name", CAFE, FECA)),
    ],
)
def test_c06_a_pan_id_counts_in_the_order_of_the_air_too(
    profile: Profile, given: tuple[bytes, ...], accepted: tuple[bytes, ...]
) -> None:
    """RFC 9031 §8.4.1: for PAN 0xcafe OpenWSN asks for feca."""
    assert accepted == accepted_identifiers(profile, given)


def test_a_join_proxy_hears_of_what_it_forwards_by_alone() -> None:
    """RFC 9031 §8.4.2: join rate and blocklist; whatever keys its network has are fine with it."""
    assert {Label.BLOCKLIST, Label.JOIN_RATE} == TRAITS[JOIN_PROXY].labels
    check_keys((JOIN_PROXY,), (6, 12), (23, 254), has_addinfo=True)
    assert key_ids_for((RFC9031, JOIN_PROXY)) == key_ids_for((RFC9031,))


def test_a_join_proxy_is_a_6lbr_and_no_network_is_of_such_devices() -> None:
    """RFC 9031 §8.4.1; the other profiles are for both roles."""
    for profile in Profile:
        check_role(profile, Role.LBR)
    for profile in (RFC9031, OPENWSN):
        check_role(profile, Role.NODE)
        check_network_profile(profile)
    with pytest.raises(OperatorError, match="join-proxy is for a Join Proxy") as refusal:
        check_role(JOIN_PROXY, Role.NODE)
    assert refusal.value.exit_code is ExitCode.REFUSED
    with pytest.raises(OperatorError, match="join-proxy is for single pledges") as refusal:
        check_network_profile(JOIN_PROXY)
    assert refusal.value.exit_code is ExitCode.REFUSED

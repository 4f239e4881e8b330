"""What of a network's settings a node is told (RFC 9031 §8.4.2)."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.codec import encode_configuration
from jrc.cojp.constants import Label, Role
from jrc.cojp.objects import Configuration, ShortIdentifier
from jrc.model import Admission, Network
from jrc.policy.settings import (
    MAX_NODE_BLOCKED,
    UNLIMITED_BYTES_PER_S,
    Held,
    Settings,
    Wanted,
    difference,
    effective_join_rate,
    number_of,
    place_number,
)

ALL = frozenset(Label)
JRC = IPv6Address("2001:db8::1")
NETWORK = Network(
    id=1, name="lab", domain_id=1, domain="lab", identifiers=(b"a",),
    prefix=IPv6Network("2001:db8::/64"), admission=Admission.WINDOW,
)  # fmt: skip

RATES = st.none() | st.integers(0, 200)
ADDRESSES = st.sampled_from([None, JRC, IPv6Address("2001:db8::2")])
LISTS = st.lists(st.binary(min_size=8, max_size=8), max_size=10, unique=True).map(tuple)
SETTINGS = st.builds(Settings, st.just(0), RATES, ADDRESSES, LISTS)
ROLES = st.sampled_from([Role.NODE, Role.LBR]).map(int)


def settings(
    rate: int | None = None, address: IPv6Address | None = None, blocked: tuple[bytes, ...] = ()
) -> Settings:
    return Settings(0, rate, address, blocked)


def after(had: dict[Label, object], config: Configuration | None, *, resets: bool) -> object:
    """What a node has after an update; ``resets``: by what it does not say, as in §8.4.2."""
    if config is None:
        return had
    has = dict(had)
    if resets or config.join_rate_bytes_per_s is not None:
        has[Label.JOIN_RATE] = config.join_rate_bytes_per_s
    if resets or config.jrc_address is not None:
        has[Label.JRC_ADDRESS] = config.jrc_address
    if config.blocklist is not None:
        has[Label.BLOCKLIST] = config.blocklist
    return has


def state(
    told: Settings, role: int, *, throttle: int | None = None, joined_only: bool = False
) -> dict[Label, object]:
    rates = [each for each in (told.join_rate_bytes_per_s, throttle) if each is not None]
    lacks_list = joined_only and role != Role.LBR
    return {
        Label.JOIN_RATE: min(rates, default=None),
        Label.JRC_ADDRESS: None if told.jrc_address is None else told.jrc_address.packed,
        Label.BLOCKLIST: () if lacks_list else told.blocked_for(role),
    }


@given(SETTINGS, SETTINGS, RATES, RATES, ROLES, st.booleans(), st.booleans())
def test_g01_g02_whatever_a_node_had_it_has_what_it_is_to_have(
    before: Settings,
    now: Settings,
    had: int | None,
    throttle: int | None,
    role: int,
    joined_only: bool,
    resets: bool,
) -> None:
    """By either reading of RFC 9031 §8.4.2, but for an address that is taken away."""
    told = None if joined_only else had
    held = state(before, role, throttle=told, joined_only=joined_only)
    config = difference(Wanted(now, throttle, role), Held([before, now], had, joined_only), ALL)
    wanted = state(now, role, throttle=throttle)
    has = after(held, config, resets=resets)
    assert isinstance(has, dict)
    if wanted[Label.JOIN_RATE] is None and has[Label.JOIN_RATE] == UNLIMITED_BYTES_PER_S:
        has[Label.JOIN_RATE] = None
    if wanted[Label.JRC_ADDRESS] is None:
        wanted[Label.JRC_ADDRESS] = has[Label.JRC_ADDRESS] = None
    assert wanted == has


@given(SETTINGS, RATES, ROLES)
def test_who_has_all_of_it_is_told_nothing(now: Settings, throttle: int | None, role: int) -> None:
    """Not even what could be said again."""
    held = Held([now], throttle, joined_only=False)
    assert difference(Wanted(now, throttle, role), held, ALL) is None


@given(SETTINGS, SETTINGS, st.sets(st.sampled_from(sorted(ALL))))
def test_c07_only_what_a_node_can_take_is_told(
    before: Settings, now: Settings, labels: set[Label]
) -> None:
    """RFC 9031 §8.4.5."""
    identifier = ShortIdentifier(b"\x00\x01")
    config = difference(Wanted(now, 5, 0, identifier), Held([before], 3, joined_only=False), labels)
    if config is not None:
        assert Label.SHORT_IDENTIFIER in labels or config.short_identifier is None
        assert Label.JRC_ADDRESS in labels or config.jrc_address is None
        assert Label.BLOCKLIST in labels or config.blocklist is None
        assert Label.JOIN_RATE in labels or config.join_rate_bytes_per_s is None


def test_where_nothing_is_known_all_is_told() -> None:
    """The settings that a node was told are not there any more."""
    config = difference(Wanted(settings(), None, 0), Held(None, None, joined_only=False), ALL)
    assert config == Configuration(blocklist=(), join_rate_bytes_per_s=UNLIMITED_BYTES_PER_S)


def test_g01_the_list_of_a_6ln_keeps_an_update_within_two_frames() -> None:
    """Eight EUI-64, with address, rate and lease, in 120 bytes (RFC 9031 §8.4.2)."""
    blocked = tuple(bytes([number]) * 8 for number in range(64))
    wanted = Wanted(settings(2**32 - 1, JRC, blocked), None, 0, ShortIdentifier(b"\x00\x01", 876))
    config = difference(wanted, Held([settings()], None, joined_only=False), ALL)
    assert config is not None
    assert config.blocklist is not None
    assert (MAX_NODE_BLOCKED, blocked[:8]) == (len(config.blocklist), config.blocklist)
    assert len(encode_configuration(config)) <= 120


def test_g01_identifiers_of_any_length_are_cut_by_their_bytes() -> None:
    """One that does not fit any more leaves out the older ones too."""
    blocked = (b"a" * 30, b"b" * 30, b"c" * 30)
    assert settings(blocked=blocked).blocked_for(0) == blocked[:2]
    assert settings(blocked=blocked).blocked_for(1) == blocked


@pytest.mark.parametrize(
    ("rate", "throttle", "quiet", "is_open", "expected"),
    [
        (None, None, False, False, None),
        (100, None, False, False, 100),
        (100, 20, False, False, 20),
        (20, 100, False, False, 20),
        (None, 0, False, True, 0),
        (100, None, True, False, 0),
        (100, None, True, True, 100),
        (None, 30, True, True, 30),
        (None, None, True, False, 0),
    ],
)
def test_g02_the_lowest_rate_counts(
    rate: int | None, throttle: int | None, quiet: bool, is_open: bool, expected: int | None
) -> None:
    """Of the network, of its throttle, and 0 while no window is open (RFC 9031 §8.4.2)."""
    network = Network(
        **{
            **{name: getattr(NETWORK, name) for name in Network.__dataclass_fields__},
            "join_rate_bytes_per_s": rate,
            "throttle_bytes_per_s": throttle,
            "quiet_outside_windows": quiet,
        }
    )
    assert effective_join_rate(network, window_is_open=is_open) == expected


@given(st.integers(0, 10**9), st.booleans())
def test_the_number_of_a_place_is_kept(number: int, says_all: bool) -> None:
    """Negative where something is left to be told; always below the number then."""
    place = place_number(number, says_all=says_all)
    assert number_of(place) == number
    assert (place == number) == says_all == (place >= 0)

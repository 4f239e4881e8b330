"""What devices can take, by profile: the one place where the dialects of CoJP differ.

``rfc9031`` is the RFC as it stands. ``openwsn`` is the firmware in the field (OpenWSN, and RIOT's
package of it), which speaks an early draft: what its traits say was read in its code and seen on
the wire. ``join-proxy`` is the RFC for a Join Proxy on a host without a radio, such as `jrc proxy`:
it is told what it forwards by (§8.4.2), and no keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from jrc.cojp.constants import DEFAULT_KEY_USAGE, EVERY_KEY_ID, KEY_USAGES, Label, Role
from jrc.errors import ExitCode, OperatorError
from jrc.model import Profile

PAN_ID_BYTES: Final = 2
"""An identifier of this length is a PAN ID, which some firmware sends in over-the-air order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a device of a profile can take, and what it needs.

    ``labels`` are those of a Configuration (RFC 9031 §8.4.2); ``explicit_usage`` says that usage 0
    is written out, too. ``max_answer_bytes`` is that of the CoAP message on the device's own link,
    None where nothing is known of one. ``meaning`` is all of it in one line for the operator.
    """

    labels: frozenset[Label]
    roles: frozenset[Role]
    """Those that a device can have."""
    max_keys: int
    """Of one key set."""
    max_told_keys: int
    """Of a Join Response, which holds two sets while the network switches (§8.4.3.2)."""
    key_usages: frozenset[int]
    key_ids: frozenset[int]
    takes_addinfo: bool
    """A key may come with a key source (RFC 9031 §8.4.3.3)."""
    explicit_usage: bool
    echoes_proxy_state: bool
    """Its Join Proxy needs option 40 of the request back, outside OSCORE."""
    swaps_pan_id: bool
    """It names a PAN ID in the order of the air, least significant byte first."""
    inverts_universal_bit: bool
    """Its interface identifier is a modified EUI-64 (RFC 4944 §6), not the EUI-64 as it is."""
    forgets_numbers: bool
    """Its sequence number begins again at a restart: what it sends then is a replay."""
    recovers_context: bool
    """It knows RFC 8613 App. B.2, by which a registrar that lost its state gets a new context."""
    max_answer_bytes: int | None
    takes_updates: bool
    """Without Parameter Updates a node gets new keys only by joining again."""
    kid_context_in_requests: bool
    uri_host_in_requests: bool
    """Of requests that the registrar sends to the node (RFC 9031 §8.2.1)."""
    meaning: str

    @property
    def takes_keys(self) -> bool:
        """Whether link-layer keys are told to it at all: without a radio it can't use any."""
        return Label.LINK_LAYER_KEY_SET in self.labels


_RFC9031 = Traits(
    labels=frozenset(
        {
            Label.LINK_LAYER_KEY_SET,
            Label.SHORT_IDENTIFIER,
            Label.JRC_ADDRESS,
            Label.BLOCKLIST,
            Label.JOIN_RATE,
        }
    ),
    roles=frozenset(Role),
    max_keys=2,
    max_told_keys=4,
    key_usages=frozenset(KEY_USAGES),
    key_ids=EVERY_KEY_ID,
    takes_addinfo=True,
    explicit_usage=False,
    echoes_proxy_state=False,
    swaps_pan_id=False,
    inverts_universal_bit=True,
    forgets_numbers=False,
    # RECOMMENDED in RFC 9031 §8.3.3; one that can't is listed for it, and stays unanswered.
    recovers_context=True,
    max_answer_bytes=None,
    takes_updates=True,
    # RFC 8613 §6.1 leaves it open, and libcoap finds no context without.
    kid_context_in_requests=True,
    uri_host_in_requests=True,
    meaning="all that RFC 9031 has",
)

_OPENWSN = Traits(
    labels=frozenset({Label.LINK_LAYER_KEY_SET}),
    roles=frozenset(Role),
    max_keys=1,
    max_told_keys=1,
    key_usages=frozenset({DEFAULT_KEY_USAGE}),
    # Its CBOR reader takes the integers below 23 and, with one byte after the head, those above.
    key_ids=EVERY_KEY_ID - {23},
    takes_addinfo=False,
    explicit_usage=False,
    echoes_proxy_state=True,
    swaps_pan_id=True,
    # Seen on the wire: 14-15-92-cc-00-00-00-02 has the address fe80::1415:92cc:0:2.
    inverts_universal_bit=False,
    forgets_numbers=True,
    # Its OSCORE reads no kid context in a response, and an error is ignored.
    recovers_context=False,
    # Longer ones were lost; with its fragmentation module 71 bytes arrived.
    max_answer_bytes=60,
    takes_updates=False,
    kid_context_in_requests=True,
    uri_host_in_requests=False,
    meaning=(
        "one link-layer key of usage 0 and nothing else; new keys only by joining again; PAN IDs in"
        " either byte order; option 40 goes back to its Join Proxy (docs/openwsn.md)"
    ),
)

_JOIN_PROXY = replace(
    _RFC9031,
    labels=frozenset({Label.BLOCKLIST, Label.JOIN_RATE}),
    roles=frozenset({Role.LBR}),
    meaning="join rate and blocklist alone, as a Join Proxy without a radio (docs/join-proxy.md)",
)

TRAITS: Final[Mapping[Profile, Traits]] = MappingProxyType(
    {
        Profile.RFC9031: _RFC9031,
        Profile.OPENWSN: _OPENWSN,
        Profile.JOIN_PROXY: _JOIN_PROXY,
    }
)


def check_role(profile: Profile, role: int) -> None:
    """Returns if a device of ``profile`` can have a role.

    Raises:
        OperatorError: it can't. RFC 9031 §8.4.1
    """
    if role not in TRAITS[profile].roles:
        raise OperatorError(
            f"profile {profile} is for a Join Proxy, which joins as a 6LBR",
            "give the pledge the role 6lbr as well (`jrc pledge add --role 6lbr`), or another"
            " profile",
            exit_code=ExitCode.REFUSED,
        )


def check_network_profile(profile: Profile) -> None:
    """Returns if it can be the profile of a whole network, whose pledges may be 6LNs.

    Raises:
        OperatorError: it is one for single pledges.
    """
    if Role.NODE not in TRAITS[profile].roles:
        raise OperatorError(
            f"profile: {profile} is for single pledges, and no network's",
            f"give it to the Join Proxy alone: `jrc pledge set ID --profile {profile}`",
            exit_code=ExitCode.REFUSED,
        )


def key_ids_for(profiles: Iterable[Profile]) -> frozenset[int]:
    """The key ids that devices of all these profiles can take."""
    return EVERY_KEY_ID.intersection(*(TRAITS[profile].key_ids for profile in profiles))


def check_keys(
    profiles: Iterable[Profile],
    usages: Sequence[int],
    key_ids: Sequence[int] = (),
    *,
    has_addinfo: bool = False,
) -> None:
    """Refuses link-layer keys that devices of one of these profiles can't take.

    Called when keys are drawn, when they are taken over, and when a profile comes to keys that
    are there. ``key_ids`` may be empty while none are chosen; ``has_addinfo`` says that a key
    comes with a key source.

    Raises:
        OperatorError: naming the profile and what it can't take. RFC 9031 §8.4.3
    """
    for profile in sorted(set(profiles)):
        traits = TRAITS[profile]
        reason = _unfit(traits, usages, key_ids)
        if has_addinfo and not traits.takes_addinfo:
            reason = reason or "take no key with a key source"
        if reason:
            raise OperatorError(
                f"devices of profile {profile} {reason}",
                "give the network other keys, or these devices a network with a key domain of"
                " their own",
                exit_code=ExitCode.REFUSED,
            )


def _unfit(traits: Traits, usages: Sequence[int], key_ids: Sequence[int]) -> str | None:
    """What is wrong with a key set, in words that go on after the devices' name."""
    if len(usages) > traits.max_keys:
        return f"take a key set of {traits.max_keys} key, and this one has {len(usages)}"
    usage = next((usage for usage in usages if usage not in traits.key_usages), None)
    if usage is not None:
        return f"take key usage {_listed(traits.key_usages)} alone, and not {usage}"
    key_id = next((key_id for key_id in key_ids if key_id not in traits.key_ids), None)
    if key_id is not None:
        return (
            f"reject key id {key_id}: they read its one byte {key_id:#04x} as the beginning of a"
            " longer number, and with it the whole Configuration as damaged"
        )
    return None


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def accepted_identifiers(profile: Profile, identifiers: Sequence[bytes]) -> tuple[bytes, ...]:
    """The identifiers by which a network's pledges may call it, those given first.

    A PAN ID counts in the other byte order as well where devices send it so.
    """
    if not TRAITS[profile].swaps_pan_id:
        return tuple(identifiers)
    swapped = [value[::-1] for value in identifiers if len(value) == PAN_ID_BYTES]
    return (*identifiers, *(value for value in swapped if value not in identifiers))

"""Who may join which network in which role, and what it is told (RFC 9031 §8.1, §8.4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple

from jrc.cojp.cbor import encode_bytes, encode_int
from jrc.cojp.codec import encode_unsupported
from jrc.cojp.constants import Code, Label, Role
from jrc.cojp.objects import (
    Configuration,
    JoinRequest,
    LinkLayerKey,
    ShortIdentifier,
    UnsupportedParameter,
)
from jrc.errors import OperatorError, Reason, StateError
from jrc.model import Admission, Network, Pledge, Profile
from jrc.policy.profiles import TRAITS

MAX_STORED_ADDINFO_BYTES = 512
MAX_STORED_CODE = 2**63 - 1
"""What a column holds; CBOR, and so a pledge, can name more (RFC 9031 §11.3)."""

MAX_TOLD_BLOCKED: Final = 64
MAX_TOLD_BLOCKED_BYTES: Final = 640
"""Of a blocklist in a Configuration: as many EUI-64 with their CBOR heads have room in this, and
the Configuration stays below the 1024 bytes that are read of one (``MAX_CBOR_BYTES``)."""

_LABELS = frozenset(Label)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The network that the pledge joins."""

    network: Network


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the pledge may not join, and the payload of the protected 4.00 (RFC 9031 §8.3.2)."""

    reason: Reason
    payload: bytes


class Gate(Enum):
    """What becomes of a request that a network could answer."""

    OPEN = "open"
    """It is answered."""
    COUNT = "count"
    """It is answered, and its pledge counted as one that the window has let in."""
    SHUT = "shut"
    """It is refused: no window is open."""
    ASK = "ask"
    """Silence; its pledge is listed as one that waits for approval."""
    WAIT = "wait"
    """Silence; its pledge is listed already."""


class Admittance(NamedTuple):
    """That a pledge was let into a network, or waits for it; times in ms since 1970.

    ``asked_at_ms`` is None for one that was approved before it asked, ``admitted_at_ms`` while it
    waits.
    """

    pledge_id: int
    network_id: int
    asked_at_ms: int | None
    admitted_at_ms: int | None
    version: int = 1


def decide(
    request: JoinRequest,
    pledge: Pledge,
    networks: Mapping[int, Network],
    reported: frozenset[int] = frozenset(),
) -> Admitted | Refused:
    """Whether the pledge may join: asked network, then role, then whether it can take keys.

    ``reported`` are the labels that the pledge has reported before; those of this request are
    added. Where several of the pledge's networks have the identifier, the first in the order of
    its list counts. That the pledge is in a state to be answered at all is the caller's to check.
    RFC 9031 §8.4.1, §8.4.5
    """
    network = _asked_network(request.network_identifier, pledge, networks)
    if network is None and _leaves_network_open(request, pledge):
        network = networks.get(pledge.network_ids[0])
    if network is None:
        asked = encode_bytes(request.network_identifier)
        return _refused(Reason.UNKNOWN_NETWORK, Label.NETWORK_IDENTIFIER, asked)
    if request.role not in (Role.NODE, pledge.role):
        return _refused(Reason.ROLE_NOT_GRANTED, Label.ROLE, encode_int(request.role))
    takes_keys = TRAITS[pledge.profile or network.profile].takes_keys
    unfit = reported_labels(reported, request.unsupported)
    if takes_keys and Label.LINK_LAYER_KEY_SET in unfit:
        return _refused(Reason.KEYS_UNSUPPORTED, Label.LINK_LAYER_KEY_SET, None)
    return Admitted(network)


def gate(admission: Admission, *, was_admitted: bool, waits: bool, window_is_open: bool) -> Gate:
    """Whether a network lets a pledge of its own in, by its kind of admission.

    Whoever was let in before always comes in again: a node that has lost its keys must not wait
    for a person.
    """
    if was_admitted or admission is Admission.KNOWN:
        return Gate.OPEN
    if admission is Admission.WINDOW:
        return Gate.COUNT if window_is_open else Gate.SHUT
    return Gate.WAIT if waits else Gate.ASK


def outside_window(identifier: bytes) -> Refused:
    """The refusal of a pledge that asked for ``identifier`` while no window is open.

    It reads as that of a network the pledge may not join. RFC 9031 §8.4.1
    """
    asked = encode_bytes(identifier)
    return _refused(Reason.WINDOW_CLOSED, Label.NETWORK_IDENTIFIER, asked)


def _asked_network(
    identifier: bytes, pledge: Pledge, networks: Mapping[int, Network]
) -> Network | None:
    for network_id in pledge.network_ids:
        network = networks.get(network_id)
        if network is not None and identifier in network.identifiers:
            return network
    return None


def _leaves_network_open(request: JoinRequest, pledge: Pledge) -> bool:
    """Whether a 6LBR of one network names none: it has heard no beacon, as it is to send them.

    RFC 9031 §8.4.1 asks for the identifier in each request, and an empty one hints at nothing.
    """
    return (
        not request.network_identifier
        and request.role == Role.LBR == pledge.role
        and len(pledge.network_ids) == 1
    )


def _refused(reason: Reason, label: Label, addinfo: bytes | None) -> Refused:
    parameter = UnsupportedParameter(Code.UNSUPPORTED, label, addinfo)
    return Refused(reason, encode_unsupported((parameter,)))


def reported_labels(
    previous: frozenset[int], unsupported: Iterable[UnsupportedParameter]
) -> frozenset[int]:
    """The labels that must not be configured again: those before, and those reported with null.

    A report with a value says that this value alone can't be set, and leaves the label in. A
    malformed parameter always comes with null and counts alike. RFC 9031 §8.4.5
    """
    return previous | {parameter.label for parameter in unsupported if parameter.addinfo is None}


def is_stored(parameter: UnsupportedParameter) -> bool:
    """Whether a report is worth keeping: one about what the registrar might configure.

    A pledge may report anything (RFC 9031 §8.4.5); labels nobody has given out, codes that no
    column holds and long values are not kept, so that what a pledge can fill is bounded.
    """
    return (
        parameter.label in _LABELS
        and abs(parameter.code) <= MAX_STORED_CODE
        and len(parameter.addinfo or b"") <= MAX_STORED_ADDINFO_BYTES
    )


def configuration_for(
    network: Network,
    keys: Sequence[LinkLayerKey],
    short_identifier_value: int | None,
    left_out: frozenset[int] = frozenset(),
    profile: Profile = Profile.RFC9031,
    blocked: Sequence[bytes] | None = None,
) -> Configuration:
    """What a Join Response says: keys, and what else the pledge and its profile can take.

    ``left_out`` are labels from ``reported_labels``; keys are never left out where the profile
    takes any. Without an address of its own the registrar is the 6LBR. ``blocked`` is a
    ``bounded_blocklist`` for a 6LBR, where an empty one clears that of an earlier join; None says
    nothing. RFC 9031 §8.4.2

    Raises:
        StateError: there are no keys, which the network's first key set has ruled out.
    """
    takes_keys = TRAITS[profile].takes_keys
    if takes_keys and not keys:
        raise StateError(f"network {network.name} has no current link-layer keys")
    told = TRAITS[profile].labels - left_out
    return Configuration(
        keys=tuple(keys) if takes_keys else (),
        short_identifier=(
            None
            if short_identifier_value is None or Label.SHORT_IDENTIFIER not in told
            else ShortIdentifier(short_identifier_value.to_bytes(2), network.lease_hours)
        ),
        jrc_address=(
            None
            if network.jrc_address is None or Label.JRC_ADDRESS not in told
            else network.jrc_address.packed
        ),
        blocklist=(None if blocked is None or Label.BLOCKLIST not in told else tuple(blocked)),
        join_rate_bytes_per_s=(network.join_rate_bytes_per_s if Label.JOIN_RATE in told else None),
    )


def bounded_blocklist(newest_first: Iterable[bytes]) -> tuple[bytes, ...]:
    """What a 6LBR is told of these pledge identifiers; the oldest are left out (§8.4.2)."""
    return first_blocked(newest_first, MAX_TOLD_BLOCKED, MAX_TOLD_BLOCKED_BYTES)


def first_blocked(newest_first: Iterable[bytes], most: int, most_bytes: int) -> tuple[bytes, ...]:
    """The first of these pledge identifiers, as a Configuration has room for them.

    It ends where ``most`` are told, or the next one would need more bytes than ``most_bytes``.
    RFC 9031 §8.4.2
    """
    told: list[bytes] = []
    room = most_bytes
    for identifier in islice(newest_first, most):
        room -= len(encode_bytes(identifier))
        if room < 0:
            break
        told.append(identifier)
    return tuple(told)


def check_identifier_sharing(new: Network, others: Iterable[Network]) -> None:
    """Refuses a network that shares an identifier with one of another key domain.

    A pledge tells the networks apart by the identifier alone: it must not matter which of them
    answers. RFC 9031 §8.4.4.1, RFC 9032

    Raises:
        OperatorError: naming both networks.
    """
    for other in others:
        shared = set(new.identifiers).intersection(other.identifiers)
        if shared and other.id != new.id and other.domain_id != new.domain_id:
            raise OperatorError(
                f"networks {new.name} and {other.name} share the identifier"
                f" {min(shared).hex()}, and not their link-layer keys",
                f"give {new.name} another identifier, or the key domain {other.domain}",
            )

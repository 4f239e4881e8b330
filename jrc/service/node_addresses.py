"""The operator's word on where a joined node is reached (RFC 9031 §8.2.1)."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from jrc.errors import OperatorError
from jrc.model import Event, PledgeId
from jrc.policy.addresses import global_address
from jrc.service.enroll import find_pledge
from jrc.service.network_settings import refused
from jrc.service.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Readdressed:
    """``address`` is where the node is reached now, ``given`` whether the operator said so."""

    pledge_id: str
    address: str | None
    given: bool
    changed: bool


def set_address(
    tx: Registry,
    identifier: PledgeId,
    address: IPv6Address | None,
    *,
    actor: str,
    reason: str = "",
) -> Readdressed:
    """Say where a joined node is reached; None goes back to what its identifier gives.

    The address is kept until the node joins another network, or the network's prefix changes.

    Raises:
        OperatorError: the pledge is unknown or has not joined, or no node can have the address.
    """
    record = find_pledge(tx, identifier)
    if address is not None:
        _check(address)
    standing = tx.pledges.standing([record])[record.id]
    place = tx.networks.all().get(standing.network_id or 0)
    if place is None:
        raise refused(
            f"{identifier} has not joined, so it has no address",
            "give the address once `jrc pledge list --state joined` shows it",
        )
    if address != standing.address:
        tx.pledges.set_address(record.id, address)
        detail = {"address": [_shown(standing.address), _shown(address)]}
        kind = "pledge.address_changed"
        tx.record(Event(kind, actor, identifier.value, place.name, reason=reason, detail=detail))
        tx.policy_changed()
    values = [each.value for each in standing.leases if each.domain_id == place.domain_id]
    profile = record.profile or place.profile
    derived = global_address(place.prefix, identifier, values[0] if values else None, profile)
    reached = derived if address is None else address
    return Readdressed(
        pledge_id=str(identifier),
        address=None if reached is None else str(reached),
        given=address is not None,
        changed=address != standing.address,
    )


def _shown(address: IPv6Address | None) -> str | None:
    return None if address is None else str(address)


def _check(address: IPv6Address) -> None:
    unusable = {
        "a multicast address": address.is_multicast,
        "the unspecified address": address.is_unspecified,
        "a loopback address": address.is_loopback,
        "a link-local address": address.is_link_local,
        "an IPv4-mapped address": address.ipv4_mapped is not None,
        "an address with a zone": address.scope_id is not None,
    }
    for what, is_so in unusable.items():
        if is_so:
            raise OperatorError(
                f"address: {address} is {what}, and a node is reached at a global one",
                "write it as 2001:db8:0:1::7; it may lie outside of the network's prefix",
            )

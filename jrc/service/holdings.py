"""What pledges have of their networks: keys, short identifiers, a place."""

from collections.abc import Collection, Mapping, Sequence

from jrc.cojp.constants import Label
from jrc.model import KeySetState, Network
from jrc.policy.profiles import TRAITS
from jrc.service.records import PledgeRecord, Standing, ToldKeys
from jrc.service.registry import Registry
from jrc.service.wording import listed


def still_holds(tx: Registry, record: PledgeRecord) -> list[str]:
    """What a pledge keeps that gets no more answers, in sentences."""
    standing = tx.pledges.standing([record])[record.id]
    network = tx.networks.all().get(standing.network_id or 0)
    if network is None:
        return []
    joined = f"It has joined {network.name}{_as_short(standing, network.domain_id)}"
    has_live_keys = bool(tx.pledges.told_keys([record.id])[record.id])
    good = "are good until changed" if has_live_keys else "are retired, and good for nothing"
    return [
        f"{joined} and keeps the link-layer keys it has: they {good}.",
        *_held_elsewhere(tx, standing, network.domain_id),
    ]


def _as_short(standing: Standing, domain_id: int) -> str:
    values = [f"{each.value:04x}" for each in standing.leases if each.domain_id == domain_id]
    return f" as {listed(values)}" if values else ""


def _held_elsewhere(tx: Registry, standing: Standing, domain_id: int) -> list[str]:
    """Short identifiers of networks that it has joined before, each with its key domain."""
    names = {each.domain_id: each.domain for each in tx.networks.all().values()}
    values = [
        f"{each.value:04x} of key domain {names[each.domain_id]}"
        for each in standing.leases
        if each.domain_id != domain_id and each.domain_id in names
    ]
    return [f"It still has {listed(values)}, where it had joined before."] if values else []


def live_keys_of(
    tx: Registry, records: Sequence[PledgeRecord]
) -> Mapping[int, Collection[KeySetState]]:
    """By key domain, the states of its live keys that any of these pledges may have."""
    networks = tx.networks.all()
    told = tx.pledges.told_keys([record.id for record in records])
    standing = tx.pledges.standing(records)
    found: dict[int, set[KeySetState]] = {}
    for record in records:
        unsure = _not_ruled_out(tx, record, standing[record.id], networks)
        for each in (*told[record.id], *unsure):
            found.setdefault(each.domain_id, set()).add(each.state)
    return found


def _not_ruled_out(
    tx: Registry, record: PledgeRecord, standing: Standing, networks: Mapping[int, Network]
) -> set[ToldKeys]:
    """Keys of networks that it is assigned to, and that no row would tell of.

    One that takes no short identifier leaves no trace in a network when it joins another one.
    """
    if standing.joined_at_ms is None or len(record.network_ids) < 2:
        return set()
    reported = {label for _, label, addinfo in tx.pledges.reports(record.id) if addinfo is None}
    found = set()
    for network in (networks[each] for each in record.network_ids if each in networks):
        traits = TRAITS[record.profile or network.profile]
        if traits.takes_keys and Label.SHORT_IDENTIFIER not in traits.labels - reported:
            found.add(ToldKeys(network.domain_id, KeySetState.CURRENT))
    return found

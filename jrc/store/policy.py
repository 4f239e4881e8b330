"""Networks and their current keys, read whole: what a join is decided by."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from ipaddress import IPv6Address, IPv6Network
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, select

from jrc.cojp.objects import LinkLayerKey
from jrc.model import (
    Admission,
    KeySetState,
    Network,
    PledgeState,
    Profile,
    Secret,
    ShortIdRange,
)
from jrc.policy.admission import MAX_TOLD_BLOCKED, bounded_blocklist
from jrc.policy.keys import KeySet
from jrc.policy.rollover import Phase
from jrc.policy.settings import Settings, effective_join_rate
from jrc.service.join_ports import LiveKeys, NetworkPolicy, RunningRollover
from jrc.store.census import VISIBLE
from jrc.store.keyring import Keyring
from jrc.store.pushes import throttled_networks
from jrc.store.rowmac import RowMac
from jrc.store.schema import (
    import_batch,
    key_domain,
    key_generation,
    link_layer_key,
    network,
    network_identifier,
    pledge,
    pledge_network,
    rollover,
)
from jrc.store.told_settings import latest_settings

_NETWORKS = select(network).where(network.c.removed_at_ms.is_(None)).order_by(network.c.id)
_DOMAINS = select(key_domain)
_IDENTIFIERS = select(network_identifier.c.network_id, network_identifier.c.identifier).order_by(
    network_identifier.c.network_id, network_identifier.c.position
)
_GENERATIONS = (
    select(key_generation)
    .where(key_generation.c.state != KeySetState.RETIRED.value)
    .order_by(key_generation.c.domain_id, key_generation.c.number)
)
_KEYS = select(link_layer_key).order_by(link_layer_key.c.id)
_RUNNING = select(rollover).where(rollover.c.ended_at_ms.is_(None))
_REVOKED = (
    select(pledge)
    .join(pledge_network, pledge_network.c.pledge_id == pledge.c.id)
    .outerjoin(import_batch, import_batch.c.id == pledge.c.import_id)
    .where(VISIBLE, pledge.c.state == PledgeState.REVOKED.value)
    .order_by(pledge.c.updated_at_ms.desc(), pledge.c.id.desc())
    .limit(MAX_TOLD_BLOCKED + 1)
)
_PLACES = select(pledge_network.c.pledge_id, pledge_network.c.network_id).order_by(
    pledge_network.c.pledge_id, pledge_network.c.position
)

_log = structlog.get_logger("jrc")


def load_networks(
    connection: Connection, mac: RowMac, damaged: set[int] | None = None
) -> dict[int, Network]:
    """Every network that was not removed, by its number.

    With ``damaged`` it takes the numbers of those that don't authenticate, and they are left out.

    Raises:
        StateError: a row does not authenticate.
    """
    identifiers: defaultdict[int, list[bytes]] = defaultdict(list)
    for network_id, identifier in connection.execute(_IDENTIFIERS):
        identifiers[network_id].append(identifier)
    domains = {}
    for domain in connection.execute(_DOMAINS).mappings():
        if damaged is None:
            mac.check(key_domain, domain)
        elif not mac.is_usable(key_domain, domain):
            continue
        domains[domain["id"]] = domain
    networks = {}
    for row in connection.execute(_NETWORKS).mappings():
        number, names = row["id"], identifiers[row["id"]]
        if damaged is None:
            mac.check(network, row, names)
        elif not mac.is_usable(network, row, names) or row["domain_id"] not in domains:
            damaged.add(number)
            continue
        networks[number] = network_of(row, domains[row["domain_id"]], names)
    return networks


def network_of(
    row: Mapping[Any, Any], domain: Mapping[Any, Any], identifiers: list[bytes]
) -> Network:
    """A network as its row has it.

    Raises:
        ValueError: the row makes no sense.
    """
    address = row["jrc_address"]
    return Network(
        id=row["id"],
        name=row["name"],
        domain_id=row["domain_id"],
        domain=domain["name"],
        identifiers=tuple(identifiers),
        prefix=IPv6Network(row["prefix"]),
        key_usages=tuple(int(usage) for usage in domain["key_usages"].split(",")),
        prefix_from=row["prefix_from"],
        jrc_address=None if address is None else IPv6Address(address),
        jrc_address_from=row["jrc_address_from"],
        short_ids=ShortIdRange(row["short_id_first"], row["short_id_last"]),
        lease_hours=row["lease_hours"],
        join_rate_bytes_per_s=row["join_rate"],
        profile=Profile(row["profile"]),
        admission=Admission(row["admission"]),
        throttle_bytes_per_s=row["throttle"],
        quiet_outside_windows=bool(row["quiet"]),
    )


def load_policy(
    connection: Connection, keyring: Keyring, mac: RowMac, revision: int
) -> NetworkPolicy:
    """What joins are decided by, as of ``revision``.

    Raises:
        StateError: a row does not authenticate.
    """

    @cache
    def blocked_in(network_id: int) -> tuple[bytes, ...]:
        return _blocklist(connection, mac, network_id)

    settings, unknown = latest_settings(connection, mac)
    return NetworkPolicy(
        revision,
        {
            number: _as_told(found, settings.get(number), is_unknown=number in unknown)
            for number, found in load_networks(connection, mac).items()
        },
        _live_keys(connection, keyring, mac),
        {number: found.number for number, found in settings.items()},
        blocked_in,
        blocking=frozenset(number for number, found in settings.items() if found.blocked),
        # Whoever joins where the settings are damaged is told them all once they are written anew.
        throttling=throttled_networks(connection) | unknown,
    )


def _as_told(found: Network, settings: Settings | None, *, is_unknown: bool) -> Network:
    """A network with the join rate that its nodes are told now, the least it may be if unknown."""
    if is_unknown:
        rate = effective_join_rate(found, window_is_open=False)
        return replace(found, join_rate_bytes_per_s=rate)
    if settings is None:
        return found
    return replace(found, join_rate_bytes_per_s=settings.join_rate_bytes_per_s)


def _blocklist(connection: Connection, mac: RowMac, network_id: int) -> tuple[bytes, ...]:
    """As ``blocklist``; a cut one is said."""
    told, is_cut = blocklist(connection, mac, network_id)
    if is_cut:
        _log.warning("blocklist_cut", network_id=network_id, told=len(told))
    return told


def blocklist(
    connection: Connection, mac: RowMac, network_id: int
) -> tuple[tuple[bytes, ...], bool]:
    """The revoked pledges that a network's nodes are told of, those changed last first (§8.4.2).

    With it, whether some are left out, since a Configuration has no room for them. One whose row
    does not authenticate is left out: who changed it may have made it up.
    """
    query = _REVOKED.where(pledge_network.c.network_id == network_id)
    rows = connection.execute(query).mappings().all()
    networks = _networks_of(connection, [row["id"] for row in rows])
    intact = [row["identifier"] for row in rows if mac.is_intact(pledge, row, networks[row["id"]])]
    told = bounded_blocklist(intact)
    return told, len(told) < len(intact)


def _networks_of(connection: Connection, pledge_ids: Sequence[int]) -> Mapping[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for pledge_id, network_id in connection.execute(
        _PLACES.where(pledge_network.c.pledge_id.in_(pledge_ids))
    ):
        found[pledge_id].append(network_id)
    return found


def _live_keys(connection: Connection, keyring: Keyring, mac: RowMac) -> dict[int, LiveKeys]:
    keys: defaultdict[int, list[Mapping[Any, Any]]] = defaultdict(list)
    for key in connection.execute(_KEYS).mappings():
        keys[key["generation_id"]].append(key)
    running, doubted = _running(connection, mac)
    live: dict[int, LiveKeys] = {}
    oldest: dict[int, int] = {}
    previous: dict[int, KeySet] = {}
    for row in connection.execute(_GENERATIONS).mappings():
        mac.check(key_generation, row, sealed_keys(keys[row["id"]]))
        domain_id, state = row["domain_id"], KeySetState(row["state"])
        if row["id"] in doubted.generations:
            doubted.domains.add(domain_id)
        oldest.setdefault(domain_id, row["number"])
        if state in (KeySetState.PREVIOUS, KeySetState.CURRENT):
            opened = tuple(open_key(keyring, key) for key in keys[row["id"]])
            key_set = KeySet(row["number"], state, opened)
            if state is KeySetState.PREVIOUS:
                previous[domain_id] = key_set
            else:
                live[domain_id] = LiveKeys(
                    row["id"],
                    key_set,
                    oldest[domain_id],
                    previous.get(domain_id),
                    running.get(domain_id),
                )
    return {number: found for number, found in live.items() if number not in doubted.domains}


class _Doubted(NamedTuple):
    """What damaged rollovers name: a damaged number may hide the key domain that is theirs."""

    domains: set[int]
    generations: set[int]


def _running(connection: Connection, mac: RowMac) -> tuple[dict[int, RunningRollover], _Doubted]:
    """The rollover of each key domain that has one; and where it can't be known.

    There nobody may join: it would not be told of the keys that are to come, or get too few.
    """
    found, doubted = {}, _Doubted(set(), set())
    for row in connection.execute(_RUNNING).mappings():
        if mac.is_usable(rollover, row):
            phase = Phase(row["paused_from"] or row["phase"])
            found[row["domain_id"]] = RunningRollover(row["id"], phase)
        else:
            doubted.domains.add(row["domain_id"])
            doubted.generations.update((row["generation_id"], row["former_generation_id"]))
    return found, doubted


def sealed_keys(keys: list[Mapping[Any, Any]]) -> list[list[object]]:
    """What the MAC of a ``key_generation`` covers of its keys."""
    return [
        [
            key["id"],
            key["key_id"],
            key["key_usage"],
            key["key_addinfo"],
            key["mic_length"],
            key["fingerprint"],
        ]
        for key in keys
    ]


def open_key(keyring: Keyring, row: Mapping[Any, Any]) -> LinkLayerKey:
    """The key in a row of ``link_layer_key``.

    Raises:
        StateError: its value does not authenticate.
    """
    value = keyring.unwrap("link_layer_key", row["id"], "wrapped_value", 1, row["wrapped_value"])
    return LinkLayerKey(row["key_id"], Secret(value), row["key_usage"], row["key_addinfo"])

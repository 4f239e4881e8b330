"""The operator's hand on joined nodes: tell them now, how they sleep, how much they let through."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, PledgeId
from jrc.policy.profiles import TRAITS
from jrc.policy.rollover import NodeState
from jrc.policy.settings import lowest
from jrc.service.enroll import find_pledge
from jrc.service.network_reports import find_network
from jrc.service.network_settings import MAX_JOIN_RATE_BYTES_PER_S, refused
from jrc.service.networks import put_into_force
from jrc.service.node_store import MAX_SLEEP_S
from jrc.service.nodes import KEYS, PAGE, Look, NodeReport, Seen, is_to_be_told, node_report, see
from jrc.service.pledges import profile_in_force
from jrc.service.push_records import NodeUpdate
from jrc.service.registry import Registry
from jrc.service.wording import MAX_LISTED

MAX_AT_ONCE = 1000
"""Nodes that one command names; ``--network`` means all of a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What comes of asking to tell nodes now.

    ``told`` are tried at once; they are behind, and an update helps. Of the others, ``up_to_date``
    have all they are to have, and no update helps those in ``must_join``: the first of them by
    identifier, and how many there are.
    """

    told: int
    up_to_date: int
    must_join: tuple[str, ...]
    must_join_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """A join rate for the time being, None where it was lifted; of nodes, or of a network.

    ``join_rates_bytes_per_s`` are what holds now for each, by identifier or the network's name.
    """

    throttle_bytes_per_s: int | None
    join_rates_bytes_per_s: dict[str, int | None]
    changed: bool


# Telling now


def push_nodes(
    tx: Registry,
    identifiers: Sequence[PledgeId] = (),
    *,
    network: str | None = None,
    actor: str,
    reason: str = "",
) -> Pushed:
    """Have nodes told at once what they lack: those that are named, or all of a network.

    Raises:
        OperatorError: one is unknown or has not joined, or there are too many.
    """
    _check_count(identifiers)
    told, up_to_date = 0, 0
    lost: list[str] = []
    for some in _batches(tx, identifiers, network):
        behind = [seen for seen in some if seen.lacks(tx.now_ms)]
        up_to_date += len(some) - len(behind)
        helped = [seen for seen in behind if not seen.must_join(tx.now_ms)]
        lost += [seen.row.identifier.hex() for seen in behind if seen.must_join(tx.now_ms)]
        _tell_now(tx, helped)
        told += len(helped)
    detail = {"told": told, "must_join": len(lost)}
    names = [None] if network else [identifier.value for identifier in identifiers]
    for name in names:
        tx.record(Event("node.pushed", actor, name, network, reason, detail))
    # The daemon looks when something has changed.
    tx.policy_changed()
    return Pushed(
        told=told,
        up_to_date=up_to_date,
        must_join=tuple(lost[:MAX_LISTED]),
        must_join_count=len(lost),
    )


def _check_count(identifiers: Sequence[PledgeId]) -> None:
    if len(identifiers) > MAX_AT_ONCE:
        raise OperatorError(
            f"{len(identifiers)} nodes are more than the {MAX_AT_ONCE} that one command names",
            "name their network with --network, or say it in several commands",
            exit_code=ExitCode.USAGE,
        )


def _batches(
    tx: Registry, identifiers: Sequence[PledgeId], network: str | None
) -> Iterator[list[Seen]]:
    if network is None:
        yield [see(tx, identifier) for identifier in dict.fromkeys(identifiers)]
        return
    network_id, look, begin = find_network(tx, network).id, Look(tx), None
    while True:
        rows = tx.pushes.nodes(after=begin, limit=PAGE, network_id=network_id)
        yield look.at(rows)
        if len(rows) < PAGE:
            return
        begin = rows[-1].identifier


def _tell_now(tx: Registry, behind: Sequence[Seen]) -> None:
    others = [seen for seen in behind if set(seen.lacks(tx.now_ms)) != {KEYS}]
    tx.pushes.schedule([seen.row.pledge_id for seen in others], tx.now_ms)
    for domain_id in {seen.network.domain_id for seen in behind}:
        here = [seen.row.pledge_id for seen in behind if seen.network.domain_id == domain_id]
        _tell_keys_now(tx, domain_id, here)


def _tell_keys_now(tx: Registry, domain_id: int, pledge_ids: Sequence[int]) -> None:
    """Those that a rollover waits for, or an abort, need not wait for their next try."""
    for last in tx.rollovers.latest(domain_id):
        waiting = [
            node._replace(next_at_ms=tx.now_ms)
            for node in tx.rollovers.find(last.id, pledge_ids).values()
            if is_to_be_told(last, node) and node.state is not NodeState.SENT
        ]
        tx.rollovers.save_nodes(waiting)


# Sleep


def set_sleep(
    tx: Registry,
    identifier: PledgeId,
    sleep_s: int | None,
    *,
    actor: str,
    reason: str = "",
) -> NodeReport:
    """Say how long a node may sleep at a time: no retry comes sooner. None is awake.

    Raises:
        OperatorError: it is unknown or has not joined, or no node sleeps so long.
    """
    if sleep_s is not None and not 1 <= sleep_s <= MAX_SLEEP_S:
        raise OperatorError(
            f"sleeps: a node sleeps 1 s to {MAX_SLEEP_S // 86_400} days",
            "write it as --sleeps 90s, 10m, 2h or 1d, or say --awake",
            exit_code=ExitCode.USAGE,
        )
    seen = see(tx, identifier)
    if seen.row.sleep_s != sleep_s:
        tx.pushes.set_sleep(seen.row.pledge_id, sleep_s)
        detail = {"sleep_s": [seen.row.sleep_s, sleep_s]}
        tx.record(Event("node.changed", actor, identifier.value, seen.network.name, reason, detail))
        tx.policy_changed()
    return node_report(tx, see(tx, identifier))


# Throttling


def throttle_nodes(
    tx: Registry,
    identifiers: Sequence[PledgeId],
    rate: int | None,
    *,
    actor: str,
    reason: str = "",
) -> Throttled:
    """Limit the join traffic that nodes let into the network, in bytes per second (§8.4.2).

    0 closes joining there, None lifts it. It is kept whether they have joined or not, and told
    after each of their joins.

    Raises:
        OperatorError: one is unknown or takes no updates, there are too many, or the rate is none.
    """
    _check_count(identifiers)
    _check_rate(rate)
    rates: dict[str, int | None] = {}
    changed = False
    for identifier in dict.fromkeys(identifiers):
        is_new, rates[str(identifier)] = _throttle(tx, identifier, rate, actor, reason)
        changed = changed or is_new
    if changed:
        tx.policy_changed()
    return Throttled(throttle_bytes_per_s=rate, join_rates_bytes_per_s=rates, changed=changed)


def _throttle(
    tx: Registry, identifier: PledgeId, rate: int | None, actor: str, reason: str
) -> tuple[bool, int | None]:
    """Whether that is news, and the join rate that holds for the node then."""
    record = find_pledge(tx, identifier)
    profile = profile_in_force(record, tx.networks.all())
    if not TRAITS[profile].takes_updates:
        raise refused(
            f"{identifier} takes no updates (profile {profile.value})",
            "throttle its network, whose Join Responses say so: --network NAME",
        )
    before = tx.pushes.find([record.id]).get(record.id, NodeUpdate(pledge_id=record.id))
    is_new = before.throttle != rate
    if is_new:
        after = replace(
            before, throttle=rate, next_at_ms=tx.now_ms, attempts=0, refused_number=None
        )
        tx.pushes.save([after])
        detail = {"join_rate_bytes_per_s": [before.throttle, rate]}
        tx.record(Event("node.throttled", actor, identifier.value, None, reason, detail))
    place = tx.pledges.standing([record])[record.id].network_id
    latest = None if place is None else tx.pushes.latest(place)
    return is_new, lowest(rate, None if latest is None else latest.join_rate_bytes_per_s)


def throttle_network(
    tx: Registry, name: str, rate: int | None, *, actor: str, reason: str = ""
) -> Throttled:
    """Limit the join traffic of each node of a network; None goes back to its own join rate.

    Raises:
        OperatorError: there is no such network, or the rate is none.
    """
    _check_rate(rate)
    network = find_network(tx, name)
    wanted = replace(network, throttle_bytes_per_s=rate)
    if wanted != network:
        put_into_force(tx, network, wanted, actor=actor, reason=reason)
    latest = tx.pushes.latest(network.id)
    now = None if latest is None else latest.join_rate_bytes_per_s
    return Throttled(
        throttle_bytes_per_s=rate, join_rates_bytes_per_s={name: now}, changed=wanted != network
    )


def _check_rate(rate: int | None) -> None:
    if rate is not None and not 0 <= rate <= MAX_JOIN_RATE_BYTES_PER_S:
        raise OperatorError(
            f"join-rate: {rate} does not lie in 0 to {MAX_JOIN_RATE_BYTES_PER_S}",
            "it is in bytes per second; 0 closes joining, --lift takes the limit away",
            exit_code=ExitCode.USAGE,
        )

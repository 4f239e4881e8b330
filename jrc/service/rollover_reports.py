"""What is shown of a rollover: where it is, how far each node is (RFC 9031 §8.4.3.1)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypedDict

from jrc.cojp.constants import Role
from jrc.errors import OperatorError
from jrc.model import Network
from jrc.policy.rollover import NodeState, Phase
from jrc.service.installers import GIVEN_UP, InstallerId
from jrc.service.network_reports import find_network
from jrc.service.records import InstallationRecord
from jrc.service.registry import Registry
from jrc.service.rollover_course import generation_of, networks_of, radios, shown_tally
from jrc.service.rollover_missing import without_router
from jrc.service.rollover_pause import PauseReport, pause_report
from jrc.service.rollover_records import RolloverNode, RolloverRecord
from jrc.service.wording import role_name, utc_text

PAGE = 500
MAX_PAGE = 10_000
SEARCHED = 1000
"""How many rollovers of a key domain are looked through for a number."""
_NO_WAITS: Final[Mapping[InstallerId, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """How far one node is; ``pledge_id`` in hex, times in UTC.

    ``attempts`` were begun; ``sent`` is before the first datagram with the new keys left, ``next``
    when it is told (again), null for no more.
    """

    pledge_id: str
    role: str
    network: str
    state: str
    attempts: int
    last_error: str | None
    sent: str | None
    reached: str | None
    tried: str | None
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallerReport:
    """Whether a radio has the new keys, and how its installer's last run went; times in UTC.

    ``failures`` in a row; ``next`` is null where it is not known to be run again.
    """

    installed: bool
    failures: int
    error: str | None
    tried: str | None
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloverStatus:
    """The running rollover of a network, or its last one; all but the first three null for none.

    ``networks`` are all that share its keys, and switch together. ``key_ids`` come, those of
    ``former_key_ids`` go. ``counts`` are nodes by state, for each role; ``installers`` are
    those whose radios are to have the new keys, by network and name; ``without_router`` the
    networks in which nobody begins to send with them. ``begins`` is when a planned one begins.
    ``nodes`` is a page; ``next_page`` is what gives the following one. Times in UTC.
    """

    network: str
    networks: tuple[str, ...]
    key_domain: str = ""
    id: int | None = None
    phase: str | None = None
    paused: PauseReport | None = None
    cause: str | None = None
    actor: str | None = None
    reason: str | None = None
    generation: int | None = None
    key_ids: tuple[int, ...] = ()
    former_key_ids: tuple[int, ...] = ()
    quorum_permille: int | None = None
    deadline_s: int | None = None
    started: str | None = None
    begins: str | None = None
    distributing: str | None = None
    deadline: str | None = None
    switching: str | None = None
    guarding: str | None = None
    ended: str | None = None
    counts: Mapping[str, Mapping[str, int]] | None = None
    installers: Mapping[str, InstallerReport] | None = None
    without_router: tuple[str, ...] = ()
    wanted: str | None = None
    nodes: tuple[NodeReport, ...] = ()
    next_page: int | None = None


def status(
    tx: Registry,
    network_name: str,
    *,
    after: int = 0,
    limit: int = PAGE,
    states: Collection[NodeState] = (),
    installers: Collection[InstallerId] | None = None,
    waits_s: Mapping[InstallerId, float] = _NO_WAITS,
    rollover_id: int | None = None,
) -> RolloverStatus:
    """The running rollover of a network, else its last one, or the one of a number.

    ``nodes`` has up to ``limit`` (in certain ``states``), those after ``next_page`` of the page
    before; none for 0. ``installers`` as for ``advance``; ``waits_s`` is how long those that have
    failed wait for their next run.

    Raises:
        OperatorError: there is no such network, or its keys had no rollover of that number.
    """
    network = find_network(tx, network_name)
    wanted = tx.rollovers.wanted(network.domain_id)
    names = tuple(each.name for each in networks_of(tx, network.domain_id))
    last = _chosen(tx, network, rollover_id)
    if last is None:
        return RolloverStatus(
            network=network_name,
            networks=names,
            key_domain=network.domain,
            wanted=None if wanted is None else wanted.cause.value,
        )
    return replace(
        _report(tx, last, network_name, names),
        key_domain=network.domain,
        installers=_installers(tx, last, installers, waits_s),
        without_router=() if _is_off(last) else without_router(tx, last, installers),
        wanted=None if wanted is None else wanted.cause.value,
        **_page(tx, last, after, min(limit, MAX_PAGE), states),
    )


def _is_off(record: RolloverRecord) -> bool:
    """Whether nobody is to send with its keys: not yet, or never."""
    return record.course in (Phase.PLANNED, Phase.ABORTED)


def _chosen(tx: Registry, network: Network, rollover_id: int | None) -> RolloverRecord | None:
    if rollover_id is None:
        return next(iter(tx.rollovers.latest(network.domain_id)), None)
    found = tx.rollovers.latest(network.domain_id, SEARCHED)
    for record in found:
        if record.id == rollover_id:
            return record
    raise OperatorError(
        f"network {network.name} had no rollover of number {rollover_id}",
        "`jrc rollover status` shows the last one",
    )


def _report(
    tx: Registry, record: RolloverRecord, network_name: str, names: tuple[str, ...]
) -> RolloverStatus:
    drawn = generation_of(tx, record, record.generation_id)
    counts = tx.rollovers.counts(record.id)
    is_planned = record.course is Phase.PLANNED
    return RolloverStatus(
        network=network_name,
        networks=names,
        id=record.id,
        phase=record.phase.value,
        paused=pause_report(tx, record, counts.nodes, network_name),
        cause=record.cause.value,
        actor=record.actor,
        reason=record.reason,
        generation=drawn.number,
        key_ids=drawn.key_ids,
        former_key_ids=generation_of(tx, record, record.former_generation_id).key_ids,
        quorum_permille=record.quorum_permille,
        deadline_s=record.deadline_s,
        started=utc_text(record.created_at_ms),
        begins=utc_text(record.distributing_at_ms) if is_planned else None,
        distributing=None if is_planned else utc_text(record.distributing_at_ms),
        deadline=utc_text(record.deadline_at_ms),
        switching=utc_text(record.switching_at_ms),
        guarding=utc_text(record.guarding_at_ms),
        ended=utc_text(record.ended_at_ms),
        counts={
            role_name(Role.NODE): shown_tally(counts.nodes),
            role_name(Role.LBR): shown_tally(counts.border_routers),
        },
    )


def _installers(
    tx: Registry,
    record: RolloverRecord,
    installers: Collection[InstallerId] | None,
    waits_s: Mapping[InstallerId, float],
) -> dict[str, InstallerReport]:
    waiting, installed = radios(tx, record, installers)
    runs = {
        InstallerId(network.name, run.installer): run
        for network in networks_of(tx, record.domain_id)
        for run in tx.installations.of(network.id)
    }
    # One that a person gave up holds the keys that this rollover retires, or older ones.
    former = generation_of(tx, record, record.former_generation_id).number
    waiting += [
        one
        for one, run in runs.items()
        if one not in waiting and run.error == GIVEN_UP and (run.generation or 0) >= former
    ]
    return {
        str(one): _installer(
            runs.get(one),
            installed=one in installed,
            next_at_ms=tx.now_ms + int(1000 * waits_s[one]) if one in waits_s else None,
        )
        for one in sorted((*waiting, *installed))
    }


def _installer(
    run: InstallationRecord | None, *, installed: bool, next_at_ms: int | None
) -> InstallerReport:
    return InstallerReport(
        installed=installed,
        failures=0 if run is None else run.failures,
        error=None if run is None else run.error,
        tried=None if run is None else utc_text(run.tried_at_ms),
        next=utc_text(next_at_ms),
    )


class _Page(TypedDict):
    nodes: tuple[NodeReport, ...]
    next_page: int | None


def _page(
    tx: Registry, record: RolloverRecord, after: int, limit: int, states: Collection[NodeState]
) -> _Page:
    if limit <= 0:
        return {"nodes": (), "next_page": None}
    found = tx.rollovers.nodes(record.id, after=after, limit=limit, states=states)
    called = tx.rollovers.identifiers([each.pledge_id for each in found])
    names = {each.id: each.name for each in tx.networks.all().values()}
    return {
        "nodes": tuple(
            _node(each, called.get(each.pledge_id, b""), names.get(each.network_id, ""))
            for each in found
        ),
        "next_page": found[-1].pledge_id if len(found) == limit else None,
    }


def _node(each: RolloverNode, identifier: bytes, network: str) -> NodeReport:
    return NodeReport(
        pledge_id=identifier.hex(),
        role=role_name(each.role),
        network=network,
        state=each.state.value,
        attempts=each.attempts,
        last_error=each.last_error,
        sent=utc_text(each.sent_at_ms),
        reached=utc_text(each.reached_at_ms),
        tried=utc_text(each.tried_at_ms),
        next=utc_text(each.next_at_ms),
    )

"""A rollover goes on by one event: the machine's actions, done on rows (RFC 9031 §8.4.3.1-2)."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from jrc.cojp.constants import Role
from jrc.errors import StateError
from jrc.model import Event as AuditEvent
from jrc.model import KeySetState, Network
from jrc.policy.profiles import TRAITS
from jrc.policy.rollover import (
    FINAL,
    Action,
    Counts,
    Event,
    NodeState,
    PauseCause,
    Phase,
    Plan,
    Progress,
    Tally,
    step,
)
from jrc.policy.rollover_nodes import NODE_TABLE, NodeEvent, node_step, states_to_tell
from jrc.service.installers import GIVEN_UP, InstallerId
from jrc.service.records import Generation
from jrc.service.registry import Registry
from jrc.service.rollover_records import JoinedNode, RolloverRecord
from jrc.service.wording import role_name

_FIRST_MS = 3_600_000
BY_ITSELF = "jrc"
"""Who moves a rollover that nobody has asked to, in the audit log."""
_EVENT = "rollover.{}"
PAUSED_EVENT = _EVENT.format(Phase.PAUSED)
"""What the audit log calls a pause."""


def plan_of(record: RolloverRecord) -> Plan:
    """What the machine decides upon."""
    cause = None if record.pause_cause is None else PauseCause(record.pause_cause)
    return Plan(record.phase, record.quorum_permille, record.paused_from, cause)


def networks_of(tx: Registry, domain_id: int) -> list[Network]:
    """The networks of a key domain, by name."""
    found = (each for each in tx.networks.all().values() if each.domain_id == domain_id)
    return sorted(found, key=lambda network: network.name)


def generation_of(tx: Registry, record: RolloverRecord, generation_id: int) -> Generation:
    """One of a rollover's two generations of keys.

    Raises:
        StateError: it is not there, or a row does not authenticate.
    """
    for each in tx.keysets.generations(record.domain_id):
        if each.id == generation_id:
            return each
    raise StateError(f"rollover {record.id} has a generation {generation_id} that is not there")


def nodes_with_keys(tx: Registry, domain_id: int) -> Iterator[JoinedNode]:
    """Who has joined a network of a key domain and takes its keys: a Join Proxy takes none."""
    joined = tx.rollovers.joined_nodes(domain_id)
    return (each for each in joined if TRAITS[each.profile].takes_keys)


def counts_of(
    tx: Registry, record: RolloverRecord, installers: Collection[InstallerId] | None = None
) -> Counts:
    """What a rollover has come to; radios that have the new keys count as reached 6LBRs.

    ``installers`` are those that are configured; None counts every one that was ever run.
    """
    counts = tx.rollovers.counts(record.id)
    waiting, installed = radios(tx, record, installers)
    tally = counts.border_routers
    begin = {radio.network for radio in (*waiting, *installed)}
    led = {network.id for network in networks_of(tx, record.domain_id) if network.name in begin}
    return replace(
        counts,
        border_routers=replace(
            tally, pending=tally.pending + len(waiting), reached=tally.reached + len(installed)
        ),
        without_router=counts.without_router - led,
    )


def radios(
    tx: Registry, record: RolloverRecord, installers: Collection[InstallerId] | None = None
) -> tuple[list[InstallerId], list[InstallerId]]:
    """The installers that have not put the new keys in yet, and those that have.

    Where registrars share the database, those that any of them has run count as well, but for those
    that a person has given up.
    """
    number = generation_of(tx, record, record.generation_id).number
    has: dict[InstallerId, int] = {}
    given_up: set[InstallerId] = set()
    networks = networks_of(tx, record.domain_id)
    for network in networks:
        for each in tx.installations.of(network.id):
            one = InstallerId(network.name, each.installer)
            has[one] = each.generation or 0
            if each.error == GIVEN_UP:
                given_up.add(one)
    here = {network.name for network in networks}
    configured = [one for one in installers or () if one.network in here]
    counted = [*has] if installers is None else configured
    if tx.is_shared:
        elsewhere = [one for one in has if one not in given_up]
        counted = list(dict.fromkeys([*configured, *elsewhere]))
    waiting = [one for one in counted if has.get(one, 0) < number]
    return waiting, [one for one in counted if has.get(one, 0) >= number]


def move(
    tx: Registry,
    record: RolloverRecord,
    event: Event,
    *,
    actor: str = BY_ITSELF,
    reason: str = "",
    installers: Collection[InstallerId] | None = None,
) -> RolloverRecord:
    """The rollover after an event and all news that follow from it, written, with its actions.

    Raises:
        OperatorError: the operator asks for what its phase does not have.
        StateError: an event of the program's own that its phase does not have.
    """
    after = _step(tx, record, event, actor, reason)
    while after.phase is not record.phase and after.phase not in (*FINAL, Phase.PAUSED):
        # Nothing may have to be waited for, such as where a domain has no 6LBR.
        record = after
        after = _step(tx, record, Progress(counts_of(tx, record, installers)), BY_ITSELF, "")
    return after


def _step(
    tx: Registry, record: RolloverRecord, event: Event, actor: str, reason: str
) -> RolloverRecord:
    plan = plan_of(record)
    wanted, actions = step(plan, event)
    if wanted is plan:
        return record
    after = _with_plan(record, wanted, tx.now_ms)
    for action in actions:
        after = _DO[action](tx, after)
    after = tx.rollovers.save(after)
    for kind in _kinds(record, after):
        record_event(tx, after, kind, actor, reason)
    tx.policy_changed()
    return after


def _with_plan(record: RolloverRecord, plan: Plan, now_ms: int) -> RolloverRecord:
    """The record in the plan's phase, with the time at which it came there first."""
    after = replace(
        record,
        phase=plan.phase,
        paused_from=plan.paused_from,
        pause_cause=None if plan.pause_cause is None else plan.pause_cause.value,
    )
    if plan.phase is Phase.DISTRIBUTING and record.phase is Phase.PLANNED:
        return replace(after, distributing_at_ms=now_ms)
    if plan.phase is Phase.SWITCHING and record.switching_at_ms is None:
        return replace(after, switching_at_ms=now_ms)
    return replace(after, ended_at_ms=now_ms) if plan.phase in FINAL else after


# Actions, each with the record in the phase that they lead to


def _tell_nodes(tx: Registry, record: RolloverRecord) -> RolloverRecord:
    states = states_to_tell(record.phase, Role.NODE)
    tx.rollovers.set_due(record.id, states, tx.now_ms, role=Role.NODE)
    return record


def _tell_border_routers(tx: Registry, record: RolloverRecord) -> RolloverRecord:
    """Before every 6LN that is due: the network is half switched until they have it."""
    states = states_to_tell(record.phase, Role.LBR)
    tx.rollovers.set_due(record.id, states, tx.now_ms - _FIRST_MS, role=Role.LBR)
    return record


def _set_deadline(tx: Registry, record: RolloverRecord) -> RolloverRecord:
    return replace(record, deadline_at_ms=tx.now_ms + 1000 * record.deadline_s)


def _hold(_tx: Registry, record: RolloverRecord) -> RolloverRecord:
    """Nodes of a paused rollover are not due, whatever their rows say."""
    return record


def _activate(tx: Registry, record: RolloverRecord) -> RolloverRecord:
    _go_on(tx, record, record.former_generation_id, KeySetState.CURRENT, KeySetState.PREVIOUS)
    _go_on(tx, record, record.generation_id, KeySetState.SCHEDULED, KeySetState.CURRENT)
    tx.rollovers.place_reached(record.id, record.generation_id)
    for before in (NodeState.PENDING, NodeState.SENT):
        after = node_step(record.phase, before, NodeEvent.PASSED_OVER)
        # Told on at the pace of those that were tried: at once, since nothing waits for them.
        tx.rollovers.set_states(record.id, [before], after, role=Role.NODE, next_at_ms=tx.now_ms)
    return record


def _start_guard(tx: Registry, record: RolloverRecord) -> RolloverRecord:
    tx.rollovers.place_reached(record.id, record.generation_id)
    return replace(record, guarding_at_ms=tx.now_ms)


def _retire(tx: Registry, record: RolloverRecord) -> RolloverRecord:
    """Aborted generations before this one go as well: no node sends with what it was told then."""
    former = record.former_generation_id
    for each in tx.keysets.generations(record.domain_id):
        if each.id == former or each.state is KeySetState.ABORTED:
            tx.keysets.set_state(each.id, KeySetState.RETIRED)
    return record


def _give_up(tx: Registry, record: RolloverRecord) -> RolloverRecord:
    _go_on(tx, record, record.generation_id, KeySetState.SCHEDULED, KeySetState.ABORTED)
    return record


def _tell_current_again(tx: Registry, record: RolloverRecord) -> RolloverRecord:
    for before, event in NODE_TABLE[record.phase]:
        if event is NodeEvent.RECALLED:
            after = node_step(record.phase, before, event)
            tx.rollovers.set_states(
                record.id, [before], after, only_sent=True, next_at_ms=tx.now_ms
            )
    return record


def _close(tx: Registry, record: RolloverRecord) -> RolloverRecord:
    """Nobody is told anything more, but for those that were told keys which are given up."""
    if record.phase is Phase.DONE:
        tx.rollovers.place_reached(record.id, record.generation_id)
        for before in (NodeState.PENDING, NodeState.SENT):
            after = node_step(record.phase, before, NodeEvent.ENDED)
            tx.rollovers.set_states(record.id, [before], after)
    told = states_to_tell(record.phase, Role.NODE)
    tx.rollovers.set_due(record.id, [each for each in NodeState if each not in told], None)
    return record


def _go_on(
    tx: Registry, record: RolloverRecord, number: int, before: KeySetState, after: KeySetState
) -> None:
    """Take a generation of the rollover from one state into the next.

    Raises:
        StateError: it is in another one, so that this rollover is not what it takes itself for.
    """
    found = generation_of(tx, record, number).state
    if found is not before:
        raise StateError(f"rollover {record.id}: generation {number} is {found}, and not {before}")
    tx.keysets.set_state(number, after)


_DO: Mapping[Action, Callable[[Registry, RolloverRecord], RolloverRecord]] = MappingProxyType(
    {
        Action.TELL_NODES: _tell_nodes,
        Action.SET_DEADLINE: _set_deadline,
        Action.HOLD: _hold,
        Action.ACTIVATE: _activate,
        Action.TELL_BORDER_ROUTERS: _tell_border_routers,
        Action.START_GUARD: _start_guard,
        Action.RETIRE: _retire,
        Action.GIVE_UP: _give_up,
        Action.TELL_CURRENT_AGAIN: _tell_current_again,
        Action.CLOSE: _close,
    }
)


# The audit log


def _kinds(before: RolloverRecord, after: RolloverRecord) -> list[str]:
    """What has happened, in words: a phase, or that it goes on, which may lead to another one."""
    if before.phase is not Phase.PAUSED or after.phase in FINAL:
        return [after.phase.value]
    return ["resumed"] if after.phase is before.paused_from else ["resumed", after.phase.value]


def record_event(tx: Registry, record: RolloverRecord, kind: str, actor: str, reason: str) -> None:
    """Tell the audit log; the network is named where the key domain has one alone."""
    names = [network.name for network in networks_of(tx, record.domain_id)]
    generation = generation_of(tx, record, record.generation_id)
    counts = tx.rollovers.counts(record.id)
    detail: dict[str, object] = {
        "networks": names,
        "cause": record.cause.value,
        "generation": generation.number,
        "key_ids": generation.key_ids,
        role_name(Role.NODE): shown_tally(counts.nodes),
        role_name(Role.LBR): shown_tally(counts.border_routers),
    }
    if record.pause_cause is not None:
        detail["paused_by"] = record.pause_cause
    only = names[0] if len(names) == 1 else None
    tx.record(AuditEvent(_EVENT.format(kind), actor, None, only, reason, detail))


def shown_tally(tally: Tally) -> dict[str, int]:
    """How many nodes are in each state that any is in."""
    found = ((state.value, getattr(tally, state.value)) for state in NodeState)
    return {state: count for state, count in found if count}

"""The operator's hand on rollovers, and what starts them without one (RFC 9031 §8.4.3.1-2).

Each use case is one transaction. ``rollover_course.py`` has what a phase does to rows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from jrc.errors import ExitCode, OperatorError
from jrc.model import KeySetState
from jrc.policy.keys import current_keys
from jrc.policy.profiles import TRAITS
from jrc.policy.rollover import (
    FINAL,
    QUORUM_FLOOR_PERMILLE,
    Abort,
    Begin,
    DeadlinePassed,
    Event,
    GuardOver,
    NodeState,
    Pause,
    Phase,
    Progress,
    Resume,
)
from jrc.policy.rollover_nodes import first_state, states_to_tell
from jrc.service.condition import is_open, require_open
from jrc.service.installers import InstallerId
from jrc.service.key_domains import current_generation, draw_keys
from jrc.service.network_reports import find_network
from jrc.service.network_settings import refused
from jrc.service.records import Domain, Generation
from jrc.service.registry import Registry
from jrc.service.rollover_course import (
    counts_of,
    move,
    networks_of,
    nodes_with_keys,
    radios,
    record_event,
)
from jrc.service.rollover_missing import give_up_elsewhere
from jrc.service.rollover_records import (
    JoinedNode,
    RolloverCause,
    RolloverNode,
    RolloverRecord,
    RolloverSettings,
)
from jrc.service.rollover_reports import RolloverStatus, status
from jrc.service.wording import listed, utc_text

KEPT_ROLLOVERS = 3
"""Ended rollovers of a key domain whose nodes are kept, beside the one that brought the keys in
force; of older ones the audit log has counts."""

DEFAULTS = RolloverSettings()
MIN_DEADLINE_S = 1
MAX_DEADLINE_S = 30 * 86_400


# Starting


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRollover:
    """A rollover to start in a key domain; ``not_before_ms`` is when, None for now.

    ``switched``: the new keys are in force at once, and nobody is told them before, since whoever
    asks must not send with the former ones again (row E7).
    """

    cause: RolloverCause = RolloverCause.OPERATOR
    actor: str
    reason: str = ""
    settings: RolloverSettings = DEFAULTS
    not_before_ms: int | None = None
    switched: bool = False


def start_rollover(
    tx: Registry,
    network_name: str,
    *,
    actor: str,
    reason: str = "",
    cause: RolloverCause = RolloverCause.OPERATOR,
    settings: RolloverSettings = DEFAULTS,
    not_before_ms: int | None = None,
) -> RolloverStatus:
    """New keys for a network, and for all others that share its keys.

    Raises:
        OperatorError: one is running, or the keys can't be drawn; says which and why.
    """
    network = find_network(tx, network_name)
    wanted = NewRollover(
        cause=cause, actor=actor, reason=reason, settings=settings, not_before_ms=not_before_ms
    )
    start_in_domain(tx, network.domain_id, wanted)
    return status(tx, network_name)


def start_in_domain(tx: Registry, domain_id: int, wanted: NewRollover) -> RolloverRecord:
    """As ``start_rollover``, by the number of a key domain that has networks.

    Raises:
        OperatorError: as there.
    """
    require_open(tx, "no rollover starts")
    check_settings(wanted.settings)
    domain = _domain(tx, domain_id)
    former = free_to_start(tx, domain_id)
    addinfos = {key.key_usage: key.addinfo for key in current_keys(tx.keysets.live(domain_id))}
    state = KeySetState.CURRENT if wanted.switched else KeySetState.SCHEDULED
    drawn = draw_keys(tx, domain, state, wanted.actor, wanted.reason, addinfos)
    if wanted.switched:
        tx.keysets.set_state(former.id, KeySetState.PREVIOUS)
    for last in tx.rollovers.latest(domain_id):
        # Who was to be told the keys in force again, after an abort, is told these instead.
        tx.rollovers.set_due(last.id, list(NodeState), None)
    draft = _draft(tx, domain_id, former, drawn, wanted)
    record = tx.rollovers.add(
        draft, (_node(draft, each) for each in nodes_with_keys(tx, domain_id))
    )
    tx.rollovers.forget_nodes(domain_id, KEPT_ROLLOVERS)
    tx.policy_changed()
    record_event(tx, record, "started", wanted.actor, wanted.reason)
    return _advance(tx, record)


def check_settings(settings: RolloverSettings) -> None:
    """Nothing, if a rollover can have these.

    Raises:
        OperatorError: naming what is out of bounds.
    """
    if not QUORUM_FLOOR_PERMILLE <= settings.quorum_permille <= 1000:
        raise OperatorError(
            f"quorum: a network switches when {QUORUM_FLOOR_PERMILLE / 1000} to 1 of its nodes"
            f" have the new keys, not {settings.quorum_permille / 1000}",
            "`jrc rollover resume --anyway` goes on with fewer, once you have seen who is left",
            exit_code=ExitCode.USAGE,
        )
    if not MIN_DEADLINE_S <= settings.deadline_s <= MAX_DEADLINE_S:
        raise OperatorError(
            f"deadline: {settings.deadline_s} s does not lie in {MIN_DEADLINE_S} s to"
            f" {MAX_DEADLINE_S // 86_400} days",
            "one exchange with a node may take 465 s; write it as 1h",
            exit_code=ExitCode.USAGE,
        )


def _domain(tx: Registry, domain_id: int) -> Domain:
    networks = networks_of(tx, domain_id)
    if not networks:
        raise refused("no network uses these keys any more", "`jrc network list` shows them all")
    return Domain(domain_id, networks[0].domain, networks[0].key_usages)


def free_to_start(tx: Registry, domain_id: int) -> Generation:
    """The generation in force, of a key domain in which no rollover runs.

    Raises:
        OperatorError: one is running, and what can be done with it; or there are no keys.
    """
    domain = _domain(tx, domain_id)
    running = tx.rollovers.running(domain_id)
    if running is not None:
        since = utc_text(running.created_at_ms)
        raise refused(
            f"key domain {domain.name} has a rollover already, started at {since} by"
            f" {running.actor}, which is {running.phase}",
            _at_hand(running, networks_of(tx, domain_id)[0].name),
        )
    current = current_generation(tx.keysets.generations(domain_id))
    if current is None:
        raise refused(
            f"key domain {domain.name} has no keys in force, so there is nothing to change",
            "`jrc network show` tells what it has",
        )
    return current


def _at_hand(running: RolloverRecord, network: str) -> str:
    """What can be done with a rollover that has not ended."""
    commands = [f"`jrc rollover watch {network}` shows it"]
    if running.phase is Phase.PAUSED:
        commands.append(f"`jrc rollover resume {network}` lets it go on")
    else:
        commands.append(f"`jrc rollover pause {network}` holds it")
    if running.course in (Phase.PLANNED, Phase.DISTRIBUTING):
        commands.append(f"`jrc rollover abort {network}` calls it off")
    return listed(commands)


def _draft(
    tx: Registry, domain_id: int, former: Generation, drawn: Generation, wanted: NewRollover
) -> RolloverRecord:
    begins_ms = max(tx.now_ms, wanted.not_before_ms or 0)
    return RolloverRecord(
        id=0,
        domain_id=domain_id,
        generation_id=drawn.id,
        former_generation_id=former.id,
        phase=Phase.SWITCHING if wanted.switched else Phase.PLANNED,
        cause=wanted.cause,
        actor=wanted.actor,
        reason=wanted.reason,
        quorum_permille=wanted.settings.quorum_permille,
        deadline_s=wanted.settings.deadline_s,
        created_at_ms=tx.now_ms,
        distributing_at_ms=None if wanted.switched else begins_ms,
        switching_at_ms=tx.now_ms if wanted.switched else None,
    )


def _node(draft: RolloverRecord, joined: JoinedNode) -> RolloverNode:
    state = first_state(takes_updates=TRAITS[joined.profile].takes_updates)
    # While it is planned nobody is due, and this is not to be written twice.
    phase = Phase.DISTRIBUTING if draft.phase is Phase.PLANNED else draft.phase
    is_told = state in states_to_tell(phase, joined.role)
    return RolloverNode(
        rollover_id=draft.id,
        pledge_id=joined.pledge_id,
        network_id=joined.network_id,
        role=joined.role,
        state=state,
        next_at_ms=(draft.distributing_at_ms or draft.switching_at_ms) if is_told else None,
    )


# Going on


def advance(
    tx: Registry,
    rollover_id: int,
    *,
    guard_over: bool = False,
    deadline_passed: bool = False,
    installers: Collection[InstallerId] | None = None,
) -> RolloverRecord:
    """The rollover as it is after all that has happened to its nodes.

    ``guard_over`` and ``deadline_passed`` are the caller's word, who measures the guard on a clock
    that nobody sets; where the phase is past them they say nothing. ``installers`` are those that
    are configured; None waits for each one that was ever run for these networks.
    """
    record = tx.rollovers.by_id(rollover_id)
    return _advance(
        tx,
        record,
        guard_over=guard_over,
        deadline_passed=deadline_passed,
        installers=installers,
    )


def _advance(
    tx: Registry,
    record: RolloverRecord,
    *,
    guard_over: bool = False,
    deadline_passed: bool = False,
    installers: Collection[InstallerId] | None = None,
) -> RolloverRecord:
    if record.phase in (*FINAL, Phase.PAUSED) or not is_open(tx):
        return record
    event: Event
    if record.phase is Phase.PLANNED:
        if tx.now_ms < (record.distributing_at_ms or 0):
            return record
        event = Begin()
    else:
        counts = counts_of(tx, record, installers)
        event = Progress(counts)
        if deadline_passed and record.phase in (Phase.DISTRIBUTING, Phase.GUARDING):
            event = DeadlinePassed(counts)
        elif guard_over and record.phase is Phase.GUARDING:
            event = GuardOver(counts)
    return move(tx, record, event, installers=installers)


def pause_rollover(
    tx: Registry, network_name: str, *, actor: str, reason: str = ""
) -> RolloverStatus:
    """Tell nobody anything more until it is resumed; what was told stays.

    Raises:
        OperatorError: none is running, or it is paused already.
    """
    return _command(tx, network_name, Pause(), actor, reason)


def resume_rollover(
    tx: Registry,
    network_name: str,
    *,
    anyway: bool = False,
    actor: str,
    reason: str = "",
    installers: Collection[InstallerId] | None = None,
) -> RolloverStatus:
    """Let a paused one go on; ``anyway`` with the nodes that have the new keys, however few.

    One that is switching goes on ``anyway`` without 6LBRs and radios that are missing, paused or
    not; installers that are not among ``installers`` are given up then.

    Raises:
        OperatorError: none is paused, or there is nothing that ``anyway`` could leave out.
    """
    last = _last(tx, network_name)
    waiting: Sequence[InstallerId] = ()
    if anyway and installers is not None and last.course is Phase.SWITCHING:
        waiting, _ = radios(tx, last, installers)
    done = _command(tx, network_name, Resume(anyway), actor, reason, installers)
    give_up_elsewhere(tx, waiting, installers or ())
    return done


def abort_rollover(
    tx: Registry, network_name: str, *, actor: str, reason: str = ""
) -> RolloverStatus:
    """Call one off that has not switched: the keys in force stay, the new ones are never used.

    Raises:
        OperatorError: none is running, or it can only go forward.
    """
    return _command(tx, network_name, Abort(), actor, reason)


def _command(
    tx: Registry,
    network_name: str,
    event: Event,
    actor: str,
    reason: str,
    installers: Collection[InstallerId] | None = None,
) -> RolloverStatus:
    last = _last(tx, network_name)
    move(tx, last, event, actor=actor, reason=reason, installers=installers)
    return status(tx, network_name)


def _last(tx: Registry, network_name: str) -> RolloverRecord:
    network = find_network(tx, network_name)
    require_open(tx, "a rollover stays as it is")
    last = tx.rollovers.latest(network.domain_id)
    if not last:
        raise refused(
            f"network {network_name} has had no rollover", "`jrc rollover start` starts one"
        )
    return last[0]

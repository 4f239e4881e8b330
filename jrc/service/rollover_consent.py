"""What a person is told before a rollover is started, aborted, or goes on without some nodes."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from jrc.errors import ExitCode, OperatorError
from jrc.policy.rollover import Abort, Event, Phase, Resume, step
from jrc.service.installers import InstallerId
from jrc.service.network_reports import find_network
from jrc.service.network_settings import refused
from jrc.service.registry import Registry
from jrc.service.rollover import free_to_start
from jrc.service.rollover_course import generation_of, networks_of, plan_of
from jrc.service.rollover_missing import missing
from jrc.service.rollover_plan import plan_rollover
from jrc.service.rollover_records import RolloverRecord
from jrc.service.wording import Plan, counted, listed, utc_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The rollover that a plan is of, as it was when a person was asked.

    ``phase`` is that of its course. ``affected`` counts those who bear it: the revoked devices that
    an abort leaves in, the 6LNs that are cut off by going on without them, the 6LBRs, radios and
    networks that a switch ends without.
    """

    id: int
    phase: Phase
    affected: int


@dataclass(frozen=True, slots=True)
class RolloverPlan(Plan):
    """A plan for the rollover that runs; ``shown`` comes back with the yes, if it needs one."""

    shown: Shown | None = None


def plan_start(
    tx: Registry,
    network_name: str,
    not_before_ms: int | None,
    installers: Collection[InstallerId] | None = None,
) -> Plan:
    """What new keys for a network mean, and when that begins.

    Raises:
        OperatorError: there is no such network, a rollover of it runs, or the time is over.
    """
    free_to_start(tx, find_network(tx, network_name).domain_id)
    plan = plan_rollover(tx, network_name, installers)
    if not_before_ms is None:
        return plan
    if not_before_ms < tx.now_ms:
        raise OperatorError(
            f"at: {utc_text(not_before_ms)} is over; it is {utc_text(tx.now_ms)}",
            "leave it out to begin now",
            exit_code=ExitCode.USAGE,
        )
    return replace(plan, sentences=(*plan.sentences, f"It begins at {utc_text(not_before_ms)}."))


def plan_abort(tx: Registry, network_name: str, agreed_to: Shown | None = None) -> RolloverPlan:
    """What aborting the rollover of a network means for its nodes.

    Raises:
        OperatorError: none is running, it can only go forward, or it is not what was agreed to.
    """
    record = _permitted(tx, network_name, Abort(), agreed_to)
    stay_in = tx.pledges.revoked_with_keys(record.domain_id)
    shown = Shown(id=record.id, phase=record.course, affected=stay_in)
    _still_as_shown(network_name, agreed_to, shown, "revoked device")
    told = _told(tx, record)
    again = (
        f"{counted(told, 'node')} may have been told them, and {'is' if told == 1 else 'are'} told"
        " the keys in force again."
        if told
        else "No node has been told them."
    )
    ids = listed(map(str, generation_of(tx, record, record.generation_id).key_ids))
    return RolloverPlan(
        (
            f"This calls off the rollover of {_networks(tx, record)}: the keys in force stay.",
            f"The new keys (key ids {ids}) are never used. {again}",
            *_stay_in(stay_in),
        ),
        needs_consent=True,
        shown=shown,
    )


def _stay_in(count: int) -> list[str]:
    """Whom the rollover would put out, in a sentence; none where there is nobody."""
    if not count:
        return []
    has, them = ("has", "it") if count == 1 else ("have", "them")
    who = f"{counted(count, 'revoked device')} {has} the keys in force, and can go on with them:"
    return [f"{who} `jrc rollover start` puts {them} out later."]


def plan_resume(
    tx: Registry,
    network_name: str,
    *,
    anyway: bool,
    agreed_to: Shown | None = None,
    installers: Collection[InstallerId] | None = None,
) -> RolloverPlan:
    """What going on means; it needs no consent unless nodes are left behind.

    Raises:
        OperatorError: none is paused, there is nothing that ``anyway`` could leave out, or it is
            not what was agreed to.
    """
    record = _permitted(tx, network_name, Resume(anyway), agreed_to)
    if not anyway:
        return RolloverPlan((f"The rollover of {_networks(tx, record)} goes on.",))
    if record.course is Phase.SWITCHING:
        return _without_routers(tx, network_name, record, agreed_to, installers)
    nodes = tx.rollovers.counts(record.id).nodes
    behind = nodes.counted - nodes.reached
    shown = Shown(id=record.id, phase=record.course, affected=behind)
    _still_as_shown(network_name, agreed_to, shown, "6LN")
    comes = (
        f"{_networks(tx, record)}: the new keys come into force with {nodes.reached} of"
        f" {counted(nodes.counted, '6LN')}."
    )
    cut_off = (
        f"{counted(behind, '6LN')} {'has' if behind == 1 else 'have'} not got them: cut off once"
        " the 6LBRs use them, until told by update or joined again."
    )
    forward = "From then on it can only go forward."
    return RolloverPlan((comes, cut_off, forward), needs_consent=True, shown=shown)


def _without_routers(
    tx: Registry,
    network_name: str,
    record: RolloverRecord,
    agreed_to: Shown | None,
    installers: Collection[InstallerId] | None,
) -> RolloverPlan:
    """What retiring the old keys means for those that have no others."""
    behind = missing(tx, record, installers)
    shown = Shown(id=record.id, phase=record.course, affected=len(behind))
    _still_as_shown(network_name, agreed_to, shown, "missing radio")
    ends = (
        f"{_networks(tx, record)}: the switch ends, and the old keys are retired after the guard"
        " time, though somebody sends with them."
    )
    revoked = "Whoever was revoked can go on with them where others do."
    return RolloverPlan((ends, *behind.sentences(), revoked), needs_consent=True, shown=shown)


def _permitted(
    tx: Registry, network_name: str, event: Event, agreed_to: Shown | None
) -> RolloverRecord:
    """The network's rollover, if it is that which was agreed to and takes the event now."""
    network = find_network(tx, network_name)
    last = tx.rollovers.latest(network.domain_id)
    if not last:
        raise refused(
            f"network {network_name} has had no rollover", "`jrc rollover start` starts one"
        )
    if agreed_to is not None and last[0].id != agreed_to.id:
        raise _changed(network_name, _another(last[0]))
    step(plan_of(last[0]), event)
    return last[0]


def _another(record: RolloverRecord) -> str:
    return (
        f"another rollover has taken its place, started at {utc_text(record.created_at_ms)} by"
        f" {record.actor} (cause: {record.cause}), which is {record.phase}"
    )


def _still_as_shown(network_name: str, agreed_to: Shown | None, now: Shown, who: str) -> None:
    """Nothing, if the yes is good for what is there now: nobody agrees to more than was shown.

    Raises:
        OperatorError: saying what has happened meanwhile.
    """
    if agreed_to is None:
        return
    if now.phase is not agreed_to.phase:
        raise _changed(network_name, f"it was {agreed_to.phase}, and is {now.phase} now")
    if now.affected > agreed_to.affected:
        more = f"it concerns {counted(now.affected, who)} now, and {agreed_to.affected} then"
        raise _changed(network_name, more)


def _changed(network_name: str, what: str) -> OperatorError:
    return refused(
        f"the rollover of {network_name} is not as it was shown any more: {what}; nothing was done",
        f"look again (`jrc rollover status {network_name}`), and give the command anew if you still"
        " want that",
    )


def _told(tx: Registry, record: RolloverRecord) -> int:
    """How many nodes may know the new keys."""
    if record.course is Phase.PLANNED:
        return 0
    nodes = tx.rollovers.counts(record.id).nodes
    return nodes.sent + nodes.reached + nodes.refused + nodes.unreachable


def _networks(tx: Registry, record: RolloverRecord) -> str:
    return listed(each.name for each in networks_of(tx, record.domain_id))

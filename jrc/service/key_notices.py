"""What to know of keys at a glance: rollovers under way, who is left behind, who is still in."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from jrc.cojp.constants import Role
from jrc.errors import StateError
from jrc.policy.rollover import TOLD_BY_UPDATE, NodeState, PauseCause, Phase
from jrc.service.installers import InstallerId
from jrc.service.registry import Registry
from jrc.service.rollover_missing import (
    BRING_ONE,
    LET_ONE_JOIN,
    NOBODY_BEGINS,
    without_router,
)
from jrc.service.rollover_records import RolloverCause, RolloverRecord
from jrc.service.rollover_reports import RolloverStatus, status
from jrc.service.wording import counted, listed, role_name

_LATE_MS: Final = 10_000
"""How long a daemon may take to see that a deadline has passed."""
_NOUNS: Final = {role_name(Role.NODE): "6LN", role_name(Role.LBR): "6LBR"}
_DAMAGED: Final = "the database is damaged: keep a copy of it, and look for a failing disk"
_LATE: Final = (
    "see that the daemon runs, and its log for rollover_not_moved: it goes on, or pauses and asks"
)
_RESTARTED: Final = (
    "a 6LBR was restarted while keys are changed, and may use nonces twice until they are changed"
    " again, which follows"
)
_JOIN: Final = (
    "restart them, so that they join; devices of profile openwsn may need a new image;"
    " `jrc pledge remove ID` takes off whoever is of the past"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNotice:
    """Something to know about the keys of networks, as a sentence without its full stop.

    ``phase`` is the rollover's, null where none is meant. ``wants_operator``: it does not go on, or
    not in time, without a person, who looks at it with the command ``look`` and then does as
    ``what_to_do`` says.
    """

    networks: tuple[str, ...]
    phase: str | None = None
    wants_operator: bool
    sentence: str
    look: str
    what_to_do: str = ""


def key_notices(tx: Registry, installers: Collection[InstallerId] | None = None) -> list[KeyNotice]:
    """All there is to know, by network; no node's row is read.

    ``installers`` are those that are configured; None counts each one that was ever run.
    """
    domains: dict[int, list[str]] = {}
    for network in sorted(tx.networks.all().values(), key=lambda network: network.name):
        domains.setdefault(network.domain_id, []).append(network.name)
    found: list[KeyNotice] = []
    for domain_id, names in domains.items():
        found += _of_domain(tx, domain_id, tuple(names), installers)
    return found


def _of_domain(
    tx: Registry,
    domain_id: int,
    names: tuple[str, ...],
    installers: Collection[InstallerId] | None,
) -> list[KeyNotice]:
    """A damaged row is said, and hides nothing of other domains."""
    try:
        latest = tx.rollovers.latest(domain_id)
        if not latest:
            found = []
        elif latest[0].phase is Phase.DONE:
            found = list(_nobody_begins(tx, latest[0], names, installers))
        else:
            found = list(_rollover(tx, latest[0], names, installers))
        is_running = bool(latest) and latest[0].ended_at_ms is None
        wanted = tx.rollovers.wanted(domain_id)
    except StateError as error:
        sentence = f"it is not known how a rollover goes ({error})"
        return [_notice(names, sentence, _DAMAGED, wants=True)]
    # Those of a rollover that runs are told by it, whatever they have (RFC 9031 §8.4.3.1).
    if is_running:
        is_repeated = wanted is not None and wanted.cause is RolloverCause.BORDER_ROUTER
        return [*found, _notice(names, _RESTARTED)] if is_repeated else found
    stay_in = [] if wanted is not None else _revoked_with_keys(tx, domain_id, names)
    return [*found, *stay_in, *_left_behind(tx, names)]


def _notice(
    names: tuple[str, ...],
    sentence: str,
    what_to_do: str = "",
    *,
    phase: Phase | None = None,
    wants: bool = False,
) -> KeyNotice:
    return KeyNotice(
        networks=names,
        phase=None if phase is None else phase.value,
        wants_operator=wants,
        sentence=f"{listed(names)}: {sentence}",
        look=f"jrc rollover status {names[0]}",
        what_to_do=what_to_do,
    )


def _nobody_begins(
    tx: Registry,
    record: RolloverRecord,
    names: tuple[str, ...],
    installers: Collection[InstallerId] | None,
) -> Iterator[KeyNotice]:
    """Networks in which a person has ended the switch without a 6LBR, and no other has come."""
    without = without_router(tx, record, installers)
    for network in tx.networks.all().values():
        if network.name not in without:
            continue
        if not tx.keysets.is_held(network.id, record.generation_id, role=Role.LBR):
            sentence = f"{NOBODY_BEGINS.format(network.name)}, which are retired"
            yield _notice(names, sentence, LET_ONE_JOIN.format(network.name), wants=True)


def _rollover(
    tx: Registry,
    record: RolloverRecord,
    names: tuple[str, ...],
    installers: Collection[InstallerId] | None,
) -> Iterator[KeyNotice]:
    shown, phase = status(tx, names[0], limit=0, installers=installers), record.phase
    if shown.paused is not None:
        why, _, way_on = shown.paused.sentence.rstrip(".").rpartition(": ")
        # A deadline says itself how many were reached.
        how_far = "" if shown.paused.cause == PauseCause.DEADLINE else f", {_told(shown)}"
        sentence = f"a rollover is paused{how_far} ({why[:1].lower()}{why[1:]})"
        yield _notice(names, sentence, way_on, phase=phase, wants=True)
    elif phase is Phase.ABORTED:
        count = _count(shown, NodeState.REVERTING)
        if count:
            told = "is" if count == 1 else "are"
            sentence = f"a rollover was aborted, and {counted(count, 'node')} {told} still to be"
            yield _notice(names, f"{sentence} told the keys in force again", phase=phase)
    elif phase is Phase.PLANNED:
        yield _notice(names, f"a rollover begins at {shown.begins}", phase=phase)
    elif _is_late(tx, record):
        sentence = f"a rollover is past its deadline ({shown.deadline}), {_told(shown)}"
        yield _notice(names, sentence, _LATE, phase=phase, wants=True)
    elif phase is Phase.SWITCHING and shown.without_router:
        for name in shown.without_router:
            sentence = f"a rollover is switching, {_told(shown)}, and {NOBODY_BEGINS.format(name)}"
            yield _notice(names, sentence, BRING_ONE.format(name), phase=phase, wants=True)
    else:
        until = f", until {shown.deadline}" if phase is Phase.DISTRIBUTING else ""
        sentence = f"a rollover is {phase.value}, {_told(shown)}{until}"
        yield _notice(names, sentence, phase=phase)


def _is_late(tx: Registry, record: RolloverRecord) -> bool:
    """Whether somebody should have asked the operator, or gone on, before now (row E2)."""
    if record.phase is not Phase.DISTRIBUTING or record.deadline_at_ms is None:
        return False
    return tx.now_ms > record.deadline_at_ms + _LATE_MS


def _told(shown: RolloverStatus) -> str:
    """``187 of 200 6LNs and 0 of 1 6LBR reached``."""
    parts = [
        f"{states.get(NodeState.REACHED, 0)} of {counted(total, _NOUNS[role])}"
        for role, states in (shown.counts or {}).items()
        if (total := sum(states.get(state, 0) for state in TOLD_BY_UPDATE))
    ]
    return f"{listed(parts)} reached" if parts else "with no node to tell"


def _count(shown: RolloverStatus, state: NodeState) -> int:
    return sum(states.get(state, 0) for states in (shown.counts or {}).values())


def _revoked_with_keys(tx: Registry, domain_id: int, names: tuple[str, ...]) -> list[KeyNotice]:
    """Devices that are put out by new keys alone, which nothing brings (RFC 9031 §8.4.3.1)."""
    count = tx.pledges.revoked_with_keys(domain_id)
    if not count:
        return []
    has, them = ("has", "it") if count == 1 else ("have", "them")
    sentence = (
        f"{counted(count, 'revoked device')} still {has} the keys in force, and can go on reading"
        " and sending"
    )
    what_to_do = f"`jrc rollover start {names[0]}` puts {them} out"
    notice = _notice(names, sentence, what_to_do, wants=True)
    return [replace(notice, look="jrc pledge list --state revoked")]


def _left_behind(tx: Registry, names: Sequence[str]) -> Iterator[KeyNotice]:
    """A line a network whose nodes hold keys that are retired; an update can't bring them back."""
    counts = tx.pledges.with_retired_keys()
    here = {network.name: counts.get(number, 0) for number, network in tx.networks.all().items()}
    for name in names:
        count = here[name]
        if count:
            does = "holds retired keys and has" if count == 1 else "hold retired keys and have"
            yield KeyNotice(
                networks=(name,),
                wants_operator=True,
                sentence=f"{name}: {counted(count, 'node')} {does} to join again",
                look=f"jrc node list {name} --behind",
                what_to_do=_JOIN,
            )

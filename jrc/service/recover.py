"""A database that is older than what was said from it: set apart, then recovered (RFC 9031 §8.3.3).

Its replay windows would let requests in again that were answered before, under the same nonces,
and it would give short identifiers and keys out again that others hold. So nobody is answered
until the operator has confirmed the revocations and everything that may repeat was made anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jrc.errors import ExitCode, OperatorError, StateError
from jrc.model import Condition, Event, KeySetState, PledgeId, PledgeState
from jrc.policy.keys import current_keys
from jrc.policy.rollover import NodeState
from jrc.policy.windows import Ended
from jrc.service.admitting import end_window
from jrc.service.condition import remedy
from jrc.service.key_domains import draw_keys
from jrc.service.records import Domain, Wanted
from jrc.service.registry import Registry
from jrc.service.revoking import MAX_AT_ONCE, revoke_pledges
from jrc.service.rollover_course import networks_of
from jrc.service.rollover_leaving import end_with_domain
from jrc.service.rollover_records import RolloverSettings
from jrc.service.wording import Plan, counted

CONTEXTS_AT_ONCE = 500
"""Contexts that are marked in one transaction, so that each is short."""


def quarantine(
    tx: Registry, why: str, *, actor: str, reason: str = "", is_copied: bool = False
) -> None:
    """Set the database apart with this transaction: nobody is answered and nobody told anything.

    ``why`` is one sentence without a full stop, for the operator. ``is_copied``: nothing is known
    but that its files were copied, which ``accept_copy`` may take back.

    The database has a new epoch afterwards, so that no copy of it passes for it, and what an
    earlier recovery did counts no more. Whoever calls this writes the instance file after the
    commit.
    """
    before = tx.database
    tx.new_epoch(recovered=True)
    tx.set_condition(Condition.QUARANTINED, why)
    detail = {
        "why": why,
        "condition_before": before.condition.value,
        "epoch_before": before.epoch,
        "epoch": tx.database.epoch,
        **({"copied": True} if is_copied else {}),
    }
    tx.record(Event("database.quarantined", actor, reason=reason, detail=detail))


LOOKED_BACK = 1000
"""Times that a database was set apart which are looked through; each takes a person."""


def was_set_apart(tx: Registry, epoch: bytes) -> bool:
    """Whether the database once was the one of this epoch, and has been quarantined since."""
    asked = Wanted(kind="database.quarantined")
    found = tx.events.page(asked, after=0, limit=LOOKED_BACK, newest=True)
    return any(each.detail.get("epoch_before") == epoch.hex() for each in found)


def accept_copy(tx: Registry, *, actor: str, reason: str = "") -> None:
    """Open a database again that was set apart for its files having been copied, and no more.

    For the operator who knows that they are the newest ones. Nothing was said from the database
    since, so it goes on where it was; what a recovery has done of it already stays done.

    Raises:
        OperatorError: it is not quarantined, or for another reason too.
    """
    require_quarantined(tx)
    asked = Wanted(kind="database.quarantined")
    found = tx.events.page(asked, after=0, limit=1, newest=True)
    known = found[0].detail if found else {}
    if known.get("copied") and known.get("condition_before") == Condition.QUARANTINED:
        raise OperatorError(
            "the files were copied from a database that was quarantined already; that can't be"
            " accepted here",
            "where those files still are, and were a copy that was started before it was accepted,"
            f" accept them there and copy them again; else {remedy(Condition.QUARANTINED)}",
            exit_code=ExitCode.REFUSED,
        )
    if not known.get("copied") or known.get("condition_before") != Condition.OPEN:
        raise OperatorError(
            f"the database is quarantined for more than a copy of its files: {tx.database.detail}",
            remedy(Condition.QUARANTINED),
            exit_code=ExitCode.REFUSED,
        )
    for domain in tx.keysets.domains(tx.database.incarnation):
        tx.keysets.renewed(domain.id, tx.database.incarnation)
    detail = {"why": tx.database.detail}
    tx.set_condition(Condition.OPEN)
    tx.record(Event("database.copy_accepted", actor, reason=reason, detail=detail))


BY_OPERATOR = "the operator said that it is an old copy"


def plan_quarantine(tx: Registry) -> Plan:
    """What ``jrc quarantine`` does."""
    count = tx.recoveries.if_all_were_lost().waiting
    sentences = ["From now on nobody is answered and no node is told anything."]
    if tx.database.condition is Condition.QUARANTINED:
        sentences = [
            "The database is quarantined already; what was recovered of it counts no more."
        ]
    if tx.database.condition is Condition.MOVED:
        sentences.append(
            "This database was moved to another host. Go on only if no registrar runs from it"
            " there: two that serve the same pledges give them different keys."
        )
    sentences.append(
        f"`jrc recover` brings it back: {counted(count, 'pledge')} will have to join again, every"
        " network gets new keys, and every 6LBR has to be given them."
    )
    return Plan(sentences, needs_consent=True)


def quarantine_by_operator(
    tx: Registry, *, actor: str, reason: str = "", agreed: bool = False
) -> Plan:
    """Quarantine a database that the operator knows to be an old copy.

    Raises:
        OperatorError: it was not agreed to.
    """
    plan = plan_quarantine(tx)
    plan.require(agreed)
    why = f"{BY_OPERATOR} ({reason})" if reason else BY_OPERATOR
    quarantine(tx, why, actor=actor, reason=reason)
    return plan


# Recovering, step by step; each is one transaction, and the last one opens the database


class Step(StrEnum):
    """What one transaction of a recovery has done."""

    CONTEXTS = "contexts"
    """Some contexts are marked: their pledges are taken through RFC 8613 App. B.2."""
    KEYS = "keys"
    """A key domain has fresh keys, and all its short identifiers are free again."""
    OPEN = "open"
    """The database is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """``contexts`` were marked by the step; ``networks`` are those of the key domain it renewed."""

    step: Step
    contexts: int = 0
    key_domain: str | None = None
    networks: tuple[str, ...] = ()
    key_ids: tuple[int, ...] = ()
    key_domains_left: int = 0


def revoke_confirmed(
    tx: Registry,
    identifiers: Sequence[PledgeId],
    settings: RolloverSettings,
    *,
    actor: str,
    reason: str = "",
) -> tuple[int, int]:
    """Revoke what the operator's list names, before anybody is let in: how many, and how many of
    the list are unknown here, who can't join anyway.

    Keys are not changed for it: every key domain gets fresh ones before the database opens.

    Raises:
        OperatorError: the database is not quarantined, or there are too many for one transaction.
    """
    require_quarantined(tx)
    if len(identifiers) > MAX_AT_ONCE:
        raise OperatorError(
            f"{len(identifiers)} revocations are more than {MAX_AT_ONCE}, send them in parts",
            exit_code=ExitCode.USAGE,
        )
    known = known_pledges(tx, identifiers)
    if known:
        revoke_pledges(
            tx, known, actor=actor, reason=reason, agreed=True, settings=settings, rekey=False
        )
    return len(known), len(set(identifiers)) - len(known)


def known_pledges(tx: Registry, identifiers: Sequence[PledgeId]) -> list[PledgeId]:
    """Those that this database has, each once."""
    asked = list(dict.fromkeys(identifiers))
    found = tx.pledges.find([each.value for each in asked])
    gone = (PledgeState.REMOVED, PledgeState.TRANSFERRED)
    return [
        each
        for each in asked
        if each.value in found
        and found[each.value].state not in gone
        and not found[each.value].staged
    ]


def recover_step(tx: Registry, *, actor: str, reason: str = "") -> Progress:
    """Do what is to be done next; kill the process after any of them, and the rest is done later.

    Raises:
        OperatorError: the database is not quarantined, or a row of a network or of a key domain
            was damaged.
    """
    require_quarantined(tx)
    require_sound(tx)
    marked = tx.recoveries.lose_some(CONTEXTS_AT_ONCE)
    if marked:
        return Progress(step=Step.CONTEXTS, contexts=marked)
    stale = tx.keysets.domains(tx.database.incarnation)
    if stale:
        return _renew(tx, stale[0], len(stale) - 1, actor, reason)
    return _open(tx, actor, reason)


def require_sound(tx: Registry) -> None:
    """Nothing, if what a recovery has to read of networks and key domains authenticates.

    Raises:
        OperatorError: a row was damaged.
    """
    try:
        tx.keysets.domains()
        tx.networks.all()
    except StateError as error:
        raise OperatorError(
            str(error),
            "stop the daemon: `jrc db accept-rows` shows what the row says, and takes your word for"
            " it; else recover from another backup",
            exit_code=ExitCode.REFUSED,
        ) from error


def require_quarantined(tx: Registry) -> None:
    """Nothing, if there is something to recover.

    Raises:
        OperatorError: the database is open, or was moved.
    """
    condition = tx.database.condition
    if condition is Condition.QUARANTINED:
        return
    if condition is Condition.MOVED:
        raise OperatorError(
            "this database was moved to another host", remedy(condition), exit_code=ExitCode.REFUSED
        )
    raise OperatorError(
        "the database is not quarantined: there is nothing to recover",
        "`jrc recover status` shows who has still to come back; `jrc quarantine` is for a database"
        " that you know to be an old copy",
        exit_code=ExitCode.REFUSED,
    )


def _renew(tx: Registry, domain: Domain, left: int, actor: str, reason: str) -> Progress:
    """Fresh keys for a key domain, under ids of their own (rows E8 and K6)."""
    end_with_domain(
        tx, domain.id, actor=actor, reason=f"quarantine: {reason}" if reason else "quarantine"
    )
    for last in tx.rollovers.latest(domain.id):
        tx.rollovers.set_due(last.id, list(NodeState), None)
    addinfos = _addinfos(tx, domain)
    tx.keysets.retire_all(domain.id)
    tx.leases.forget_all(domain.id)
    names = tuple(network.name for network in networks_of(tx, domain.id))
    key_ids: tuple[int, ...] = ()
    if names:
        drawn = draw_keys(tx, domain, KeySetState.CURRENT, actor, reason, addinfos, after_loss=True)
        key_ids = drawn.key_ids
    tx.keysets.renewed(domain.id, tx.database.incarnation)
    tx.policy_changed()
    return Progress(
        step=Step.KEYS,
        key_domain=domain.name,
        networks=names,
        key_ids=key_ids,
        key_domains_left=left,
    )


def _addinfos(tx: Registry, domain: Domain) -> Mapping[int, bytes | None]:
    """Key sources of the keys in force, by key usage; none of keys that were damaged."""
    try:
        live = tx.keysets.live(domain.id)
    except StateError:
        return {}
    return {key.key_usage: key.addinfo for key in current_keys(live)}


def _open(tx: Registry, actor: str, reason: str) -> Progress:
    """The last transaction: nothing is left that could repeat."""
    tx.recoveries.forget_runs()
    names = {network.id: network.name for network in tx.networks.all().values()}
    for window in tx.windows.not_closed():
        name = names.get(window.network_id, "")
        end_window(tx, window, name, Ended.CLOSED.value, tx.now_ms, actor, reason)
    why, waiting = tx.database.detail, tx.recoveries.counts()
    tx.set_condition(Condition.OPEN)
    detail = {
        "why": why,
        "incarnation": tx.database.incarnation,
        "pledges_waiting": waiting.waiting,
        "pledges_to_provision_anew": waiting.unable,
    }
    tx.record(Event("database.recovered", actor, reason=reason, detail=detail))
    return Progress(step=Step.OPEN)

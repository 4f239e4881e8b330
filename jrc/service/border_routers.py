"""6LBRs that join again, and may count their slots anew: their keys must be new (RFC 9031 §5.1).

A link-layer nonce is a node's address and the Absolute Slot Number. A 6LBR that was restarted may
begin that number again, and with the keys from before the nonces of its whole network repeat.
"""

from jrc.errors import OperatorError
from jrc.model import Event, KeySetState, Network, PledgeId
from jrc.policy.rollover import Phase, Superseded
from jrc.service.condition import is_open
from jrc.service.key_domains import current_generation
from jrc.service.network_reports import find_network
from jrc.service.records import Generation, ToldKeys
from jrc.service.registry import Registry
from jrc.service.rollover import NewRollover, start_in_domain
from jrc.service.rollover_course import move
from jrc.service.rollover_records import (
    OnBorderRouterJoin,
    RolloverCause,
    RolloverRecord,
    RolloverSettings,
)
from jrc.service.rollover_wishes import want_rollover

ACTOR = "jrc"
"""Who changes keys that nobody has asked to change, in the audit log."""


def joins_as_border_router(
    tx: Registry, network: Network, pledge_id: int, identifier: PledgeId, settings: RolloverSettings
) -> bool:
    """Called before a 6LBR is given the keys in force: whether there are others now.

    Where these were never in use, they are as good as new: so it is with the first join of a
    network, with those before anybody has them, and in a switch with that of another 6LBR in a
    network where nobody has begun.
    """
    current = current_generation(tx.keysets.generations(network.domain_id))
    if current is None or not _may_be_in_use(tx, network, current, pledge_id):
        return False
    reason = f"6LBR {identifier} joined again"
    return _act(tx, network, settings, identifier, ACTOR, reason)


def radio_restarted(
    tx: Registry, network_name: str, settings: RolloverSettings, *, actor: str, reason: str = ""
) -> bool:
    """As ``joins_as_border_router``, for a radio that an installer sets: whether keys are new.

    Raises:
        OperatorError: there is no such network.
    """
    network = find_network(tx, network_name)
    current = current_generation(tx.keysets.generations(network.domain_id))
    if current is None or not _may_be_in_use(tx, network, current, None):
        return False
    return _act(tx, network, settings, None, actor, reason or "the 6LBR's radio was restarted")


def _may_be_in_use(
    tx: Registry, network: Network, current: Generation, pledge_id: int | None
) -> bool:
    """Whether a node or a radio of the network, or the pledge itself, may have sent with them."""
    running = tx.rollovers.running(network.domain_id)
    if running is not None and running.course is Phase.SWITCHING:
        # 6LNs that have both sets send with the former one until they hear the other (§8.4.3.2).
        is_held = tx.rollovers.may_be_sent_with(running.id, network.id)
    else:
        is_held = tx.keysets.is_held(network.id, current.id)
    if is_held:
        return True
    if any((each.generation or 0) >= current.number for each in tx.installations.of(network.id)):
        return True
    told = ToldKeys(network.domain_id, KeySetState.CURRENT)
    return pledge_id is not None and told in tx.pledges.told_keys([pledge_id])[pledge_id]


def _act(
    tx: Registry,
    network: Network,
    settings: RolloverSettings,
    identifier: PledgeId | None,
    actor: str,
    reason: str,
) -> bool:
    """Change the keys as the settings say; whether those in force are others now."""
    running = tx.rollovers.running(network.domain_id)
    if settings.on_6lbr_join is OnBorderRouterJoin.KEEP:
        _note(tx, network, identifier, actor, reason, "kept")
        return False
    if settings.on_6lbr_join is OnBorderRouterJoin.FRESH and _gives_way(tx, running):
        if running is not None:
            move(tx, running, Superseded(), actor=actor, reason=reason)
        error = _start_fresh(tx, network, settings, actor, reason)
        if error is None:
            _forget_own_wish(tx, network.domain_id)
            return True
        _note(tx, network, identifier, actor, reason, "wanted", error.message)
    elif tx.rollovers.wanted(network.domain_id) is None:
        _note(tx, network, identifier, actor, reason, "wanted")
    cause = RolloverCause.BORDER_ROUTER
    want_rollover(tx, network.domain_id, cause=cause, actor=actor, reason=reason)
    if tx.rollovers.running(network.domain_id) is None:
        # Whoever begins what is wanted looks when something has changed.
        tx.policy_changed()
    return False


def _gives_way(tx: Registry, running: RolloverRecord | None) -> bool:
    """Whether other keys can come into force now.

    Before its switch a rollover may still be called off. After it one has its deadline's time to
    end by itself: a 6LBR that restarts again and again would take the keys from all nodes each time
    before they are told the next ones.
    """
    if running is None:
        return True
    if running.course not in (Phase.SWITCHING, Phase.GUARDING) or not is_open(tx):
        return False
    lasted_ms = tx.now_ms - (running.switching_at_ms or tx.now_ms)
    # A clock that was set back says nothing of how long it was.
    return lasted_ms < 0 or lasted_ms >= 1000 * running.deadline_s


def _forget_own_wish(tx: Registry, domain_id: int) -> None:
    """What a restart before this one has asked for is here; a person's wish stays."""
    wanted = tx.rollovers.wanted(domain_id)
    if wanted is not None and wanted.cause is RolloverCause.BORDER_ROUTER:
        tx.rollovers.forget_wanted(domain_id)


def _start_fresh(
    tx: Registry, network: Network, settings: RolloverSettings, actor: str, reason: str
) -> OperatorError | None:
    """Put a set in force that nobody has; why that can't be."""
    wanted = NewRollover(
        cause=RolloverCause.BORDER_ROUTER,
        actor=actor,
        reason=reason,
        settings=settings,
        switched=True,
    )
    try:
        start_in_domain(tx, network.domain_id, wanted)
    except OperatorError as error:
        return error
    return None


def _note(
    tx: Registry,
    network: Network,
    identifier: PledgeId | None,
    actor: str,
    reason: str,
    keys: str,
    error: str | None = None,
) -> None:
    """Tell the audit log that a 6LBR goes on with keys that it may have used before."""
    detail: dict[str, object] = {"keys": keys}
    if error is not None:
        detail["error"] = error
    who = None if identifier is None else identifier.value
    tx.record(Event("border_router.same_keys", actor, who, network.name, reason, detail))

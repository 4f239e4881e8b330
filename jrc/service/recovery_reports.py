"""What a recovery means before it is done, and how far it has come after that (rows E8, E9)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from jrc.cojp.constants import Role
from jrc.model import Condition, Network, PledgeId, PledgeState
from jrc.service.condition import closed_sentence
from jrc.service.events import EventReport, list_events
from jrc.service.installers import InstallerId
from jrc.service.key_domains import current_generation
from jrc.service.nodes import Look, Seen
from jrc.service.pledge_recovery import recovery_remedy, recovery_sentence
from jrc.service.recover import known_pledges, require_quarantined, require_sound
from jrc.service.recovery_store import Recovery
from jrc.service.registry import Registry
from jrc.service.wording import Plan, counted, listed, utc_text

SHOWN_REVOCATIONS = 20
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BorderRouterReport:
    """A 6LBR, or an installer that sets its radio, and whether it has keys from after the loss."""

    network: str
    border_router: str
    by: str
    done: bool
    what_to_do: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """How far a recovery has come; pledges are those that may be answered.

    ``back`` need nothing (any more), ``waiting`` come at their next request, ``reprovision`` of
    these never do by themselves.
    """

    condition: str
    since: str | None
    why: str | None
    incarnation: int
    pledges: int
    back: int
    waiting: int
    reprovision: int
    key_domains_left: int
    border_routers: tuple[BorderRouterReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingReport:
    """A pledge that has not come back; ``obstacle`` is a word for why it can't by itself."""

    pledge_id: str
    runs: int
    last_run: str | None
    obstacle: str | None
    sentence: str
    what_to_do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPlan:
    """What a recovery does; ``revocations`` are the last ones that this database knows."""

    plan: Plan
    revoked: int
    revocations: tuple[EventReport, ...]
    named: int
    unknown: tuple[str, ...]
    border_routers: tuple[BorderRouterReport, ...]


def plan_recovery(
    tx: Registry, named: Sequence[PledgeId], installers: Collection[InstallerId]
) -> RecoveryPlan:
    """What recovering a quarantined database does; ``named`` are to be revoked as part of it.

    Raises:
        OperatorError: the database is not quarantined, or a row that is needed was damaged.
    """
    require_quarantined(tx)
    require_sound(tx)
    known = known_pledges(tx, named)
    unknown = [each for each in dict.fromkeys(named) if each not in set(known)]
    routers = tuple(border_routers(tx, installers))
    plan = Plan(tuple(_sentences(tx, known, unknown, routers)), needs_consent=True)
    return RecoveryPlan(
        plan=plan,
        revoked=_revoked(tx),
        revocations=tuple(
            list_events(tx, limit=SHOWN_REVOCATIONS, newest=True, kind="pledge.revoked")
        ),
        named=len(known),
        unknown=tuple(map(str, unknown)),
        border_routers=routers,
    )


def _sentences(
    tx: Registry,
    known: Sequence[PledgeId],
    unknown: Sequence[PledgeId],
    routers: Sequence[BorderRouterReport],
) -> Iterator[str]:
    state, counts = tx.database, tx.recoveries.if_all_were_lost()
    networks = sorted(network.name for network in tx.networks.all().values())
    yield f"The database was quarantined at {utc_text(state.since_ms)}: {state.detail}."
    yield (
        f"{counted(counts.waiting, 'pledge')} in {counted(len(networks), 'network')}"
        f" ({listed(networks) or 'none'}) must join again. They do so by themselves when they"
        " ask next (RFC 8613 App. B.2); joined nodes ask when they are restarted."
    )
    if counts.unable:
        yield (
            f"{counts.unable} of them can't, and have to be given a new key: `jrc recover status"
            " --waiting` lists them afterwards."
        )
    yield "Every network gets new link-layer keys, key ids and short identifiers; windows close."
    by_hand = [each for each in routers if each.by == "join"]
    if len(routers) > len(by_hand):
        count = len(routers) - len(by_hand)
        yield f"{counted(count, 'installer')} will put the new keys into 6LBRs by themselves."
    if by_hand:
        names = listed(f"{each.border_router} ({each.network})" for each in by_hand)
        yield f"Restart these 6LBRs so that they join again, before anything else: {names}."
    yield (
        "Revocations made after this database was copied are lost, and whoever was revoked then"
        f" would be let in again. It knows {counted(_revoked(tx), 'revoked pledge')}."
    )
    if known:
        yield f"Revoked before anybody is let in: {counted(len(known), 'pledge')} of your list."
    if unknown:
        yield f"{len(unknown)} of your list are not known here, and can't join anyway."
    yield (
        "Pledges enrolled after it was copied are unknown here: enroll them again afterwards, and"
        " say then that their keys were used before."
    )


def _revoked(tx: Registry) -> int:
    return tx.pledges.counts().get(None, {}).get(PledgeState.REVOKED, 0)


def recovery_report(tx: Registry, installers: Collection[InstallerId]) -> RecoveryReport:
    """How far it has come."""
    state = tx.database
    all_, waits = tx.recoveries.if_all_were_lost(), tx.recoveries.counts()
    is_quarantined = state.condition is Condition.QUARANTINED
    left = len(tx.keysets.domains(state.incarnation)) if is_quarantined else 0
    return RecoveryReport(
        condition=state.condition.value,
        since=utc_text(state.since_ms),
        why=closed_sentence(state),
        incarnation=state.incarnation,
        pledges=all_.waiting,
        back=0 if is_quarantined else all_.waiting - waits.waiting,
        waiting=all_.waiting if is_quarantined else waits.waiting,
        reprovision=all_.unable if is_quarantined else waits.unable,
        key_domains_left=left,
        border_routers=tuple(border_routers(tx, installers)),
    )


def waiting_pledges(
    tx: Registry, *, after: PledgeId | None = None, limit: int = PAGE
) -> list[WaitingReport]:
    """One page of those that have not come back, in the order of their identifiers."""
    begin = None if after is None else after.value
    return [_waiting(*entry) for entry in tx.recoveries.page(after=begin, limit=limit)]


def _waiting(identifier: bytes, recovery: Recovery) -> WaitingReport:
    return WaitingReport(
        pledge_id=identifier.hex(),
        runs=recovery.runs,
        last_run=utc_text(recovery.last_run_at_ms),
        obstacle=None if recovery.obstacle is None else recovery.obstacle.value,
        sentence=recovery_sentence(recovery),
        what_to_do=recovery_remedy(PledgeId(identifier), recovery),
    )


def border_routers(
    tx: Registry, installers: Collection[InstallerId]
) -> Iterator[BorderRouterReport]:
    """Every 6LBR that has joined, and every installer, with the state of its keys (row E9)."""
    is_open = tx.database.condition is Condition.OPEN
    for network in sorted(tx.networks.all().values(), key=lambda network: network.name):
        yield from _of_installers(tx, network, installers, is_open)
    for seen in _joined_border_routers(tx):
        done = is_open and not seen.has_other_keys
        name = seen.row.identifier.hex()
        what = f"restart {name}, so that it joins again and is given the new keys"
        yield BorderRouterReport(
            network=seen.network.name,
            border_router=name,
            by="join",
            done=done,
            what_to_do=None if done else what,
        )


def _of_installers(
    tx: Registry, network: Network, installers: Collection[InstallerId], is_open: bool
) -> Iterator[BorderRouterReport]:
    current = current_generation(tx.keysets.generations(network.domain_id))
    records = {each.installer: each for each in tx.installations.of(network.id)}
    configured = {each.name for each in installers if each.network == network.name}
    for name in sorted(configured | set(records)):
        record = records.get(name)
        has = None if record is None or record.error is not None else record.generation
        done = is_open and current is not None and has == current.number
        what = (
            f"`jrc network install {network.name}` tries it again"
            if name in configured
            else "it is in the config file no more: set that radio by hand"
        )
        yield BorderRouterReport(
            network=network.name,
            border_router=name,
            by="installer",
            done=done,
            what_to_do=None if done else what,
        )


def _joined_border_routers(tx: Registry) -> Iterator[Seen]:
    look, after = Look(tx), None
    while rows := tx.pushes.nodes(after=after, limit=PAGE):
        after = rows[-1].identifier
        yield from look.at([row for row in rows if row.role == Role.LBR])

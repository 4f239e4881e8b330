"""What a revocation says before and after: of the pledges, of the keys, of the blocklist."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from jrc.cojp.constants import Role
from jrc.errors import OperatorError
from jrc.model import Admission, Network, PledgeId
from jrc.policy.admission import first_blocked
from jrc.policy.revocation import Rekeying
from jrc.policy.rollover import Phase
from jrc.policy.settings import MAX_NODE_BLOCKED, MAX_NODE_BLOCKED_BYTES
from jrc.service.installers import InstallerId
from jrc.service.registry import Registry
from jrc.service.rollover_course import nodes_with_keys
from jrc.service.rollover_plan import Reach, effects
from jrc.service.rollover_records import JoinedNode, RolloverSettings
from jrc.service.wording import listed

_MAX_NAMED = 10
"""How many pledges a refusal names."""
OMITTED = "omitted"
"""What comes of keys that the operator wants to leave as they are."""


class Case(NamedTuple):
    """A key domain that revoked pledges may have live keys of, and what is to be done there.

    ``networks`` are those that are there, by name.
    """

    networks: tuple[Network, ...]
    rekeying: Rekeying

    @property
    def domain_id(self) -> int:
        """The number of the key domain."""
        return self.networks[0].domain_id

    @property
    def names(self) -> tuple[str, ...]:
        """What the networks are called."""
        return tuple(network.name for network in self.networks)


# Before


def refused_sentence(names: Sequence[str]) -> str:
    """What happens to the pledges themselves."""
    if len(names) == 1:
        return f"Pledge {names[0]} gets no more answers, and goes on the blocklist."
    return f"{len(names)} pledges get no more answers, and go on the blocklist."


def already_sentence(names: Sequence[str]) -> str:
    """That nothing happens to pledges."""
    if len(names) == 1:
        return f"Pledge {names[0]} is revoked already."
    return f"All {len(names)} pledges are revoked already."


def not_all_error(count: int, refused: Sequence[OperatorError]) -> OperatorError:
    """The refusal of a command that names ``count`` pledges, for those it can't revoke."""
    first = refused[0]
    if count == 1:
        return first
    shown = [error.message for error in refused[:_MAX_NAMED]]
    more = [f"and {len(refused) - _MAX_NAMED} more"] if len(refused) > _MAX_NAMED else []
    those, it = ("that one", "it") if len(refused) == 1 else ("those", "them")
    return OperatorError(
        f"{len(refused)} of the {count} pledges can't be revoked, so none of them is:"
        f" {'; '.join([*shown, *more])}",
        f"leave {those} out, or mend {it}: {first.hint}" if first.hint else f"leave {those} out",
        exit_code=first.exit_code,
    )


_BEFORE = {
    Rekeying.STARTED: "New link-layer keys go to everybody else in {names}.",
    Rekeying.TAKEN_OUT: (
        "New link-layer keys are on their way to {names} already, and were not sent to whom you"
        " revoke: the change goes on without."
    ),
    Rekeying.RESTARTED: (
        "The change of link-layer keys in {names} that has begun is aborted: it waits for its"
        " time, or whom you revoke was sent those keys. Another one begins at once."
    ),
    Rekeying.WANTED: (
        "{names} is switching to keys that whom you revoke was sent: when that has ended, they"
        " are changed once more."
    ),
}
_LEFT_ALONE = (
    "WITHOUT NEW KEYS whom you revoke can go on reading and sending in {names} as long as the keys"
    " there are in force: `jrc rollover start {first}` changes them."
)


def domain_sentences(
    tx: Registry,
    case: Case,
    gone: Collection[int],
    settings: RolloverSettings,
    *,
    rekey: bool,
    installers: Collection[InstallerId] | None,
) -> Iterator[str]:
    """What happens to the keys of a domain; ``gone`` are the pledges that are revoked."""
    names, first = listed(case.names), case.names[0]
    if not rekey and case.rekeying is not Rekeying.TAKEN_OUT:
        yield _LEFT_ALONE.format(names=names, first=first)
        return
    yield _BEFORE[case.rekeying].format(names=names)
    staying, routers = Reach(), []
    for each in nodes_with_keys(tx, case.domain_id):
        if each.pledge_id not in gone:
            staying.add(each)
        elif each.role == Role.LBR:
            routers.append(each)
    yield from effects(tx, case.networks[0], staying, installers)
    yield from _when(tx, case, settings)
    for router in routers:
        yield from _lost_router(case, router)


def _when(tx: Registry, case: Case, settings: RolloverSettings) -> Iterator[str]:
    """How long it may take until the old keys are of no use any more."""
    running = tx.rollovers.running(case.domain_id)
    is_paused = running is not None and running.phase is Phase.PAUSED
    if is_paused and case.rekeying in (Rekeying.TAKEN_OUT, Rekeying.WANTED):
        yield (
            "That change is paused, and the old keys are good until it has ended: `jrc rollover"
            f" resume {case.names[0]}` lets it go on."
        )
        return
    yield (
        "The old keys are retired when the 6LNs and after them the 6LBRs have answered and the"
        f" guard time is over; with too few of them after {_duration(settings.deadline_s)} it"
        f" pauses and asks. `jrc rollover start {case.names[0]} --rehearse` estimates how long it"
        " takes."
    )


def _duration(seconds: int) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _lost_router(case: Case, router: JoinedNode) -> Iterator[str]:
    name = next(each.name for each in case.networks if each.id == router.network_id)
    yield (
        f"{router.identifier} IS THE BORDER ROUTER (6LBR) of network {name}, which loses it. Its"
        " radio keeps the keys it has, and nobody can erase them from here: take it out of"
        f" service, and bring in another one (`jrc pledge add ID --role 6lbr --network {name}`)."
    )


# After


_WATCH = "`jrc rollover watch {first}` shows it; {who} out when it is done"
_AFTER: dict[str, str] = {
    Rekeying.STARTED: "new keys are on their way to {names}: " + _WATCH,
    Rekeying.TAKEN_OUT: "the change of keys in {names} goes on without {whom}: " + _WATCH,
    Rekeying.RESTARTED: "new keys are on their way to {names}, in place of others: " + _WATCH,
    Rekeying.WANTED: "the keys of {names} are changed again after this change: " + _WATCH,
    OMITTED: (
        "THE KEYS OF {names} ARE NOT CHANGED, and {whom} can go on with them:"
        " `jrc rollover start {first}` changes them"
    ),
}


def outcome_sentence(names: Sequence[str], outcome: str, error: str | None, count: int = 1) -> str:
    """What has come in a key domain of revoking ``count`` pledges, and what to do next."""
    if error is not None:
        return (
            f"new keys for {listed(names)} could not be drawn: {error.rstrip('.')}; they stay"
            " wanted, and are tried again and again"
        )
    whom = "the device" if count == 1 else f"the {count} devices"
    who = f"{whom} {'is' if count == 1 else 'are'}"
    return _AFTER[outcome].format(names=listed(names), first=names[0], who=who, whom=whom)


def list_sentences(tx: Registry, network_ids: Sequence[int]) -> Iterator[str]:
    """Which networks have more revoked pledges than nodes are told of (RFC 9031 §8.4.2)."""
    networks = tx.networks.all()
    for number in network_ids:
        told, is_cut = tx.pledges.blocklist(number)
        nodes = first_blocked(told, MAX_NODE_BLOCKED, MAX_NODE_BLOCKED_BYTES)
        if number in networks and (is_cut or len(nodes) < len(told)):
            routers = f", its 6LBRs of {len(told)}" if len(told) > len(nodes) else ""
            yield (
                f"the blocklist of {networks[number].name} is full: its nodes hear of the"
                f" {len(nodes)} that were revoked last{routers}; the registrar answers none of"
                " them, and `jrc pledge remove` takes off whoever is of the past"
            )


def restored_sentence(network: str | None, *, must_join: bool) -> str:
    """What is not undone with a revocation."""
    if network is None:
        return "it may join, if its networks let it in"
    if must_join:
        return (
            f"the keys of {network} were changed meanwhile, or are being changed, and it does not"
            " get the old ones back: it has to join again"
        )
    return f"the keys of {network} that it has are in force still: it is a node as before"


def successor_sentence(successor: PledgeId) -> str:
    """What becomes of the device that had taken its place."""
    return (
        f"{successor}, which had replaced it, is a pledge of its own from now on:"
        f" `jrc pledge remove {successor}` takes it out"
    )


def admitted_anew(pledge: PledgeId, networks: Iterable[Network]) -> Iterator[str]:
    """What has to be done before networks that choose whom they admit let it join."""
    for network in networks:
        if network.admission is Admission.APPROVAL:
            yield (
                f"{network.name} admits after approval, which ends with a revocation: when it asks"
                f" to join, it has to be approved again (`jrc pledge approve {pledge}`)"
            )
        elif network.admission is Admission.WINDOW:
            yield (
                f"{network.name} admits while a join window is open, and it is no exception any"
                f" more (`jrc window open {network.name}`)"
            )

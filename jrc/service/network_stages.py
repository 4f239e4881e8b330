"""What a change of a network means for the nodes that have joined, said beforehand (§8.4.2).

Nodes are told what an update can say. What it can't, an identifier or a prefix, comes with joining
alone; so a network may have several identifiers, and the old one is dropped at last.
"""

from collections.abc import Iterator
from typing import NamedTuple

from jrc.model import Network
from jrc.policy.profiles import TRAITS
from jrc.policy.settings import UNLIMITED_BYTES_PER_S, effective_join_rate
from jrc.service.registry import Registry
from jrc.service.wording import counted, listed


class Forgotten(NamedTuple):
    """Who has to join again: ``somebody``, and of them those whose last join was before a time.

    ``before_ms`` is None where it is everybody.
    """

    somebody: bool
    before_ms: int | None = None


def forgotten(tx: Registry, network: Network, wanted: Network) -> Forgotten:
    """Who does not know where the network is after a change, as far as can be told.

    With a new prefix nobody's address is known. Where an identifier goes, whoever has joined since
    the last of the others was added may have come with that one, and counts as joined.
    """
    if network.prefix != wanted.prefix:
        return Forgotten(somebody=True)
    kept = set(network.identifiers) & set(wanted.identifiers)
    if kept == set(network.identifiers):
        return Forgotten(somebody=False)
    since = tx.networks.identifiers_since(network.id)
    return Forgotten(somebody=True, before_ms=max((since[each] for each in kept), default=None))


def join_again(
    tx: Registry, network: Network, wanted: Network, forgets: Forgotten
) -> Iterator[str]:
    """Who has to join again, and what can be done first."""
    if not forgets.somebody:
        return
    count, _ = tx.pledges.joined(network.id, 0, before_ms=forgets.before_ms)
    if network.prefix != wanted.prefix:
        yield _again("A new prefix", count, network)
        return
    if forgets.before_ms is None:
        new = listed(value.hex() for value in wanted.identifiers)
        old = listed(value.hex() for value in network.identifiers)
        yield _again("A new identifier", count, network)
        yield (
            f"Give {new} beside {old} first (--network-id for each): both are good until the old"
            " one is dropped, and who has joined meanwhile stays."
        )
    elif count:
        yield _again("Dropping an identifier", count, network)
        yield "They have not joined since the last of the others was added."
    else:
        yield f"Everybody in network {network.name} has joined since the last one was added."


def _again(what: str, count: int, network: Network) -> str:
    return (
        f"{what} makes {counted(count, 'node')} of network {network.name} join again;"
        " until then nothing can be sent to them."
    )


def stages(tx: Registry, network: Network, wanted: Network) -> Iterator[str]:
    """What nodes are told by update, and what comes with their next join."""
    told, untold = _nodes(tx, network)
    if network.prefix != wanted.prefix or not told + untold:
        return
    news = list(_news(network, wanted))
    if news and told:
        yield (
            f"{counted(told, 'node')} of network {network.name} {_is(told)} told {listed(news)} by"
            f" update; `jrc node list {network.name} --behind` shows who is not yet."
        )
        yield from _caveats(network, wanted)
    if network.lease_hours != wanted.lease_hours and told:
        yield (
            "Leases that are too long now, or near their end, are told anew at once, others when a"
            " third is left; short identifiers stay."
        )
    if news and untold:
        whose = "takes no updates, and hears" if untold == 1 else "take no updates, and hear"
        yield f"{counted(untold, 'node')} {whose} of it with the next join."
    same = (network.identifiers, network.lease_hours) == (wanted.identifiers, wanted.lease_hours)
    if not news and same:
        yield (
            f"{counted(told + untold, 'node')} of network {network.name} will hear of it when"
            " joining next."
        )


def _nodes(tx: Registry, network: Network) -> tuple[int, int]:
    """How many take updates, and how many don't."""
    joined = tx.rollovers.joined_nodes(network.domain_id)
    here = [each for each in joined if each.network_id == network.id]
    told = sum(TRAITS[each.profile].takes_updates for each in here)
    return told, len(here) - told


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _rate(network: Network) -> int | None:
    return effective_join_rate(network, window_is_open=True)


def _news(network: Network, wanted: Network) -> Iterator[str]:
    quiet = network.quiet_outside_windows != wanted.quiet_outside_windows
    if _rate(network) != _rate(wanted) or quiet:
        yield "the join rate"
    if wanted.jrc_address is not None and network.jrc_address != wanted.jrc_address:
        yield "the JRC's address"


def _caveats(network: Network, wanted: Network) -> Iterator[str]:
    if _rate(wanted) is None and _rate(network) is not None:
        yield (
            "An update has no word for no limit: they are told"
            f" {UNLIMITED_BYTES_PER_S} bytes/s, which is more than a radio carries."
        )
    if wanted.jrc_address is not None and network.jrc_address != wanted.jrc_address:
        before = "the 6LBR's" if network.jrc_address is None else str(network.jrc_address)
        yield f"Let the registrar answer at the address before ({before}) until all of them are."


def lasting(network: Network, wanted: Network) -> Iterator[str]:
    """What stays so after the change, and may be forgotten when it matters."""
    if network.jrc_address is not None and wanted.jrc_address is None:
        yield (
            f"Nodes that know the JRC's address {network.jrc_address} keep it until they join"
            " again: an update can't take it back."
        )
    if falls_quiet(network, wanted):
        yield (
            "Outside of join windows nobody can join, be it for the first time or again: a node"
            " that was restarted, or missed new keys, waits for the next window."
        )


def falls_quiet(network: Network, wanted: Network) -> bool:
    """Whether the change is one after which known nodes can't join at any time."""
    return wanted.quiet_outside_windows and not network.quiet_outside_windows

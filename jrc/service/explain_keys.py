"""What a node has of its network's link-layer keys, for who asks why it is not heard any more.

One that no rollover has reached may join as before; until then nobody understands what it sends.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from jrc.model import KeySetState, Network
from jrc.policy.profiles import TRAITS
from jrc.policy.rollover import NodeState, Phase
from jrc.policy.rollover_nodes import states_to_tell
from jrc.service.push_records import NodeRow
from jrc.service.records import PledgeRecord
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverNode, RolloverRecord
from jrc.service.wording import counted, utc_text


class Holding(StrEnum):
    """A word for programs, beside those of ``errors.Reason``."""

    RETIRED = "keys_retired"
    UNDER_WAY = "keys_under_way"
    UNANSWERED = "keys_unanswered"
    REFUSED = "keys_refused"
    MUST_JOIN = "keys_by_joining"
    REVERTING = "keys_reverting"


class KeyFact(NamedTuple):
    """What it has or is told, as a sentence, and what to do."""

    holding: Holding
    sentence: str
    what_to_do: str


_JOIN: Final = "No update helps: restart it, so that it joins again."
_JOIN_OR_IMAGE: Final = (
    "No update helps, as devices of profile {0} take none: restart it, so that it joins again, or"
    " give it a new image."
)
_WATCH: Final = "Nothing: it is told by update. `jrc rollover status {0}` shows how far it is."
_REACH: Final = (
    "See that it has power and is in reach; `jrc node push {0}` tries it at once, and"
    " `jrc node set {0} --sleeps TIME` says that it sleeps. When the rollover ends without it, it"
    " has to join again."
)
_FIRMWARE: Final = (
    "See its firmware: RFC 9031 §11.1 has the labels, §8.4.3.3 the form of keys. Then"
    " `jrc pledge clear-reports {0}` has it told again what it said it can't act upon; restart it,"
    " so that it joins again."
)


def facts_of_keys(tx: Registry, record: PledgeRecord) -> Iterator[KeyFact]:
    """Of a pledge that has joined and is in force; nothing where it has the keys in force.

    Raises:
        StateError: a row does not authenticate.
    """
    row = tx.pushes.node(record.identifier)
    network = None if row is None else tx.networks.all().get(row.network_id)
    if row is None or network is None:
        return
    latest = next(iter(tx.rollovers.latest(network.domain_id)), None)
    node = None if latest is None else tx.rollovers.find(latest.id, [record.id]).get(record.id)
    yield from _retired(tx, row, network, latest, node)
    if latest is not None and node is not None:
        yield from _told(latest, node, row, network)


def _retired(
    tx: Registry,
    row: NodeRow,
    network: Network,
    latest: RolloverRecord | None,
    node: RolloverNode | None,
) -> Iterator[KeyFact]:
    """It is cut off: nobody sends or takes frames with these keys (RFC 9031 §8.4.3.1)."""
    for held in tx.keysets.generations(network.domain_id):
        if held.number != row.generation or held.state is not KeySetState.RETIRED:
            continue
        sentence = f"It holds link-layer keys of network {network.name} that are retired"
        if held.retired_at_ms is not None:
            sentence += f" since {utc_text(held.retired_at_ms)}"
        ended = node if latest is not None and latest.phase is Phase.DONE else None
        way_back = _way_back(row, network)
        if ended is not None and ended.state is NodeState.REFUSED:
            way_back = _FIRMWARE.format(row.identifier.hex())
        yield KeyFact(Holding.RETIRED, f"{sentence}{_why_not_reached(ended)}.", way_back)


def _why_not_reached(ended: RolloverNode | None) -> str:
    """What came of a node in the rollover that has ended."""
    if ended is None:
        return ""
    if ended.state is NodeState.REFUSED:
        return f": it refused the new ones ({ended.last_error})"
    if ended.state is NodeState.UNREACHABLE:
        return f": it did not answer to the new ones ({counted(ended.attempts, 'attempt')})"
    return ": it takes no updates" if ended.state is NodeState.MUST_JOIN else ""


def _way_back(row: NodeRow, network: Network) -> str:
    profile = row.profile or network.profile
    if TRAITS[profile].takes_updates:
        return _JOIN
    return _JOIN_OR_IMAGE.format(profile.value)


def _told(
    latest: RolloverRecord, node: RolloverNode, row: NodeRow, network: Network
) -> Iterator[KeyFact]:
    """What a rollover that is under way, or was aborted, has still to tell it."""
    name = row.identifier.hex()
    if node.state is NodeState.REVERTING:
        sentence = (
            f"A change of keys of network {network.name} was aborted after it was told the new"
            f" ones: it is to be told the keys in force again{_tries(node)}."
        )
        yield KeyFact(Holding.REVERTING, sentence, _REACH.format(name))
        return
    if latest.ended_at_ms is not None or latest.course is Phase.PLANNED:
        return
    is_paused = "; that is paused" if latest.phase is Phase.PAUSED else ""
    new = f"new link-layer keys of network {network.name}"
    if node.state is NodeState.UNREACHABLE:
        sentence = f"It does not answer to the {new}{_tries(node)}{is_paused}."
        yield KeyFact(Holding.UNANSWERED, sentence, _REACH.format(name))
    elif node.state is NodeState.REFUSED:
        sentence = f"It refused the {new}: {node.last_error}{is_paused}."
        yield KeyFact(Holding.REFUSED, sentence, _FIRMWARE.format(name))
    elif node.state is NodeState.MUST_JOIN:
        sentence = f"There are {new}, and it takes no updates."
        yield KeyFact(Holding.MUST_JOIN, sentence, _way_back(row, network))
    elif node.state in (NodeState.PENDING, NodeState.SENT):
        sentence = f"{_when(latest, node).format(new)}{_tries(node)}{is_paused}."
        yield KeyFact(Holding.UNDER_WAY, sentence, _WATCH.format(network.name))


def _when(latest: RolloverRecord, node: RolloverNode) -> str:
    if node.state is NodeState.SENT and latest.phase is not Phase.PAUSED:
        return "It is being told the {0} just now"
    if node.state in states_to_tell(latest.course, node.role):
        return "It is to be told the {0}"
    return "It is told the {0} after the 6LNs"


def _tries(node: RolloverNode) -> str:
    """`` (3 attempts, the last at .., the next at ..)``."""
    if not node.attempts:
        return ""
    last, following = utc_text(node.tried_at_ms), utc_text(node.next_at_ms)
    tries = f" ({counted(node.attempts, 'attempt')}, the last at {last}"
    # While it is being told, the time of its next try is that of a process that has ended.
    is_tried_again = following is not None and node.state is not NodeState.SENT
    return f"{tries}, the next at {following})" if is_tried_again else f"{tries})"

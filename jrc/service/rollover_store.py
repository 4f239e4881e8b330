"""What rollovers need of the store (RFC 9031 §8.4.3.1-2)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from jrc.policy.rollover import Counts, NodeState
from jrc.service.rollover_records import JoinedNode, RolloverNode, RolloverRecord, WantedRollover


class RolloverStore(Protocol):
    """Rollovers and their nodes; every row is authenticated as it is read.

    Each method that reads raises StateError where a row does not authenticate, but for the two
    that read the rows of all key domains.
    """

    def add(self, record: RolloverRecord, nodes: Iterable[RolloverNode]) -> RolloverRecord:
        """Write a new rollover and its nodes, whatever rollover they name; it gets a number.

        ``nodes`` may be read from this transaction meanwhile: a thousand at a time are in memory.

        Raises:
            ConflictError: another one is running in the key domain.
        """
        ...

    def running(self, domain_id: int) -> RolloverRecord | None:
        """The one of a key domain that has not ended."""
        ...

    def all_running(self) -> Sequence[RolloverRecord]:
        """Those of all key domains that have not ended; a damaged row is left out, and logged."""
        ...

    def latest(self, domain_id: int, limit: int = 1) -> Sequence[RolloverRecord]:
        """The last ones of a key domain, the newest first."""
        ...

    def latest_of_all(self) -> Sequence[RolloverRecord]:
        """The last one of each key domain, without those that are damaged."""
        ...

    def by_id(self, rollover_id: int) -> RolloverRecord:
        """One by its number."""
        ...

    def save(self, record: RolloverRecord) -> RolloverRecord:
        """Write a changed row; its version goes up by one, and comes back."""
        ...

    def counts(self, rollover_id: int) -> Counts:
        """Its nodes by role and state, without reading each (so without their MACs).

        Installers are not among them.
        """
        ...

    def may_be_sent_with(self, rollover_id: int, network_id: int) -> bool:
        """Whether any node of a network may send with its keys while the network switches.

        A 6LBR that a datagram with them may have left for does, and a 6LN that has joined with them
        alone; not one that has both sets (RFC 9031 §8.4.3.2).
        """
        ...

    def nodes(
        self,
        rollover_id: int,
        *,
        after: int = 0,
        limit: int = 500,
        states: Collection[NodeState] = (),
    ) -> Sequence[RolloverNode]:
        """Its nodes (in certain states) in the order of their pledges' numbers."""
        ...

    def find(self, rollover_id: int, pledge_ids: Collection[int]) -> Mapping[int, RolloverNode]:
        """Some of its nodes by their pledges' numbers."""
        ...

    def of_pledge(self, pledge_id: int) -> Sequence[tuple[RolloverRecord, RolloverNode]]:
        """Where a pledge is a node of rollovers that have not ended, or is still to be told."""
        ...

    def identifiers(self, pledge_ids: Collection[int]) -> Mapping[int, bytes]:
        """What the pledges of these numbers are called."""
        ...

    def due(
        self,
        now_ms: int,
        limit: int,
        but: Collection[int] = (),
        full: Collection[int] = (),
    ) -> Sequence[RolloverNode]:
        """Nodes to be told by ``now_ms``, those longest due first.

        Without the pledges ``but`` and the networks that are ``full``. Paused rollovers tell
        nobody; an aborted one tells the keys in force.
        """
        ...

    def next_due_ms(self) -> int | None:
        """When the next node is to be told, of rollovers that are not paused."""
        ...

    def save_nodes(self, nodes: Sequence[RolloverNode]) -> None:
        """Write nodes, new ones (version 0) or changed; each version goes up by one.

        Raises:
            ConflictError: one has another version by now.
        """
        ...

    def set_states(
        self,
        rollover_id: int,
        before: Collection[NodeState],
        after: NodeState,
        *,
        role: int | None = None,
        network_id: int | None = None,
        only_sent: bool = False,
        next_at_ms: int | None = None,
    ) -> int:
        """Take all nodes (of a role, of a network) in certain states into another; how many.

        ``only_sent``: those alone that a datagram with the new keys may have left for.
        """
        ...

    def set_due(
        self,
        rollover_id: int,
        states: Collection[NodeState],
        next_at_ms: int | None,
        *,
        role: int | None = None,
    ) -> int:
        """Have all nodes (of a role) in certain states told by a time; how many were not to be.

        None is for never again. Those that are due before stay so.
        """
        ...

    def take_up(self, rollover_id: int, after_ms: int) -> int:
        """Have those told now that a process was telling when it ended; how many.

        They are due ``after_ms`` after they were tried.
        """
        ...

    def forget_nodes(self, domain_id: int, keep: int) -> None:
        """Drop the nodes of ended rollovers of a key domain, but those of the last ``keep``.

        Those of rollovers whose keys are scheduled, current or previous stay as well.
        """
        ...

    def joined_nodes(self, domain_id: int) -> Iterator[JoinedNode]:
        """Who has joined the live networks of a key domain and is in force, one after the other.

        One whose row does not authenticate is left out: nothing can be told to it.
        """
        ...

    def place_reached(self, rollover_id: int, generation_id: int) -> None:
        """Write into their places that reached nodes have this generation of keys."""
        ...

    def want(self, wanted: WantedRollover) -> None:
        """Remember that new keys are wanted; one that is remembered already stays."""
        ...

    def wanted(self, domain_id: int) -> WantedRollover | None:
        """What is remembered for a key domain."""
        ...

    def all_wanted(self) -> Sequence[WantedRollover]:
        """What is remembered for all key domains; a damaged row is left out, and logged."""
        ...

    def forget_wanted(self, domain_id: int) -> None:
        """It has begun."""
        ...

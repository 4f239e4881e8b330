"""Records of rollovers that use cases and the store exchange (RFC 9031 §8.4.3.1-2)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import NamedTuple, Protocol

from jrc.model import PledgeId, Profile
from jrc.policy.rollover import Counts, NodeState, Phase


class RolloverCause(StrEnum):
    """Why keys are changed."""

    OPERATOR = "operator"
    PERIODIC = "periodic"
    REVOCATION = "revocation"
    BORDER_ROUTER = "border-router"
    """A 6LBR has joined again, and may count its slots anew (row E7)."""


class OnBorderRouterJoin(StrEnum):
    """What happens when a 6LBR joins again, and may count its slots anew (row E7)."""

    FRESH = "fresh"
    """Its Join Response has keys that were never in use."""
    ROLLOVER = "rollover"
    """It gets the keys in force, which are changed afterwards."""
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloverSettings:
    """What the config file says of rollovers; a command may say otherwise for its own.

    ``quorum_permille`` of the 6LNs have the new keys when the 6LBRs get them. A node that was not
    reached is tried again after ``retry_s``, then after twice as long, up to ``retry_max_s``.
    """

    quorum_permille: int = 1000
    deadline_s: int = 3600
    retry_s: int = 300
    retry_max_s: int = 3600
    on_6lbr_join: OnBorderRouterJoin = OnBorderRouterJoin.FRESH


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloverRecord:
    """A rollover's row; times are ms since 1970, ``version`` 0 where it is not written yet.

    ``generation_id`` are the keys it brings, ``former_generation_id`` those it retires.
    ``paused_from`` is the phase that a paused one goes back to. While it is planned,
    ``distributing_at_ms`` is when it is to begin. It runs until it has an ``ended_at_ms``.
    """

    id: int
    domain_id: int
    generation_id: int
    former_generation_id: int
    phase: Phase
    paused_from: Phase | None = None
    pause_cause: str | None = None
    cause: RolloverCause
    actor: str
    reason: str = ""
    quorum_permille: int
    deadline_s: int
    created_at_ms: int
    distributing_at_ms: int | None = None
    deadline_at_ms: int | None = None
    switching_at_ms: int | None = None
    guarding_at_ms: int | None = None
    ended_at_ms: int | None = None
    version: int = 0

    @property
    def course(self) -> Phase:
        """The phase it is in, or goes back to after its pause."""
        return self.paused_from or self.phase


DAMAGED = "its row was damaged"
"""The last error of a node whose row did not authenticate, so that it is told anew."""


class RolloverNode(NamedTuple):
    """How far one node is; ``next_at_ms`` is when it is to be told (again), None for no more.

    ``attempts`` counts exchanges that were begun; ``sent_at_ms`` is before the first datagram with
    the new keys left, ``reached_at_ms`` when a verified answer came. ``version`` as above.
    """

    rollover_id: int
    pledge_id: int
    network_id: int
    role: int
    state: NodeState
    attempts: int = 0
    last_error: str | None = None
    sent_at_ms: int | None = None
    reached_at_ms: int | None = None
    tried_at_ms: int | None = None
    next_at_ms: int | None = None
    version: int = 0


class JoinedNode(NamedTuple):
    """A pledge with a place in a network of a key domain; ``profile`` is the one in force."""

    pledge_id: int
    identifier: PledgeId
    network_id: int
    role: int
    profile: Profile
    address: IPv6Address | None
    sleep_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRollover:
    """New keys that were asked for while a rollover could not take that in."""

    domain_id: int
    cause: RolloverCause
    actor: str
    reason: str
    asked_at_ms: int


class RolloverStore(Protocol):
    """Rollovers and their nodes; every row is authenticated as it is read.

    Each method that reads raises StateError where a row does not authenticate, but for the two
    that read the rows of all key domains.
    """

    def add(self, record: RolloverRecord, nodes: Sequence[RolloverNode]) -> RolloverRecord:
        """Write a new rollover and its nodes, whatever rollover they name; it gets a number.

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

    def by_id(self, rollover_id: int) -> RolloverRecord:
        """One by its number."""
        ...

    def save(self, record: RolloverRecord) -> RolloverRecord:
        """Write a changed row; its version goes up by one, and comes back."""
        ...

    def counts(self, rollover_id: int) -> Counts:
        """Its nodes by role and state, without reading each (so without their MACs)."""
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
        """Drop the nodes of ended rollovers of a key domain, but those of the last ``keep``."""
        ...

    def joined_nodes(self, domain_id: int) -> Sequence[JoinedNode]:
        """Who has joined the live networks of a key domain and is in force.

        One whose row does not authenticate is left out: nothing can be told to it.
        """
        ...

    def place_reached(self, rollover_id: int, generation_id: int, role: int) -> None:
        """Write into their places that reached nodes of a role have this generation of keys."""
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

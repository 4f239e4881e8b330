"""Records of rollovers that use cases and the store exchange (RFC 9031 §8.4.3.1-2)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from jrc.model import PledgeId, Profile
from jrc.policy.rollover import NodeState, Phase


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


_MOST_VERSION = 1 << 62
"""A damaged row may hold any number; the version after this one still fits its column."""


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

    @property
    def next_version(self) -> int:
        """Its row's when it is written next; where that was damaged, it may say anything."""
        version: object = self.version
        if isinstance(version, int) and 0 <= version < _MOST_VERSION:
            return version + 1
        return 1


class JoinedNode(NamedTuple):
    """A pledge with a place in a network of a key domain; ``profile`` is the one in force."""

    pledge_id: int
    identifier: PledgeId
    network_id: int
    role: int
    profile: Profile
    sleep_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRollover:
    """New keys that were asked for while a rollover could not take that in."""

    domain_id: int
    cause: RolloverCause
    actor: str
    reason: str
    asked_at_ms: int

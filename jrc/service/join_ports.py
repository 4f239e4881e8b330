"""What the join path and the store exchange: contexts, what joins are decided by, transactions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from jrc.cojp.codec import ConfigurationForm
from jrc.cojp.oscore_context import SecurityContext
from jrc.cojp.replay import ReplayWindow
from jrc.model import Event, Network, Pledge, Profile
from jrc.policy.keys import KeySet
from jrc.policy.leases import Lease
from jrc.policy.rollover import NodeState, Phase
from jrc.service.gate_stores import GateRows


class ContextState(NamedTuple):
    """The mutable half of an OSCORE context as its row holds it (RFC 9031 §7.3.1)."""

    version: int
    window: ReplayWindow
    numbers_reserved: int = 0
    needs_recovery: bool = False
    request_digest: bytes | None = None
    answer: bytes | None = None
    answered_at_ms: int | None = None
    answer_peer: bytes | None = None
    answer_generation_id: int | None = None
    joined_at_ms: int | None = None


class NodePlace(NamedTuple):
    """Where a pledge has joined, and what it was answered with last.

    That is a generation of keys, None where its profile takes none, and a number of the network's
    settings: everything else that a Configuration says. A negative one has something left to be
    told (``policy/settings.py``).
    """

    network_id: int
    role: int
    generation_id: int | None
    settings_number: int = 0


class Standing(NamedTuple):
    """What a pledge has got: its short identifier in each key domain, and its place.

    ``admitted`` are networks that have let it in, as far as that was looked up: only those that
    do not admit everybody.
    """

    leases: tuple[Lease, ...] = ()
    place: NodePlace | None = None
    admitted: tuple[int, ...] = ()

    def lease_in(self, domain_id: int) -> Lease | None:
        """The one of a key domain: held, or given back and still its own to get again."""
        for lease in self.leases:
            if lease.domain_id == domain_id:
                return lease
        return None


class RecoveryRun(NamedTuple):
    """An RFC 8613 App. B.2 run that waits for request #2; ``r2`` is ours, and nobody else's.

    ``context_id`` is the lost context that request #1 verified under, with ``number`` and
    ``request_digest``; ``answer`` is response #1, sent first to ``answer_peer``.
    """

    r2: bytes
    context_id: int
    number: int
    request_digest: bytes
    answer: bytes
    answer_peer: bytes
    begun_at_ms: int


class StoredRun(NamedTuple):
    """A run read anew for a copy of its request #1; ``good``: pledge and key are in force."""

    run: RecoveryRun
    good: bool


@dataclass(slots=True, eq=False)
class KnownContext:
    """An OSCORE context with what is needed to answer its pledge; lives in a bounded cache.

    ``profile`` is the pledge's own, or else that of its first network; ``left_out`` are the labels
    it has reported as unsupported (RFC 9031 §8.4.5). ``state`` and ``standing`` change only after
    the commit that made them true. ``revision`` is that of networks, keys and admissions when it
    was read: a transaction that finds a later one reads the context anew.

    ``replaces_id`` is the lost context that an RFC 8613 App. B.2 run began with, until a later
    message verifies. With a ``run`` this is none yet but what its request #2 verifies under;
    ``context_id`` is then that of the lost one. ``candidate_id`` is the number of this context's
    key where that waits for the next firmware; None where it is the one in force (row A5).
    """

    context_id: int
    kid_context: bytes
    security: SecurityContext
    pledge: Pledge
    revision: int
    profile: Profile
    left_out: frozenset[int]
    state: ContextState
    standing: Standing
    replaces_id: int | None = None
    run: RecoveryRun | None = None
    candidate_id: int | None = None


class RunningRollover(NamedTuple):
    """A change of a key domain's keys; ``phase`` is the one that a paused one goes back to."""

    rollover_id: int
    phase: Phase


@dataclass(frozen=True, slots=True)
class LiveKeys:
    """The key set a domain's networks hand out, and how far back identifiers stay burned.

    While a rollover is ``running`` there may be a ``previous`` set as well, which some nodes still
    send with.
    """

    generation_id: int
    current: KeySet
    oldest_live_generation: int
    previous: KeySet | None = None
    running: RunningRollover | None = None


class Terms(NamedTuple):
    """What pledges of one kind get in a network: the same for all but the short identifier.

    ``leased`` says that they get one, which ``form`` takes; ``detail`` is the beginning of what
    the audit log says of each join. ``gated`` says that more is looked at: the network does not
    admit everybody, or a 6LBR joins.
    ``comes_into`` is what a running rollover has to know of each join, None where none runs.
    """

    network: Network
    keys: LiveKeys
    place: NodePlace
    form: ConfigurationForm
    leased: bool
    detail: str
    gated: bool
    comes_into: "JoinedMeanwhile | None" = None


class JoinedMeanwhile(NamedTuple):
    """That a pledge joins while a rollover runs, and what it has of the new keys after that.

    ``has_new`` says that its Join Response has them, ``is_due`` that it is to be told by update,
    at once: of the new set alone.
    """

    rollover_id: int
    network_id: int
    role: int
    state: NodeState
    has_new: bool
    is_due: bool


def _nobody(_network_id: int) -> tuple[bytes, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Everything about networks that a join needs, as of one revision of the database.

    ``blocked_in`` gives the blocklist of a network by its number (RFC 9031 §8.4.2); it is read
    once, and only where a 6LBR joins, in the transaction that asks for it first.
    ``settings_numbers`` are those of the settings that each network's nodes are told; a network of
    ``blocking`` has revoked pledges to tell of, and one of ``throttling`` a node with a join rate
    of its own. ``terms`` fills with those of each kind of pledge that has joined (``join.py``).
    """

    revision: int
    networks: Mapping[int, Network]
    keys: Mapping[int, LiveKeys]
    settings_numbers: Mapping[int, int] = field(default_factory=dict)
    blocked_in: Callable[[int], tuple[bytes, ...]] = _nobody
    blocking: frozenset[int] = frozenset()
    throttling: frozenset[int] = frozenset()
    terms: dict[object, Terms] = field(default_factory=dict)


class StoredAnswer(NamedTuple):
    """The last answer of a context, read anew for a copy of its request.

    ``good`` says that pledge and credential are in force and that the keys and the short
    identifier in the answer are still the pledge's.
    """

    state: ContextState
    good: bool


class RunReader(Protocol):
    """Looks RFC 8613 App. B.2 runs up outside of transactions, for the loop."""

    def claimed(self, kid_context: bytes) -> KnownContext | None:
        """What a request #2 of an open run is to verify under (RFC 8613 App. B.2 step 4).

        Raises:
            StateError: a row does not authenticate.
        """
        ...

    def stored(self, r2: bytes) -> StoredRun | None:
        """What a copy of request #1 may be answered with.

        Raises:
            StateError: a row does not authenticate.
        """
        ...


class ContextReader(Protocol):
    """Looks contexts up outside of transactions, for the loop."""

    @property
    def runs(self) -> RunReader:
        """Runs that wait for request #2."""
        ...

    def stored_answer(self, context_id: int) -> StoredAnswer | None:
        """What a copy of the last request may be answered with (row C11)."""
        ...

    def find_many(self, kid_contexts: Sequence[bytes]) -> Mapping[bytes, Sequence[KnownContext]]:
        """What ``find`` gives, for many at once; those that don't authenticate are left out."""
        ...

    def find(self, kid_context: bytes) -> Sequence[KnownContext]:
        """The usable contexts under a kid context: one, or two while a key waits (A5).

        Raises:
            StateError: a row does not authenticate.
        """
        ...


class RecoveryRows(Protocol):
    """RFC 8613 App. B.2 in a join's transaction; each change is written at once."""

    def security(self, known: KnownContext, id_context: bytes) -> SecurityContext | None:
        """The pledge's context with another ID Context; None where its PSK stayed elsewhere.

        Raises:
            StateError: the PSK does not authenticate.
        """
        ...

    def begin(
        self, known: KnownContext, run: RecoveryRun, *, most: int, lower: int, since_ms: int
    ) -> bool:
        """Write a run, but for a request #1 that has begun one; whether it was written.

        Of the context's runs ``most`` with the highest numbers stay open, and of the others the
        newest ``lower``; none of them begun before that time.
        """
        ...

    def lost_of(self, run: RecoveryRun) -> KnownContext | None:
        """The lost context of a run that is still open, as it stands now.

        Raises:
            StateError: a row does not authenticate.
        """
        ...

    def replace(self, lost: KnownContext, security: SecurityContext) -> int:
        """Write the context that a run gave, and end the pledge's runs; its number."""
        ...

    def confirm(self, known: KnownContext) -> None:
        """Erase what ``known`` has replaced."""
        ...


class JoinTransaction(Protocol):
    """One write transaction of the join path. Reads lock; writes go out when it closes."""

    @property
    def policy(self) -> NetworkPolicy:
        """Networks and keys as this transaction sees them."""
        ...

    @property
    def gates(self) -> GateRows:
        """Windows and approvals."""
        ...

    @property
    def recoveries(self) -> RecoveryRows:
        """Contexts that lost their state, and runs that give others."""
        ...

    def current(self, asked: Sequence[KnownContext]) -> Mapping[int, KnownContext]:
        """These contexts as they stand now, by their numbers; one no longer in force is left out.

        A context from memory may come back as it is: should its row have changed after all, the
        transaction fails as it closes, and is tried again with rows that it reads itself.

        Raises:
            StateError: a row does not authenticate.
        """
        ...

    def taken(self, domain_id: int, values: Sequence[int], oldest_live: int) -> set[int]:
        """Which of ``values`` can't be given out: held, or burned in a live generation."""
        ...

    def all_taken(self, domain_id: int, oldest_live: int) -> set[int]:
        """Every value of the domain that can't be given out; for a range that runs low."""
        ...

    def random(self, count: int) -> bytes:
        """Bytes of the operating system's generator."""
        ...

    def save_state(self, context_id: int, state: ContextState) -> None:
        """Write a context's state; its version goes up by one."""
        ...

    def save_lease(self, lease: Lease) -> None:
        """Write a short identifier's row; version 1 is a new one."""
        ...

    def save_place(self, pledge: Pledge, place: NodePlace, before: NodePlace | None) -> None:
        """Write where a pledge has joined: the first time, or after a move or a key change.

        Who comes from another key domain leaves the rollover that runs there.
        """
        ...

    def border_router_joins(self, network: Network, pledge: Pledge) -> bool:
        """Called before a 6LBR is given the network's keys: whether there are others now (row E7).

        If so, ``policy`` is another one.
        """
        ...

    def save_progress(self, pledge: Pledge, meanwhile: JoinedMeanwhile) -> None:
        """Write that a node of a running rollover has joined (row E3)."""
        ...

    def put_in_force(self, known: KnownContext) -> None:
        """The key of this context waited, and is the pledge's only one from now on (row A5).

        Raises:
            ConflictError: it does not wait any more, or the one before was used in the batch too.
        """
        ...

    def save_reports(
        self, pledge: Pledge, reports: Iterable[tuple[int, int, bytes | None]]
    ) -> None:
        """Store the (code, label, addinfo) that a pledge reported (RFC 9031 §8.4.5)."""
        ...

    def record(self, event: Event) -> None:
        """Add to the audit log."""
        ...

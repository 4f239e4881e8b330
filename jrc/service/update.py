"""Parameter Updates (RFC 9031 §8.2): who is told, and what is on disk before it leaves.

``turn`` is one transaction of a telling: it writes down how earlier updates ended, takes the nodes
that are due, reserves sender numbers for each and burns its short identifier in the keys it is
about to be sent (RFC 9031 §7.3.1, §8.4.4.1). What comes back may leave once that is on disk. Why a
node is told, and what, is an errand's affair: new keys (``keying.py``), or settings.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import NamedTuple, Protocol

from jrc.cojp import replay
from jrc.cojp.constants import Role
from jrc.cojp.replay import NumberBlock, ReplayWindow
from jrc.errors import OperatorError, StateError
from jrc.model import Network, Profile
from jrc.policy.addresses import EUI64_BYTES, global_address, short_address
from jrc.policy.leases import Lease
from jrc.policy.profiles import TRAITS, Traits
from jrc.service.condition import closed_sentence
from jrc.service.join import ADMISSIBLE
from jrc.service.join_ports import ContextState
from jrc.service.node_store import Reachable
from jrc.service.outcomes import Ref, ref_of
from jrc.service.registry import Registry
from jrc.service.telling import ODD, Facts
from jrc.service.update_ports import PreparedUpdate, UpdateOutcome
from jrc.service.wording import utc_text

NUMBERS = 8
"""Sender numbers an update reserves: one, and some for answers that ask for an Echo."""
MAX_AHEAD_S = 30
"""Blocks are reserved no further ahead of the seconds that make them due: else a process that dies
again and again, and tells its nodes anew each time, would soon have to wait for hours."""


def lane_of(network_id: int, role: int) -> int:
    """What keeps a pace of its own: the 6LNs of a network, and its 6LBRs, which wait for no 6LN."""
    return -network_id if role == Role.LBR else network_id


class Want(NamedTuple):
    """A node that is to be told something, and its lane.

    ``attempts`` were begun before; the addresses of a node take turns by them.
    """

    pledge_id: int
    lane: int
    attempts: int


class Room:
    """How many updates may be under way: ``total``, and ``each`` lane's share of them.

    ``open_nodes`` are those of nodes that are, with their lanes.
    """

    def __init__(self, open_nodes: Mapping[int, int], total: int, each: int) -> None:
        self.busy = set(open_nodes)
        self._used = Counter(open_nodes.values())
        self._total = total
        self._each = each

    @property
    def left(self) -> int:
        """How many more."""
        return max(0, self._total - len(self.busy))

    def _most(self, *, leaves_room: bool) -> int:
        spare = max(1, self._each // 8) if leaves_room and self._each > 1 else 0
        return self._each - spare

    def full(self, *, leaves_room: bool = False) -> set[int]:
        """Networks whose 6LNs have no room."""
        most = self._most(leaves_room=leaves_room)
        return {lane for lane, used in self._used.items() if used >= most and lane > 0}

    def take(self, wants: Iterable[Want], *, leaves_room: bool = False) -> list[Want]:
        """Those for whom there is room; they have it from then on."""
        taken = []
        most = self._most(leaves_room=leaves_room)
        for want in wants:
            if self._used[want.lane] < most and want.pledge_id not in self.busy:
                self._used[want.lane] += 1
                self.busy.add(want.pledge_id)
                taken.append(want)
        return taken


class Untold(StrEnum):
    """Why a node that is due is not told after all."""

    LEFT = "left"
    """It has joined nowhere any more, or may not be told anything."""
    DAMAGED = "damaged"
    """A row of it does not authenticate, or its context waits for recovery."""
    NOTHING = "nothing"
    """It has all it is to have."""
    NO_UPDATES = "takes_no_updates"
    NO_ADDRESS = "no_address"
    OUT_OF_NUMBERS = "out_of_numbers"
    NUMBERS_NOT_DUE = "numbers_not_due"


class Telling(NamedTuple):
    """A Configuration; ``lease`` is the node's short identifier from then on, if it changes."""

    payload: bytes
    lease: Lease | None


class Place(NamedTuple):
    """A node that can be told, where it is, and what it can take."""

    reachable: Reachable
    network: Network
    profile: Profile
    traits: Traits


class Errand(Protocol):
    """One reason to tell nodes something; each call is within the turn's transaction."""

    name: str
    leaves_room: bool
    """Whether it leaves some places of each lane to others, since it may take hours."""

    def take_up(self, tx: Registry) -> None:
        """Have those told at once whom a process was telling when it ended."""
        ...

    def due(
        self, tx: Registry, limit: int, but: Collection[int], full: Collection[int]
    ) -> Sequence[Want]:
        """Nodes to be told now, those due longest first.

        Without the pledges ``but`` and the networks that are ``full``.
        """
        ...

    def telling(self, tx: Registry, want: Want, place: Place) -> Telling | None:
        """What a node is told, None if nothing after all."""
        ...

    def begun(self, tx: Registry, want: Want, place: Place) -> object:
        """Note that a node is being told; the ref that comes back with the outcome."""
        ...

    def skipped(self, tx: Registry, want: Want, why: Untold) -> None:
        """Note that a node can't be told."""
        ...

    def flush(self, tx: Registry) -> None:
        """Write what was noted."""
        ...

    def ended(self, tx: Registry, outcomes: Sequence[UpdateOutcome]) -> None:
        """Write how updates of this errand ended; their ``Ref`` has the one that ``begun`` gave."""
        ...

    def next_due_ms(self, tx: Registry) -> int | None:
        """When the next node is to be told; in the past for one that is due."""
        ...

    def stale(self, tx: Registry, open_refs: Mapping[int, object]) -> Sequence[int]:
        """Those of these pledges, each with the ref of ``begun``, that may not be told any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What a turn gives: updates to begin, and when to look again; ms since 1970.

    ``told`` are kid contexts whose rows were changed. ``no_numbers`` says why no update can leave
    at all, None where one can.
    """

    updates: tuple[PreparedUpdate, ...]
    told: tuple[bytes, ...]
    next_due_ms: int | None
    no_numbers: str | None = None


def turn(
    tx: Registry,
    errands: Sequence[Errand],
    outcomes: Sequence[UpdateOutcome],
    room: Room,
    facts: Facts,
) -> Turned:
    """Write outcomes down and prepare as many updates as there is ``room`` for.

    With a clock that is behind what it ever showed, no number may be used, and nobody is told; nor
    from a database that is quarantined (row E9).
    """
    facts.look(tx)
    record(tx, errands, outcomes)
    why = closed_sentence(tx.database) or _clock_trouble(tx)
    updates: list[PreparedUpdate] = []
    told: list[bytes] = []
    if why is None:
        for errand in errands:
            prepared = _prepare(tx, errand, room, facts)
            updates += [update for update, _ in prepared]
            told += [kid_context for _, kid_context in prepared]
    due = [at for at in (errand.next_due_ms(tx) for errand in errands) if at is not None]
    return Turned(
        updates=tuple(updates),
        told=tuple(told),
        next_due_ms=min(due, default=None),
        no_numbers=why,
    )


def record(tx: Registry, errands: Sequence[Errand], outcomes: Sequence[UpdateOutcome]) -> None:
    """Write down how updates ended; an answer shows that its node has the context."""
    own: dict[str, list[UpdateOutcome]] = {}
    for outcome in outcomes:
        whose = ref_of(outcome)
        if whose.unproven and outcome.answer is not None:
            tx.recoveries.confirm(whose.unproven)
        own.setdefault(whose.errand, []).append(outcome)
    for errand in errands:
        if errand.name in own:
            errand.ended(tx, own[errand.name])


def _clock_trouble(tx: Registry) -> str | None:
    """Why no sender number may be used now (RFC 8613 App. B.1.1), None if they may."""
    try:
        reserve(ContextState(0, ReplayWindow()), tx.now_ms, tx.seen_ms)
    except OperatorError as error:
        return f"{error.message}: it showed {utc_text(tx.seen_ms)} before"
    return None


def _prepare(
    tx: Registry, errand: Errand, room: Room, facts: Facts
) -> list[tuple[PreparedUpdate, bytes]]:
    wants: Sequence[Want] = ()
    if room.left:
        full = room.full(leaves_room=errand.leaves_room)
        due = errand.due(tx, room.left, room.busy, full)
        wants = room.take(due, leaves_room=errand.leaves_room)
    if not wants:
        return []
    reachable = tx.nodes.reach([want.pledge_id for want in wants])
    damaged = tx.nodes.in_force(
        [each.pledge_id for each in wants if each.pledge_id not in reachable]
    )
    preparing = _Preparing(tx, errand, facts)
    states: list[tuple[int, ContextState, Lease | None]] = []
    prepared: list[tuple[PreparedUpdate, bytes]] = []
    for want in wants:
        found = reachable.get(want.pledge_id)
        if found is None:
            why = Untold.DAMAGED if want.pledge_id in damaged else Untold.LEFT
            preparing.skip(want, why)
            continue
        made = preparing.attempt(want, found)
        if isinstance(made, Untold):
            preparing.skip(want, made)
            continue
        update, state, lease = made
        states.append((found.context_id, state, lease))
        prepared.append((update, found.kid_context))
    tx.nodes.save_told(states)
    errand.flush(tx)
    return prepared


class _Preparing:
    """What one errand tells in a turn, node by node."""

    def __init__(self, tx: Registry, errand: Errand, facts: Facts) -> None:
        self._tx = tx
        self._errand = errand
        self._facts = facts
        self._now_ms = tx.now_ms
        self._seen_ms = tx.seen_ms

    def attempt(
        self, want: Want, found: Reachable
    ) -> tuple[PreparedUpdate, ContextState, Lease | None] | Untold:
        """What a node is told, noted as begun, and what is to be written before; or why nothing.

        Its rows may be damaged in a way that no MAC tells, or those of its network or key domain.
        The transaction is for all nodes: one that can't be told must not keep it from being
        committed.
        """
        try:
            place = self._place(found)
            if isinstance(place, Untold):
                return place
            return self._drafted(want, place)
        except ODD as error:
            self._facts.say_odd(self._errand.name, want.pledge_id, error)
            return Untold.DAMAGED

    def skip(self, want: Want, why: Untold) -> None:
        """Have it noted that a node can't be told."""
        try:
            self._errand.skipped(self._tx, want, why)
        except ODD as error:
            # As in ``attempt``; noting that a node is damaged needs nothing of what may be.
            self._facts.say_odd(self._errand.name, want.pledge_id, error)
            self._errand.skipped(self._tx, want, Untold.DAMAGED)

    def _place(self, found: Reachable) -> Place | Untold:
        """Where a node has joined, if it is still in force there."""
        pledge, joined = found.pledge, found.standing.place
        if pledge.state is not ADMISSIBLE or joined is None:
            return Untold.LEFT
        number = joined.network_id
        if number not in pledge.network_ids:
            return Untold.LEFT
        network = self._facts.networks(self._tx).get(number)
        if network is None:
            is_damaged = number in self._facts.damaged(self._tx)
            return Untold.DAMAGED if is_damaged else Untold.LEFT
        profile = pledge.profile or network.profile
        return tuple.__new__(Place, (found, network, profile, TRAITS[profile]))

    def _drafted(
        self, want: Want, place: Place
    ) -> tuple[PreparedUpdate, ContextState, Lease | None] | Untold:
        """As ``attempt``, for a node that is in its place."""
        found, traits = place.reachable, place.traits
        if not traits.takes_updates:
            return Untold.NO_UPDATES
        address = _address(place, want.attempts)
        if address is None:
            return Untold.NO_ADDRESS
        telling = self._errand.telling(self._tx, want, place)
        if telling is None:
            return Untold.NOTHING
        try:
            numbers, state = reserve(found.state, self._now_ms, self._seen_ms)
        except (OperatorError, StateError):
            return Untold.OUT_OF_NUMBERS
        if numbers.wait_s(self._now_ms // 1000) > MAX_AHEAD_S:
            return Untold.NUMBERS_NOT_DUE
        unproven = None if found.replaces_id is None else found.context_id
        begun = self._errand.begun(self._tx, want, place)
        fields = (
            tuple.__new__(Ref, (self._errand.name, begun, unproven)),
            found.pledge.id,
            want.lane,
            address,
            found.security,
            numbers,
            telling.payload,
            traits.kid_context_in_requests,
            traits.uri_host_in_requests,
        )
        return tuple.__new__(PreparedUpdate, fields), state, telling.lease


def reserve(
    state: ContextState, now_ms: int, seen_ms: int, count: int = NUMBERS
) -> tuple[NumberBlock, ContextState]:
    """Sender numbers, and the context's state that has to be on disk before one is used.

    RFC 8613 App. B.1.1; ``seen_ms`` is the latest time that the clock ever showed.

    Raises:
        OperatorError: the clock is behind that.
        StateError: the numbers of the context are used up.
    """
    numbers = replay.reserve(
        state.numbers_reserved, now_ms // 1000, count, high_water_s=seen_ms // 1000
    )
    version, window, _reserved_before = state[:3]
    fields = (version + 1, window, numbers.reserved, *state[3:])
    return numbers, tuple.__new__(ContextState, fields)


def _address(place: Place, attempts: int) -> IPv6Address | None:
    """Where a node is tried this time: the operator's word, else its own addresses in turn."""
    found, network = place.reachable, place.network
    if found.address is not None:
        return found.address
    lease = found.standing.lease_in(network.domain_id)
    short_id = None if lease is None or lease.released else lease.value
    identifier = found.pledge.identifier
    has_eui64 = len(identifier.value) == EUI64_BYTES
    if short_id is not None and (attempts % 2 == 1 or not has_eui64):
        return short_address(network.prefix, short_id)
    return global_address(network.prefix, identifier, short_id, place.profile)

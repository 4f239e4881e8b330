"""The outside world of the join path, in memory: no database, no socket, time that is given."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv6Network
from typing import Any, NamedTuple

from jrc.cojp.objects import LinkLayerKey
from jrc.cojp.oscore_context import SecurityContext, derive_for_jrc
from jrc.cojp.replay import ReplayWindow
from jrc.errors import Reason
from jrc.model import Event, KeySetState, Network, Pledge, PledgeId, PledgeState, Profile, Secret
from jrc.policy.admission import Admittance
from jrc.policy.keys import KeySet
from jrc.policy.leases import Lease
from jrc.policy.windows import JoinWindow
from jrc.service.join_ports import (
    ContextState,
    JoinedMeanwhile,
    KnownContext,
    LiveKeys,
    NetworkPolicy,
    NodePlace,
    RecoveryRun,
    Standing,
    StoredAnswer,
    StoredRun,
)
from tests.daemon.wire import OddPledge

NOW_MS = 1_796_000_000_000
PSK = bytes.fromhex("8c1d5f0ba7e34296d8317cb05efa6921")
KEY = LinkLayerKey(1, Secret(bytes(range(16))))
LAB = Network(
    id=1,
    name="lab",
    domain_id=1,
    domain="lab",
    identifiers=(b"\xca\xfe",),
    prefix=IPv6Network("2001:db8::/64"),
)
NOTHING = Standing()


class Path(NamedTuple):
    """A way back; ``address`` is the peer's, ``own`` what an own proxy tells."""

    address: bytes = bytes(15) + b"\x01"
    own: tuple[bytes, str] | None = None

    def peer_address(self) -> bytes:
        return self.address

    def forwarded_for(self) -> tuple[bytes, str] | None:
        return self.own


class Packet(NamedTuple):
    """A datagram as an endpoint reads it."""

    payload: bytes
    way: Path = Path()
    truncated: bool = False
    to_multicast: bool = False


class GivenClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: int = NOW_MS) -> None:
        self.now = now

    def now_ms(self) -> int:
        return self.now


class Tally:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.drops: Counter[Reason] = Counter()
        self.damages: list[str] = []
        self.answers: list[tuple[str, Reason | None]] = []
        self.batches: list[int] = []
        self.resends = 0
        self.recoveries = 0
        self.keys_changed: list[bytes] = []
        self.arrived = 0

    def received(self, count: int) -> None:
        self.arrived += count

    def dropped(self, reason: Reason) -> None:
        self.drops[reason] += 1

    def damaged(self, message: str) -> None:
        self.damages.append(message)

    def answered(self, network: str, reason: Reason | None) -> None:
        self.answers.append((network, reason))

    def resent(self) -> None:
        self.resends += 1

    def recovered(self) -> None:
        self.recoveries += 1

    def key_changed(self, identifier: bytes) -> None:
        self.keys_changed.append(identifier)

    def committed(self, batch: int) -> None:
        self.batches.append(batch)


class Outbox:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []

    def send(self, datagram: bytes, way: Any) -> None:
        self.sent.append((datagram, way))


class NoRuns:
    """App. B.2 runs, of which there is none."""

    def claimed(self, kid_context: bytes) -> KnownContext | None:
        raise AssertionError("no run was begun")

    def stored(self, r2: bytes) -> StoredRun | None:
        raise AssertionError("no run was begun")


class Shelf:
    """Contexts and stored answers, as a ``ContextReader``."""

    def __init__(self) -> None:
        self.known: dict[bytes, list[KnownContext]] = {}
        self.stored: dict[int, StoredAnswer] = {}
        self.reads = 0
        self.runs = NoRuns()
        self.error: Exception | None = None

    def find_many(self, kid_contexts: Sequence[bytes]) -> dict[bytes, Sequence[KnownContext]]:
        if self.error is not None:
            return {}
        self.reads += 1
        return {each: self.known[each] for each in kid_contexts if each in self.known}

    def find(self, kid_context: bytes) -> Sequence[KnownContext]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.known.get(kid_context, ())

    def stored_answer(self, context_id: int) -> StoredAnswer | None:
        if self.error is not None:
            raise self.error
        return self.stored.get(context_id)


def identifier(number: int = 1) -> bytes:
    """An EUI-64."""
    return bytes.fromhex("00124b00") + number.to_bytes(4)


def known_context(
    number: int = 1,
    *,
    psk: bytes = PSK,
    at: ContextState | None = None,
    standing: Standing = NOTHING,
    left_out: Iterable[int] = (),
    profile: Profile = Profile.RFC9031,
    **pledge: Any,
) -> KnownContext:
    """The context of pledge ``number``, whose rows have that number too."""
    name = identifier(number)
    fields = {"state": PledgeState.PROVISIONED, "network_ids": (1,), **pledge}
    return KnownContext(
        context_id=number,
        kid_context=name,
        security=derive_for_jrc(psk, name),
        pledge=Pledge(id=number, identifier=PledgeId(name), **fields),
        revision=1,
        profile=profile,
        left_out=frozenset(left_out),
        state=at or ContextState(1, ReplayWindow()),
        standing=standing,
    )


def device(number: int = 1, psk: bytes = PSK, first: int = 0) -> OddPledge:
    """The other end of ``known_context``."""
    return OddPledge(identifier(number), psk, first)


def live_keys(generation: int = 1, oldest: int | None = None) -> LiveKeys:
    """One key of a generation, whose row has the number 10 + ``generation``."""
    current = KeySet(generation, KeySetState.CURRENT, (KEY,))
    return LiveKeys(10 + generation, current, generation if oldest is None else oldest)


def lease(value: int = 0x42, pledge_id: int = 1, **more: Any) -> Lease:
    """A short identifier of generation 1, held for ever."""
    fields = {"first_generation": 1, "last_generation": 1, "lease_until_ms": None, **more}
    return Lease(value=value, domain_id=1, pledge_id=pledge_id, **fields)


class NoGates:
    """Windows and approvals, which joins to a network that admits everybody never look at."""

    seen_ms = 0

    def admittance(self, pledge_id: int, network_id: int) -> Admittance | None:
        raise AssertionError("admissions were looked at")

    def save_admittance(self, entry: Admittance) -> None:
        raise AssertionError("an admission was written")

    def window(self, network_id: int) -> JoinWindow | None:
        raise AssertionError("windows were looked at")

    def save_window(self, window: JoinWindow) -> None:
        raise AssertionError("a window was written")


class NoRecoveries:
    """App. B.2, which joins under sound contexts never look at."""

    def security(self, known: KnownContext, id_context: bytes) -> None:
        return None

    def begin(
        self, known: KnownContext, run: RecoveryRun, *, most: int, lower: int, since_ms: int
    ) -> bool:
        raise AssertionError("a run was begun")

    def lost_of(self, run: RecoveryRun) -> None:
        return None

    def replace(self, lost: KnownContext, security: SecurityContext) -> int:
        raise AssertionError("a context was replaced")

    def confirm(self, known: KnownContext) -> None:
        raise AssertionError("a context was confirmed")


class Ground:
    """A join transaction without a database; what is written is kept in lists."""

    def __init__(self, *contexts: KnownContext, network: Network = LAB) -> None:
        self.policy = NetworkPolicy(1, {network.id: network}, {1: live_keys()})
        self.now: dict[int, KnownContext] = {known.context_id: known for known in contexts}
        self.burned: set[int] = set()
        self.bytes = iter(range(0x0101, 0x7FFF))
        self.states: list[tuple[int, ContextState]] = []
        self.leases: list[Lease] = []
        self.places: list[tuple[NodePlace, bool]] = []
        self.progress: list[JoinedMeanwhile] = []
        self.reports: list[tuple[int, int, bytes | None]] = []
        self.events: list[Event] = []
        self.draws = 0
        self.reads = 0
        self.gates = NoGates()
        self.recoveries = NoRecoveries()
        self.put: list[int] = []

    def change(self, context_id: int, **fields: Any) -> None:
        """The transaction reads the context itself, and finds it otherwise than in memory."""
        self.now[context_id] = replace(self.now[context_id], **fields)

    def set_keys(self, keys: LiveKeys | None) -> None:
        """Other keys, or none."""
        self.policy = replace(self.policy, keys={} if keys is None else {1: keys}, terms={})

    def current(self, asked: Sequence[KnownContext]) -> Mapping[int, KnownContext]:
        numbers = [known.context_id for known in asked]
        return {number: self.now[number] for number in numbers if number in self.now}

    def taken(self, domain_id: int, values: Sequence[int], oldest_live: int) -> set[int]:
        self.reads += 1
        return self._taken().intersection(values)

    def all_taken(self, domain_id: int, oldest_live: int) -> set[int]:
        self.reads += 1
        return self._taken()

    def _taken(self) -> set[int]:
        return self.burned | {lease.value for lease in self.leases}

    def random(self, count: int) -> bytes:
        self.draws += 1
        return b"".join(next(self.bytes).to_bytes(2) for _ in range(-(-count // 2)))[:count]

    def save_state(self, context_id: int, state: ContextState) -> None:
        self.states.append((context_id, state))

    def save_lease(self, lease: Lease) -> None:
        self.leases.append(lease)

    def save_place(self, pledge: Pledge, place: NodePlace, before: NodePlace | None) -> None:
        self.places.append((place, before is None))

    def save_progress(self, pledge: Pledge, meanwhile: JoinedMeanwhile) -> None:
        self.progress.append(meanwhile)

    def border_router_joins(self, network: Network, pledge: Pledge) -> bool:
        return False

    def put_in_force(self, known: KnownContext) -> None:
        self.put.append(known.context_id)

    def save_reports(
        self, pledge: Pledge, reports: Iterable[tuple[int, int, bytes | None]]
    ) -> None:
        self.reports += reports

    def record(self, event: Event) -> None:
        self.events.append(event)

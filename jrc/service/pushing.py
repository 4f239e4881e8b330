"""Why and how nodes are told settings and leases: an errand beside that of keys (§8.4.2, §8.4.4).

Whoever is behind is found by a look at all nodes: when something was changed, and every
``LOOK_MS``, since leases end by the clock and joins say nothing but on disk. In between only the
schedule is looked at. After a look that took long there is none for ten times as long.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from jrc.cojp import codec
from jrc.cojp.constants import Label
from jrc.cojp.objects import ShortIdentifier
from jrc.errors import StateError
from jrc.model import Event, Network
from jrc.policy import leases
from jrc.policy.leases import Lease
from jrc.policy.rollover_nodes import NodeEvent
from jrc.policy.settings import Held, Settings, Wanted, difference, labels_of, number_of
from jrc.service.join import ADMISSIBLE
from jrc.service.join_ports import ContextState
from jrc.service.node_settings import has_changed, settings_changed
from jrc.service.node_store import Reachable
from jrc.service.outcomes import ACTOR, MAX_EXCHANGE_MS, SOON_MS, Retry, read_outcome, ref_of
from jrc.service.push_records import NodeUpdate
from jrc.service.registry import Registry
from jrc.service.telling import Facts
from jrc.service.update import Place, Telling, Untold, Want, lane_of
from jrc.service.update_ports import UpdateOutcome

LOOK_MS = 15_000
"""How long after its join a node waits to be told what a Join Response leaves out."""
LONG_LOOK_S = 0.05
RESTS = 10
"""Times as long as a long look has taken there is no other: each reads all nodes, and an import
into a registrar with a million of them commits many times a second."""
MOST_REST_S = 10.0
"""A blocklist or a join rate waits no longer for a disk that was slow once."""
LOOK_LIMIT = 1000
"""Nodes that one look puts on the schedule; more follow in the next transaction."""

_Changed = tuple[int, ContextState, Lease | None]


class _Ref(NamedTuple):
    """What a node was told; an outcome counts while its context is as it was then."""

    context: tuple[int, int]
    number: int
    labels: frozenset[Label]
    throttle: int | None
    network: str


class _Draft(NamedTuple):
    number: int
    labels: frozenset[Label]


class Pushing:
    """As ``update.Errand``.

    ``changed_contexts`` collects kid contexts whose rows were changed without a datagram: whoever
    remembers them would find out at the next join only. ``monotonic_s`` gives seconds that never
    go back, and may be asked on any thread.
    """

    name = "settings"
    leaves_room = False

    def __init__(self, retry: Retry, facts: Facts, monotonic_s: Callable[[], float]) -> None:
        self._retry = retry
        self._facts = facts
        self._monotonic_s = monotonic_s
        self._rests_until_s = -math.inf
        self.changed_contexts: list[bytes] = []
        self._revision = -1
        self._look_at_ms = 0
        self._rows: dict[int, NodeUpdate] = {}
        self._saved: list[NodeUpdate] = []
        self._drafts: dict[int, _Draft] = {}
        self._settled: dict[int, Reachable] = {}
        self._known_settings: dict[tuple[int, int], Sequence[Settings]] = {}

    # Who is due

    def take_up(self, tx: Registry) -> None:
        """As ``Errand.take_up``."""
        tx.pushes.take_up(MAX_EXCHANGE_MS)

    def due(
        self, tx: Registry, limit: int, but: Collection[int], full: Collection[int]
    ) -> Sequence[Want]:
        """As ``Errand.due``."""
        for remembered in (self._rows, self._drafts, self._settled, self._saved):
            remembered.clear()
        if self._is_time_to_look(tx):
            self._look(tx)
        wants = [
            Want(each.pledge_id, lane_of(each.network_id, each.role), each.attempts)
            for each in tx.pushes.due(tx.now_ms, limit, but, full)
        ]
        if wants:
            self._rows = dict(tx.pushes.find([want.pledge_id for want in wants]))
        return wants

    def next_due_ms(self, tx: Registry) -> int | None:
        """As ``Errand.next_due_ms``; the next look counts."""
        next_ms, rested_ms = tx.pushes.next_due_ms(), tx.now_ms + math.ceil(1000 * self._rest_s())
        if tx.policy_revision != self._revision:
            return rested_ms if next_ms is None else min(next_ms, rested_ms)
        if self._is_time_to_look(tx):
            if self._has_news(tx):
                return tx.now_ms
            self._look_at_ms = tx.now_ms + LOOK_MS
        look_ms = max(self._look_at_ms, rested_ms)
        return look_ms if next_ms is None else min(next_ms, look_ms)

    def look_again(self) -> None:
        """A transaction that has looked was not committed."""
        self._revision = -1

    def _is_time_to_look(self, tx: Registry) -> bool:
        """Also where the clock was set back, which would have it wait for too long."""
        if self._rest_s():
            return False
        left_ms = self._look_at_ms - tx.now_ms
        return tx.policy_revision != self._revision or not 0 < left_ms <= LOOK_MS

    def _rest_s(self) -> float:
        """Seconds in which nobody looks, since the last look was a long one."""
        return max(0.0, self._rests_until_s - self._monotonic_s())

    def _has_news(self, tx: Registry) -> bool:
        """Whether a look would find anything; it writes nothing."""
        for network in self._facts.networks(tx).values():
            with self._apart(network):
                if has_changed(tx, network):
                    return True
        return bool(self._lacking(tx, 1))

    @contextmanager
    def _apart(self, network: Network) -> Iterator[None]:
        """Where it can't be known what a network is told, the others are told nevertheless."""
        try:
            yield
        except StateError as error:
            self._facts.say_odd(self.name, network.id, error)

    def _look(self, tx: Registry) -> None:
        """Write down what is to be told, and put on the schedule whoever lacks something."""
        started_s = self._monotonic_s()
        self._known_settings.clear()
        for network in self._facts.networks(tx).values():
            with self._apart(network):
                settings_changed(tx, network.id)
        lacking = self._lacking(tx, LOOK_LIMIT)
        if lacking:
            tx.pushes.schedule(lacking, tx.now_ms)
        self._revision = tx.policy_revision
        self._look_at_ms = tx.now_ms + (LOOK_MS if len(lacking) < LOOK_LIMIT else 0)
        ended_s = self._monotonic_s()
        if ended_s - started_s > LONG_LOOK_S:
            self._rests_until_s = ended_s + min(MOST_REST_S, RESTS * (ended_s - started_s))

    def _lacking(self, tx: Registry, limit: int) -> list[int]:
        """Nodes with other settings than the latest, or whose lease is to be renewed."""
        found = dict.fromkeys(tx.pushes.lacking_settings(limit))
        for network in self._facts.networks(tx).values():
            if len(found) >= limit:
                break
            hours = network.lease_hours
            ends_ms = None if hours is None else leases.fitting_ends_ms(tx.now_ms, hours)
            lacking = tx.pushes.lacking_lease(network.id, network.domain_id, ends_ms, limit)
            found.update(dict.fromkeys(lacking))
        return list(found)[:limit]

    # What each is told

    def telling(self, tx: Registry, want: Want, place: Place) -> Telling | None:
        """As ``Errand.telling``: all that it may lack, in one update."""
        known = place.reachable
        lease = self._lease(tx, want, place)
        identifier = None if lease is None else _short_identifier(lease, place.network)
        wanted, held = self._state_of(tx, want, place, identifier)
        config = difference(wanted, held, place.traits.labels - known.left_out)
        if config is None:
            self._settled[want.pledge_id] = known
            return None
        self._drafts[want.pledge_id] = _Draft(wanted.settings.number, labels_of(config))
        if config.short_identifier is None:
            lease = None
        is_new = lease is not known.standing.lease_in(place.network.domain_id)
        return Telling(codec.encode_configuration(config), lease if is_new else None)

    def _lease(self, tx: Registry, want: Want, place: Place) -> Lease | None:
        """The node's lease as it is to be told, None where it has to hear nothing of it.

        It is burned in the generations that it went out with; this adds none.
        """
        lease = place.reachable.standing.lease_in(place.network.domain_id)
        if lease is None or lease.released:
            return None
        hours = place.network.lease_hours
        is_unheard = self._rows[want.pledge_id].lease_sent_at_ms is not None
        if not is_unheard and not leases.needs_renewal(lease, tx.now_ms, hours):
            return None
        return leases.renew(lease, lease.last_generation, tx.now_ms, hours)

    def _state_of(
        self, tx: Registry, want: Want, place: Place, identifier: ShortIdentifier | None
    ) -> tuple[Wanted, Held]:
        joined = place.reachable.standing.place
        assert joined is not None, "the turn leaves out who has not joined"
        row = self._rows[want.pledge_id]
        number = number_of(joined.settings_number)
        found = self._settings_since(tx, place.network.id, number)
        has_all = bool(found) and found[0].number == number
        latest = found[-1] if found else self._latest(tx, place.network)
        held = Held(found if has_all else None, row.told_throttle, joined.settings_number < 0)
        return Wanted(latest, row.throttle, joined.role, identifier), held

    def _settings_since(self, tx: Registry, network_id: int, number: int) -> Sequence[Settings]:
        found = self._known_settings.get((network_id, number))
        if found is None:
            found = tx.pushes.since(network_id, number)
            self._known_settings[network_id, number] = found
        return found

    def _latest(self, tx: Registry, network: Network) -> Settings:
        latest = tx.pushes.latest(network.id)
        if latest is None:
            raise StateError(f"what network {network.name} is told was damaged, and is not known")
        return latest

    def begun(self, tx: Registry, want: Want, place: Place) -> _Ref:
        """As ``Errand.begun``."""
        row, draft = self._rows[want.pledge_id], self._drafts[want.pledge_id]
        known = place.reachable
        context = known.context_id, known.state.version + 1
        self._saved.append(_begun(tx, row, draft))
        return _Ref(context, *draft, row.throttle, place.network.name)

    def skipped(self, tx: Registry, want: Want, why: Untold) -> None:
        """As ``Errand.skipped``."""
        self._saved.append(self._untold(tx, self._rows[want.pledge_id], why))

    def flush(self, tx: Registry) -> None:
        """As ``Errand.flush``."""
        tx.pushes.save(self._saved)
        self._saved.clear()
        self._settle(tx)

    def _untold(self, tx: Registry, row: NodeUpdate, why: Untold) -> NodeUpdate:
        if why is Untold.NOTHING:
            return replace(
                row, attempts=0, last_error=None, next_at_ms=None, lease_sent_at_ms=None
            )  # fmt: skip
        if why is Untold.NUMBERS_NOT_DUE:
            return replace(row, next_at_ms=tx.now_ms + SOON_MS)
        if why in (Untold.NO_UPDATES, Untold.LEFT):
            return replace(row, last_error=why.value, next_at_ms=None)
        again_ms = tx.now_ms + self._retry.after_ms(row.attempts + 1, None)
        return replace(row, attempts=row.attempts + 1, last_error=why.value, next_at_ms=again_ms)

    def _settle(self, tx: Registry) -> None:
        """Write that nodes have all they are to have, though they were told nothing."""
        changed: list[_Changed] = []
        numbers: dict[int, int] = {}
        for pledge_id, known in self._settled.items():
            place = known.standing.place
            assert place is not None
            latest = tx.pushes.latest(place.network_id)
            if latest is not None and place.settings_number != latest.number:
                numbers[pledge_id] = latest.number
                changed.append(self._next_state(known))
        self._write_numbers(tx, numbers, changed)

    def _write_numbers(
        self, tx: Registry, numbers: Mapping[int, int], changed: Sequence[_Changed]
    ) -> None:
        """Write which settings nodes have, so that no join goes by what it remembers of them."""
        tx.nodes.save_told(changed)
        tx.pushes.set_place_numbers(numbers)

    def _next_state(self, known: Reachable) -> _Changed:
        self.changed_contexts.append(known.kid_context)
        return known.context_id, known.state._replace(version=known.state.version + 1), None

    # How it ended

    def ended(self, tx: Registry, outcomes: Sequence[UpdateOutcome]) -> None:
        """As ``Errand.ended``."""
        read = [(outcome, *read_outcome(tx, outcome)) for outcome in outcomes]
        pledge_ids = [outcome.node for outcome in outcomes]
        reachable, rows = tx.nodes.reach(pledge_ids), tx.pushes.find(pledge_ids)
        saved: list[NodeUpdate] = []
        changed: list[_Changed] = []
        numbers: dict[int, int] = {}
        for outcome, event, error in read:
            row, ref = rows.get(outcome.node), _ref_of(outcome)
            if row is None:
                # The pledge was removed meanwhile, and with it all that was known of it.
                continue
            found = reachable.get(outcome.node)
            if found is None or _context(found) != ref.context:
                saved.append(_anew(tx, row, "joined again" if found else "left"))
                continue
            saved.append(self._after(tx, row, ref, found, event, error))
            if event in (NodeEvent.ACKNOWLEDGED, NodeEvent.REFUSED):
                # What it has or can't take is in its context as joins remember it.
                changed.append(self._next_state(found))
            if event is NodeEvent.ACKNOWLEDGED:
                numbers[outcome.node] = ref.number
        tx.pushes.save(saved)
        self._write_numbers(tx, numbers, changed)

    def _after(
        self,
        tx: Registry,
        row: NodeUpdate,
        ref: _Ref,
        found: Reachable,
        event: NodeEvent | None,
        error: str | None,
    ) -> NodeUpdate:
        identifier = found.pledge.identifier.value
        if event is None:
            return replace(row, last_error=error, next_at_ms=tx.now_ms + SOON_MS)
        if event is NodeEvent.ACKNOWLEDGED:
            tx.record(_said("node.configured", identifier, ref))
            return _acknowledged(tx, row, ref)
        if event is NodeEvent.REFUSED:
            tx.record(_said("node.refused", identifier, ref, error))
            if ref.labels & found.left_out:
                # The next update leaves out what it can't act upon (RFC 9031 §8.4.5).
                return _anew(tx, row, error)
            return replace(
                row, last_error=error, next_at_ms=None, lease_sent_at_ms=None,
                refused_number=ref.number,
            )  # fmt: skip
        wait_ms = self._retry.after_ms(row.attempts, found.sleep_s)
        return replace(row, last_error=error, next_at_ms=tx.now_ms + wait_ms)

    def stale(self, tx: Registry, open_refs: Mapping[int, object]) -> Sequence[int]:
        """As ``Errand.stale``: the pledge is out of force, or has joined again since."""
        if not open_refs:
            return []
        reachable = tx.nodes.reach(list(open_refs))
        return [
            pledge_id
            for pledge_id, ref in open_refs.items()
            if not _is_as_told(reachable.get(pledge_id), ref)
        ]


def _short_identifier(lease: Lease, network: Network) -> ShortIdentifier:
    return ShortIdentifier(lease.value.to_bytes(2), network.lease_hours)


def _begun(tx: Registry, row: NodeUpdate, draft: _Draft) -> NodeUpdate:
    leases_it = Label.SHORT_IDENTIFIER in draft.labels
    return replace(
        row,
        attempts=row.attempts + 1,
        tried_at_ms=tx.now_ms,
        # Should this process end, another one tries again then.
        next_at_ms=tx.now_ms + MAX_EXCHANGE_MS,
        lease_sent_at_ms=tx.now_ms if leases_it else row.lease_sent_at_ms,
        told_throttle=row.told_throttle if row.throttle is None else row.throttle,
    )


def _acknowledged(tx: Registry, row: NodeUpdate, ref: _Ref) -> NodeUpdate:
    """After a success; what was changed meanwhile is found by the next look."""
    leased = Label.SHORT_IDENTIFIER in ref.labels
    return replace(
        row,
        attempts=0,
        last_error=None,
        next_at_ms=None if row.throttle == ref.throttle else tx.now_ms,
        acknowledged_at_ms=tx.now_ms,
        refused_number=None,
        lease_sent_at_ms=None if leased else row.lease_sent_at_ms,
        told_throttle=ref.throttle,
    )


def _anew(tx: Registry, row: NodeUpdate, error: str | None) -> NodeUpdate:
    """Told once more soon, if it lacks anything then."""
    return replace(row, last_error=error, next_at_ms=tx.now_ms + SOON_MS)


def _is_as_told(found: Reachable | None, ref: object) -> bool:
    assert isinstance(ref, _Ref)
    if found is None or found.pledge.state is not ADMISSIBLE:
        return False
    return _context(found) == ref.context


def _context(found: Reachable) -> tuple[int, int]:
    """A context of a node, and its version: it may get another one, which counts anew."""
    return found.context_id, found.state.version


def _ref_of(outcome: UpdateOutcome) -> _Ref:
    ref = ref_of(outcome).inner
    assert isinstance(ref, _Ref)
    return ref


def _said(kind: str, identifier: bytes, ref: _Ref, error: str | None = None) -> Event:
    """What the audit log hears of a node that has settings, or refuses them."""
    detail: dict[str, object] = {"settings": ref.number, "labels": sorted(ref.labels)}
    if error is not None:
        detail["error"] = error
    return Event(kind, ACTOR, identifier, ref.network, detail=detail)

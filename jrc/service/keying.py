"""Why and how nodes are told new link-layer keys: the errand of running rollovers (§8.4.3.1-2)."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from jrc.cojp.constants import Role
from jrc.errors import ConflictError, StateError
from jrc.model import Event
from jrc.policy.rollover import NodeState, Phase
from jrc.policy.rollover_nodes import NodeEvent, node_step, states_to_tell
from jrc.service.join import ADMISSIBLE
from jrc.service.outcomes import ACTOR, MAX_EXCHANGE_MS, SOON_MS, Retry, read_outcome, ref_of
from jrc.service.registry import Registry
from jrc.service.rollover_records import DAMAGED, RolloverNode, RolloverRecord
from jrc.service.telling import Facts
from jrc.service.update import Place, Telling, Untold, Want, lane_of
from jrc.service.update_ports import UpdateOutcome

_BORDER_ROUTERS = Retry(10.0, 60.0)
"""Without their new keys the network is half switched."""
_SAID = frozenset({NodeState.REACHED, NodeState.REFUSED})


class _KeyRef(NamedTuple):
    """A node as it was told; an outcome counts for as long as its row has ``version``.

    With it goes what is said of the node afterwards.
    """

    node: RolloverNode
    version: int
    sleep_s: int | None
    identifier: bytes
    network: str
    generation: int


class Keying:
    """As ``update.Errand``; ``touched`` collects rollovers whose nodes have changed.

    A row that was told is taken to be as it was until its outcome is written; where it is not,
    the transaction fails, and has to be done again with ``anew`` set, which reads rows first.
    """

    name = "keys"
    leaves_room = True

    def __init__(self, retry: Retry, facts: Facts) -> None:
        self.touched: set[int] = set()
        self.anew = False
        self._retries: dict[int, Retry] = {Role.NODE: retry, Role.LBR: _BORDER_ROUTERS}
        self._facts = facts
        self._nodes: dict[int, RolloverNode] = {}
        self._told: dict[int, tuple[RolloverRecord, int]] = {}
        self._changed: list[RolloverNode] = []

    def take_up(self, tx: Registry) -> None:
        """As ``Errand.take_up``: of rollovers that run, and of those that were called off."""
        for last in tx.rollovers.latest_of_all():
            if last.ended_at_ms is None or last.phase is Phase.ABORTED:
                tx.rollovers.take_up(last.id, MAX_EXCHANGE_MS)

    def due(
        self, tx: Registry, limit: int, but: Collection[int], full: Collection[int]
    ) -> Sequence[Want]:
        """As ``Errand.due``."""
        self._nodes.clear()
        self._told.clear()
        self._changed.clear()
        wants = []
        for node in tx.rollovers.due(tx.now_ms, limit, but, full):
            # A pledge is in one running rollover at most; what is left of an aborted one waits.
            if node.pledge_id in self._nodes:
                continue
            self._nodes[node.pledge_id] = node
            lane = lane_of(node.network_id, node.role)
            wants.append(tuple.__new__(Want, (node.pledge_id, lane, node.attempts)))
        return wants

    def telling(self, tx: Registry, want: Want, place: Place) -> Telling | None:
        """As ``Errand.telling``: one set alone, which the node takes beside what it has."""
        node = self._nodes[want.pledge_id]
        record = self._facts.rollover(tx, node.rollover_id)
        if not place.traits.takes_keys:
            # Whatever its row says, which was damaged: no rollover takes such a node in.
            left = node_step(record.phase, node.state, NodeEvent.LEFT)
            self._nodes[want.pledge_id] = node._replace(state=left)
            return None
        if place.network.domain_id != record.domain_id:
            return None  # whatever its row says, these are not the keys of where it is
        joined = place.reachable.standing.place
        if joined is not None and node.last_error == DAMAGED:
            # Its row says nothing that counts; its place does.
            node = node._replace(network_id=joined.network_id, role=joined.role)
            self._nodes[want.pledge_id] = node
        if joined is None or (joined.network_id, joined.role) != (node.network_id, node.role):
            return None
        if node.state not in states_to_tell(record.phase, node.role):
            return None
        told_id = record.generation_id
        if record.phase is Phase.ABORTED:
            told_id = record.former_generation_id
        number, payload = self._facts.keys(tx, told_id, explicit_usage=place.traits.explicit_usage)
        self._told[want.pledge_id] = record, number
        return Telling(payload, None)

    def begun(self, tx: Registry, want: Want, place: Place) -> _KeyRef:
        """As ``Errand.begun``."""
        record, number = self._told[want.pledge_id]
        sent = self._sent(tx, self._nodes[want.pledge_id], record.phase)
        found = place.reachable
        ref = tuple.__new__(
            _KeyRef,
            (
                sent,
                sent.next_version,
                found.sleep_s,
                found.pledge.identifier.value,
                place.network.name,
                number,
            ),
        )
        # Last: who can't be told after all is noted as that alone.
        self._changed.append(sent)
        return ref

    def skipped(self, tx: Registry, want: Want, why: Untold) -> None:
        """As ``Errand.skipped``."""
        node = self._nodes[want.pledge_id]
        self._changed.append(self._untold(tx, node, why))
        self._touch(tx, {node.rollover_id})

    def _touch(self, tx: Registry, rollover_ids: Collection[int]) -> None:
        """Have rollovers looked at; one whose row is damaged goes nowhere."""
        for rollover_id in rollover_ids:
            with suppress(StateError):
                self.touched.add(self._facts.rollover(tx, rollover_id).id)

    def flush(self, tx: Registry) -> None:
        """As ``Errand.flush``."""
        tx.rollovers.save_nodes(self._changed)
        self._changed.clear()

    def _sent(self, tx: Registry, node: RolloverNode, phase: Phase) -> RolloverNode:
        now_ms = tx.now_ms
        fields = (
            *node[:4],
            node_step(phase, node.state, NodeEvent.SENT_FIRST),
            node.attempts + 1,
            node.last_error,
            now_ms if node.sent_at_ms is None else node.sent_at_ms,
            node.reached_at_ms,
            now_ms,
            # Should this process end, another one tries again then.
            now_ms + MAX_EXCHANGE_MS,
            node.version,
        )
        return tuple.__new__(RolloverNode, fields)

    def _untold(self, tx: Registry, node: RolloverNode, why: Untold) -> RolloverNode:
        """One that can't be told; what may change is looked at again."""
        if why is Untold.NUMBERS_NOT_DUE:
            return node._replace(next_at_ms=tx.now_ms + SOON_MS)
        untold = node._replace(last_error=why.value, next_at_ms=None)
        if why is Untold.NOTHING:
            return untold
        if why is Untold.NO_UPDATES:
            return untold._replace(state=NodeState.MUST_JOIN)
        if why is Untold.LEFT:
            phase = self._facts.rollover(tx, node.rollover_id).phase
            return untold._replace(state=node_step(phase, node.state, NodeEvent.LEFT))
        # It counts as tried: nothing else can be done for it just now.
        wait_ms = self._retries[node.role].after_ms(node.attempts + 1, None)
        is_first = node.state is NodeState.PENDING
        return untold._replace(
            state=NodeState.UNREACHABLE if is_first else node.state,
            attempts=node.attempts + 1,
            next_at_ms=tx.now_ms + wait_ms,
        )

    def ended(self, tx: Registry, outcomes: Sequence[UpdateOutcome]) -> None:
        """As ``Errand.ended``.

        Raises:
            ConflictError: a row may be another one than what is in memory.
        """
        current = self._current(tx, outcomes) if self.anew else None
        changed: list[RolloverNode] = []
        touched: set[int] = set()
        for outcome in outcomes:
            ref = _ref_of(outcome)
            touched.add(ref.node.rollover_id)
            if current is not None and current.get(_key(ref.node)) != ref.version:
                continue
            try:
                changed.append(self._after(tx, ref, outcome))
            except StateError as error:
                # Its rollover is damaged, and nothing more can be said of it; or has gone on, and
                # the row is not what is in memory.
                if not self.anew:
                    raise ConflictError("a rollover has gone on meanwhile") from error
                self._facts.say_odd(self.name, outcome.node, error)
        self._touch(tx, touched)
        tx.rollovers.save_nodes(changed)

    def _current(
        self, tx: Registry, outcomes: Sequence[UpdateOutcome]
    ) -> Mapping[tuple[int, int], int]:
        """The versions of these nodes' rows, by rollover and pledge."""
        wanted: dict[int, list[int]] = {}
        for outcome in outcomes:
            wanted.setdefault(_ref_of(outcome).node.rollover_id, []).append(outcome.node)
        return {
            (rollover_id, pledge_id): node.version
            for rollover_id, pledge_ids in wanted.items()
            for pledge_id, node in tx.rollovers.find(rollover_id, pledge_ids).items()
        }

    def _after(self, tx: Registry, ref: _KeyRef, outcome: UpdateOutcome) -> RolloverNode:
        node = ref.node
        record = self._facts.rollover(tx, node.rollover_id)
        event, error = read_outcome(tx, outcome)
        if event is None:
            # Nothing was heard that counts: it stays as it is, and is told soon.
            soon_ms = tx.now_ms + SOON_MS
            return node._replace(last_error=error, next_at_ms=soon_ms, version=ref.version)
        state = node_step(record.phase, node.state, event)
        next_at_ms = None
        if state in states_to_tell(record.course, node.role):
            wait_ms = self._retries[node.role].after_ms(node.attempts, ref.sleep_s)
            next_at_ms = tx.now_ms + wait_ms
        if state in _SAID:
            tx.record(_said(ref, state, error))
        reached_at_ms = tx.now_ms if event is NodeEvent.ACKNOWLEDGED else node.reached_at_ms
        fields = (
            *node[:4],
            state,
            node.attempts,
            error,
            node.sent_at_ms,
            reached_at_ms,
            node.tried_at_ms,
            next_at_ms,
            ref.version,
        )
        return tuple.__new__(RolloverNode, fields)

    def stale(self, tx: Registry, open_refs: Mapping[int, object]) -> Sequence[int]:
        """As ``Errand.stale``: the row has changed since, or the pledge is out of force.

        So is whoever a paused rollover was telling, who is told again when it goes on.
        """
        reachable = tx.nodes.reach(list(open_refs))
        stale = [
            pledge_id
            for pledge_id in open_refs
            if pledge_id not in reachable or reachable[pledge_id].pledge.state is not ADMISSIBLE
        ]
        rollover_ids: dict[int, list[int]] = {}
        versions = {}
        for pledge_id, ref in open_refs.items():
            assert isinstance(ref, _KeyRef)
            rollover_ids.setdefault(ref.node.rollover_id, []).append(pledge_id)
            versions[pledge_id] = ref.version
        paused = {each.id for each in tx.rollovers.all_running() if each.phase is Phase.PAUSED}
        for rollover_id, pledge_ids in rollover_ids.items():
            if rollover_id in paused:
                stale += set(pledge_ids).difference(stale)
                continue
            nodes = tx.rollovers.find(rollover_id, pledge_ids)
            for pledge_id in set(pledge_ids).difference(stale):
                node = nodes.get(pledge_id)
                if node is None or node.version != versions[pledge_id]:
                    stale.append(pledge_id)
        return stale

    def next_due_ms(self, tx: Registry) -> int | None:
        """As ``Errand.next_due_ms``."""
        return tx.rollovers.next_due_ms()


def _ref_of(outcome: UpdateOutcome) -> _KeyRef:
    ref = ref_of(outcome).inner
    assert isinstance(ref, _KeyRef), "begun has given it"
    return ref


def _key(node: RolloverNode) -> tuple[int, int]:
    return node.rollover_id, node.pledge_id


def _said(ref: _KeyRef, state: NodeState, error: str | None) -> Event:
    """What the audit log hears of a node that has new keys, or refuses them."""
    if state is NodeState.REACHED:
        detail = f'{{"generation":{ref.generation}}}'
        return Event("node.rekeyed", ACTOR, ref.identifier, ref.network, "", detail)
    refused: dict[str, object] = {"generation": ref.generation, "error": error}
    return Event("node.refused", ACTOR, ref.identifier, ref.network, detail=refused)

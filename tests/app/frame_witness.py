"""Nodes that transmit all the time, and who judges each frame that its receiver has no key for."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import NamedTuple

from jrc.app.border_routers import look_at_border_routers
from jrc.coap.endpoint import Way
from jrc.cojp.constants import Role
from jrc.lab.mesh import Unread
from jrc.lab.node import SimulatedNode
from jrc.model import KeySetState
from jrc.policy.rollover import NodeState
from jrc.service.records import Generation
from jrc.service.registry import Registry
from jrc.service.rollover_records import JoinedNode, RolloverNode, RolloverRecord, RolloverSettings
from tests.rolling import LATENCY_S, Rig

BORDER_ROUTERS, NODES = 2, 14
"""How many nodes there are, 6LBRs included."""
LOSS = 0.1
PERIOD_S = 1.0
LONG_S = 40


class _Rows(NamedTuple):
    """What the registrar takes to be so."""

    generations: list[Generation]
    last: RolloverRecord | None
    states: Mapping[int, RolloverNode]
    joined: list[JoinedNode]


def _read(tx: Registry) -> _Rows:
    last = next(iter(tx.rollovers.latest(1)), None)
    nodes = [] if last is None else tx.rollovers.nodes(last.id)
    states = {each.pledge_id: each for each in nodes}
    return _Rows(list(tx.keysets.generations(1)), last, states, list(tx.rollovers.joined_nodes(1)))


class Odd(Rig):
    """Also loses every update to the ``deaf`` and every answer of the ``mute``, and delays some."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(
            folder, NODES, loss=LOSS, seed=seed, period_s=PERIOD_S, border_routers=BORDER_ROUTERS
        )
        self.desk.database.on_border_router = look_at_border_routers(RolloverSettings())
        self.deaf: set[bytes] = set()
        self.mute: set[bytes] = set()
        self.slow: set[bytes] = set()

    def _land(self, datagram: bytes, way: Way) -> None:
        loop = asyncio.get_running_loop()
        name = self._name_of(IPv6Address(way.peer[0]))
        if name is None or name in self.deaf:
            return
        answer = self.mesh.deliver(name, datagram, loop.time())
        if answer and name not in self.mute:
            after_s = self.chance.uniform(0, LONG_S) if name in self.slow else LATENCY_S
            loop.call_later(after_s, lambda: self.registrar.receive(answer, way))


class Standing(NamedTuple):
    """Whose frames have to be read; and who has to read them, with the key ids that it can't."""

    senders: set[bytes]
    receivers: dict[bytes, frozenset[int]]

    def counts(self, lost: Unread) -> bool:
        """Whether a frame ought to have been read."""
        excused = self.receivers.get(lost.receiver)
        return lost.sender in self.senders and excused is not None and lost.key_id not in excused


class Witness:
    """Who counts: whoever has the keys in force, as the registrar believes, or ought to have them.

    One that was told them after the switch goes on with the former ones until it has heard these
    (RFC 9031 §8.4.3.2), and nobody may have the former ones any more: it is ``behind`` until then.
    """

    def __init__(self, rig: Odd) -> None:
        self._rig = rig
        self.lost: Counter[Unread] = Counter()
        self.counted = self.periods = 0
        self._seen = Counter(rig.mesh.unread)
        self._behind: set[bytes] = set()
        self._without: dict[bytes, frozenset[int]] = {}
        self._former: frozenset[int] = frozenset()
        self._retired: frozenset[int] = frozenset()
        self._excused: set[bytes] = set()
        self._rollover_id = 0

    def joined(self, node: SimulatedNode) -> None:
        """It has what it was given, and listens first; among nodes that are behind that may err."""
        self.look()
        lacks = self._former if node.is_border_router else self._retired
        self._without[node.identifier] = lacks
        if self._behind - {node.identifier}:
            self._behind.add(node.identifier)
        else:
            self._behind.discard(node.identifier)

    async def period(self) -> None:
        """Let a period pass; a frame counts if its two ends do before and after it."""
        before = self.look()
        await self._rig.rest(PERIOD_S)
        after = self.look()
        self.counted += len(after.senders)
        self.periods += 1
        for each, count in (self._rig.mesh.unread - self._seen).items():
            if before.counts(each) and after.counts(each):
                self.lost[each] += count
        self._seen = Counter(self._rig.mesh.unread)

    def look(self) -> Standing:
        """Who counts now."""
        rows = self._rig.desk.read(_read)
        (current,) = (each for each in rows.generations if each.state is KeySetState.CURRENT)
        before = [each for each in rows.generations if each.number < current.number]
        self._former = _ids(before)
        self._retired = _ids(each for each in before if each.state is not KeySetState.PREVIOUS)
        self._excuse(rows.last)
        having = self._having(rows, current)
        for each in rows.joined:
            name = each.identifier.value
            sending = {key.key_id for key in self._rig.node(name).keys.sending}
            if name not in having:
                self._behind.add(name)
            elif name in self._behind and sending == set(current.key_ids):
                self._behind.remove(name)
                # What was in force while it was out it has never been told.
                self._without[name] = self._former
        return Standing(having - self._behind, {name: self._unreadable(name) for name in having})

    def _unreadable(self, name: bytes) -> frozenset[int]:
        return self._former if name in self._behind else self._without.get(name, frozenset())

    def _excuse(self, last: RolloverRecord | None) -> None:
        """Those that were out of reach in the rollover that runs need not be told before it."""
        if last is not None and last.id != self._rollover_id:
            self._rollover_id = last.id
            self._excused = set()
            if last.distributing_at_ms is None:
                # A 6LBR has begun anew: nobody could be told before (RFC 9031 §5.1).
                self._excused = {node.identifier for node in self._rig.nodes}
        self._excused |= self._rig.deaf | self._rig.mute | self._rig.slow

    def _having(self, rows: _Rows, current: Generation) -> set[bytes]:
        """Who has the keys in force, or is a 6LN that nothing kept from being told them."""
        is_its = rows.last is not None and rows.last.generation_id == current.id
        held = self._rig.desk.sql("select pledge_id, generation_id from node")
        places = {row[0]: row[1] for row in held}
        found = set()
        for each in rows.joined:
            name, row = each.identifier.value, rows.states.get(each.pledge_id)
            told = is_its and row is not None and row.state is NodeState.REACHED
            ought = is_its and each.role == Role.NODE and name not in self._excused
            if places.get(each.pledge_id) == current.id or told or ought:
                found.add(name)
        return found


def _ids(generations: Iterable[Generation]) -> frozenset[int]:
    return frozenset(key_id for each in generations for key_id in each.key_ids)

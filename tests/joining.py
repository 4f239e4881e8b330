"""The join path on a real database, without threads and sockets: take, commit, answer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from jrc.cojp import message
from jrc.cojp.codec import decode_configuration
from jrc.cojp.constants import CoapCode
from jrc.cojp.objects import Configuration
from jrc.errors import JrcError
from jrc.model import KeySetState
from jrc.service.attempts import Attempts
from jrc.service.contexts import Contexts
from jrc.service.intake import Intake
from jrc.service.join import Ask, Outcome, decide
from jrc.service.key_domains import ensure_keys
from jrc.service.open_runs import RUN_LIFETIME_MS
from jrc.service.records import Domain
from jrc.service.registry import Registry
from jrc.store import schema
from jrc.store.contexts import Lookup
from jrc.store.database import Database
from jrc.store.engine import lookup_engine
from jrc.store.joins import Joins
from jrc.store.policy import sealed_keys
from jrc.store.transaction import Transaction
from jrc.store.writer import Writer
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.service.fakes import Outbox, Packet, Path, Tally

JOIN = bytes.fromhex("a10542cafe")
NEAR = Path()


class Hall:
    """A registrar at one desk; commits when it is told to.

    ``database`` is the desk's, or another one on the same file.
    """

    def __init__(self, desk: Desk, database: Database | None = None) -> None:
        self.desk = desk
        self.database = database or desk.database
        self.metrics, self.outbox = Tally(), Outbox()
        self.asks: list[Ask] = []
        self.reader = lookup_engine(desk.url).connect()
        self.lookup = Lookup(self.reader, self.database.keyring, self.database.mac)
        self.contexts = Contexts(self.lookup)
        self.contexts.learn(self.lookup.kid_contexts())
        self.contexts.runs.add(self.lookup.runs.since(desk.now_ms - RUN_LIFETIME_MS))
        self.attempts = Attempts()
        self.intake = Intake(
            self.contexts,
            self.lookup,
            self.asks.append,
            self.outbox,
            self.metrics,
            self,
            attempts=self.attempts,
        )
        self.tries: list[list[Outcome]] = []
        self.made_known: list[Outcome] = []
        self.writer: Writer[Ask, Outcome] = Writer(
            self.database, self, self.decide, _at_once, self.finish, _nothing, _nothing
        )

    def decide(self, joins: Joins, asks: Sequence[Ask], now_ms: int) -> list[Outcome]:
        """As ``join.decide``; what it has given is kept, whatever becomes of it."""
        outcomes = decide(joins, asks, now_ms)
        self.tries.append(outcomes)
        return outcomes

    def finish(self, outcomes: list[Outcome], failures: list[tuple[Ask, JrcError]]) -> None:
        """As the daemon does after a transaction."""
        self.made_known += outcomes
        self.intake.finish(outcomes)
        for ask, error in failures:
            self.intake.abandon(ask, error)

    def now_ms(self) -> int:
        return self.desk.now_ms

    def close(self) -> None:
        self.reader.close()

    def enroll(self, number: int = 1, **more: Any) -> OddPledge:
        """A new pledge of the network, as its device."""
        name, psk = self.desk.pledge(number, **more)
        self.contexts.learn([name.value])
        return OddPledge(name.value, psk)

    def take(self, *datagrams: bytes, way: Path = NEAR) -> None:
        self.intake.take([Packet(datagram, way) for datagram in datagrams])

    def outcomes(self) -> list[Outcome]:
        """One transaction for what waits; the outcomes are not made known yet."""
        asks, now_ms = list(self.asks), self.desk.now_ms
        self.asks.clear()
        return self.database.join(lambda joins: decide(joins, asks, now_ms), now_ms)

    def commit(self) -> None:
        """What waits, as the writer thread does it, and its answers."""
        asks = list(self.asks)
        self.asks.clear()
        self.writer._join(asks)

    def ask(self, datagram: bytes, way: Path = NEAR) -> bytes | None:
        """What a datagram is answered with."""
        before = len(self.outbox.sent)
        self.take(datagram, way=way)
        if self.asks:
            self.commit()
        sent = self.outbox.sent[before:]
        assert len(sent) < 2
        return sent[0][0] if sent else None

    def join(self, pledge: OddPledge, payload: bytes = JOIN) -> Configuration:
        """A join that must succeed."""
        answer = self.ask(pledge.request(payload))
        assert answer is not None, (self.metrics.drops, self.metrics.damages)
        inner = pledge.open(answer)
        assert inner.code == CoapCode.CHANGED, inner
        return decode_configuration(inner.payload)

    def short_id(self, pledge: OddPledge, payload: bytes = JOIN) -> int:
        """The short identifier that a join gives."""
        told = self.join(pledge, payload).short_identifier
        assert told is not None
        return int.from_bytes(told.identifier)

    def act(self, use_case: Callable[..., Any], number: int = 1) -> None:
        """An operator's use case on a pledge, past the cache as another process would do it."""
        self.desk.write(lambda tx: use_case(tx, pledge_id(number), actor=ACTOR))

    def row(self, table: str = "context_state", key: str = "context_id = 1") -> tuple[Any, ...]:
        """One row as it is on disk."""
        (found,) = self.desk.sql(f"SELECT * FROM {table} WHERE {key}")
        return found


def _at_once(run: Callable[..., None], *given: Any) -> None:
    run(*given)


def _nothing(*_: object) -> None: ...


@contextmanager
def hall_at(desk: Desk, database: Database | None = None) -> Iterator[Hall]:
    """A hall that is closed again."""
    hall = Hall(desk, database)
    try:
        yield hall
    finally:
        hall.close()


def ciphertext(datagram: bytes) -> bytes:
    return message.decode(datagram).payload


def next_generation(desk: Desk, *, retire: bool) -> None:
    """New keys for domain 1; those before are kept as previous ones, or retired."""

    def work(tx: Transaction) -> None:
        _end_current(tx, KeySetState.RETIRED if retire else KeySetState.PREVIOUS)
        tx.ledger.policy_changed()

    desk.database.write(work, desk.now_ms)
    desk.write(_new_keys)


def _new_keys(tx: Registry) -> None:
    ensure_keys(tx, Domain(1, "lab", (0,)), ACTOR, "")


def _end_current(tx: Transaction, state: KeySetState) -> None:
    rows = tx.connection.execute(select(schema.key_generation)).mappings().all()
    for row in rows:
        if row["state"] == KeySetState.RETIRED.value:
            continue
        keys = (
            tx.connection.execute(
                select(schema.link_layer_key).where(
                    schema.link_layer_key.c.generation_id == row["id"]
                )
            )
            .mappings()
            .all()
        )
        changed = {**row, "state": state.value, "version": row["version"] + 1}
        tx.connection.execute(
            update(schema.key_generation)
            .where(schema.key_generation.c.id == row["id"])
            .values(tx.mac.seal(schema.key_generation, changed, sealed_keys(list(keys))))
        )


def insert_sealed(desk: Desk, table: Table, **row: object) -> None:
    """A row as the program itself would have written it."""

    def work(tx: Transaction) -> None:
        tx.connection.execute(insert(table), tx.mac.seal(table, {**row, "version": 1}))

    desk.database.write(work, desk.now_ms)


def lease_row(desk: Desk, value: int, pledge: int, last: int, *, released: bool) -> None:
    """A short identifier of domain 1."""
    insert_sealed(
        desk,
        schema.short_identifier,
        domain_id=1,
        value=value,
        pledge_id=pledge,
        first_generation=1,
        last_generation=last,
        lease_until_ms=None,
        released_at_ms=desk.now_ms if released else None,
    )


def connection_of(desk: Desk) -> Connection:
    """The writer's connection, to break it."""
    return desk.database.writer.connection


def burst(hall: Hall, count: int) -> list[OddPledge]:
    """New pledges that have asked to join, in one batch."""
    pledges = [hall.enroll(number) for number in range(1, count + 1)]
    hall.take(*(pledge.request(JOIN) for pledge in pledges))
    return pledges


def give_back(tx: Registry, pledge: int = 1) -> None:
    """A pledge gives its short identifiers back, and registrars are to look again."""
    tx.leases.release(pledge)
    tx.policy_changed()

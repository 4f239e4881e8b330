"""A flipped bit in a row that decides about security is noticed, and the row never used."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from ipaddress import IPv6Address

import pytest
from sqlalchemy import Table

from jrc.cojp.codec import decode_configuration
from jrc.errors import StateError
from jrc.service.join_ports import KnownContext
from jrc.store import ledger, schema
from jrc.store.contexts import find_locked
from jrc.store.policy import load_policy
from tests.daemon.wire import OddPledge, with_header
from tests.desk import Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at
from tests.service.fakes import PSK

Value = int | str | bytes | None


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A network and a pledge that has joined, with a value in every column that can have one."""
    desk.network(join_rate_bytes_per_s=9, lease_hours=3, jrc_address=IPv6Address("2001:db8::9"))
    with hall_at(desk) as hall:
        hall.join(hall.enroll(1, key=PSK, label="north"))
    return desk


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar that has just started on it."""
    with hall_at(desk) as hall:
        yield hall


def flips(value: Value) -> list[Value]:
    """Every value that differs in one byte, for numbers in one of the lower bits."""
    if value is None:
        return [0]
    if isinstance(value, int):
        return [value ^ 1 << bit for bit in (0, 1, 8, 33)]
    if isinstance(value, str):
        return [value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :] for at in range(len(value))]
    return [value[:at] + bytes((value[at] ^ 0x10,)) + value[at + 1 :] for at in range(len(value))]


def damaged(desk: Desk, table: str, column: str) -> Iterator[Value]:
    """Each damage in turn, in the first row of ``table``; mended at the end."""
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as raw:
        raw.execute("PRAGMA ignore_check_constraints = ON")
        query = f"SELECT rowid, {column} FROM {table} ORDER BY rowid LIMIT 1"
        rowid, value = raw.execute(query).fetchone()
        change = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
        for other in flips(value):
            raw.execute(change, (other, rowid))
            rowid = other if column in ("id", "context_id") else rowid
            yield other
        raw.execute(change, (value, rowid))


def columns(table: Table, *but: str) -> list[str]:
    return [column.name for column in table.columns if column.name not in but]


def cases(*tables: tuple[Table, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(table.name, column) for table, but in tables for column in columns(table, *but)]


CONTEXTS = cases((schema.context_state, ("context_id",)), (schema.pledge, ("id", "credential_id")))
POLICY = [
    *cases((schema.network, ("id", "removed_at_ms")), (schema.key_generation, ("id",))),
    *(("link_layer_key", name) for name in ("key_id", "key_usage", "key_addinfo", "fingerprint",
                                            "wrapped_value")),
    *cases((schema.key_domain, ("id",))),
    ("network_identifier", "identifier"),
]  # fmt: skip


def noticed(work: Callable[[], object]) -> None:
    with pytest.raises(StateError, match=r"authenticate|unknown data key"):
        work()


@pytest.mark.parametrize(("table", "column"), CONTEXTS)
def test_a_damaged_context_or_pledge_is_not_answered(
    desk: Desk, hall: Hall, table: str, column: str
) -> None:
    """RFC 9031 §7.3.1: a window that can't be trusted lets nobody in."""
    for _ in damaged(desk, table, column):
        noticed(lambda: hall.lookup.find(pledge_id(1).value))
    assert hall.lookup.find(pledge_id(1).value)


def read_anew(hall: Hall, known: KnownContext) -> Mapping[int, KnownContext]:
    """A context as a transaction finds it that has to read it."""
    now_ms = hall.desk.now_ms
    return hall.database.join(lambda joins: joins.current([known]), now_ms, anew=True)


@pytest.mark.parametrize("column", columns(schema.context_state, "context_id"))
def test_a_damaged_state_is_not_used_by_a_transaction_or_a_copy(
    desk: Desk, hall: Hall, column: str
) -> None:
    """Where a row is read, its MAC decides, whatever memory holds."""
    known = hall.lookup.find(pledge_id(1).value)[0]
    for _ in damaged(desk, "context_state", column):
        noticed(lambda: read_anew(hall, known))
        noticed(lambda: hall.lookup.stored_answer(1))
    assert known.state == read_anew(hall, known)[1].state


@pytest.mark.parametrize("column", columns(schema.short_identifier, "pledge_id"))
def test_f02_a_damaged_short_identifier_is_not_given_out(
    desk: Desk, hall: Hall, column: str
) -> None:
    """RFC 9031 §8.4.4.1: its holder gets silence."""
    known = hall.lookup.find(pledge_id(1).value)[0]
    count = 0
    for _ in damaged(desk, "short_identifier", column):
        noticed(lambda: read_anew(hall, known))
        noticed(lambda: hall.lookup.find(pledge_id(1).value))
        count += 1
    assert count


def test_f02_a_short_identifier_moved_to_another_pledge_is_not_given_out(
    desk: Desk, hall: Hall
) -> None:
    """The MAC covers the holder; its former one has it no longer, in memory neither."""
    other, former = hall.enroll(2), OddPledge(pledge_id(1).value, PSK, 5)
    hall.take(former.request(JOIN))
    ((before,),) = desk.sql("SELECT value FROM short_identifier")
    desk.sql("UPDATE short_identifier SET pledge_id = 2")
    hall.commit()
    assert [(1, 1)] == desk.sql(
        "SELECT count(*), pledge_id FROM short_identifier WHERE value <> :value", value=before
    )
    assert hall.ask(other.request(JOIN)) is None
    assert ({}, 1) == (hall.metrics.drops, len(hall.metrics.damages))


NEEDED = {"version", "domain_id", "value"}
"""What a row must have kept for a join to write it."""
KEPT = {"numbers_reserved", "needs_recovery"}
"""What a join leaves as it is, under a MAC that covers it."""
WRITTEN = cases((schema.context_state, ("context_id",)), (schema.short_identifier, ("pledge_id",)))


def rows_of(raw: sqlite3.Connection, table: str) -> list[tuple[Value, ...]]:
    return raw.execute(f"SELECT * FROM {table}").fetchall()


def put_back(raw: sqlite3.Connection, table: str, rows: list[tuple[Value, ...]]) -> None:
    """The whole of a table as it was."""
    raw.execute(f"DELETE FROM {table}")
    raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


@pytest.mark.parametrize(("table", "column"), WRITTEN)
def test_b03_f02_damage_behind_a_context_in_memory_is_never_believed(
    desk: Desk, hall: Hall, table: str, column: str
) -> None:
    """RFC 9031 §7.3.1: window and identifier are those of memory, or there is silence."""
    device, name = OddPledge(pledge_id(1).value, PSK, 5), pledge_id(1).value
    ((given,),) = desk.sql("SELECT value FROM short_identifier")
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as raw:
        raw.execute("PRAGMA ignore_check_constraints = ON")
        before = {each: rows_of(raw, each) for each, _ in WRITTEN}
        ((value,),) = raw.execute(f"SELECT {column} FROM {table}")
        for damage in flips(value)[:8]:
            hall.take(device.request(JOIN))
            raw.execute(f"UPDATE {table} SET {column} = ?", (damage,))
            sent, damages = len(hall.outbox.sent), len(hall.metrics.damages)
            hall.commit()
            answers = hall.outbox.sent[sent:]
            if column in NEEDED:
                assert (0, damages + 1) == (len(answers), len(hall.metrics.damages))
            else:
                assert given == short_id_in(device.open(answers[0][0]).payload)
            if column in NEEDED | KEPT:
                noticed(lambda: hall.lookup.find(name))
            else:
                assert device.number - 1 == hall.lookup.find(name)[0].state.window.highest
            for each, rows in before.items():
                put_back(raw, each, rows)
            hall.contexts.forget_all()


def short_id_in(payload: bytes) -> int:
    told = decode_configuration(payload).short_identifier
    assert told is not None
    return int.from_bytes(told.identifier)


@pytest.mark.parametrize(("table", "column"), POLICY)
def test_d05_damaged_networks_and_keys_are_not_used(desk: Desk, table: str, column: str) -> None:
    """Keys, their ids and usages, and who may have them (RFC 9031 §8.4.3)."""

    def load() -> object:
        with desk.database.read(0) as tx:
            return load_policy(tx.connection, tx.keyring, tx.mac, 1)

    for _ in damaged(desk, table, column):
        noticed(load)
    assert load()


@pytest.mark.parametrize("column", columns(schema.instance, "id"))
def test_a_damaged_instance_row_stops_every_transaction(desk: Desk, column: str) -> None:
    """Epoch, commit number, the head of the event chain, the clock's high-water mark."""
    for _ in damaged(desk, "instance", column):
        noticed(desk.database.read_instance)
        noticed(lambda: desk.database.write(lambda tx: None, desk.now_ms))
        with desk.database.read(0) as tx, pytest.raises(StateError):
            ledger.read(tx.connection, tx.mac)
    assert desk.database.instance == desk.database.read_instance()


UNBOUND = ("id", "created_at_ms", "id_context", "replaces_id")
"""Columns of ``context`` that decide nothing about its keys."""


@pytest.mark.parametrize("column", columns(schema.context, *UNBOUND))
def test_damaged_keys_of_a_context_are_silence(desk: Desk, hall: Hall, column: str) -> None:
    """The keys are bound to their row; nothing escapes the intake, whatever a column says."""
    device = OddPledge(pledge_id(1).value, PSK, 5)
    for _ in damaged(desk, "context", column):
        hall.take(device.request(JOIN))
    assert ([], []) == (hall.asks, hall.outbox.sent)


def test_a_pledge_damaged_between_intake_and_transaction_takes_no_other_with_it(
    desk: Desk, hall: Hall
) -> None:
    """Any change by the operator makes the transaction read it anew; then the MAC speaks."""
    pledge = hall.enroll(2)
    hall.take(pledge.request(JOIN))
    desk.sql("UPDATE pledge SET version = 7 WHERE id = 2")
    desk.write(lambda tx: tx.policy_changed())
    noticed(hall.outcomes)


def test_a_damaged_row_is_not_mended_by_a_copy(desk: Desk) -> None:
    """Row C11 reads the row anew."""
    with hall_at(desk) as hall:
        pledge = hall.enroll(2)
        request = pledge.request(JOIN)
        assert hall.ask(request) is not None
        desk.sql("UPDATE context_state SET answer = x'00' WHERE context_id = 2")
        assert hall.ask(with_header(request, type=1, message_id=3, token=b"\x01")) is None
        assert 1 == len(hall.metrics.damages)


@pytest.mark.parametrize("domain_id", [1, 2])
def test_f02_one_damaged_identifier_of_several_is_enough_for_silence(
    desk: Desk, hall: Hall, domain_id: int
) -> None:
    """Whichever key domain it belongs to: it may be the one that the pledge should get."""
    desk.network("south", b"\x05", prefix="2001:db8:1::/64")
    pledge = hall.enroll(2, networks=("lab", "south"))
    hall.join(pledge)
    hall.join(pledge, bytes.fromhex("a1054105"))
    desk.sql(
        "UPDATE short_identifier SET last_generation = 9 WHERE pledge_id = 2 AND domain_id = :d",
        d=domain_id,
    )
    hall.contexts.forget_all()
    assert hall.ask(pledge.request(JOIN)) is None
    assert ({}, 1) == (hall.metrics.drops, len(hall.metrics.damages))


def test_a_damaged_pledge_is_not_sealed_anew_by_its_report(desk: Desk, hall: Hall) -> None:
    """RFC 9031 §8.4.5: a write to a row must not make good what was changed in it."""
    pledge = hall.enroll(2)
    hall.join(pledge)
    desk.sql("UPDATE pledge SET role = 1 WHERE id = 2")
    hall.join(pledge, bytes.fromhex("a20542cafe08830007f6"))
    noticed(lambda: hall.lookup.find(pledge_id(2).value))


def test_of_many_contexts_the_damaged_ones_alone_are_left_out(desk: Desk, hall: Hall) -> None:
    """``find`` says why, for each."""
    for number in (2, 3, 4):
        hall.enroll(number)
    names = [pledge_id(number).value for number in (1, 2, 3, 4, 5)]
    desk.sql("UPDATE pledge SET role = 1 WHERE id = 3")
    desk.sql("UPDATE context_state SET seen = 7 WHERE context_id = 4")
    found = hall.lookup.find_many(names)
    assert {name: [hall.lookup.find(name)[0].context_id] for name in names[:2]} == {
        name: [known.context_id for known in group] for name, group in found.items()
    }
    for name in names[2:4]:
        noticed(lambda name=name: hall.lookup.find(name))  # type: ignore[misc]


def test_find_gives_nothing_of_a_pledge_that_lost_its_credential(desk: Desk) -> None:
    """A context counts only under the key in force."""
    desk.sql("UPDATE pledge SET credential_id = 77")
    with desk.database.read(0) as tx:
        assert [] == find_locked(tx.connection, tx.keyring, tx.mac, [pledge_id(1).value])


def test_b07_a_damaged_note_of_what_a_context_replaces_harms_nobody(desk: Desk, hall: Hall) -> None:
    """RFC 8613 App. B.2 step 5: whoever has verified under a context has it, whatever is noted."""
    device = OddPledge(pledge_id(1).value, PSK, 5)
    for _ in damaged(desk, "context", "replaces_id"):
        hall.contexts.forget_all()
        assert hall.ask(device.request(JOIN)) is not None

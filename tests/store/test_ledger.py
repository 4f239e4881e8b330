"""The instance row and the chain of events."""

import pytest

from jrc.errors import StateError
from jrc.model import Condition, Event, PledgeId
from jrc.service.event_chain import GENESIS_HASH, event_hash
from jrc.store.ledger import Ledger, chain, read
from tests.desk import NOW_MS, Desk

FIRST = Event("one", "jrc", b"\x01", "lab", "because", {"b": 1, "a": b"\xff"})
SECOND = Event("two", "cli:uid=0")


def test_each_hash_covers_the_row_and_the_hash_before(desk: Desk) -> None:
    """Any field makes another hash, and so do order and predecessor."""
    rows, head = chain([FIRST, SECOND], 7, GENESIS_HASH, NOW_MS)
    assert [8, 9] == [row[0] for row in rows]
    assert head == rows[1][-1] == event_hash(rows[0][-1], rows[1][:-1])  # type: ignore[arg-type]
    assert rows[0][-1] == event_hash(GENESIS_HASH, rows[0][:-1])
    for at in range(8):
        other = (*rows[0][:at], "other", *rows[0][at + 1 : -1])
        assert rows[0][-1] != event_hash(GENESIS_HASH, other)
    assert head != chain([SECOND, FIRST], 7, GENESIS_HASH, NOW_MS)[1]
    assert head != chain([FIRST, SECOND], 7, bytes(31) + b"\x01", NOW_MS)[1]


def test_a_chain_of_nothing_is_where_it_was() -> None:
    """The head stays."""
    assert ([], GENESIS_HASH) == chain([], 7, GENESIS_HASH, NOW_MS)


def test_details_are_written_in_one_form() -> None:
    """Sorted, compact, identifiers in hex."""
    detail = {"z": PledgeId(b"\xab"), "a": b"\xff", "m": None}
    rows, _ = chain([Event("x", "y", detail=detail)], 0, GENESIS_HASH, 0)
    assert '{"a":"ff","m":null,"z":"ab"}' == rows[0][7]
    assert "{}" == chain([Event("x", "y")], 0, GENESIS_HASH, 0)[0][0][7]


def test_a_secret_in_an_event_is_a_fault() -> None:
    """Nothing but plain values is written."""
    with pytest.raises(TypeError, match="does not belong"):
        chain([Event("x", "y", detail={"key": object()})], 0, GENESIS_HASH, 0)


def test_closing_counts_commits_events_and_policy_changes(desk: Desk) -> None:
    """The policy's revision moves only when told."""
    before = desk.database.instance

    def change(ledger: Ledger) -> None:
        ledger.record(FIRST, SECOND)
        ledger.policy_changed()
        ledger.policy_changed()

    desk.database.write(lambda tx: change(tx.ledger), NOW_MS)
    middle = desk.database.instance
    assert (1, 2, 1, 1) == (
        middle.commit_number - before.commit_number,
        middle.event_number - before.event_number,
        middle.policy_revision - before.policy_revision,
        middle.version - before.version,
    )
    desk.database.write(lambda tx: None, NOW_MS)
    after = desk.database.instance
    assert (middle.event_hash, middle.policy_revision) == (after.event_hash, after.policy_revision)
    assert (before.epoch, before.created_at_ms) == (after.epoch, after.created_at_ms)


def test_condition_and_epoch_are_on_disk_with_the_commit_and_not_before(desk: Desk) -> None:
    """RFC 9031 §8.3.3; nothing of it if the transaction fails."""
    before = desk.database.instance

    def change(ledger: Ledger) -> None:
        ledger.set_epoch(bytes(range(16)), recovered=True)
        ledger.set_condition(Condition.QUARANTINED, "why")

    def fail(ledger: Ledger) -> None:
        change(ledger)
        raise StateError("no")

    with pytest.raises(StateError):
        desk.database.write(lambda tx: fail(tx.ledger), NOW_MS)
    assert before == desk.database.instance == desk.database.read_instance()
    desk.database.write(lambda tx: change(tx.ledger), NOW_MS + 5)
    after = desk.database.read_instance()
    assert (bytes(range(16)), "quarantined", "why", NOW_MS + 5, before.incarnation + 1) == (
        after.epoch,
        after.condition,
        after.condition_detail,
        after.condition_since_ms,
        after.incarnation,
    )
    assert before.policy_revision + 1 == after.policy_revision
    desk.database.write(lambda tx: tx.ledger.set_epoch(bytes(16), recovered=False), NOW_MS)
    assert after.incarnation == desk.database.instance.incarnation


def test_an_epoch_of_another_length_is_a_fault(desk: Desk) -> None:
    """It would be cut off or refused by some database."""
    with pytest.raises(StateError, match="16 bytes"):
        desk.database.write(lambda tx: tx.ledger.set_epoch(b"short", recovered=True), NOW_MS)


def test_a_database_without_its_row_is_not_used(desk: Desk) -> None:
    """Nothing tells which database it is."""
    desk.sql("DELETE FROM instance")
    with desk.database.read(0) as tx, pytest.raises(StateError, match="no instance row"):
        read(tx.connection, tx.mac)

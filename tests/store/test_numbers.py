"""Our sender sequence numbers: no number twice under one key, whatever happens to the process."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jrc.cojp.constants import MAX_SEQUENCE_NUMBER, NUMBERS_EPOCH_S
from jrc.cojp.replay import NumberBlock
from jrc.errors import OperatorError, StateError
from jrc.service.update import NUMBERS, reserve
from jrc.store.database import Database
from jrc.store.registry import StoreRegistry
from jrc.store.transaction import Transaction
from tests.desk import KEK, NOW_MS, Desk
from tests.joining import hall_at


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """One joined pledge, whose context is number 1."""
    desk.network()
    with hall_at(desk) as hall:
        hall.join(hall.enroll(1, networks=("lab",)))
    return desk


def reserved(database: Database, tx: Transaction, count: int = NUMBERS) -> NumberBlock:
    """What an update of pledge 1 takes, written in this transaction."""
    nodes = StoreRegistry(tx).nodes
    known = nodes.reach([1])[1]
    seen_ms = database.instance.clock_high_water_ms
    numbers, state = reserve(known.state, tx.now_ms, seen_ms, count)
    nodes.save_told([(known.context_id, state, None)])
    return numbers


def block(database: Database, now_ms: int, count: int = NUMBERS) -> NumberBlock:
    return database.write(lambda tx: reserved(database, tx, count), now_ms)


def test_b04_a_block_is_on_disk_before_it_is_used(desk: Desk) -> None:
    """RFC 8613 App. B.1.1: and it begins at the clock."""
    found = block(desk.database, NOW_MS)
    first = NOW_MS // 1000 - NUMBERS_EPOCH_S
    assert NumberBlock(first, first + NUMBERS) == found
    assert [(first + NUMBERS, 3)] == desk.sql("SELECT numbers_reserved, version FROM context_state")


def test_b04_the_next_block_begins_where_the_last_one_ends(desk: Desk) -> None:
    """Also within one second; the row stays authentic."""
    first, second = (block(desk.database, NOW_MS, 10) for _ in range(2))
    assert first.reserved == second.first
    third = block(desk.database, NOW_MS + 3_600_000)
    assert NOW_MS // 1000 + 3600 - NUMBERS_EPOCH_S == third.first


def test_b04_a_transaction_that_fails_reserves_nothing(desk: Desk) -> None:
    """The numbers were never used."""

    def fail(tx: Transaction) -> None:
        reserved(desk.database, tx)
        raise StateError("later")

    with pytest.raises(StateError, match="later"):
        desk.database.write(fail, NOW_MS)
    assert [(0,)] == desk.sql("SELECT numbers_reserved FROM context_state")


@pytest.mark.parametrize("back_s", [1, 3600])
def test_b04_a_clock_behind_its_mark_is_refused(desk: Desk, back_s: int) -> None:
    """The highest time that any transaction had, whatever it was for."""
    desk.database.write(lambda tx: None, NOW_MS + 5_000_000)
    with pytest.raises(OperatorError, match="clock"):
        block(desk.database, NOW_MS + 5_000_000 - back_s * 1000)
    assert block(desk.database, NOW_MS + 5_000_000)


def test_b04_a_damaged_row_gives_no_numbers(desk: Desk) -> None:
    """A number that can't be trusted is not used."""
    desk.sql("UPDATE context_state SET numbers_reserved = 1")
    assert {} == desk.write(lambda tx: tx.nodes.reach([1]))


def test_b04_numbers_that_are_used_up_end_the_context(desk: Desk) -> None:
    """RFC 8613 §7.2.1."""
    with pytest.raises(StateError, match="left"):
        block(desk.database, NOW_MS, MAX_SEQUENCE_NUMBER)


class Life:
    """A registrar that is killed, restored from copies and given other clocks."""

    def __init__(self, desk: Desk, folder: Path, seed: int) -> None:
        self.desk, self.folder = desk, folder
        self.chance = random.Random(seed)
        self.now_s = NOW_MS // 1000
        self.used: set[int] = set()
        self.saved: list[Path] = []
        self.block = NumberBlock(0, 0)

    def use(self, count: int) -> None:
        """Take numbers as they fall due, as an update does."""
        for _ in range(count):
            if not self.block:
                self.block = block(self.desk.database, self.now_s * 1000, 8)
            if self.block.wait_s(self.now_s):
                return
            number, self.block = self.block.take(self.now_s)
            assert number not in self.used
            self.used.add(number)

    def restart(self) -> None:
        """kill -9: what was in memory is gone."""
        self.desk.database.close()
        self.desk.database = Database.open(self.desk.url, KEK)
        self.block = NumberBlock(0, 0)

    def save(self) -> None:
        target = self.folder / f"copy-{len(self.saved)}.db"
        with closing(sqlite3.connect(self.desk.path)) as a, closing(sqlite3.connect(target)) as b:
            a.backup(b)
        self.saved.append(target)

    def restore(self) -> None:
        """An older copy of the database, at a later second."""
        self.desk.database.close()
        for suffix in ("-wal", "-shm"):
            self.desk.path.with_name("jrc.db" + suffix).unlink(missing_ok=True)
        shutil.copy(self.chance.choice(self.saved), self.desk.path)
        self.desk.path.chmod(0o600)
        self.now_s += 1
        self.desk.database = Database.open(self.desk.url, KEK)
        self.block = NumberBlock(0, 0)

    def step(self) -> None:
        action = self.chance.choice(["use", "use", "use", "later", "restart", "save", "restore"])
        if action == "use":
            self.use(self.chance.randrange(1, 20))
        elif action == "later":
            self.now_s += self.chance.choice([1, 2, 7, 60])
        elif action == "restore" and self.saved:
            self.restore()
        elif action == "save" and len(self.saved) < 5:
            self.save()
        elif action == "restart":
            self.restart()


@pytest.mark.parametrize("seed", range(10))
def test_b04_no_number_is_used_twice_over_restarts_copies_and_time(
    desk: Desk, tmp_path: Path, seed: int
) -> None:
    """RFC 9031 §7.3.1; 200 steps in ten lives of twenty."""
    life = Life(desk, tmp_path, seed)
    for _ in range(20):
        life.step()
    life.now_s += 100
    life.use(20)
    assert life.used


def test_b04_two_registrars_on_one_database_reserve_apart(desk: Desk) -> None:
    """RFC 9031 §7.3.1."""
    other = Database.open(desk.url, KEK)
    blocks = [block(database, NOW_MS, 8) for database in (desk.database, other) * 3]
    other.close()
    taken = [number for found in blocks for number in range(found.first, found.reserved)]
    assert 48 == len(taken) == len(set(taken))

"""Keys of an import: entered many at a time in their order, and each is one pledge's alone."""

import errno
import os
from functools import partial
from io import BytesIO
from tempfile import TemporaryFile

import pytest

from jrc.errors import ConflictError, OperatorError
from jrc.service import pending_keys
from jrc.service.examine import OnConflict
from jrc.service.import_file import read_rows
from jrc.service.import_prepared import PreparedRow, UnfitRow, from_plain, prepare, to_plain
from jrc.service.import_rows import Row, RowError
from jrc.service.imports import discard_leftovers
from jrc.service.pending_keys import PendingKeys
from jrc.service.records import Fingerprints
from jrc.store.drafts import fingerprints
from jrc.store.key_prints import KeyPrints
from jrc.store.scope import Scope
from tests.desk import Desk, pledge_id
from tests.service.test_imports import ROW_TABLES, Run, csv, faults, key, line, numbers, row_counts

PRINTS_A_PLEDGE = 3


@pytest.fixture
def lab(desk: Desk) -> Desk:
    """A database with one network."""
    desk.network()
    return desk


def keys_in(desk: Desk) -> int:
    ((found,),) = desk.sql("SELECT count(*) FROM key_fingerprint")
    assert isinstance(found, int)
    return found


def owners(desk: Desk, psk: bytes) -> list[bytes]:
    found = desk.sql(
        "SELECT pledge.identifier FROM key_fingerprint"
        " JOIN credential ON credential.id = key_fingerprint.credential_id"
        " JOIN pledge ON pledge.id = pledge_id WHERE fingerprint = :value",
        value=desk.database.keyring.fingerprint(psk),
    )
    return [bytes(row[0]) for row in found]  # type: ignore[call-overload]


@pytest.mark.parametrize("most", [1, 4, 1000])
def test_a06_one_key_in_two_rows_is_refused_at_the_later(lab: Desk, most: int) -> None:
    """However few keys are entered at a time; the row is taken back and all the others stay."""
    lines = [line(1), line(2), line(3), line(4), line(5, key(2)), line(6)]
    step = Run(lab, csv(lines), partial=True)
    while lab.write(lambda tx: step.job.enter_keys(tx, most)):
        pass
    report = step.finish()
    assert (report.published, report.added, faults(report)) == (True, 5, [(6, "psk")])
    assert "pledge 00124b0000000002 (keys.csv:3)" in report.errors[0].reason
    assert numbers(lab) == [1, 2, 3, 4, 6]
    assert row_counts(lab) == [5] * 6 + [5 * PRINTS_A_PLEDGE]
    assert owners(lab, key(2)) == [pledge_id(2).value]


def test_a06_one_key_in_two_rows_stores_nothing_of_the_file(lab: Desk) -> None:
    """All or nothing, and no fingerprint stays that would refuse the key later."""
    report = Run(lab, csv([line(1), line(2, key(1))])).finish()
    assert (report.published, faults(report)) == (False, [(3, "psk")])
    assert row_counts(lab) == [0] * len(ROW_TABLES)
    assert Run(lab, csv([line(2, key(1))])).finish().published


def test_a06_of_two_imports_at_once_one_key_is_the_first_ones(lab: Desk) -> None:
    """Neither sees the other's rows; the key belongs to whoever entered it."""
    one, other = Run(lab, csv([line(1, key(9))])), Run(lab, csv([line(2, key(9)), line(3)]))
    assert one.finish().published
    report = other.finish()
    assert (report.published, faults(report)) == (False, [(2, "psk")])
    assert numbers(lab) == [1]
    assert keys_in(lab) == PRINTS_A_PLEDGE


def test_a06_a_pledge_that_is_added_meanwhile_keeps_its_key(lab: Desk) -> None:
    """The import comes second, though it has read its row before."""
    step = Run(lab, csv([line(1, key(9))]))
    lab.pledge(7, key(9))
    report = step.finish()
    assert (report.published, faults(report)) == (False, [(2, "psk")])
    assert numbers(lab) == [7]


def test_a06_a_change_is_taken_back_with_its_key(lab: Desk) -> None:
    """A pledge that was to get a key which another row brings first keeps its own."""
    lab.pledge(1, key(1))
    lab.pledge(2, key(2))
    lines = [line(1, key(8)), line(2, key(8))]
    step = Run(lab, csv(lines), partial=True, on_conflict=OnConflict.REPLACE)
    report = step.finish()
    assert (report.replaced, faults(report)) == (1, [(3, "psk")])
    assert owners(lab, key(8)) == [pledge_id(1).value]
    assert lab.sql("SELECT count(*) FROM credential") == [(3,)]
    assert lab.sql("SELECT count(*) FROM staged_change") == [(0,)]


def test_what_is_broken_off_leaves_no_key(lab: Desk) -> None:
    """Entered or not, in as many transactions as it takes."""
    step = Run(lab, csv(line(number) for number in range(1, 8)))
    lab.write(lambda tx: step.job.enter_keys(tx, 5))
    assert keys_in(lab) == 5
    while lab.write(lambda tx: step.job.sweep(tx, 2)):
        pass
    assert row_counts(lab) == [0] * len(ROW_TABLES)


def test_a06_the_database_itself_takes_no_key_twice(lab: Desk) -> None:
    """Whatever the code before it has overlooked."""
    lab.pledge(1, key(1))
    value = lab.database.keyring.fingerprint(key(1))

    def again(tx: object) -> None:
        KeyPrints(tx._scope).enter([(value, 99)])  # type: ignore[attr-defined]

    with pytest.raises(ConflictError):
        lab.write(again)


def test_pending_keys_come_in_order_and_once() -> None:
    """Of equal ones the lowest number first; what was refused does not come at all."""
    keys = PendingKeys()
    drawn = [Fingerprints(os.urandom(16), os.urandom(16), os.urandom(16)) for _ in range(50)]
    keys.add(enumerate(drawn, 1))
    keys.add([(99, drawn[0]), (100, Fingerprints(None, *drawn[1][1:]))])
    expected = sorted(
        [(value, number) for number, prints in enumerate(drawn, 1) for value in prints if value]
        + [(value, 99) for value in drawn[0] if value]
        + [(value, 100) for value in drawn[1][1:]]
    )
    assert len(keys) == len(expected)
    taken = keys.take(20)
    keys.refuse([100])
    while len(keys):
        taken += keys.take(7)
    assert taken[:20] == expected[:20]
    assert taken[20:] == [e for e in expected[20:] if e[1] != 100]


def test_pending_keys_that_memory_has_no_room_for_come_in_order_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In several rounds, and added to in the middle of one; the file is used anew by the next."""
    monkeypatch.setattr(pending_keys, "MOST_BYTES", 500)
    with TemporaryFile() as file:
        keys = PendingKeys(file)
        for _ in range(2):
            drawn = [Fingerprints(None, os.urandom(16), os.urandom(16)) for _ in range(400)]
            for at in range(0, 300, 25):
                keys.add(enumerate(drawn[at : at + 25], at))
            assert sum(len(bucket) for bucket in keys._buckets) < 2000
            taken = keys.take(100)
            keys.add(enumerate(drawn[300:], 300))
            assert 700 == len(keys)
            while len(keys):
                taken += keys.take(90)
            first = [entry for entry in taken[:600] if entry[1] < 300]
            expected = [
                (value, number) for number, prints in enumerate(drawn) for value in prints[1:]
            ]
            assert first == sorted(first)
            assert sorted(expected) == sorted(taken)
        assert 400 * 2 * 24 >= file.seek(0, os.SEEK_END)


def test_a_disk_without_room_for_the_keys_stores_nothing(
    lab: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said as what it is, and what was staged goes."""

    class Full(BytesIO):
        def write(self, _content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pending_keys, "MOST_BYTES", 100)
    with pytest.raises(OperatorError, match=r"No space left.*nothing was stored"):
        Run(lab, csv(line(number) for number in range(1, 8)), room=Full())
    while lab.write(discard_leftovers):
        pass
    assert row_counts(lab) == [0] * len(ROW_TABLES)


@pytest.mark.parametrize("most", range(1, 8))
def test_what_was_refused_stays_out_of_the_last_round(most: int) -> None:
    """Else a fingerprint stays whose pledge is gone, and refuses the key for ever."""
    keys = PendingKeys()
    keys.add([(1, Fingerprints(b"\x01" * 16, b"\x02" * 16, b"\x03" * 16))])
    first = keys.take(1)
    keys.refuse([1])
    assert (first, keys.take(most), keys.take(most), len(keys)) == ([(b"\x01" * 16, 1)], [], [], 0)


def test_a06_a_pledge_whose_key_was_refused_comes_with_another(lab: Desk) -> None:
    """Few keys are entered at a time, and the last of them after the row was refused."""
    lab.pledge(7, key(9))
    for number in range(6):
        step = Run(lab, csv([line(10 + number, key(9))]))
        while lab.write(partial(step.job.enter_keys, most=2)):
            pass
        assert faults(step.finish()) == [(2, "psk")]
        assert keys_in(lab) == PRINTS_A_PLEDGE


def test_a_prepared_row_survives_the_pipe_and_shows_no_key() -> None:
    """What the process beside the registrar finds is what would be found here."""
    header = "pledge_id,psk,network,role,label,profile"
    alike = [line(number, rest=",lab;den,6lbr,roof,openwsn") for number in (1, 3, 4)]
    lines = [*alike, "zz,00,,,,", "1,2", line(2, rest=",,,,"), line(5, rest=",,6ln,,")]
    rows = list(read_rows([csv(lines, header)]))
    entries = [prepare(row, allow_weak=False) for row in rows]
    assert from_plain(to_plain(entries)) == entries
    good = [entry for entry in entries if isinstance(entry, PreparedRow)]
    assert [entry.networks for entry in good] == [("lab", "den")] * 3 + [(), ()]
    assert key(1).hex() not in repr(good)
    assert repr(key(1)) not in repr(good)


def test_a_row_with_networks_without_end_takes_no_memory() -> None:
    """What is kept of it until its turn comes is its fault alone."""
    names = ";".join(map(str, range(10_000)))
    fields = {"pledge_id": "01", "psk": key(1).hex(), "network": names}
    unfit = prepare(Row(2, fields), allow_weak=False)
    reason = "a pledge may join at most 100 networks"
    assert UnfitRow(2, (RowError(2, "network", reason),), True, b"\x01") == unfit


def test_its_material_is_what_the_derivation_gives(lab: Desk) -> None:
    """RFC 9031 §7.3: the fingerprints of a prepared row are those of the pledge it becomes."""
    (row,) = read_rows([csv([line(1)])])
    prepared = prepare(row, allow_weak=False)
    assert isinstance(prepared, PreparedRow)
    lab.pledge(1, key(1))
    with lab.database.read(lab.now_ms) as tx:
        scope = Scope(tx.connection, tx.keyring, tx.mac, tx.now_ms)
        found = fingerprints(scope, prepared)
    stored = lab.sql(
        "SELECT psk_fingerprint, sender_fingerprint, recipient_fingerprint FROM credential"
    )
    ((*values,),) = [tuple(row) for row in stored]
    assert [bytes(value) for value in values] == list(found)  # type: ignore[call-overload]
    assert key(1) == prepared.opened()[0]

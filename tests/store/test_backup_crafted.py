"""Backups that somebody has made for their reader: who knows the passphrase can seal anything."""

import io
import tracemalloc
from collections.abc import Iterator, Sequence

import cbor2
import pytest

from jrc.errors import OperatorError
from jrc.store.backup import examine
from jrc.store.backup.container import Header, read_header
from jrc.store.backup.content import MAX_TABLES, Head
from jrc.store.backup.examine import examine_backup
from jrc.store.backup.frames import (
    MAX_FRAME_BYTES,
    FrameError,
    FrameReader,
    compressed,
    encoded,
)
from jrc.store.backup.seal import encrypt, new_identity
from jrc.store.schema import SCHEMA_REVISION
from tests.store.backups import KEYS

MEMORY_BYTES = 96 * 1024 * 1024
"""What reading one may take: a frame of the greatest length, and what it makes in memory."""


def head() -> bytes:
    """A good one."""
    return encoded(
        "head",
        Head(
            id=bytes(16), created_at_ms=1, program="0", schema=SCHEMA_REVISION, backend="sqlite",
            epoch=bytes(16), commit_number=1, incarnation=0, condition="open", is_final=False,
            event_floor=0, event_floor_hash=bytes(32), event_number=0, event_hash=bytes(32),
            kek_ids=(), slots=(), header_digest=Header().digest,
        ).encoded(),
    )  # fmt: skip


def refusal(frames: Sequence[bytes] | Iterator[bytes]) -> str:
    """What is said of a backup with these frames; it takes no more memory than it may."""
    identity, recipient = new_identity()
    out = io.BytesIO()
    out.write(Header().encoded())
    encrypt(compressed(iter(frames)), out.write, (recipient,))
    out.seek(0)
    header = read_header(out, "b")
    tracemalloc.start()
    try:
        with pytest.raises(OperatorError) as caught:
            examine_backup(out, header, [identity], "b", KEYS)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()
    return caught.value.message


def filled(unit: str, size: int = MAX_FRAME_BYTES) -> bytes:
    """``["rows", [...]]`` of as many of these items as a frame of that size has room for."""
    item = bytes.fromhex(unit)
    count = (size - 11) // len(item)
    return b"\x82\x64rows\x9a" + count.to_bytes(4) + item * count


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("80", "other values than its columns"),
        ("a0", "other values than its columns"),
        ("9fff", "no CBOR"),
        ("d82460", "no CBOR"),
        ("d9010280", "no CBOR"),
        ("c4820000", "no CBOR"),
        ("c600", "no CBOR"),
    ],
)
def test_a_frame_of_many_items_takes_little_memory(unit: str, words: str) -> None:
    """Empty lists and maps, indefinite lists, e-mail messages, sets, decimals, a tag of nobody."""
    assert words in refusal([head(), encoded("table", "pledge", ["a"]), filled(unit)])


def test_a_frame_that_is_longer_than_any_is_refused_before_it_is_read() -> None:
    """It was 1.2 GB of empty lists."""
    assert "something else than frames" in refusal([head(), filled("80", 16 * MAX_FRAME_BYTES)])


def test_arrays_in_arrays_are_refused() -> None:
    """Deeper than rows are."""
    assert "no CBOR" in refusal([head(), b"\x82\x64rows" + b"\x81" * 1000 + b"\x80"])


def test_no_tag_is_read() -> None:
    """A backup has none, and the library makes objects of some that take a kilobyte each."""
    for tag in (*range(300), 1004, 43000, 55799, *range(0, 1 << 16, 97)):
        frame = b"\x82\x64rows" + cbor2.dumps(cbor2.CBORTag(tag, []))
        reader = FrameReader(lambda content, _frame: pytest.fail(f"it was read: {content}"))
        packed = b"".join(compressed([frame]))
        with pytest.raises(FrameError):
            reader.feed(packed)


def test_tables_without_end_are_refused() -> None:
    """Each takes memory until the end is compared."""
    tables = (encoded("table", f"t{number}", []) for number in range(MAX_TABLES + 1))
    assert "more than 256 tables" in refusal([head(), *tables])


@pytest.mark.parametrize(
    ("table", "bound"), [("key_slot", "MAX_KEY_ROWS"), ("pledge", "MAX_PLEDGES")]
)
def test_rows_that_are_kept_have_a_bound(
    table: str, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compressed, a million of the same take little room."""
    monkeypatch.setattr(examine, bound, 100)
    rows = [["provisioned", bytes(8), ""]] * 50
    frames = [
        head(),
        encoded("table", table, ["state", "identifier", "label"]),
        *(encoded("rows", rows) for _ in range(4)),
    ]
    assert f"table {table} has more than 100 rows" in refusal(frames)


def test_states_that_are_none_are_counted_as_one() -> None:
    """Else each is kept."""
    rows = [[f"state {number}"] for number in range(200)]
    examiner = examine._Examiner("b", KEYS)
    examiner.table("pledge", ["state"])
    examiner.rows(rows)
    assert {"damaged": 200} == examiner.states

"""The disk that forgets, and the reader that fills it from a trace."""

import random
from collections.abc import Iterable
from pathlib import Path

from tests.faults.disk import SECTOR_BYTES, Disk
from tests.faults.replayed import Kind, replay

FOLDER = Path("/d")
CUTS = 200


def found(disk: Disk) -> list[dict[str, bytes]]:
    """What many power cuts leave."""
    return [disk.after_power_cut(random.Random(seed)) for seed in range(CUTS)]


def contents(disk: Disk, name: str) -> set[bytes | None]:
    return {files.get(name) for files in found(disk)}


def test_what_was_synced_is_there() -> None:
    """POSIX fsync."""
    disk = Disk.of({"a": b"old"})
    disk.names["a"].write(0, b"new")
    disk.names["a"].sync()
    assert {b"new"} == contents(disk, "a")


def test_what_was_not_synced_may_be_there_or_not() -> None:
    """Nothing else is ever found."""
    disk = Disk.of({"a": b"old"})
    disk.names["a"].write(0, b"new")
    assert {b"old", b"new"} == contents(disk, "a")


def test_a_write_tears_at_sectors_and_nowhere_else() -> None:
    """512 bytes come to the disk as a whole."""
    disk = Disk.of({"a": bytes(2 * SECTOR_BYTES)})
    disk.names["a"].write(0, b"x" * 2 * SECTOR_BYTES)
    halves = (bytes(SECTOR_BYTES), b"x" * SECTOR_BYTES)
    assert {one + other for one in halves for other in halves} == contents(disk, "a")


def test_a_name_holds_only_when_its_directory_was_synced() -> None:
    """Until then the old file may be there still; each of the two as a whole."""
    disk = Disk.of({"a": b"old"})
    disk.create("a.new")
    disk.names["a.new"].write(-1, b"new")
    disk.names["a.new"].sync()
    disk.rename("a.new", "a")
    assert {b"old", b"new"} == contents(disk, "a")
    disk.sync_names()
    assert [{"a": b"new"}] * CUTS == found(disk)


def test_a_file_that_was_renamed_unsynced_may_be_empty() -> None:
    """The name may be on disk before what it names."""
    disk = Disk.of({"a": b"old"})
    disk.create("a.new")
    disk.names["a.new"].write(-1, b"new")
    disk.rename("a.new", "a")
    disk.sync_names()
    assert {b"", b"new"} == contents(disk, "a")


def hexed(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def traced(*calls: str) -> Iterable[str]:
    return (f"7  {call}" for call in calls)


def test_a_trace_is_followed_call_by_call() -> None:
    """The calls with which the instance file is replaced, and an acknowledgement after them."""
    new, old = hexed(b"/d/a.new"), hexed(b"/d/a")
    disk = Disk.of({"a": b"old"})
    lines = traced(
        f'openat(AT_FDCWD<{hexed(b"/")}>, "{new}", O_WRONLY|O_CREAT|O_TRUNC, 0600) = 3<{new}>',
        f'write(3<{new}>, "{hexed(b"new")}", 3) = 3',
        f"fsync(3<{new}>) = 0",
        f'rename("{new}", "{old}") = 0',
        f"fsync(3<{hexed(b'/d')}>) = 0",
        f'sendto(9<{hexed(b"socket:[1]")}>, "{hexed(b"HTTP/1.1 200 OK")}", 15, 0, NULL, 0) = 15',
    )
    left = [each for each in replay(lines, FOLDER, disk) if each is not None]
    assert [Kind.ACKNOWLEDGEMENT] == [each.kind for each in left]
    assert [{"a": b"new"}] * CUTS == found(disk)

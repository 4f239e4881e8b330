"""The disk that the database is on: kind of file system, time of a sync, free space.

What is measured is how long a sync takes. Whether the bytes survive a power failure can't be seen
from here, and nothing is claimed about it.
"""

import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jrc.cli.checks import other_owner
from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, failure, skipped, success, warning
from jrc.cli.users import as_user

MOUNTS = Path("/proc/self/mountinfo")
SYNCS = 32
SYNCS_WITHIN_S = 2.0
WRITE_BYTES = 4096
"""A page of the database."""
IMPLAUSIBLE_S = 10e-6
"""No disk stores a page and says so in less; a system call alone takes about one microsecond."""
SLOW_S = 0.1
"""Each batch of joins waits for a sync or two; a pledge waits 10 s at least (RFC 9031 §7.2)."""
LITTLE_BYTES = 256 * 1024 * 1024
TOO_LITTLE_BYTES = 32 * 1024 * 1024
"""The write-ahead log alone grows to 16 MiB before it is written back."""

VOLATILE = frozenset({"tmpfs", "ramfs", "devtmpfs"})
LAYERED = frozenset({"overlay", "aufs", "fuse.fuse-overlayfs"})
NETWORKED = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "glusterfs", "fuse.glusterfs",
     "fuse.sshfs", "vboxsf", "fuse.vmhgfs-fuse", "virtiofs"}
)  # fmt: skip


def look_at_disk(case: Case) -> Iterator[Verdict]:
    """File system and time of a sync."""
    folder = case.settings.state_dir
    kind = file_system(folder.resolve(strict=True), MOUNTS.read_text(errors="replace"))
    yield from judge_kind(folder, kind)
    owner = other_owner(case.settings)
    if owner is not None:
        yield skipped(
            f"the time of a sync was not taken: only its owner may write in {folder}",
            f"run: {as_user(owner)}",
        )
        return
    yield judge_syncs(folder, time_syncs(folder))


def look_at_space(case: Case) -> Iterator[Verdict]:
    """Room for the database and its log."""
    folder = case.settings.state_dir
    found = os.statvfs(folder)
    yield judge_space(folder, found.f_bavail * found.f_frsize)


def file_system(folder: Path, mounts: str) -> str:
    """The type of the file system that ``folder`` is on, from the text of mountinfo (proc(5))."""
    found, longest = "", -1
    for text in mounts.splitlines():
        before, separator, after = text.partition(" - ")
        if not separator:
            continue
        point = Path(_unescaped(before.split()[4]))
        # Of two mounts on one folder the later one covers the other.
        if folder.is_relative_to(point) and len(point.parts) >= longest:
            found, longest = after.split()[0], len(point.parts)
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def judge_kind(folder: Path, kind: str) -> Iterator[Verdict]:
    """A warning where the file system is no place for the only copy of keys and windows."""
    move = "put the database on a disk of this machine: database.url in the config file"
    if kind in VOLATILE:
        yield warning(f"{folder} is in memory ({kind}): a restart of the host loses it", move)
    elif kind in LAYERED:
        yield warning(
            f"{folder} is in a container's layer ({kind}): it goes when the container is removed",
            "mount a volume there",
        )
    elif kind in NETWORKED:
        yield warning(f"{folder} is on another machine ({kind}), where locks and syncs fail", move)
    elif not kind:
        yield warning(f"the file system of {folder} is not known", "see: findmnt --target FOLDER")


def time_syncs(folder: Path, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Seconds that single syncs took, each after one written page; the file goes afterwards."""
    taken: list[float] = []
    page = os.urandom(WRITE_BYTES)
    with tempfile.TemporaryFile(dir=folder, prefix=".jrc-doctor-") as file:
        until = clock() + SYNCS_WITHIN_S
        for place in range(SYNCS):
            os.pwrite(file.fileno(), page, place * WRITE_BYTES)
            began = clock()
            os.fdatasync(file.fileno())
            taken.append(clock() - began)
            if clock() > until:
                break
    return taken


def judge_syncs(folder: Path, taken: Sequence[float]) -> Verdict:
    """Whether the median is a disk's, and short enough."""
    median = statistics.median(taken)
    shown = f"a sync in {folder} takes {_milliseconds(median)} (median of {len(taken)})"
    if median < IMPLAUSIBLE_S:
        return warning(
            f"{shown}, which is faster than any disk can be: something answers without storing",
            "see what is below this folder: memory, or a disk whose syncs are switched off",
        )
    if median > SLOW_S:
        return warning(
            f"{shown}, which is slow: joins wait for it",
            "use a faster disk, or take other load off this one",
        )
    return success(f"{shown}, at most {_milliseconds(max(taken))}; nothing else was measured")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"


def judge_space(folder: Path, free_bytes: int) -> Verdict:
    """Whether the database can grow."""
    shown = f"{free_bytes // (1024 * 1024)} MiB are free for {folder}"
    if free_bytes < TOO_LITTLE_BYTES:
        return failure(f"{shown}: joins fail when it is full", "make room on that disk now")
    if free_bytes < LITTLE_BYTES:
        return warning(f"{shown}, which is little", "make room on that disk")
    return success(shown)

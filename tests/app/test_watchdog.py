"""The service manager hears that the daemon works while it does, and no longer."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from jrc.app.watchdog import Pulse, Watchdog
from jrc.store.writer import Writer as StoreWriter

THREAD = 77
WITHIN_S = 20


class Writer:
    """As ``watchdog.WriterThread``."""

    def __init__(self) -> None:
        self.turns = 0
        self.is_at_work = False
        self.thread_id: int | None = THREAD


class Kernel:
    """What it shows of a thread (proc(5))."""

    def __init__(self, folder: Path) -> None:
        self.tasks = folder
        (folder / str(THREAD)).mkdir()
        self.show("S", 0)

    def show(self, state: str, ticks: int, system: int = 0) -> None:
        numbers = " ".join(["0"] * 10)
        text = f"{THREAD} (jrc) writer) {state} {numbers} {ticks} {system} 0"
        (self.tasks / str(THREAD) / "stat").write_text(text)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def pulse(writer: Writer, kernel: Kernel) -> Pulse:
    return Pulse(writer, kernel.tasks)


def test_an_idle_writer_works(pulse: Pulse) -> None:
    """Nobody asks to join for a week."""
    assert [True] * 3 == [pulse.beats() for _ in range(3)]


def test_a_writer_that_hangs_is_seen_at_the_second_look(pulse: Pulse, writer: Writer) -> None:
    """It is at work, and neither turns nor computes; then it goes on."""
    writer.is_at_work = True
    assert [True, False, False] == [pulse.beats() for _ in range(3)]
    writer.turns += 1
    assert pulse.beats()


def test_a_long_transaction_works_while_it_computes(
    pulse: Pulse, writer: Writer, kernel: Kernel
) -> None:
    """An import or a recovery of all pledges takes minutes."""
    writer.is_at_work = True
    for ticks in range(1, 5):
        kernel.show("R", ticks)
        assert pulse.beats()


def test_a_transaction_that_is_busy_in_the_kernel_alone_works(
    pulse: Pulse, writer: Writer, kernel: Kernel
) -> None:
    """Its own time stands still: pages are read from the cache, or written to a slow card."""
    writer.is_at_work = True
    for ticks in range(1, 5):
        kernel.show("R", 7, system=ticks)
        assert pulse.beats()
    assert not pulse.beats()


def test_who_waits_for_the_disk_is_not_ended(pulse: Pulse, writer: Writer, kernel: Kernel) -> None:
    """A new process would wait for the same disk."""
    writer.is_at_work = True
    kernel.show("D", 1)
    assert [True] * 3 == [pulse.beats() for _ in range(3)]


def test_turns_that_look_alike_are_told_apart_from_none(pulse: Pulse, writer: Writer) -> None:
    """Idle in between: what was seen of the turn before says nothing of the next one."""
    writer.is_at_work = True
    assert pulse.beats()
    writer.is_at_work = False
    assert pulse.beats()
    writer.is_at_work = True
    assert pulse.beats()


def test_a_thread_that_has_ended_does_not_work(pulse: Pulse, writer: Writer) -> None:
    """It ends with the daemon alone."""
    writer.thread_id = None
    assert not pulse.beats()


def test_a_kernel_that_shows_nothing_proves_nothing(
    pulse: Pulse, writer: Writer, kernel: Kernel
) -> None:
    """A /proc that is not mounted ends nobody."""
    writer.is_at_work = True
    (kernel.tasks / str(THREAD) / "stat").unlink()
    assert [True] * 3 == [pulse.beats() for _ in range(3)]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(WITHIN_S)
        yield listening


def told(manager: socket.socket) -> list[bytes]:
    """All that has come so far."""
    manager.setblocking(False)
    found = []
    try:
        while True:
            found.append(manager.recv(256))
    except BlockingIOError:
        return found


def test_it_tells_while_all_is_well_and_says_once_that_it_is_not(
    manager: socket.socket, tmp_path: Path
) -> None:
    """What ends the process then is the service manager."""
    watchdog = Watchdog({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"})
    watchdog.look()
    assert [b"WATCHDOG=1"] == told(manager)
    watchdog.works = lambda: False
    with capture_logs() as said:
        watchdog.look()
        watchdog.look()
    assert [] == told(manager)
    assert ["writer_hangs"] == [line["event"] for line in said]
    watchdog.works = lambda: True
    watchdog.look()
    assert [b"WATCHDOG=1"] == told(manager)


def test_it_tells_on_a_loop_that_comes_round(manager: socket.socket, tmp_path: Path) -> None:
    """Several times in what the service manager grants."""

    async def live() -> None:
        watchdog = Watchdog({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "40000"})
        watchdog.start()
        for _ in range(3):
            assert b"WATCHDOG=1" == await asyncio.to_thread(manager.recv, 64)
        watchdog.stop()

    asyncio.run(live())


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"},
     {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}],
)  # fmt: skip
def test_nobody_who_wants_to_hear_is_told_nothing(
    environ: dict[str, str], manager: socket.socket, tmp_path: Path
) -> None:
    """sd_watchdog_enabled(3): a limit of zero, or one that was meant for another process."""

    async def live() -> None:
        watchdog = Watchdog({**environ, "NOTIFY_SOCKET": str(tmp_path / "notify")})
        watchdog.start()
        await asyncio.sleep(0)
        watchdog.stop()

    asyncio.run(live())
    assert [] == told(manager)


def test_the_limit_is_read_for_this_process() -> None:
    """WATCHDOG_PID may name it."""
    environ = {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    assert Watchdog(environ)._limit_s == 3.0


def test_a_real_writer_that_waits_without_end_is_seen() -> None:
    """A thread that hangs in its turn; once it goes on, all is well."""
    goes_on, called = threading.Event(), threading.Event()
    writer: StoreWriter[Any, Any] = StoreWriter(
        cast(Any, None), cast(Any, None), cast(Any, None), lambda *_call: called.set(),
        cast(Any, None), cast(Any, None), cast(Any, None),
    )  # fmt: skip
    pulse = Pulse(writer)
    assert not pulse.beats()
    writer.start()
    assert pulse.beats()
    writer.work(lambda _database: goes_on.wait(WITHIN_S), lambda _result, _error: None)
    ends_s = time.monotonic() + WITHIN_S
    while pulse.beats():
        assert time.monotonic() < ends_s, "nobody sees it"
    assert writer.is_at_work
    goes_on.set()
    assert called.wait(WITHIN_S)
    writer.stop()
    assert writer.join(WITHIN_S)
    assert (1, False) == (writer.turns, writer.is_at_work)
    assert not pulse.beats()

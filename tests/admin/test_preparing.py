"""The process beside the registrar that reads imports."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from jrc.admin import preparing
from jrc.admin.preparing import Form, prepared
from jrc.errors import OperatorError
from jrc.service.import_prepared import Entry, PreparedRow, UnfitRow

T = TypeVar("T")

ROWS = 700
PIECE_BYTES = 4000
FORM = Form(format=None, mapped={"eui": "pledge_id", "serial": ""})


@pytest.fixture(autouse=True)
def _every_file_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "SHORT_BYTES", 0)


def file_of(count: int) -> bytes:
    lines = [f"00124b{n:010x},{os.urandom(16).hex()},{n}" for n in range(count)]
    lines[3] = "xyz,00,3"
    return "\n".join(["EUI,psk,serial", *lines]).encode()


def beside() -> list[str]:
    """Processes of ours that read imports."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_bytes()
            if parent == os.getpid() and b"prepare_rows" in command:
                found.append(path.parent.name)
    return found


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), PIECE_BYTES):
        yield content[at : at + PIECE_BYTES]


async def entries(body: AsyncIterator[bytes], form: Form = FORM) -> list[Entry]:
    return [entry async for some in prepared(form, body) for entry in some]


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def limited() -> T:
        return await asyncio.wait_for(work(), 60)

    return asyncio.run(limited())


def test_it_finds_what_is_found_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the file's order, faults too; the names of the file's columns are known to it."""
    content = file_of(ROWS)
    found = run(lambda: entries(pieces(content)))
    monkeypatch.setattr(preparing, "SHORT_BYTES", len(content))
    assert found == run(lambda: entries(pieces(content)))
    assert [entry.line for entry in found] == list(range(2, ROWS + 2))
    assert [type(entry) for entry in found].count(UnfitRow) == 1
    assert found[0].__class__ is PreparedRow


def test_it_leaves_no_core_dump_and_lets_nobody_read_its_memory() -> None:
    """A limit alone does not hold where a handler takes dumps through a pipe (core(5))."""
    code = (
        "import ctypes, resource; from jrc.admin import prepare_rows; prepare_rows._modest();"
        " print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "0 0 0\n" == done.stdout


def test_keys_of_a_lab_are_taken_where_they_are_allowed() -> None:
    """The settings reach it."""
    content = b"pledge_id,psk\n00124b0000000001," + b"00" * 16
    (refused,) = run(lambda: entries(pieces(content), Form(format=None)))
    (taken,) = run(lambda: entries(pieces(content), Form(format=None, allow_weak=True)))
    assert isinstance(refused, UnfitRow)
    assert isinstance(taken, PreparedRow)
    assert taken.provenance == "lab"


def test_it_ends_while_what_it_has_read_waits() -> None:
    """More of its rows than the loop takes in before somebody wants them: the import broke off."""

    async def broken_off() -> float:
        clock = asyncio.get_running_loop().time
        async with aclosing(prepared(FORM, pieces(file_of(20 * ROWS)))) as read:
            await anext(read)
            await asyncio.sleep(1)  # until its pipe is full
            began = clock()
        return clock() - began

    assert run(broken_off) < 30
    assert [] == beside()


def test_a_file_that_breaks_off_has_no_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends it went away: the error arrives, and no process stays."""
    children: list[Process] = []
    started = preparing._started

    async def watched() -> Process | None:
        child = await started()
        assert child is not None
        children.append(child)
        return child

    async def broken() -> AsyncIterator[bytes]:
        yield file_of(ROWS)
        raise ConnectionAbortedError

    monkeypatch.setattr(preparing, "_started", watched)
    with pytest.raises(ConnectionAbortedError):
        run(lambda: entries(broken()))
    assert [False] == [child.returncode is None for child in children]


def test_an_import_that_is_refused_halfway_says_nothing_beside_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The process is gone before it has read all: what that does to its pipe is no news."""

    async def refused() -> None:
        async with aclosing(prepared(FORM, pieces(file_of(20 * ROWS)))) as rows:
            async for _ in rows:
                break

    run(refused)
    gc.collect()
    assert [] == caplog.messages


@pytest.mark.parametrize("turns", range(1, 6))
def test_a_file_whose_sender_goes_away_while_the_process_starts_leaves_none(turns: int) -> None:
    """It neither hangs nor stays."""

    async def called_off() -> list[str]:
        task = asyncio.create_task(preparing._started())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(20):
                await task
        return list(beside())

    assert [] == asyncio.run(called_off())


def test_a_process_that_is_killed_is_an_error() -> None:
    """A part of a file is never taken for all of it."""

    async def killed(monkeypatch: pytest.MonkeyPatch) -> None:
        started = preparing._started

        async def watched() -> object:
            child = await started()
            assert child is not None
            child.send_signal(signal.SIGKILL)
            return child

        monkeypatch.setattr(preparing, "_started", watched)
        await entries(pieces(file_of(ROWS)))

    with pytest.MonkeyPatch.context() as patch, pytest.raises(OperatorError, match="too early"):
        run(lambda: killed(patch))


def test_where_no_process_can_be_started_rows_are_read_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Slower, and not less."""
    monkeypatch.setattr(preparing, "_COMMAND", ("/nowhere/python",))
    assert len(run(lambda: entries(pieces(file_of(9))))) == 9

"""Rows of an import, prepared: a long file's by a process beside the registrar (another core).

A short file is not worth the start of a process, and where none can be started, a long one is
prepared here as well, only slower.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import cbor2
import structlog

from jrc.admin.prepare_rows import LENGTH_BYTES
from jrc.errors import OperatorError
from jrc.service.import_file import FileReader, Format
from jrc.service.import_prepared import Entry, from_plain, prepare
from jrc.service.import_rows import Names

SHORT_BYTES = 512 * 1024
"""Some 8,000 rows: half a second's work."""
_COMMAND = (sys.executable, "-P", "-m", "jrc.admin.prepare_rows")
"""``-P``: whatever lies in the working folder is not imported."""

_log = structlog.get_logger("jrc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a file is to be read; ``mapped`` are the columns of its own names.

    Raises:
        OperatorError: a name is mapped to a column that does not exist.
    """

    format: Format | None
    mapped: Mapping[str, str] = field(default_factory=dict)
    allow_weak: bool = False

    def __post_init__(self) -> None:
        self.reader()

    def reader(self) -> FileReader:
        """A reader of such a file."""
        return FileReader(self.format, Names(self.mapped))

    def settings(self) -> bytes:
        """For the process."""
        form = None if self.format is None else self.format.value
        return cbor2.dumps(
            {"format": form, "map": dict(self.mapped), "allow_weak": self.allow_weak}
        )


async def prepared(form: Form, body: AsyncIterator[bytes]) -> AsyncGenerator[list[Entry], None]:
    """The rows of a file, in its order, while it arrives.

    Raises:
        OperatorError: the process has ended too early.
    """
    start, size = [], 0
    async for piece in body:
        start.append(piece)
        size += len(piece)
        if size > SHORT_BYTES:
            break
    both = _both(start, body)
    child = await _started() if size > SHORT_BYTES else None
    # Closed with this one: a process whose rows nobody takes ends at once.
    async with aclosing(_here(form, both) if child is None else _beside(child, form, both)) as some:
        async for entries in some:
            yield entries


async def _both(start: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while start:  # and not kept in memory until the end of the file
        yield start.pop(0)
    async for piece in rest:
        yield piece


async def _here(form: Form, body: AsyncIterator[bytes]) -> AsyncGenerator[list[Entry], None]:
    reader = form.reader()

    def read(piece: bytes | None) -> list[Entry]:
        rows = reader.finish() if piece is None else reader.feed(piece)
        return [prepare(row, allow_weak=form.allow_weak) for row in rows]

    async for piece in body:
        yield await asyncio.to_thread(read, piece)
    yield await asyncio.to_thread(read, None)


async def _started() -> Process | None:
    # As in ``net.execinstaller``: a start that is called off halfway may never come back.
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(*_COMMAND, stdin=PIPE, stdout=PIPE)
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(OSError):
            await _end(await starting)
        raise
    except OSError as error:
        _log.warning("import_without_process", error=error.strerror)
        return None


async def _beside(
    child: Process, form: Form, body: AsyncIterator[bytes]
) -> AsyncGenerator[list[Entry], None]:
    feeding = asyncio.create_task(_feed(child, form, body))
    try:
        assert child.stdout is not None
        while (content := await _frame(child.stdout)) is not None:
            yield from_plain(cbor2.loads(content))
        await feeding
        if await child.wait():
            raise OperatorError(
                "the process that reads the file has ended too early",
                "see in the kernel's log whether memory ran out, and import the file once more",
            )
    finally:
        feeding.cancel()
        await _end(child)


async def _end(child: Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
    # What waits in its pipe is read as well: asyncio tells of no end before that (`wait` alone).
    await child.communicate()
    assert child.stdin is not None
    child.stdin.close()
    with suppress(BrokenPipeError, ConnectionResetError):  # else Python says it on standard error
        await child.stdin.wait_closed()


async def _feed(child: Process, form: Form, body: AsyncIterator[bytes]) -> None:
    """Give the process the file; where the file breaks off, there is no end for it to see."""
    pipe = child.stdin
    assert pipe is not None
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has ended: its exit code says so
            await _write(pipe, form.settings())
            async for piece in body:
                if piece:
                    await _write(pipe, piece)
            await _write(pipe, b"")
    finally:
        pipe.close()


async def _write(pipe: asyncio.StreamWriter, content: bytes) -> None:
    pipe.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
    await pipe.drain()


async def _frame(pipe: asyncio.StreamReader) -> bytes | None:
    try:
        head = await pipe.readexactly(LENGTH_BYTES)
        return await pipe.readexactly(int.from_bytes(head, "big"))
    except asyncio.IncompleteReadError:
        return None

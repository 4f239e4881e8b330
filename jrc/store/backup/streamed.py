"""A dump from a thread of its own to the loop, piece by piece."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotTakenError
from contextlib import suppress

import structlog

from jrc.errors import JrcError, StoreError

PIECES = 8
"""Pieces of 64 KiB that wait to be taken."""
TAKEN_WITHIN_S = 60.0
"""Who takes nothing for so long is gone: a dump keeps the database's log from being cut."""

_log = structlog.get_logger("jrc")


class _GoneError(StoreError):
    """Nobody takes what is dumped."""


async def streamed(
    dump: Callable[[Callable[[bytes], object]], object], taken_within_s: float = TAKEN_WITHIN_S
) -> AsyncIterator[bytes]:
    """What ``dump`` gives to its argument, which runs in a thread of its own until then.

    Where it fails, the pieces end early and the log says why: what is sealed tells that its end is
    missing.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(PIECES)
    is_gone = False

    def take(piece: bytes | None) -> None:
        if is_gone:
            raise _GoneError("nobody takes the backup any more")
        put = asyncio.run_coroutine_threadsafe(pieces.put(piece), loop)
        try:
            put.result(taken_within_s)
        except (NotTakenError, CancelledError):
            put.cancel()
            raise _GoneError("nobody takes the backup any more") from None

    def run() -> None:
        try:
            dump(take)
        except JrcError as error:
            _log.error("backup_broken_off", error=str(error))
        with suppress(_GoneError):
            take(None)

    with ThreadPoolExecutor(1, "jrc-backup") as thread:
        done = loop.run_in_executor(thread, run)
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
        finally:
            is_gone = True
            while not done.done():
                while not pieces.empty():
                    pieces.get_nowait()
                await asyncio.wait([done], timeout=0.05)
        done.result()

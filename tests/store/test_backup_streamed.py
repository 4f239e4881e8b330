"""A dump from its thread to the loop."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from jrc.errors import StoreError
from jrc.store.backup.streamed import PIECES, streamed

Take = Callable[[bytes], object]


def test_pieces_come_in_order() -> None:
    """More of them than may wait."""

    async def run() -> list[bytes]:
        def dump(take: Take) -> None:
            for number in range(PIECES * 3):
                take(bytes([number]))

        return [piece async for piece in streamed(dump)]

    assert [bytes([n]) for n in range(PIECES * 3)] == asyncio.run(run())


def test_a_dump_that_fails_ends_early_and_is_in_the_log() -> None:
    """What is sealed tells the reader that its end is missing."""

    async def run() -> list[bytes]:
        def dump(take: Take) -> None:
            take(b"a")
            raise StoreError("disk I/O error")

        return [piece async for piece in streamed(dump)]

    with capture_logs() as logs:
        assert [b"a"] == asyncio.run(run())
    assert ["backup_broken_off"] == [line["event"] for line in logs]


@pytest.mark.parametrize("taken_within_s", [60.0, 0.01])
def test_a_reader_that_goes_ends_the_dump(taken_within_s: float) -> None:
    """Or one that takes nothing: the database's log could not be cut meanwhile."""
    ended = threading.Event()

    def dump(take: Take) -> None:
        try:
            while True:
                take(b"a")
        finally:
            ended.set()

    async def run() -> None:
        pieces = streamed(dump, taken_within_s)
        await anext(pieces)
        if taken_within_s < 1:
            await asyncio.to_thread(ended.wait, 30)
        await pieces.aclose()  # type: ignore[attr-defined]

    with capture_logs() as logs:
        asyncio.run(run())
    assert ended.is_set()
    assert ["backup_broken_off"] == [line["event"] for line in logs]

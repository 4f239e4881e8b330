"""Log lines that nobody reads hold up nobody."""

import io
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from jrc.log import MAX_REMEMBERED_LINES, SAY_AGAIN_S, Seldom
from jrc.logwriter import MAX_WAITING_LINES, LogWriter, writer_to

WITHIN_S = 20
LONG = "x" * 1000
"""A pipe holds 65 of these."""


def record(text: str, name: str = "asyncio") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, text, None, None)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe; the test may close either end."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def read_all(end: int, found: list[bytes]) -> None:
    while piece := os.read(end, 65_536):
        found.append(piece)


def test_a_reader_who_stops_reading_costs_lines_and_no_time(pipe: tuple[int, int]) -> None:
    """What finds no room is counted; what waited comes when he reads again."""
    reader, end = pipe
    writer = LogWriter(end)
    count = 2 * MAX_WAITING_LINES
    for number in range(count):
        writer.emit(record(f"{number} {LONG}"))
    lost = writer.lost
    assert MAX_WAITING_LINES // 2 < lost <= count - MAX_WAITING_LINES
    found: list[bytes] = []
    reading = threading.Thread(target=read_all, args=(reader, found))
    reading.start()
    writer.close()
    os.close(end)
    reading.join(WITHIN_S)
    lines = b"".join(found).splitlines()
    assert count - lost == len(lines)
    assert lines[0].startswith(b"0 ")


def test_a_stream_that_is_no_file_needs_no_thread() -> None:
    """Such as the one that a command's output is collected in."""
    assert writer_to(io.StringIO()) is None


def test_the_end_does_not_wait_for_who_reads_nothing(pipe: tuple[int, int]) -> None:
    """It ends all the same; the thread ends with the process."""
    writer = LogWriter(pipe[1])
    for _ in range(2 * MAX_WAITING_LINES):
        writer.emit(record(LONG))
    writer.close()
    os.close(pipe[0])


def test_a_pipe_that_was_closed_costs_its_lines_alone(pipe: tuple[int, int]) -> None:
    """Whoever runs the daemon may go away."""
    os.close(pipe[0])
    writer = LogWriter(pipe[1])
    for _ in range(3):
        writer.emit(record("said to nobody"))
    writer.close()
    assert 3 == writer.lost


def test_what_libraries_repeat_is_said_once_in_a_while() -> None:
    """asyncio would say once a second that no more files may be opened."""
    now_s = 0.0
    seldom = Seldom(lambda: now_s)
    said = []
    for _ in range(180):
        now_s += 1.0
        said.append(seldom.filter(record("no room\nTraceback")))
    assert 180 // SAY_AGAIN_S == sum(said)
    assert seldom.filter(record("another"))
    assert seldom.filter(record("no room", name="uvicorn"))


def test_what_is_remembered_of_libraries_is_bounded() -> None:
    """Each line may be another."""
    seldom = Seldom(lambda: 1000.0)
    for number in range(10 * MAX_REMEMBERED_LINES):
        assert seldom.filter(record(f"line {number}"))
    assert len(seldom._said_s) <= MAX_REMEMBERED_LINES

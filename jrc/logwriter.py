"""Log lines leave on a thread of their own: who does not read them holds up nobody.

A pipe that nobody reads, or a terminal that is stopped, blocks whoever writes to it. Here that is
one thread; lines that find no room meanwhile are counted and lost.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable
from io import UnsupportedOperation
from typing import TextIO

from jrc.journal import Entry, Journal

MAX_WAITING_LINES = 1024
"""Log lines that wait for whoever reads them."""
END_WITHIN_S = 1.0
"""What the end of the program waits for the last lines to be taken."""


Lines = Callable[[], Iterable[str]]
"""Makes lines and entries of the journal, on the thread that writes them."""


def writer_to(stream: TextIO) -> "LogWriter | None":
    """A writer to the file behind ``stream``; None where there is none, and nobody to wait for."""
    try:
        return LogWriter(stream.fileno())
    except UnsupportedOperation:
        return None


class LogWriter(logging.Handler):
    """Formats a record where it was made and writes it to ``file``, a descriptor, elsewhere.

    An ``Entry`` goes to the journal, and so do records while ``makes_entries``: their formatter has
    to fit. ``lost`` counts lines that found no room or no reader. It has to be closed, which
    ``logging.shutdown`` does at the end of the program.
    """

    def __init__(self, file: int, journal: Journal | None = None) -> None:
        super().__init__()
        self.lost = 0
        self.makes_entries = False
        self._file = file
        self._journal = journal
        self._lines: queue.Queue[str | Lines | None] = queue.Queue(MAX_WAITING_LINES)
        self._thread = threading.Thread(target=self._run, name="jrc-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """As ``logging.Handler.emit``; it never waits."""
        try:
            text = self.format(record)
            self._lines.put_nowait(Entry(text) if self.makes_entries else text)
        except queue.Full:
            self.lost += 1

    def put(self, lines: "Lines") -> bool:
        """Have lines written that are made on the writing thread; whether there was room."""
        try:
            self._lines.put_nowait(lines)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Write what waits, but do not wait long for who does not read."""
        super().close()
        try:
            self._lines.put(None, timeout=END_WITHIN_S)
        except queue.Full:
            return
        self._thread.join(END_WITHIN_S)

    def _run(self) -> None:
        said = 0
        while (line := self._lines.get()) is not None:
            self._write_all(line() if callable(line) else (line,))
            if self.lost > said and self._lines.empty():
                logging.getLogger("jrc").warning("%d log lines were lost", self.lost - said)
                said = self.lost
        if self._journal is not None:
            self._journal.close()

    def _write_all(self, lines: Iterable[str]) -> None:
        """Entries one by one, as each is a datagram; lines at once."""
        text = []
        for line in lines:
            if isinstance(line, Entry):
                self._send(line)
            else:
                text.append(line.encode("utf-8", "replace") + b"\n")
        if text:
            self._write(b"".join(text), len(text))

    def _send(self, entry: Entry) -> None:
        self._journal = self._journal or Journal()
        try:
            self._journal.send(entry)
        except OSError:
            self.lost += 1

    def _write(self, data: bytes, count: int) -> None:
        """Past the buffer of ``sys.stderr``, whose lock the end of the program would wait for."""
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            self.lost += count

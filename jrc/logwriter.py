"""Log lines leave on a thread of their own: who does not read them holds up nobody.

A pipe that nobody reads, or a terminal that is stopped, blocks whoever writes to it. Here that is
one thread; lines that find no room meanwhile are counted and lost.
"""

import logging
import os
import queue
import threading
from io import UnsupportedOperation
from typing import TextIO

MAX_WAITING_LINES = 1024
"""Log lines that wait for whoever reads them."""
END_WITHIN_S = 1.0
"""What the end of the program waits for the last lines to be taken."""


def writer_to(stream: TextIO) -> "LogWriter | None":
    """A writer to the file behind ``stream``; None where there is none, and nobody to wait for."""
    try:
        return LogWriter(stream.fileno())
    except UnsupportedOperation:
        return None


class LogWriter(logging.Handler):
    """Formats a record where it was made and writes it to ``file``, a descriptor, elsewhere.

    ``lost`` counts lines that found no room or no reader. It has to be closed, which
    ``logging.shutdown`` does at the end of the program.
    """

    def __init__(self, file: int) -> None:
        super().__init__()
        self.lost = 0
        self._file = file
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_WAITING_LINES)
        self._thread = threading.Thread(target=self._run, name="jrc-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """As ``logging.Handler.emit``; it never waits."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self.lost += 1

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
            # Past the buffer of ``sys.stderr``, whose lock the end of the program would wait for.
            self._write(line.encode("utf-8", "replace") + b"\n")
            if self.lost > said and self._lines.empty():
                logging.getLogger("jrc").warning("%d log lines were lost", self.lost - said)
                said = self.lost

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError:
            self.lost += 1

"""A command that runs for long, as a process, with a thread for each of its outputs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any

from tests import forked
from tests.cli.terminal import Terminal, environment

WITHIN_S = 90


class Follower:
    """The command; a line that does not come within ``WITHIN_S`` fails the test."""

    def __init__(self, terminal: Terminal, *words: str) -> None:
        command = terminal.command(*words)[2:]
        self.process = forked.piped(*command, environ=environment(), errors_apart=True)
        self._out, self._err = Queue[str](), Queue[str]()
        streams = ((self.process.stdout, self._out), (self.process.stderr, self._err))
        self._threads = [Thread(target=_read, args=each, daemon=True) for each in streams]
        for thread in self._threads:
            thread.start()

    def line(self) -> str:
        """The next line of standard output."""
        return self._out.get(timeout=WITHIN_S)

    def said(self) -> str:
        """The next line of standard error."""
        return self._err.get(timeout=WITHIN_S)

    def event(self) -> Any:
        """The next line of standard output as JSON."""
        return json.loads(self.line())

    def until(self, words: str, *, err: bool = False) -> str:
        """The first line that has these words."""
        read = []
        while True:
            try:
                read.append(self.said() if err else self.line())
            except Empty:
                raise AssertionError(f"no {words!r} in {read}: {self.process.poll()}") from None
            if words in read[-1]:
                return read[-1]

    def end(self, signal: int | None = None) -> int:
        """The exit code, after a signal if one is given."""
        if signal is not None:
            self.process.send_signal(signal)
        code = self.process.wait(timeout=WITHIN_S)
        for thread in self._threads:
            thread.join(WITHIN_S)
        return code

    def is_silent(self) -> bool:
        """Whether nothing more stands on either output, once the process has ended."""
        return self._out.empty() and self._err.empty()


def _read(stream: IO[str] | None, queue: "Queue[str]") -> None:
    assert stream is not None
    with stream:
        for line in stream:
            queue.put(line.rstrip("\n"))


@contextmanager
def following(terminal: Terminal, *words: str) -> Iterator[Follower]:
    """The command, until the block ends."""
    follower = Follower(terminal, *words)
    try:
        yield follower
    finally:
        follower.process.kill()
        follower.process.wait()

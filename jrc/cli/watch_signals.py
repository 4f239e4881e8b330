"""What may cut a run of `jrc provision watch` short, so that what was seen is stored all the same.

Signals that end the command, and expressions that take exponential time on a line.
"""

import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from jrc.errors import ExitCode, OperatorError
from jrc.provision.console_stream import Said, Stream

FEED_WITHIN_S: Final = 5.0
"""CPU time for what is read at once, 64 KiB, of which all shipped patterns take a fiftieth."""
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


class BoundedStream(Stream):
    """A stream whose expressions are an operator's: they get ``FEED_WITHIN_S`` and no more."""

    def feed(self, data: bytes) -> list[Said]:
        """As ``Stream.feed``.

        Raises:
            OperatorError: it took too long, within ``in_order``.
        """
        signal.setitimer(signal.ITIMER_VIRTUAL, FEED_WITHIN_S)
        try:
            return super().feed(data)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@contextmanager
def in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP do as Ctrl-C, and a ``BoundedStream`` has its bound."""
    handlers = {**dict.fromkeys(_ENDING, _interrupted), signal.SIGVTALRM: _too_slow}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(number: int, _frame: FrameType | None) -> None:
    """As Ctrl-C; a terminal that has hung up takes no words, and its errors would end the run."""
    if number == signal.SIGHUP:
        with open(os.devnull, "w") as nowhere:
            for each in (sys.stdout, sys.stderr):
                if stat.S_ISCHR(os.fstat(each.fileno()).st_mode):
                    os.dup2(nowhere.fileno(), each.fileno())
    raise KeyboardInterrupt


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise OperatorError(
        f"an expression of --split or [[provision.pattern]] took over {FEED_WITHIN_S:.0f} s for"
        " what was read at once",
        "write it without a repeat in a repeat, such as (a+)+, or leave it out by --pattern",
        exit_code=ExitCode.USAGE,
    )

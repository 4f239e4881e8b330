"""Many ports at once: what is said on them, in one thread that waits for all of them.

A port that vanishes is tried again; the board that was on it has ended. A port is opened as soon as
its path is there.
"""

import glob
import os
import selectors
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from jrc.provision.console import Event
from jrc.provision.console_stream import Stream, Waiting
from jrc.provision.ports import Port
from jrc.provision.serial_line import PortClosedError

LOOK_EVERY_S: Final = 0.2
"""At files for what was added, and for ports that are to come."""
SETTLE_S: Final = 1.0
"""A pair is given so long after it was whole, if nothing speaks against it."""
WRITE_WITHIN_S: Final = 2.0
"""A device that takes no byte for so long gets nothing of what it was to be sent."""
MAX_PORTS: Final = 256


class Change(StrEnum):
    """What has become of a port."""

    OPENED = "opened"
    CLOSED = "closed"
    ENDED = "ended"
    STUCK = "stuck"
    """It takes nothing that is sent to it; it is read all the same."""


@dataclass(slots=True, eq=False)
class Watched:
    """A port with what is read from it; ``bytes_read`` counts."""

    port: Port
    stream: Stream
    bytes_read: int = 0
    is_over: bool = False
    has_more: bool = False
    """Whether a file was not at its end."""
    settles_s: dict[Waiting, float] = field(default_factory=dict)
    stalls_s: float | None = None
    """Until when it has to take something of what is to be sent; None while nothing is."""
    is_stuck: bool = False
    """Whether it was told to take nothing."""
    _tried_s: float = field(default=float("-inf"))

    def may_try(self, now_s: float) -> bool:
        """Whether it is time to try to open it; notes that it was."""
        if self.is_over or self.port.is_open or now_s - self._tried_s < LOOK_EVERY_S:
            return False
        self._tried_s = now_s
        return True


class Happened(NamedTuple):
    """Something on a port: of the port itself, or what a board on it has said."""

    watched: Watched
    source: str
    event: Event | Change


class Watch:
    """Follows ports, and those that appear under ``globs``.

    ``new_port`` makes what is needed for a path that has appeared, ``but`` are those left out.
    """

    def __init__(
        self,
        watched: Sequence[Watched],
        globs: Sequence[str] = (),
        new_port: Callable[[str], Watched] | None = None,
        *,
        but: Sequence[str] = (),
        settle_s: float = SETTLE_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.watched = list(watched)
        self._globs = globs
        self._new_port = new_port
        self._known = {each.port.path for each in watched} | set(but)
        self._looked_s = float("-inf")
        self._settle_s = settle_s
        self._now_s = now_s
        self._waking = threading.Lock()
        self._is_closed = False
        self._woken, self._wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self) -> None:
        """Lets all ports go."""
        for each in self.watched:
            each.port.close()
        with self._waking:
            self._is_closed = True
            os.close(self._woken)
            os.close(self._wakes)

    def wake(self) -> None:
        """Ends a wait of ``turn`` from another thread; nothing once all is closed."""
        with self._waking, suppress(BlockingIOError):
            if not self._is_closed:
                os.write(self._wakes, b"\0")

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return not self._globs and all(each.is_over for each in self.watched)

    def turn(self, wait_s: float, *, reads_files: bool = True) -> Iterator[Happened]:
        """What has happened, after ``wait_s`` at most.

        ``reads_files``: files can wait, where what was found in them is not stored yet.
        """
        self._look_for_new()
        yield from self._opened()
        has_more = reads_files and any(each.has_more for each in self.watched)
        ready = self._wait(0.0 if has_more else wait_s)
        for each in list(self.watched):
            is_looked_at = reads_files and not each.port.is_waited_for
            if each.port.is_open and (each in ready or is_looked_at):
                yield from self._read(each)
            if each.port.is_open:
                yield from self._sent(each)
            yield from self._settled(each)

    def end(self) -> Iterator[Happened]:
        """What was whole when the watch ended, and what was left alone."""
        for each in self.watched:
            for said in each.stream.end():
                yield Happened(each, said.source, said.event)

    def _look_for_new(self) -> None:
        if not self._globs or self._now_s() - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = self._now_s()
        for path in matching(self._globs):
            if path not in self._known and len(self.watched) < MAX_PORTS:
                self._known.add(path)
                assert self._new_port is not None, "given with globs"
                self.watched.append(self._new_port(path))

    def _opened(self) -> Iterator[Happened]:
        for each in self.watched:
            if each.may_try(self._now_s()) and each.port.open():
                each.is_stuck, each.stalls_s = False, None
                yield Happened(each, "", Change.OPENED)

    def _wait(self, wait_s: float) -> set[Watched]:
        """Those with something to read."""
        with selectors.PollSelector() as poll:
            poll.register(self._woken, selectors.EVENT_READ)
            for each in self.watched:
                if each.port.is_waited_for:
                    sends = selectors.EVENT_WRITE if each.port.unsent else 0
                    poll.register(each.port.fileno(), selectors.EVENT_READ | sends, each)
            ready = {
                key.data
                for key, events in poll.select(self._patience_s(wait_s))
                if key.data and events & selectors.EVENT_READ
            }
        while True:
            try:
                os.read(self._woken, 4096)
            except BlockingIOError:
                return ready

    def _patience_s(self, wait_s: float) -> float:
        """How long to wait: not long where something is to be looked at."""
        now_s = self._now_s()
        due = [due_s - now_s for each in self.watched for due_s in each.settles_s.values()]
        due += [each.stalls_s - now_s for each in self.watched if each.stalls_s is not None]
        must_look = bool(self._globs) or any(
            not each.is_over and not each.port.is_waited_for for each in self.watched
        )
        return max(0.0, min([wait_s, *due, *([LOOK_EVERY_S] if must_look else [])]))

    def _read(self, each: Watched) -> Iterator[Happened]:
        try:
            data = each.port.read()
        except PortClosedError:
            yield from self._gone(each, is_over=not each.port.comes_back)
            return
        each.bytes_read += len(data)
        each.has_more = bool(data) and not each.port.is_waited_for
        for said in each.stream.feed(data):
            yield Happened(each, said.source, said.event)
        if not data and each.port.once and not each.port.is_waited_for:
            each.port.close()
            yield from self._gone(each, is_over=True)

    def _sent(self, each: Watched) -> Iterator[Happened]:
        """Sends what a device takes; what it does not take in time is forgotten."""
        before = each.port.unsent
        try:
            each.port.flush()
        except PortClosedError:
            yield from self._gone(each, is_over=not each.port.comes_back)
            return
        left, now_s = each.port.unsent, self._now_s()
        if not left:
            each.is_stuck, each.stalls_s = each.is_stuck and not before, None
        elif each.stalls_s is None or left < before:
            each.stalls_s = now_s + WRITE_WITHIN_S
        elif each.stalls_s <= now_s:
            each.port.forget_unsent()
            each.stalls_s = None
            if not each.is_stuck:
                each.is_stuck = True
                yield Happened(each, "", Change.STUCK)

    def _gone(self, each: Watched, *, is_over: bool) -> Iterator[Happened]:
        each.is_over, each.has_more, each.stalls_s = is_over, False, None
        each.settles_s.clear()
        for said in each.stream.end():
            yield Happened(each, said.source, said.event)
        yield Happened(each, "", Change.ENDED if is_over else Change.CLOSED)

    def _settled(self, each: Watched) -> Iterator[Happened]:
        now_s, before = self._now_s(), each.settles_s
        each.settles_s = {
            pair: before.get(pair, now_s + self._settle_s) for pair in each.stream.waiting
        }
        for pair in [pair for pair, due_s in each.settles_s.items() if due_s <= now_s]:
            del each.settles_s[pair]
            for said in each.stream.settle(pair.source):
                yield Happened(each, said.source, said.event)


def is_glob(path: str) -> bool:
    """Whether a port was named by what may match several, and which may appear later."""
    return glob.has_magic(path) and not Path(path).exists()


def matching(globs: Sequence[str]) -> list[str]:
    """The paths that are there now."""
    return sorted({path for each in globs for path in glob.glob(each)})

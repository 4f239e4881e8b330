"""Boards that run the C receiver, on pseudo-terminals that stand for a host's serial ports.

A port is a link to a pseudo-terminal's name; what goes either way passes through this process,
which can spoil it, and keeps it.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import tty
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from jrc.model import PledgeId
from jrc.provision.device import Device
from tests import forked
from tests.daemon.site import RUN, Site
from tests.forked import Forked
from tests.provision.receiver import SOURCES, compiled, stored

SANITIZED: Final = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
OFFER_MS: Final = 100
PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.01
SPOILED: Final = 0.1
"""How many of the pieces on a bad line are changed, lost or doubled."""


def board_program(folder: Path) -> Path:
    """The example device, with the compiler's own checks where it has them."""
    words, sources = (f"-DOFFER_MS={OFFER_MS}",), ("device.c", *SOURCES)
    try:
        return compiled(folder, "device", *words, *SANITIZED, "-Wno-conversion", sources=sources)
    except AssertionError:
        return compiled(folder, "device", *words, "-Wno-conversion", sources=sources)


class Board:
    """A device: its flash is a file, and outlives its process."""

    def __init__(self, program: Path, folder: Path, identifier: PledgeId) -> None:
        self.identifier = identifier
        self.flash = folder / f"{identifier}.flash"
        self.faults: list[str] = []
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Power on."""
        self._process = subprocess.Popen(
            [str(self._program), str(self.identifier), str(self.flash)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )

    def kill(self) -> None:
        """Power off, at any moment."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        _, errors = process.communicate(timeout=PATIENCE_S)
        if process.returncode != -signal.SIGKILL or errors:
            self.faults.append(f"{process.returncode}: {errors.decode()}")

    @property
    def output(self) -> int | None:
        """Where to read what it prints."""
        if self._process is None or self._process.stdout is None:
            return None
        return self._process.stdout.fileno()

    def give(self, data: bytes) -> None:
        """Bytes on its serial line."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(data)

    @property
    def device(self) -> Device | None:
        """What its flash holds."""
        try:
            return stored(self.flash.read_bytes(), self.identifier)
        except FileNotFoundError:
            return None


class Port:
    """A serial port of the host at ``path``, with one board at a time."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.path = path
        self.printed = bytearray()
        """What boards have said on it: the terminal's capture."""
        self.sent = bytearray()
        """What the host has sent."""
        self.is_bad = False
        self.echoes = False
        self._chance = chance
        self._lock = threading.Lock()
        self._board: Board | None = None
        self._is_over = False
        self._ends = (-1, -1)
        self._appear()
        self._thread = threading.Thread(target=self._relay)
        self._thread.start()

    def plug(self, board: Board) -> None:
        """A board in the place of the one that was there."""
        with self._lock:
            if self._board is not None:
                self._board.kill()
            self._board = board
            board.start()

    def restart(self) -> None:
        """Power off and on."""
        with self._lock:
            if self._board is not None:
                self._board.kill()
                self._board.start()

    def vanish(self) -> None:
        """The port goes and comes back as another one, as that of a board with USB of its own."""
        with self._lock:
            self._disappear()
            self._appear()

    def close(self) -> None:
        """All is over."""
        self._is_over = True
        self._thread.join(PATIENCE_S)
        if self._board is not None:
            self._board.kill()
        self._disappear()

    def _appear(self) -> None:
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = (ours, theirs)
        self.path.symlink_to(os.ttyname(theirs))

    def _disappear(self) -> None:
        self.path.unlink()
        for end in self._ends:
            os.close(end)

    def _relay(self) -> None:
        while not self._is_over:
            with self._lock:
                board = self._board
                output = None if board is None else board.output
                sources = [each for each in (self._ends[0], output) if each is not None]
                ready, _, _ = select.select(sources, [], [], 0)
                for source in ready:
                    self._pass_on(source)
            if not ready:
                threading.Event().wait(LOOK_S)

    def _pass_on(self, source: int) -> None:
        data = os.read(source, 4096)
        if source == self._ends[0]:
            self.sent += data
            if self.echoes:
                os.write(self._ends[0], data)
            if self._board is not None:
                self._board.give(self._spoiled(data))
        else:
            self.printed += data
            with suppress(BlockingIOError):
                os.write(self._ends[0], self._spoiled(data))

    def _spoiled(self, data: bytes) -> bytes:
        if not (self.is_bad and data and self._chance.random() < SPOILED):
            return data
        at = self._chance.randrange(len(data))
        flipped = data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :]
        return self._chance.choice((data[:at], data * 2, flipped, b"noise" + data))


class Host:
    """A running ``jrc provision watch --send-keys --json``.

    ``is_executed``: an interpreter of its own, whose arguments the kernel shows.
    """

    def __init__(
        self, site: Site, ports: Sequence[Port], *more: str, is_executed: bool = False
    ) -> None:
        words = ["provision", "watch", *(str(port.path) for port in ports), "--send-keys"]
        config = ("--config", str(site.config))
        command = (*RUN[1:], *config, *words, "--network", "lab", "--json", *more)
        self.process: Forked | subprocess.Popen[str] = (
            _executed(command) if is_executed else forked.piped(*command)
        )
        self.said: list[str] = []
        self.settled: dict[str, str] = {}
        """The check value of each device that has its key."""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.said.append(line)
                self._note(line)

    def _note(self, line: str) -> None:
        try:
            record = json.loads(line)
        except ValueError:
            return
        if record.get("event") in ("key stored", "key done"):
            self.settled[record["pledge_id"]] = record["key_check"]

    def kill(self) -> None:
        """At any moment."""
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Its exit code."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code


def _executed(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_until(happens: Callable[[], bool], what: str) -> None:
    """Returns when it has happened; fails if it does not."""
    rest = threading.Event()
    for _ in range(int(PATIENCE_S / LOOK_S)):
        if happens():
            return
        rest.wait(LOOK_S)
    raise AssertionError(f"in vain: {what}")

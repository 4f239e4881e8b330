"""A bench: many boards one after the other on several ports, all of which go wrong at random.

`make test-faults` has 8 ports with 25 boards each; the usual form is small.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from subprocess import TimeoutExpired
from threading import Event, Thread
from time import monotonic
from typing import Any, Final

import pytest

from tests import forked
from tests.cli.terminal import Terminal, environment
from tests.faults.form import SEED
from tests.provision.board import Socket, boot_lines, credential, device_id

WITHIN_S: Final = 600.0
LOOK_EVERY_S: Final = 0.2
MISHAPS: Final = 0.3
"""The share of starts that end within a line, by a reset or by a cable."""


class Port(Thread):
    """Somebody who plugs in board after board, each till the registrar has it."""

    def __init__(self, socket: Socket, numbers: range, done: dict[str, str], seed: int) -> None:
        super().__init__(daemon=True)
        self.socket = socket
        self._numbers = numbers
        self._done = done
        self._random = Random(seed)
        self._rest = Event()

    def run(self) -> None:
        for number in self._numbers:
            self.socket.plug()
            while device_id(number) not in self._done:
                self._start(number)
                self._rest.wait(self._random.uniform(0, 2 * LOOK_EVERY_S))
            self.socket.unplug()

    def _start(self, number: int) -> None:
        """A board's start, in pieces, and perhaps not to its end."""
        lines = boot_lines(number)
        goes_wrong = self._random.random() < MISHAPS
        left = lines[: self._random.randrange(len(lines))] if goes_wrong else lines
        while left:
            size = self._random.randrange(1, 120)
            self.socket.prints(left[:size])
            left = left[size:]
            self._rest.wait(0.005)
        if goes_wrong and self._random.random() < 0.5:
            self.socket.plug()


@contextmanager
def watching(terminal: Terminal, sockets: list[Socket], said: list[str]) -> Iterator[forked.Forked]:
    """The command, killed at the end if it runs still; ``said`` gets what it says."""
    paths = [str(socket.path) for socket in sockets]
    command = terminal.command("provision", "watch", *paths, "--json")[2:]
    process = forked.piped(*command, environ=environment())
    assert process.stdout is not None
    read = Thread(target=said.extend, args=(process.stdout,), daemon=True)
    read.start()
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)
        read.join(60)
        process.stdout.close()


def recorded(terminal: Terminal) -> dict[str, str]:
    listed: list[dict[str, Any]] = terminal.jrc("identity", "list", "--json").json
    return {each["pledge_id"]: each["credential"] for each in listed}


def test_each_board_of_a_bench_is_stored_once_and_whole_whatever_is_killed(tmp_path: Path) -> None:
    """Ports vanish, boards are reset within a line, and the command is killed again and again."""
    work(tmp_path, 2, 3)


@pytest.mark.faults
def test_each_of_200_boards_is_stored_once_and_whole_whatever_is_killed(tmp_path: Path) -> None:
    """The same with 8 ports."""
    work(tmp_path, 8, 25)


def work(tmp_path: Path, port_count: int, boards: int) -> None:
    """A bench with so many boards on each port, one after the other."""
    terminal = Terminal(tmp_path / "registrar")
    terminal.init()
    random, done = Random(SEED), dict[str, str]()
    sockets = [Socket(tmp_path / f"ttyACM{number}") for number in range(port_count)]
    ports = [
        Port(socket, range(at * boards, (at + 1) * boards), done, random.randrange(2**32))
        for at, socket in enumerate(sockets)
    ]
    wanted = {device_id(n): credential(n).hex() for n in range(port_count * boards)}
    with terminal.daemon():
        for port in ports:
            port.start()
        ends_s, kills = monotonic() + WITHIN_S, 0
        while len(done) < len(wanted) and monotonic() < ends_s:
            said: list[str] = []
            with watching(terminal, sockets, said) as process:
                dies_s = monotonic() + (random.uniform(1.0, 6.0) if kills else WITHIN_S)
                enough = len(wanted) if kills else 1
                while monotonic() < dies_s and len(done) < enough:
                    with suppress(TimeoutExpired):
                        process.wait(LOOK_EVERY_S)
                        pytest.fail(f"the command has ended by itself: {''.join(said[-40:])}")
                    done.update(recorded(terminal))
                kills += 1
        assert wanted == done
        for port in ports:
            port.join(60)
        events: list[dict[str, Any]] = terminal.jrc("events", "--limit", "1000", "--json").json
    stored = [each["pledge"] for each in events if each["kind"] == "identity.recorded"]
    assert sorted(wanted) == sorted(stored)
    assert [each for each in events if each["kind"] == "identity.superseded"] == []
    assert kills > 1
    print(f"{len(wanted)} boards on {port_count} ports, the command killed {kills} times")

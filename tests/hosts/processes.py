"""Programs that run on one of the hosts while a test goes on."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.daemon.site import RUN
from tests.hosts.crowd import Report, Task
from tests.hosts.topology import COAP_PORT, JRC_ADDRESS, RADIO, Host

PATIENCE_S = 60.0

_PROXY = """\
[proxy]
interface = "{interface}"
jrc = "[{jrc}]:{port}"
{more}
[log]
format = "json"
"""


class Program:
    """A process on a host; its lines of output are read as they come."""

    def __init__(self, host: Host, arguments: Sequence[str]) -> None:
        self.lines: list[str] = []
        self._coming: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            (*host.inside, sys.executable, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self.lines.append(line)
                self._coming.put(line)
        self._coming.put(None)

    @property
    def pid(self) -> int:
        """``ip netns exec`` becomes the program itself."""
        return self._process.pid

    def next_line(self) -> str:
        """The next line it prints; fails if it says nothing more."""
        line = self._coming.get(timeout=PATIENCE_S)
        assert line is not None, "".join(self.lines[-20:])
        return line

    def wait_for(self, text: str) -> str:
        """The first line from now on that holds ``text``."""
        line = self.next_line()
        while text not in line:
            line = self.next_line()
        return line

    def tell(self, order: dict[str, Any]) -> None:
        """A line of JSON for its standard input."""
        self.order(json.dumps(order))

    def order(self, line: str) -> None:
        """A line for its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Close its standard input, ask it to end, and wait."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(timeout=PATIENCE_S)
        self._reader.join(timeout=PATIENCE_S)


@contextmanager
def running(host: Host, *arguments: str) -> Iterator[Program]:
    """A Python program on a host, ended afterwards."""
    program = Program(host, arguments)
    try:
        yield program
    finally:
        program.end()


@contextmanager
def proxy(
    host: Host, folder: Path, more: str = "", *, program: Sequence[str] = RUN, ready: bool = True
) -> Iterator[Program]:
    """``jrc proxy`` on the 6LBR, once it serves."""
    config = folder / "proxy.toml"
    config.write_text(_PROXY.format(interface=RADIO, jrc=JRC_ADDRESS, port=COAP_PORT, more=more))
    with running(host, *program, "--config", str(config), "proxy") as process:
        if ready:
            process.wait_for('"ready"')
        yield process


class Tap:
    """What passes an interface, as ``tests.hosts.listener`` reads it."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def datagrams(self) -> list[dict[str, Any]]:
        """All so far."""
        return [json.loads(line) for line in self._program.lines if line.startswith("{")]

    def wait_for(self, ports: int, is_meant: Callable[[dict[str, Any]], bool]) -> None:
        """Return when so many ports have sent something that is meant."""
        found: set[int] = set()
        while len(found) < ports:
            seen = json.loads(self._program.next_line())
            if is_meant(seen):
                found.add(seen["from_port"])


@contextmanager
def tapped(host: Host, interface: str) -> Iterator[Tap]:
    """Everything with port 5683 on an interface, from now on."""
    with running(host, "-m", "tests.hosts.listener", interface) as program:
        program.wait_for("listening")
        yield Tap(program)


class Talker:
    """A socket of ``tests.hosts.talker``."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.port = int(json.loads(program.next_line())["bound"])

    def send(self, payload: bytes, address: str, port: int = COAP_PORT) -> None:
        """A datagram to an address, with its zone if it needs one."""
        self._program.tell({"to": [address, port], "payload": payload.hex()})

    def hear(self) -> tuple[bytes, tuple[str, int]]:
        """The next datagram that comes, and from where."""
        found = json.loads(self._program.next_line())
        return bytes.fromhex(found["payload"]), (found["from"][0], found["from"][1])


@contextmanager
def talking(host: Host, address: str, port: int = 0) -> Iterator[Talker]:
    """A socket on a host."""
    with running(host, "-m", "tests.hosts.talker", address, str(port)) as program:
        yield Talker(program)


def crowd(host: Host, task: Task) -> Report:
    """What became of pledges that all ask at once."""
    return Report.of(host.run(sys.executable, "-m", "tests.hosts.crowd", given=task.to_json()))

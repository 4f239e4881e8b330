"""A real registrar for tests: set up by the command line, run in a process of its own."""

import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests import forked
from tests.forked import Forked

JRC = (sys.executable, "-m", "jrc.cli.main")
START_WITHIN_S = 90


def jrc(*arguments: str, expected: int = 0) -> str:
    """What a command prints; it has to end with the expected exit code."""
    done = forked.run(*JRC[2:], *arguments)
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout.decode()


@contextmanager
def running(folder: Path, pledges: list[Mapping[str, str]]) -> Iterator[tuple[str, int]]:
    """The address of a registrar with the network ``lab`` (cafe) and these rows of an import."""
    config = folder / "config.toml"
    jrc("init", "--dir", str(folder))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        address = "::1", probe.getsockname()[1]
    listen = f'listen = ["[::1]:{address[1]}"]'
    config.write_text(re.sub(r"(?m)^listen = .*$", listen, config.read_text(), count=1))
    jrc("--config", str(config), "network", "add", "lab", "--network-id", "cafe",
        "--prefix", "2001:db8::/64")  # fmt: skip
    rows = folder / "pledges.json"
    rows.write_text(json.dumps(pledges))
    rows.chmod(0o600)
    jrc("--config", str(config), "pledge", "import", str(rows))
    with _ready_socket(folder / "ready") as ready, (folder / "log").open("wb") as log:
        with open(os.devnull) as nothing:
            daemon = Forked(
                *JRC[2:], "--config", str(config), "run",
                stdin=nothing.fileno(), stdout=log.fileno(), stderr=log.fileno(),
                environ=os.environ | {"NOTIFY_SOCKET": str(folder / "ready")},
            )  # fmt: skip
        try:
            assert b"READY=1" in ready.recv(256), (folder / "log").read_text()
            yield address
        finally:
            daemon.terminate()
            daemon.wait(30)


@contextmanager
def _ready_socket(path: Path) -> Iterator[socket.socket]:
    """Where the daemon tells a service manager that it is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(str(path))
        ready.settimeout(START_WITHIN_S)
        yield ready

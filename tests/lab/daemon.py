"""A real registrar for tests: set up by the command line, run in a process of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jrc.cli.client import daemon_answers
from jrc.config import load

JRC = (sys.executable, "-m", "jrc.cli.main")
CHECKOUT = Path(__file__).parents[2]
START_WITHIN_S = 30


def jrc(*arguments: str, expected: int = 0) -> str:
    """What a command prints; it has to end with the expected exit code."""
    done = subprocess.run(
        [*JRC, *arguments], capture_output=True, text=True, cwd=CHECKOUT, timeout=60
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout


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
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [*JRC, "--config", str(config), "run"], cwd=CHECKOUT, stdout=log, stderr=log
        )
    try:
        _wait(daemon, load(config).admin.socket, folder / "log")
        yield address
    finally:
        daemon.terminate()
        daemon.wait(30)


def _wait(daemon: subprocess.Popen[bytes], admin: Path, log: Path) -> None:
    """Returns when the daemon can be told things."""
    deadline = time.monotonic() + START_WITHIN_S
    while not daemon_answers(admin):
        assert daemon.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        os.sched_yield()

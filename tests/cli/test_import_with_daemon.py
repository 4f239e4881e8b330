"""``jrc pledge import`` through a daemon: reports, and senders that die."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, environment, pledge_file


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A daemon with a network."""
    terminal = Terminal(tmp_path_factory.mktemp("jrc"))
    terminal.init()
    terminal.add_lab()
    with terminal.daemon():
        yield terminal


def test_a_report_comes_through_the_daemon(running: Terminal, tmp_path: Path) -> None:
    """A line for each row, though they take several transactions."""
    rows = [f"{n + 4096:016x},{os.urandom(16).hex()},n" for n in range(600)]
    body = pledge_file(tmp_path / "p", rows).read_bytes().replace(b"label\n", b"network\n")
    body = body.replace(b",n\n", b",lab\n")
    words = ("pledge", "import", "-", "--dry-run", "--report", str(tmp_path / "r.jsonl"))
    assert running.process(*words, stdin=body).code == 0
    found = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [row["line"] for row in found] == list(range(2, 602))
    assert {row["outcome"] for row in found} == {"added"}


def test_an_import_whose_sender_dies_in_the_middle_stores_nothing(running: Terminal) -> None:
    """The command is killed while it reads; the daemon sweeps what it had staged."""
    before = len(running.process("pledge", "list", "--json").json)
    importing = subprocess.Popen(
        running.command("pledge", "import", "-"), stdin=subprocess.PIPE, env=environment()
    )
    assert importing.stdin is not None
    rows = (f"{n + 8192:016x},{os.urandom(16).hex()},lab" for n in range(12_000))
    importing.stdin.write("\n".join(("pledge_id,psk,network", *rows, "")).encode())
    importing.stdin.flush()
    wait_until(lambda: staged(running) > 0)
    importing.kill()
    importing.wait(timeout=90)
    importing.stdin.close()
    wait_until(lambda: staged(running) == 0)
    assert len(running.process("pledge", "list", "--json").json) == before


def staged(terminal: Terminal) -> int:
    """How many pledges wait in the database to be published."""
    url = f"file:{terminal.folder / 'jrc.db'}?mode=ro"
    with closing(sqlite3.connect(url, uri=True)) as reader:
        (count,) = reader.execute(
            "SELECT count(*) FROM pledge JOIN import_batch ON import_batch.id = pledge.import_id"
            " WHERE import_batch.state = 'staged'"
        ).fetchone()
    return int(count)


def wait_until(holds: Callable[[], bool]) -> None:
    """Returns when it does."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)

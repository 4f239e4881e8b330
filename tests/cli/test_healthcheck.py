"""``jrc healthcheck``: what a container engine is told, and that it costs little."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from jrc.cli import healthcheck
from jrc.errors import ExitCode
from tests.cli.terminal import Done, Terminal, one_sentence

HEAVY = {"typer", "rich", "httpx", "sqlalchemy", "starlette", "uvicorn", "asyncio"}


@contextmanager
def listening(terminal: Terminal) -> Iterator[socket.socket]:
    """Somebody on the admin socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(terminal.folder / "admin.sock"))
        server.listen()
        yield server


def told(terminal: Terminal, answer: bytes, *words: str) -> Done:
    """What the command says where the daemon gives this answer."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + answer)

    with listening(terminal) as server:
        thread = Thread(target=serve)
        thread.start()
        done = terminal.jrc("healthcheck", *words)
        thread.join()
    return done


def test_it_says_that_joins_are_answered(terminal: Terminal) -> None:
    """Exit code 0, of a live daemon."""
    with terminal.daemon():
        assert Done(0, "joins are answered\n", "") == terminal.jrc("healthcheck")
        assert Done(0, "the daemon works\n", "") == terminal.jrc("healthcheck", "--alive")
    one_sentence(terminal.jrc("healthcheck"), ExitCode.FAILED)


def test_a_daemon_that_does_not_run_is_not_healthy(terminal: Terminal) -> None:
    """The socket is named; exit code 1, the only other one that an engine knows."""
    done = terminal.jrc("healthcheck", "--alive")
    one_sentence(done, ExitCode.FAILED)
    assert f"no daemon answers on {terminal.folder / 'admin.sock'} (No such file" in done.err


def test_a_daemon_that_stands_still_is_not_healthy(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel takes the connection; nobody reads the request."""
    monkeypatch.setattr(healthcheck, "WITHIN_S", 0.1)
    with listening(terminal):
        done = terminal.jrc("healthcheck")
    one_sentence(done, ExitCode.FAILED)
    assert "has not answered within 0.1 s" in done.err


def test_status_of_a_daemon_that_stands_still_is_not_waited_for(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other commands may take long, such as an import; who asks how it is wants to know soon."""
    monkeypatch.setattr("jrc.cli.client._SHOWN_WITHIN_S", 0.1)
    with listening(terminal):
        done = terminal.jrc("status")
    one_sentence(done, ExitCode.UNREACHABLE)
    assert "the daemon does not answer" in done.err


@pytest.mark.parametrize(
    ("answer", "words", "code", "said"),
    [
        (b'{"alive": true, "ready": false, "why": ["a", "b"]}', (), 1, "answered: a; b"),
        (b'{"alive": true, "ready": false, "why": []}', (), 1, "answered: not yet"),
        (b'{"alive": true, "ready": false, "why": ["a"]}', ("--alive",), 0, ""),
        (b'{"alive": false, "ready": false, "why": []}', ("--alive",), 1, "is ending"),
        (b'{"error": "no such route"}', (), 1, "is no jrc daemon"),
        (b"[]", (), 1, "is no jrc daemon"),
        (b"SSH-2.0", (), 1, "is no jrc daemon"),
    ],
)
def test_the_cause_is_what_the_daemon_gives(
    tmp_path: Path, answer: bytes, words: tuple[str, ...], code: int, said: str
) -> None:
    """An engine keeps what a health check says."""
    terminal = Terminal(tmp_path)
    terminal.config.write_text('[admin]\nsocket = "admin.sock"\n')
    done = told(terminal, answer, *words)
    assert (code, said in done.err) == (done.code, True), done.err


def test_it_loads_nothing_heavy(made: Terminal) -> None:
    """It runs twice a minute for years, on small boards too."""
    program = (
        "import sys; from jrc.cli.main import main; main(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", program, "--config", str(made.config), "healthcheck"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert set() == set(done.stdout.split()) & HEAVY
    assert "no daemon answers" in done.stderr

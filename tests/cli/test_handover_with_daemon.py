"""``jrc handover open`` through a daemon: once, whoever opens and whatever is killed."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.clock import SystemClock
from jrc.errors import ExitCode
from jrc.handover.envelope import Cover
from jrc.handover.sealing import seal
from tests.cli.terminal import Terminal, environment, one_sentence
from tests.cli.test_import_with_daemon import staged, wait_until
from tests.handover.making import Ends, packing

MANY = 1500


class Field:
    """Keys of both ends, and sealed files, beside a registrar."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal = terminal
        self.folder = folder
        self.ends = Ends.new()
        self._at = 4096
        self.rows: list[str] = []
        """Those of the last file."""
        (folder / "registrar.key").write_bytes(self.ends.registrar.pem().reveal())
        (folder / "registrar.key").chmod(0o600)
        (folder / "builder.pub").write_bytes(self.ends.builder.public.pem())

    def seal(self, name: str, count: int) -> str:
        """A file with so many new devices."""
        self.rows = [f"{self._at + n:016x},{os.urandom(16).hex()},lab" for n in range(count)]
        self._at += count
        packed = packing(self.rows, "pledge_id,psk,network")
        ids = self.ends.builder.public.key_id, self.ends.registrar.public.key_id
        now_s = SystemClock().now_ms() // 1000
        cover = Cover(*ids, name, now_s, now_s + 3600, count)
        path = self.folder / name
        builder, registrar = self.ends.builder, self.ends.registrar.public
        path.write_bytes(seal(packed.content(), cover, builder, registrar))
        return str(path)

    def words(self, path: str) -> tuple[str, ...]:
        """The command that opens it."""
        key, pub = self.folder / "registrar.key", self.folder / "builder.pub"
        return ("handover", "open", path, "--key", str(key), "--from", str(pub))

    def begun(self, path: str) -> subprocess.Popen[bytes]:
        """The command, under way."""
        command = self.terminal.command(*self.words(path))
        return subprocess.Popen(command, stderr=subprocess.PIPE, env=environment())

    def opened(self) -> set[str]:
        listed = self.terminal.process("handover", "list", "--json").json
        return {each["serial"] for each in listed}

    def count(self) -> int:
        return len(self.terminal.process("pledge", "list", "--json").json)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    """A registrar with a network, which runs where a test says so."""
    terminal = Terminal(tmp_path_factory.mktemp("jrc"))
    terminal.init()
    terminal.add_lab()
    return Field(terminal, tmp_path_factory.mktemp("keys"))


@pytest.fixture
def running(field: Field) -> Iterator[Field]:
    with field.terminal.daemon():
        yield field


def test_of_three_that_open_a_file_at_once_one_does(running: Field) -> None:
    """The others are told why, once; no device is there twice."""
    before = running.count()
    path = running.seal("all", 1000)
    every = [running.begun(path) for _ in range(3)]
    told = [each.communicate(timeout=90)[1].decode() for each in every]
    codes = [each.returncode for each in every]
    assert [ExitCode.DONE, ExitCode.REFUSED, ExitCode.REFUSED] == sorted(codes), told
    for code, said in zip(codes, told, strict=True):
        if code == ExitCode.REFUSED:
            assert re.match(r"error: the sealed file all of .* (is being|was) opened", said), said
            assert len(said) < 500
    last = running.terminal.process(*running.words(path))
    assert (last.code, "and is opened once" in last.err) == (ExitCode.REFUSED, True)
    assert "all" in running.opened()
    assert running.count() == before + 1000


def test_a_file_whose_devices_somebody_imports_just_now_is_refused_in_one_sentence(
    running: Field,
) -> None:
    """Not row by row: there is nothing to settle in it. It can be opened once that has ended."""
    path = running.seal("also", 200)
    more = (f"{n + (1 << 40):016x},{os.urandom(16).hex()},lab" for n in range(12_000))
    rows = "\n".join(("pledge_id,psk,network", *running.rows, *more, ""))
    importing = subprocess.Popen(
        running.terminal.command("pledge", "import", "-"), stdin=subprocess.PIPE, env=environment()
    )
    assert importing.stdin is not None
    importing.stdin.write(rows.encode())
    importing.stdin.flush()
    wait_until(lambda: staged(running.terminal) > 200)
    done = running.terminal.process(*running.words(path))
    importing.kill()
    importing.communicate(timeout=90)
    one_sentence(done, ExitCode.REFUSED)
    assert f"somebody else is opening {path} just now, or imports its devices;" in done.err
    assert "`jrc handover list`" in done.err
    wait_until(lambda: staged(running.terminal) == 0)
    assert running.terminal.process(*running.words(path)).code == ExitCode.DONE


def test_an_opening_that_is_killed_uses_nothing_up(running: Field) -> None:
    """The command dies while its rows are staged; it is opened again."""
    before = running.count()
    path = running.seal("torn", MANY)
    opening = running.begun(path)
    wait_until(lambda: staged(running.terminal) > 0)
    opening.kill()
    opening.communicate(timeout=90)
    wait_until(lambda: staged(running.terminal) == 0)
    if "torn" in running.opened():  # it was done before it was killed
        assert running.count() == before + MANY
        return
    assert running.count() == before
    done = running.terminal.process(*running.words(path))
    assert done.code == 0, done.err
    assert running.count() == before + MANY
    assert running.terminal.process(*running.words(path)).code == ExitCode.REFUSED


def test_a_daemon_that_is_killed_meanwhile_leaves_all_or_nothing(field: Field) -> None:
    """After its start the file was opened, or can be opened again."""
    path = field.seal("killed", MANY)
    with field.terminal.daemon() as daemon:
        before = field.count()
        opening = field.begun(path)
        wait_until(lambda: staged(field.terminal) > 0)
        daemon.kill()
        opening.communicate(timeout=90)
    with field.terminal.daemon():
        was_opened = "killed" in field.opened()
        assert field.count() == before + MANY * was_opened
        done = field.terminal.process(*field.words(path))
        assert done.code == (ExitCode.REFUSED if was_opened else ExitCode.DONE), done.err
        assert field.count() == before + MANY
    assert "killed" in field.opened()

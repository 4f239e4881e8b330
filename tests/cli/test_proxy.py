"""`jrc proxy` and what `jrc check-config` says of [proxy]."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import rich  # noqa: F401 - `jrc proxy` keeps it out of a process that has not got it yet

from jrc.coap.proxy_state import NodeState
from jrc.errors import ExitCode
from jrc.model import Secret
from tests.cli.terminal import PSK, Done, Terminal

PROXY = '[proxy]\ninterface = "no-such-0"\njrc = "[::1]:5683"\n'


def written(tmp_path: Path, text: str) -> Terminal:
    """A folder with a config file and nothing else: no key, no database."""
    terminal = Terminal(tmp_path)
    terminal.config.write_text(text)
    return terminal


def refused(done: Done, sentence: str, code: int = ExitCode.FAILED) -> None:
    error, hint = done.err.splitlines()
    assert (done.code, done.out) == (code, "")
    assert sentence in error
    assert hint.startswith("hint: ")


def test_without_its_section_there_is_no_proxy(tmp_path: Path) -> None:
    """What to add is said."""
    refused(written(tmp_path, "").jrc("proxy"), "[proxy] is missing in the config file")


def test_a_registrar_on_the_wildcard_is_the_proxy_itself(tmp_path: Path) -> None:
    """One file can't be for both on one host: the ports are the same."""
    terminal = written(tmp_path, f'[coap]\nlisten = ["[::]:5683"]\n{PROXY}')
    refused(terminal.jrc("proxy"), "coap.listen: [::]:5683 is every address", ExitCode.REFUSED)


@pytest.mark.parametrize("command", ["proxy", "check-config"])
@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (None, 0, "can't be read"),
        ("00" * 16, 0o644, "by others"),
        ("xyz", 0o600, "not hold a key"),
        ("00" * 16, 0o600, "the PSK is weak: all its bytes are equal"),
    ],
)
def test_a_key_of_no_use_is_refused(
    tmp_path: Path, command: str, content: str | None, mode: int, sentence: str
) -> None:
    """Before anything starts, and without a byte of it (RFC 9031 §3)."""
    if content is not None:
        (tmp_path / "psk").write_text(content)
        (tmp_path / "psk").chmod(mode)
    terminal = written(tmp_path, f'{PROXY}pledge_id = "01"\npsk_file = "psk"\n')
    done = terminal.jrc(command)
    refused(done, sentence)
    assert done.err.startswith("error: proxy.psk_file: ")
    assert content is None or content not in done.err


def test_check_config_takes_a_file_with_a_proxy_alone(tmp_path: Path) -> None:
    """No database, no key, no folder of a socket; an interface may come later."""
    done = written(tmp_path, f'{PROXY}[log]\nlevel = "info"\n').jrc("check-config")
    note, verdict = done.out.splitlines()
    assert done.code == 0
    assert note.startswith("proxy.interface: no-such-0 is not there")
    assert verdict.endswith("is in order")


def test_help_has_an_example(tmp_path: Path) -> None:
    """As every command's."""
    done = written(tmp_path, "").jrc("proxy", "--help")
    assert "jrc --config /etc/jrc/proxy.toml proxy" in done.out


def test_check_config_refuses_a_damaged_state_and_takes_one_in_use(tmp_path: Path) -> None:
    """It tells which numbers were used; the lock is the daemon's (RFC 9031 §7.3.1)."""
    psk = tmp_path / "psk"
    psk.write_text(PSK)
    psk.chmod(0o600)
    terminal = written(tmp_path, f'{PROXY}pledge_id = "01"\npsk_file = "psk"\n')
    assert terminal.jrc("check-config").code == 0
    assert not (tmp_path / "psk.state.lock").exists()
    state = NodeState.open(tmp_path / "psk.state", b"\x01", Secret(bytes.fromhex(PSK)))
    state.accept(7)
    assert terminal.jrc("check-config").code == 0
    state.close()
    (tmp_path / "psk.state").write_text("{")
    done = terminal.jrc("check-config")
    refused(done, "psk.state is damaged")
    assert "delete the file" in done.err


def test_check_config_refuses_a_network_that_is_not_there(tmp_path: Path) -> None:
    """And says which one may be meant; with its name, nothing is wrong."""
    terminal = Terminal(tmp_path / "registrar")
    terminal.init()
    terminal.add_lab()
    before = terminal.config.read_text()
    terminal.config.write_text(f'{before}\n{PROXY}network = "labb"\n')
    done = terminal.jrc("check-config")
    assert done.code == ExitCode.FAILED
    assert "proxy.network: there is no network 'labb'; did you mean lab?" in done.err
    terminal.config.write_text(f'{before}\n{PROXY}network = "lab"\n')
    assert terminal.jrc("check-config").code == 0
    assert terminal.jrc("network", "remove", "lab", "--yes").code == 0
    assert "proxy.network: there is no network 'lab'" in terminal.jrc("check-config").err


def test_check_config_says_where_it_could_not_look_for_a_network(tmp_path: Path) -> None:
    """A database whose last pages are still to be read in is no error, and stays as it is."""
    terminal = Terminal(tmp_path / "registrar")
    terminal.init()
    terminal.config.write_text(f'{terminal.config.read_text()}\n{PROXY}network = "labb"\n')
    database = terminal.folder / "jrc.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 1")
        killed = {path: path.read_bytes() for path in (database, Path(f"{database}-wal"))}
    for path, content in killed.items():
        path.write_bytes(content)
    before = {path.name: path.read_bytes() for path in terminal.folder.glob("jrc.*")}
    done = terminal.jrc("check-config")
    assert before == {path.name: path.read_bytes() for path in terminal.folder.glob("jrc.*")}
    assert done.code == 0
    for key in ("database.url", "proxy.network"):
        assert f"{key}: the database could not be looked at without changing" in done.out


def test_a_blocklist_that_is_not_hex_is_refused(tmp_path: Path) -> None:
    """By check-config, with the key's name."""
    done = written(tmp_path, f'{PROXY}blocklist = ["0g"]\n').jrc("check-config")
    assert done.code != 0
    assert "proxy.blocklist" in done.err

"""Commands without a daemon: output, exit codes, questions, and what is never printed."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, RootTransaction, text
from typer.main import get_command

from jrc.cli.known_names import WITHIN_S
from jrc.cli.tree import app
from jrc.config import load
from jrc.errors import CommitError, ExitCode, StateError
from jrc.store import migrate
from jrc.store.connection import WriterConnection
from jrc.store.lock import StateLock
from tests.cli.terminal import PLEDGE, PREFIX, Terminal, one_sentence

AGE_RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"


@pytest.fixture(scope="module")
def made(made: Terminal) -> Terminal:
    """A registrar with a network and a pledge that no test of this module changes."""
    made.add_lab()
    return made


# networks


def test_a_network_is_listed_as_columns_and_as_json(made: Terminal) -> None:
    """Tab-separated where no terminal is, one JSON document with --json."""
    header, row = made.jrc("network", "list").out.splitlines()
    assert header.split("\t")[:2] == ["NAME", "NETWORK ID"]
    assert row.split("\t")[:3] == ["lab", "cafe", PREFIX]
    (network,) = made.jrc("network", "list", "--json").json
    assert network["pledges"] == 1
    assert made.jrc("network", "show", "lab", "--json").json == network


def test_a_network_that_does_not_exist_names_the_nearest(made: Terminal) -> None:
    """One sentence and a hint."""
    done = made.jrc("network", "show", "lba")
    one_sentence(done, ExitCode.FAILED)
    assert "did you mean lab?" in done.err


def test_settings_are_set_and_taken_away(terminal: Terminal) -> None:
    """`none` is no limit; what is not named stays."""
    terminal.add_lab()
    words = ("network", "set", "lab", "--json")
    set_ = terminal.jrc(*words, "--lease-hours", "24", "--join-rate", "100").json
    assert (set_["lease_hours"], set_["join_rate_bytes_per_s"]) == (24, 100)
    freed = terminal.jrc(*words, "--lease-hours", "none").json
    assert (freed["lease_hours"], freed["join_rate_bytes_per_s"]) == (None, 100)
    assert terminal.jrc("network", "set", "lab").code == ExitCode.USAGE
    assert terminal.jrc(*words, "--lease-hours", "many").code == ExitCode.USAGE


def test_removing_a_network_shows_its_plan_and_needs_a_yes(terminal: Terminal) -> None:
    """Without a terminal to ask on and without --yes nothing happens, exit code 6."""
    terminal.add_lab()
    done = terminal.jrc("network", "remove", "lab")
    assert done.code == ExitCode.REFUSED
    assert "1 pledge can join nowhere then" in done.err
    assert len(terminal.jrc("network", "list", "--json").json) == 1
    assert terminal.jrc("network", "remove", "lab", "--yes").code == 0
    assert terminal.jrc("network", "list", "--json").json == []


# the way to the database


def test_status_without_a_daemon_is_exit_code_3(made: Terminal) -> None:
    """And says how to start it; what the database has is shown all the same."""
    done = made.jrc("status")
    assert done.code == ExitCode.UNREACHABLE
    shown = dict(line.split("  ", 1) for line in done.out.splitlines())
    assert {name.strip(): text.strip() for name, text in shown.items()}["networks"] == "lab"
    assert "up for" not in done.out
    assert done.err.startswith("error: the daemon is not running\n")
    assert f"jrc --config {made.config} run" in done.err
    as_json = made.jrc("status", "--json")
    assert as_json.code == ExitCode.UNREACHABLE
    assert (as_json.json["ready"], as_json.json["pledges"]["provisioned"]) == (False, 1)


def test_status_without_daemon_and_database_is_the_sentence_alone(terminal: Terminal) -> None:
    """Damaged, of a user of its own or on a server: what is asked is whether the daemon runs."""
    (terminal.folder / "jrc.db").write_bytes(b"no database" * 1000)
    done = terminal.jrc("status")
    one_sentence(done, ExitCode.UNREACHABLE)
    assert done.err.startswith("error: the daemon is not running\n")


def test_status_of_a_damaged_database_is_that_no_daemon_runs(
    made: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`jrc events verify` and others say what is damaged."""

    def damaged(_common: object) -> object:
        raise StateError("row 7 does not authenticate")

    monkeypatch.setattr("jrc.cli.status.connect", damaged)
    done = made.jrc("status")
    one_sentence(done, ExitCode.UNREACHABLE)
    assert done.err.startswith("error: the daemon is not running\n")


def test_status_names_a_process_that_has_the_database_and_does_not_answer(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it has waited for it: it may be a daemon that is about to start."""
    monkeypatch.setattr("jrc.opened.LOCK_WITHIN_S", 0.1)
    with StateLock(terminal.folder / "jrc.db"):
        done = terminal.jrc("status")
    one_sentence(done, ExitCode.UNREACHABLE)
    assert str(os.getpid()) in done.err


def test_a_stale_socket_is_no_daemon(terminal: Terminal) -> None:
    """What a killed daemon left does not keep commands from working."""
    from jrc.admin.server import bind_unix

    bind_unix(terminal.folder / "admin.sock").close()
    assert terminal.jrc("network", "list").code == 0


def test_a_held_lock_names_the_process(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that can't be reached, yet has the database."""
    monkeypatch.setattr("jrc.opened.LOCK_WITHIN_S", 0.1)
    with StateLock(terminal.folder / "jrc.db"):
        done = terminal.jrc("network", "list")
    one_sentence(done, ExitCode.UNREACHABLE)
    assert str(os.getpid()) in done.err


def test_another_users_database_is_left_alone(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of another owner would be in the daemon's way: the user to become is named."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    before = sorted(path.name for path in terminal.folder.iterdir())
    done = terminal.jrc("network", "list")
    one_sentence(done, ExitCode.REFUSED)
    assert "hint: run: sudo -u " in done.err
    assert sorted(path.name for path in terminal.folder.iterdir()) == before


def test_a_damaged_database_is_one_sentence(terminal: Terminal) -> None:
    """Not a traceback of the driver."""
    (terminal.folder / "jrc.db").write_bytes(b"no database" * 1000)
    one_sentence(terminal.jrc("network", "list"), ExitCode.FAILED)


@pytest.mark.parametrize(
    "words",
    [
        ("network", "set", "lab", "--join-rate", "7", "--reason", "r"),
        ("pledge", "revoke", PLEDGE, "--yes"),
        ("quarantine", "--yes"),
        ("backup", "create", "b", "--recipient", AGE_RECIPIENT),
        ("keys", "rotate", "--yes"),
    ],
)
def test_a_commit_of_which_nobody_knows_is_one_sentence(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """A disk that fails in a sync: nothing tells what is on it, and the person is told that."""
    terminal.add_lab()
    monkeypatch.chdir(terminal.folder)

    def fail(_self: WriterConnection, _transaction: RootTransaction) -> None:
        raise CommitError("disk I/O error")

    monkeypatch.setattr(WriterConnection, "commit", fail)
    done = terminal.jrc(*words)
    assert ExitCode.FAILED == done.code
    assert "error: the database failed as a change was being written (disk I/O error)" in done.err
    assert "`jrc events`" in done.err
    assert "Traceback" not in done.err


def test_an_upgrade_that_is_not_needed_changes_nothing(terminal: Terminal) -> None:
    """No copy is made."""
    before = (terminal.folder / "jrc.db").read_bytes()
    done = terminal.jrc("db", "upgrade")
    assert (done.code, "already" in done.out) == (0, True)
    assert (terminal.folder / "jrc.db").read_bytes() == before


@pytest.mark.parametrize("has_key", [True, False])
def test_an_upgrade_is_in_the_audit_log(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    """Or it is said that it is not, where nothing opens the database; it is upgraded anyway."""

    def migrated(connection: Connection, _revision: str = "head") -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))

    monkeypatch.setattr(migrate, "SCHEMA_REVISION", "0002")
    monkeypatch.setattr(migrate, "migrate", migrated)
    kek = terminal.folder / "kek"
    if not has_key:
        kek.rename(terminal.folder / "away")
    done = terminal.jrc("db", "upgrade", "--reason", "2.0")
    assert (0, not has_key) == (done.code, "the audit log does not tell of it" in done.err)
    if not has_key:
        (terminal.folder / "away").rename(kek)
    found = terminal.jrc("events", "--kind", "database.upgraded", "--json").json
    assert [({"schema": ["0001", "0002"]}, "2.0")] * has_key == [
        (event["detail"], event["reason"]) for event in found
    ]


# config


def test_check_config_says_that_all_is_in_order(made: Terminal) -> None:
    """Nothing is started or changed."""
    done = made.jrc("check-config")
    assert (done.code, done.out) == (0, f"{made.config} is in order\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("listen = [", "lisen = [", "coap.lisen"),
        ("kek_file = ", 'kek_file = "/nowhere/kek" # ', "keys.kek_file"),
        ("socket = ", 'socket = "/nowhere/admin.sock" # ', "admin.socket"),
        ("url = ", 'url = "sqlite:////nowhere/jrc.db" # ', "database.url"),
    ],
)
def test_a_wrong_setting_is_one_sentence_with_its_name(
    terminal: Terminal, old: str, new: str, said: str
) -> None:
    """Unknown keys, files that are not there."""
    terminal.config.write_text(terminal.config.read_text().replace(old, new))
    done = terminal.jrc("check-config")
    assert (done.code, done.out) == (1, "")
    assert said in done.err.splitlines()[0]


@pytest.mark.parametrize("place", ["[2001:db8::dead]", "[fe80::1%no-such-0]"])
def test_an_address_that_this_host_lacks_is_a_note(terminal: Terminal, place: str) -> None:
    """The daemon listens on it when it comes, without a restart."""
    text = terminal.config.read_text()
    terminal.config.write_text(text.replace('listen = ["[::1]', f'listen = ["{place}'))
    done = terminal.jrc("check-config")
    note, verdict = done.out.splitlines()
    assert (0, True, True) == (done.code, f"coap.listen: {place}" in note, "in order" in verdict)


@pytest.mark.parametrize("words", [("check-config",), ("network", "list"), ("db", "upgrade")])
def test_a_server_that_can_not_be_reached_is_one_sentence(
    terminal: Terminal, words: tuple[str, ...]
) -> None:
    """Without the password of its URL."""
    url = "postgresql+psycopg://jrc:hunter2@/jrc?host=/nowhere"
    text = terminal.config.read_text()
    terminal.config.write_text(re.sub(r'"sqlite:///[^"]*"', f'"{url}"', text))
    done = terminal.jrc(*words)
    one_sentence(done, ExitCode.FAILED)
    assert done.err.startswith("error: database.url: ")
    assert "hunter2" not in done.err


def test_a_readable_key_encryption_key_is_refused(terminal: Terminal) -> None:
    """Mode 0600, or nothing opens."""
    (terminal.folder / "kek").chmod(0o644)
    done = terminal.jrc("network", "list")
    one_sentence(done, ExitCode.FAILED)
    assert "keys.kek_file" in done.err


# help


def _commands(found: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Whatever can be said after ``jrc``, with its help."""
    below = getattr(found, "commands", {})
    if words and (not below or found.invoke_without_command):
        yield words, found.help or ""
    for name, command in below.items():
        yield from _commands(command, (*words, name))


def test_every_command_has_an_example() -> None:
    """--help of each command shows it in use."""
    without = [words for words, text in _commands(get_command(app)) if "Example" not in text]
    assert [] == without


def test_a_wrong_option_is_exit_code_2(made: Terminal) -> None:
    """As everywhere."""
    assert made.jrc("network", "lst").code == ExitCode.USAGE
    assert made.jrc("--colour").code == ExitCode.USAGE
    assert made.jrc("run", "--fast").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("pledge", "revoke", PLEDGE, "--yes", "--reason", "x\udcff"), "--reason"),
        (("pledge", "show", "\udcff"), "the pledge identifier"),
        (("pledge", "list", "--network", "\udcff"), "network"),
        (("pledge", "import", "-", "--reason", "\udcff"), "--reason"),
        (("network", "show", "\udcff"), "the name"),
        (("network", "set", "lab", "--lease-hours", "1", "--reason", "\udcff"), "--reason"),
        (("network", "add", "\udcff", "--network-id", "01", "--prefix", PREFIX), "name"),
        (("network", "set", "lab", "--network-id", "\udcff"), "identifiers"),
        (("events", "--kind", "\udcff"), "kind"),
    ],
)
def test_an_argument_that_is_no_utf8_is_a_usage_error(
    made: Terminal, words: tuple[str, ...], named: str
) -> None:
    """Python passes such bytes on as lone surrogates (PEP 383)."""
    done = made.jrc(*words)
    one_sentence(done, ExitCode.USAGE)
    assert done.err.startswith(f"error: {named} is not UTF-8 text\n")


def test_bytes_that_are_no_utf8_reach_a_command_as_such(made: Terminal) -> None:
    """As a shell gives them: --reason $'x\\xff'."""
    done = made.process("pledge", "revoke", PLEDGE, "--yes", "--reason", "x\udcff")
    one_sentence(done, ExitCode.USAGE)
    assert "--reason is not UTF-8 text" in done.err


# on a terminal


def test_a_question_is_asked_on_a_terminal_and_no_is_no(terminal: Terminal) -> None:
    """The plan, then a question; anything but a yes changes nothing."""
    terminal.add_lab()
    code, shown = terminal.typed("pledge", "revoke", PLEDGE, answer="n\n")
    assert code == ExitCode.REFUSED
    assert "gets no more answers" in shown
    assert terminal.jrc("pledge", "show", PLEDGE, "--json").json["state"] == "provisioned"
    assert terminal.typed("pledge", "revoke", PLEDGE, answer="y\n")[0] == 0
    assert terminal.jrc("pledge", "show", PLEDGE, "--json").json["state"] == "revoked"


def test_a_key_that_is_typed_is_not_echoed(terminal: Terminal) -> None:
    """A hidden prompt, where there is a terminal and no file."""
    terminal.add_lab()
    psk = os.urandom(16).hex()
    code, shown = terminal.typed("pledge", "add", "01", answer=psk + "\n")
    assert (code, psk in shown) == (0, False)


def test_a_terminal_shows_a_table_with_all_of_an_identifier(terminal: Terminal) -> None:
    """Aligned columns; long cells fold and are never cut."""
    terminal.add_lab()
    label = "[bold]a label of some length[/], second floor"
    assert terminal.add_pledge("ab" * 8, os.urandom(16).hex(), "--label", label).code == 0
    code, shown = terminal.typed("pledge", "list")
    assert (code, PLEDGE in shown, "[bold]a" in shown, "…" in shown) == (0, True, True, False)


# completion


def completed(terminal: Terminal, *words: str) -> list[str]:
    """What the script that `jrc completion` prints gets for the last word."""
    line = " ".join(["jrc", "--config", str(terminal.config), *words])
    environment = {
        "_JRC_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(2 + len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "jrc.cli.main"],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=90,
        text=True,
    )
    assert "" == done.stderr
    return done.stdout.split()


def test_a_shell_gets_commands_completed(made: Terminal) -> None:
    """With those of a group."""
    assert "_JRC_COMPLETE" in made.jrc("completion", "bash").out
    found = completed(made, "pledge", "re")
    assert found == ["revoke", "restore", "replace", "recover", "remove"]


def test_a_shell_gets_networks_and_tokens_completed(terminal: Terminal) -> None:
    """From a daemon that runs; without one, and of a registrar elsewhere, there are none."""
    terminal.add_lab()
    terminal.jrc("token", "add", "ci-firmware", "--scope", "read")
    shown = ("network", "show", "l")
    assert [] == completed(terminal, *shown)
    with terminal.daemon():
        assert ["lab"] == completed(terminal, *shown)
        assert [] == completed(terminal, "network", "show", "x")
        assert ["lab"] == completed(terminal, "rollover", "start", "l")
        assert ["lab"] == completed(terminal, "pledge", "list", "--network", "l")
        assert ["ci-firmware"] == completed(terminal, "token", "revoke", "ci")
        assert [] == completed(terminal, "token", "add", "ci")
        assert [] == completed(terminal, "--url", "https://h", *shown)


def test_a_shell_waits_a_moment_for_a_daemon_that_stands_still(terminal: Terminal) -> None:
    """Somebody is at the prompt."""
    socket_file = load(terminal.config).admin.socket
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(socket_file))
        deaf.listen()
        assert [] == completed(terminal, "network", "show", "l")
    assert WITHIN_S <= 0.25

"""`jrc doctor` on config file, key, database and instance file; what is wrong is wrong for real."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from jrc.store.lock import StateLock
from jrc.store.schema import SCHEMA_REVISION
from tests.cli.examined import (
    FAILURE,
    SKIPPED,
    SUCCESS,
    WARNING,
    FixedClock,
    case_of,
    findings,
    one,
    statuses,
)
from tests.cli.terminal import Terminal

STATE = ("config", "key", "database", "instance_file")


def sql(terminal: Terminal, statement: str) -> None:
    """Change the database past the program."""
    with sqlite3.connect(terminal.folder / "jrc.db") as connection:
        connection.execute(statement)
    connection.close()


def change(terminal: Terminal, old: str, new: str) -> None:
    """Change the config file."""
    text = terminal.config.read_text()
    assert old in text
    terminal.config.write_text(text.replace(old, new))


def test_a_new_registrar_is_in_order(terminal: Terminal) -> None:
    """As `jrc init` makes it."""
    for name in STATE:
        found = one(terminal, name)
        assert (found.status, found.hint) == (SUCCESS, ""), found


def test_looking_changes_nothing(terminal: Terminal) -> None:
    """Not even the times of the files; of the locks the files stay."""
    before = {path.name: path.stat().st_mtime_ns for path in terminal.folder.iterdir()}
    findings(case_of(terminal), "join")
    after = {path.name: path.stat().st_mtime_ns for path in terminal.folder.iterdir()}
    for name in ("jrc.db.lock", "jrc.instance.lock"):
        after.pop(name)
    assert before == after


# The config file


def test_a_missing_config_file_fails_and_what_needs_it_is_skipped(terminal: Terminal) -> None:
    """From cause to effect: each later line names the cause."""
    terminal.config.unlink()
    found = one(terminal, "config")
    assert (found.status, found.hint) == (FAILURE, "`jrc init` writes one")
    later = one(terminal, "key")
    assert (later.status, later.what) == (SKIPPED, "not looked at, because of: config")
    assert {SKIPPED} == set(statuses(terminal, "ports"))
    assert [SUCCESS, SUCCESS] == statuses(terminal, "dscp")


@pytest.mark.parametrize(
    ("line", "named"),
    [("listne = 1", "coap.listne"), ("[", "TOML")],
)
def test_a_config_file_that_is_not_in_order_fails(
    terminal: Terminal, line: str, named: str
) -> None:
    """With the sentence of `check-config`."""
    change(terminal, "[coap]", f"[coap]\n{line}")
    found = one(terminal, "config")
    assert found.status is FAILURE
    assert named in found.what
    assert found.hint
    assert terminal.jrc("check-config").err.startswith(f"error: {found.what}\n")


def test_a_server_that_can_not_be_reached_fails(terminal: Terminal) -> None:
    """As `jrc run` would; without the password of its URL."""
    url = f'"sqlite:///{terminal.folder / "jrc.db"}"'
    change(terminal, url, '"postgresql://jrc:hunter2@/jrc?host=/nowhere"')
    found = one(terminal, "database")
    assert found.status is FAILURE
    assert "can't be opened" in found.what
    assert "hunter2" not in found.what + found.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_config_file_that_this_user_may_not_read_names_who_may(terminal: Terminal) -> None:
    """The service's config file is its group's to read."""
    terminal.config.chmod(0)
    found = one(terminal, "config")
    assert found.status is FAILURE
    assert "run it as" in found.hint


# The key


def test_a_key_that_others_can_read_fails(terminal: Terminal) -> None:
    """With the command that mends it."""
    kek = terminal.folder / "kek"
    kek.chmod(0o644)
    found = one(terminal, "key")
    assert (found.status, found.hint) == (FAILURE, f"run: chmod 600 {kek}")
    assert one(terminal, "database").status is SKIPPED


def test_a_missing_key_fails(terminal: Terminal) -> None:
    """And says what it was."""
    (terminal.folder / "kek").unlink()
    assert one(terminal, "key").status is FAILURE


def test_a_file_that_is_no_key_fails_without_showing_it(terminal: Terminal) -> None:
    """It may be another secret."""
    (terminal.folder / "kek").write_text("correct horse battery staple")
    found = one(terminal, "key")
    assert found.status is FAILURE
    assert "horse" not in found.what + found.hint


def test_another_user_is_told_whose_it_is(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made that would be in the service's way; a warning, as not all is known."""
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    found = one(terminal, "key")
    assert found.status is WARNING
    assert "sudo -u" in found.hint
    assert one(terminal, "database").status is SKIPPED
    assert one(terminal, "instance_file").status is SKIPPED
    assert not (terminal.folder / "jrc.db.lock").exists()


def test_a_credential_of_the_service_manager_is_skipped(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is passed to the service and to nobody else."""
    change(terminal, f'kek_file = "{terminal.folder / "kek"}"', 'credential = "jrc-kek"')
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert one(terminal, "key").status is SKIPPED
    (terminal.folder / "kek").rename(terminal.folder / "jrc-kek")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(terminal.folder))
    assert one(terminal, "key").status is SUCCESS
    assert one(terminal, "database").status is SUCCESS


# The database


@pytest.mark.parametrize(("schema", "advice"), [("0000", "jrc db upgrade"), ("9999", "version")])
def test_another_schema_fails(terminal: Terminal, schema: str, advice: str) -> None:
    """An older one can be upgraded, a newer one needs a newer program."""
    sql(terminal, f"UPDATE alembic_version SET version_num = '{schema}'")
    found = one(terminal, "database")
    assert found.status is FAILURE
    assert schema in found.what
    assert SCHEMA_REVISION in found.what
    assert advice in found.hint
    assert one(terminal, "instance_file").status is SKIPPED


def test_the_key_of_another_database_fails(terminal: Terminal, tmp_path: Path) -> None:
    """It is a good key, and opens nothing here."""
    other = Terminal(tmp_path / "other")
    other.init(anew=True)
    (terminal.folder / "kek").write_text((other.folder / "kek").read_text())
    found = one(terminal, "key")
    assert found.status is FAILURE
    assert "opens no slot of this database" in found.what
    assert one(terminal, "database").status is SKIPPED


def test_a_single_key_slot_is_a_warning(tmp_path: Path) -> None:
    """If its key is lost, so is everything; all else is in order."""
    terminal = Terminal(tmp_path / "new")
    terminal.init(recovery=False)
    schema, slots = findings(case_of(terminal), "database")
    assert (SUCCESS, WARNING) == (schema.status, slots.status)
    assert "jrc keys add recovery" in slots.what


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garble(path: Path) -> None:
    path.write_bytes(b"no database at all\n" * 1000)


def open_up(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize("spoil", [Path.unlink, empty, garble, open_up])
def test_a_file_that_is_no_private_database_fails(
    terminal: Terminal, spoil: Callable[[Path], None]
) -> None:
    """Gone, empty, something else, or open to others."""
    spoil(terminal.folder / "jrc.db")
    found = one(terminal, "database")
    assert found.status is FAILURE
    assert found.hint


def test_a_database_that_does_not_authenticate_fails(terminal: Terminal) -> None:
    """One number changed by hand: SQLite finds nothing wrong with it."""
    sql(terminal, "UPDATE instance SET commit_number = commit_number + 1")
    found = one(terminal, "database")
    assert found.status is FAILURE
    assert "does not authenticate" in found.what


def test_a_database_that_somebody_holds_is_a_warning(terminal: Terminal) -> None:
    """A process without an admin socket: it is named and not disturbed."""
    with StateLock(terminal.folder / "jrc.db"):
        found = one(terminal, "database")
        assert found.status is WARNING
        assert f"in use by process {os.getpid()}" in found.what
        assert one(terminal, "instance_file").status is SKIPPED


# The instance file


def test_a_missing_instance_file_fails(terminal: Terminal) -> None:
    """Nothing tells an old copy of the database then."""
    (terminal.folder / "jrc.instance").unlink()
    found = one(terminal, "instance_file")
    assert found.status is FAILURE
    assert found.hint


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("epoch", "00" * 16, "is not the one this host has used"), ("commit_number", 99, "old copy")],
)
def test_another_or_an_older_database_fails(
    terminal: Terminal, field: str, value: object, said: str
) -> None:
    """RFC 9031 §8.3.3: an old copy would repeat nonces."""
    path = terminal.folder / "jrc.instance"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    found = one(terminal, "instance_file")
    assert found.status is FAILURE
    assert said in found.what


def test_e08_a_copy_that_was_worked_on_fails(terminal: Terminal) -> None:
    """It has as many transactions again; its audit log has another entry where one is known."""
    terminal.add_lab()
    path = terminal.folder / "jrc.instance"
    known = {"event": {"number": 1, "hash": "00" * 32}}
    path.write_text(json.dumps(json.loads(path.read_text()) | known))
    found = one(terminal, "instance_file")
    assert found.status is FAILURE
    assert "its audit log lacks event 1" in found.what


# The clock, as the database knows it


def test_a_clock_behind_the_database_fails(terminal: Terminal) -> None:
    """Its latest time is that of `jrc init`."""
    case = case_of(terminal)
    case.clock = FixedClock(1_700_000_000_000)
    behind = findings(case, "clock")[0]
    assert behind.status is FAILURE
    assert "behind the latest time" in behind.what


def test_a_clock_that_went_on_does_not_fail(terminal: Terminal) -> None:
    """Only the kernel's own word is left."""
    assert FAILURE not in statuses(terminal, "clock")

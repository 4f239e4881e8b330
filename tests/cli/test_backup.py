"""`jrc backup`: made, verified and restored as an operator does it."""

import json
import sqlite3
import stat
from contextlib import closing, nullcontext
from pathlib import Path
from unittest.mock import patch

import pytest
from pyrage import x25519

from jrc.errors import ExitCode, StoreError
from tests.cli.terminal import PLEDGE, PSK, Done, Terminal, one_sentence

IDENTITY = x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with an identity file and a passphrase."""
    for name, text in (("id", f"# mine\n{IDENTITY}\n"), ("pw", "correct horse\n"), ("no", "x\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def create(terminal: Terminal, file: Path, *more: str) -> None:
    done = terminal.jrc("backup", "create", str(file), "--recipient", RECIPIENT, *more)
    assert done.code == 0, done.err


def restore(terminal: Terminal, keys: Path, file: Path, *more: str) -> Done:
    words = ("backup", "restore", str(file), "--identity-file", str(keys / "id"), *more)
    return terminal.jrc(*words)


def other(terminal: Terminal, folder: Path) -> Terminal:
    """Another host with a copy of the key file, and nothing else yet."""
    made = Terminal(folder)
    made.init()
    for file in folder.glob("jrc.*"):
        file.unlink()
    (folder / "kek").write_bytes((terminal.folder / "kek").read_bytes())
    return made


def test_a_backup_with_a_passphrase_comes_back_quarantined(terminal: Terminal, keys: Path) -> None:
    """Made, refused another passphrase, restored over the database that is there; asks first."""
    terminal.add_lab()
    file, passphrase = keys / "b", ("--passphrase-file", str(keys / "pw"))
    sealed_for = (*passphrase, "--recipient", RECIPIENT)
    made = terminal.jrc("backup", "create", str(file), *sealed_for, "--reason", "nightly")
    assert (made.code, made.out) == (0, "")
    assert "written and read back" in made.err
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    words = ("backup", "verify", str(file), "--passphrase-file", str(keys / "no"))
    one_sentence(terminal.jrc(*words), ExitCode.REFUSED)
    asked = restore(terminal, keys, file, "--replace")
    assert (ExitCode.REFUSED, True) == (asked.code, "there is no terminal to ask on" in asked.err)
    done = restore(terminal, keys, file, "--replace", "--yes", "--reason", "disk died")
    assert (0, True) == (done.code, "jrc recover --confirm-revocations" in done.err)
    status = terminal.jrc("status", "--json").json
    assert "quarantined" == status["condition"]
    assert "restored from the backup of" in status["condition_why"]
    last = terminal.jrc("events", "--json").json
    kinds = {each["kind"]: each["reason"] for each in last}
    recovered = terminal.jrc("recover", "--confirm-revocations", "--yes")
    assert 0 == recovered.code, recovered.err
    assert "open" == terminal.jrc("status", "--json").json["condition"]
    assert ("nightly", "disk died") == (kinds["backup.begun"], kinds["database.restored"])


def noted(terminal: Terminal) -> list[tuple[str, str]]:
    """Events of backups, with their reasons."""
    events = terminal.jrc("events", "--json").json
    return [(e["kind"], e["reason"]) for e in events if e["kind"].startswith("backup.")]


@pytest.mark.parametrize("with_daemon", [False, True])
def test_a_backup_that_is_whole_is_noted(terminal: Terminal, keys: Path, with_daemon: bool) -> None:
    """As made, once its file was read back; so its age is known whoever made it."""
    words = ("backup", "create", str(keys / "b"), "--recipient", RECIPIENT, "--reason", "cron")
    with terminal.daemon() if with_daemon else nullcontext():
        with patch("jrc.store.backup.output.sync", side_effect=OSError(5, "Input/output error")):
            assert ExitCode.FAILED == terminal.jrc(*words).code
        assert noted(terminal) == [("backup.begun", "cron")]
        assert 0 == terminal.jrc(*words).code
        assert noted(terminal) == [*[("backup.begun", "cron")] * 2, ("backup.made", "cron")]


def test_a_backup_that_can_not_be_noted_is_whole_all_the_same(
    terminal: Terminal, keys: Path
) -> None:
    """It says so: what tells its age does not know of it."""
    words = ("backup", "create", str(keys / "b"), "--recipient", RECIPIENT)
    with patch("jrc.service.backups.note_made", side_effect=StoreError("it is full")):
        done = terminal.jrc(*words)
    assert (0, True) == (done.code, "the audit log does not have it (" in done.err)
    assert (
        0
        == terminal.jrc(
            "backup", "verify", str(keys / "b"), "--identity-file", str(keys / "id")
        ).code
    )


def test_nothing_is_overwritten_without_force(terminal: Terminal, keys: Path) -> None:
    """And nothing is asked or written before that is seen."""
    file = keys / "b"
    create(terminal, file)
    before = file.read_bytes()
    again = terminal.jrc("backup", "create", str(file), "--recipient", RECIPIENT)
    one_sentence(again, ExitCode.REFUSED)
    assert before == file.read_bytes()
    create(terminal, file, "--force")
    assert before != file.read_bytes()
    assert ["b", "id", "no", "pw"] == sorted(p.name for p in keys.iterdir() if p.is_file())


OLD = ["jrc-20250101T000000Z.backup", "jrc-20250102T000000Z.backup"]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with two old backups, and a file of somebody's."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in (*OLD, "readme"):
        (folder / name).write_text("x")
    return folder


def test_in_a_folder_the_newest_stay(terminal: Terminal, shelf: Path) -> None:
    """The file is named by the time; nobody else's is deleted, and none where it was not asked."""
    create(terminal, shelf)
    (first,) = {each.name for each in shelf.iterdir()} - {*OLD, "readme"}
    done = terminal.jrc(
        "backup", "create", str(shelf), "--recipient", RECIPIENT, "--keep", "2", "--force", "--json"
    )
    assert 0 == done.code, done.err
    found = sorted(each.name for each in shelf.iterdir())
    assert "readme" in found
    assert 3 == len(found)
    assert found[1] == Path(done.json["file"]).name
    gone = {Path(each).name for each in done.json["deleted"]}
    assert gone == {*OLD, first} - set(found)


def test_a_quarantined_database_deletes_no_backup(terminal: Terminal, shelf: Path) -> None:
    """Those of before may hold what it lacks."""
    done = terminal.jrc("quarantine", "--yes")
    assert 0 == done.code, done.err
    create(terminal, shelf, "--keep", "1")
    assert set(OLD) < {each.name for each in shelf.iterdir()}


def test_only_in_a_folder_backups_are_kept(terminal: Terminal, keys: Path) -> None:
    """A file's name says nothing of older ones."""
    words = ("backup", "create", str(keys / "b"), "--recipient", RECIPIENT, "--keep", "2")
    one_sentence(terminal.jrc(*words), ExitCode.USAGE)
    assert not (keys / "b").exists()


OWN = (
    "jrc.db", "jrc.db-wal", "jrc.db-shm", "jrc.db.lock", "jrc.instance", "jrc.instance.restored",
    "config.toml", "kek", "by_link", "by_hard_link", "device",
)  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_what_the_registrar_needs_is_no_place_for_a_file(terminal: Terminal, name: str) -> None:
    """By whatever name, with --force, and whether it is there just now or not; nor is a device."""
    file = terminal.folder / name
    if name == "by_link":
        file.symlink_to(terminal.folder / "kek")
    elif name == "by_hard_link":
        file.hardlink_to(terminal.folder / "config.toml")
    elif name == "device":
        file = Path("/dev/null")
    before = {each: each.read_bytes() for each in terminal.folder.iterdir() if each.is_file()}
    for words in (
        ("backup", "create", str(file), "--recipient", RECIPIENT, "--force"),
        (
            "pledge",
            "generate",
            "--count",
            "1",
            "--format",
            "csv",
            "--out",
            str(file),
            "--overwrite",
        ),
        ("events", "export", str(file)),
    ):
        one_sentence(terminal.jrc(*words), ExitCode.REFUSED)
    assert before == {each: each.read_bytes() for each in before}
    assert not Path("/dev/null").is_file()


def test_a_backup_that_was_there_stays_until_the_new_one_is_on_disk(
    terminal: Terminal, keys: Path
) -> None:
    """Where its folder can't be synced, a whole one still has the name."""
    create(terminal, keys / "b")
    words = ("backup", "create", str(keys / "b"), "--recipient", RECIPIENT, "--force")
    with patch("jrc.store.backup.output.sync", side_effect=OSError(5, "Input/output error")):
        failed = terminal.jrc(*words)
    assert (ExitCode.FAILED, True) == (failed.code, "whole one has the name" in failed.err)
    again = terminal.jrc("backup", "verify", str(keys / "b"), "--identity-file", str(keys / "id"))
    assert 0 == again.code, again.err


def test_verify_tells_what_is_in_it(terminal: Terminal, keys: Path) -> None:
    """Also without the key file, though not who made it."""
    terminal.add_lab()
    create(terminal, keys / "b")
    words = ("backup", "verify", str(keys / "b"), "--identity-file", str(keys / "id"))
    found = terminal.jrc(*words, "--json")
    assert 0 == found.code
    assert ({"provisioned": 1}, "whole", 0, False, "open here") == tuple(
        found.json[name] for name in ("pledges", "events", "damaged_rows", "final", "key")
    )
    (terminal.folder / "kek").unlink()
    without = terminal.jrc(*words)
    assert (0, True) == (without.code, "its keys were not opened" in without.out)
    for secret in (PSK, str(IDENTITY)):
        assert secret not in found.out + found.err + without.out + without.err


def test_verify_says_what_was_damaged_before(terminal: Terminal, keys: Path) -> None:
    """Exit code 5: it can be restored, and somebody should know."""
    terminal.add_lab()
    with closing(sqlite3.connect(terminal.folder / "jrc.db")) as connection:
        connection.execute("UPDATE event SET reason = 'other' WHERE number = 1")
        connection.commit()
    create(terminal, keys / "b")
    words = ("backup", "verify", str(keys / "b"), "--identity-file", str(keys / "id"))
    found = terminal.jrc(*words)
    assert (ExitCode.UNFINISHED, True) == (found.code, "entry 1 does not follow" in found.out)


@pytest.mark.parametrize("text", [b"", b"hello", b"jrc-backup 1\n", b"\x00" * 100])
def test_what_is_no_backup_is_said_to_be_none(made: Terminal, tmp_path: Path, text: bytes) -> None:
    """One sentence, whatever the file holds."""
    (tmp_path / "b").write_bytes(text)
    one_sentence(made.jrc("backup", "verify", str(tmp_path / "b")), ExitCode.FAILED)
    one_sentence(made.jrc("backup", "verify", str(tmp_path / "gone")), ExitCode.FAILED)


def test_a_backup_without_passphrase_wants_an_identity(terminal: Terminal, keys: Path) -> None:
    """And says with which option."""
    create(terminal, keys / "b")
    done = terminal.jrc("backup", "verify", str(keys / "b"))
    one_sentence(done, ExitCode.USAGE)
    assert "--identity-file" in done.err


def test_a_bad_recipient_is_refused_before_anything_is_written(
    made: Terminal, tmp_path: Path
) -> None:
    """The file as well."""
    done = made.jrc("backup", "create", str(tmp_path / "b"), "--recipient", "age1nobody")
    one_sentence(done, ExitCode.USAGE)
    assert [] == list(tmp_path.iterdir())


def test_a_dry_run_names_the_pledges_and_changes_nothing(terminal: Terminal, keys: Path) -> None:
    """Those that may come back, with their state."""
    terminal.add_lab()
    create(terminal, keys / "b")
    there = other(terminal, keys / "there")
    before = sorted(file.name for file in there.folder.iterdir())
    found = restore(there, keys, keys / "b", "--dry-run", "--json")
    assert 0 == found.code
    assert [{"pledge_id": PLEDGE, "state": "provisioned", "label": ""}] == found.json["concerned"]
    assert "quarantined" == found.json["condition"]
    assert before == sorted(file.name for file in there.folder.iterdir())
    assert (
        "1 pledge, of which 0 had joined, may come back"
        in restore(there, keys, keys / "b", "--dry-run").out
    )


def test_a_dry_run_says_what_is_in_the_way_and_goes_on(terminal: Terminal, keys: Path) -> None:
    """Also on the host that has the database now, beside its daemon."""
    terminal.add_lab()
    create(terminal, keys / "b")

    def dry(*more: str) -> Done:
        done = restore(terminal, keys, keys / "b", "--dry-run", *more)
        assert 0 == done.code, done.err
        return done

    assert "jrc.db exists" in dry("--json").json["hindered"]
    assert "say --replace" in dry().out
    assert dry("--json", "--replace").json["hindered"] is None
    with patch("jrc.cli.backup_restore.daemon_answers", return_value=True):
        assert "the daemon is running" in dry("--json", "--replace").json["hindered"]


def test_another_key_file_is_refused_by_name(terminal: Terminal, keys: Path) -> None:
    """Before anything is written: what could not be opened would be of no use."""
    create(terminal, keys / "b")
    there = Terminal(keys / "there")
    there.init(anew=True)
    (there.folder / "jrc.db").unlink()
    done = restore(there, keys, keys / "b")
    one_sentence(done, ExitCode.FAILED)
    assert "opens no slot" in done.err
    assert not (there.folder / "jrc.db").exists()


def test_a_lost_key_file_is_replaced_by_the_recovery_identity(
    terminal: Terminal, keys: Path
) -> None:
    """The disk has died with it: the slots are in the backup, and what opens one is not."""
    paper = str(keys / "paper")
    assert 0 == terminal.jrc("keys", "add", "recovery", "paper", "--out", paper).code
    create(terminal, keys / "b")
    for file in ("jrc.db", "jrc.instance", "kek"):
        (terminal.folder / file).unlink()
    one_sentence(restore(terminal, keys, keys / "b"), ExitCode.FAILED)
    done = restore(terminal, keys, keys / "b", "--recovery-file", paper)
    assert (0, True) == (done.code, "jrc keys restore --identity-file" in done.err)
    assert 0 == terminal.jrc("keys", "restore", "--identity-file", paper).code
    assert "quarantined" == terminal.jrc("status", "--json").json["condition"]


def test_a_move_to_another_host_goes_on_once(terminal: Terminal, keys: Path) -> None:
    """The old host is refused from then on; the second restore of the same file is quarantined."""
    terminal.add_lab()
    words = ("backup", "create", str(keys / "b"), "--recipient", RECIPIENT, "--final")
    assert ExitCode.REFUSED == terminal.jrc(*words).code
    assert "open" == terminal.jrc("status", "--json").json["condition"]
    assert not (keys / "b").exists()
    done = terminal.jrc(*words, "--yes")
    assert (0, True) == (done.code, "nobody is answered here any more" in done.err)
    assert ExitCode.REFUSED == terminal.jrc("pledge", "revoke", PLEDGE, "--yes").code
    one_sentence(terminal.process("run"), ExitCode.REFUSED)
    there = other(terminal, keys / "there")
    moved = restore(there, keys, keys / "b", "--json")
    assert (0, "open") == (moved.code, moved.json["condition"])
    again = restore(there, keys, keys / "b", "--json", "--replace", "--yes")
    assert (0, "quarantined") == (again.code, again.json["condition"])
    assert "restored before" in again.json["why"]


def test_a_final_backup_that_failed_is_made_again(terminal: Terminal, keys: Path) -> None:
    """The database is moved by then; the command says how to go on, and works a second time."""
    words = ("backup", "create", str(keys / "b"), "--recipient", RECIPIENT, "--final", "--yes")
    with patch("os.rename", side_effect=OSError(28, "No space left on device")):
        failed = terminal.jrc(*words)
    assert (ExitCode.FAILED, True) == (failed.code, "give this command again" in failed.err)
    assert not (keys / "b").exists()
    assert 0 == terminal.jrc(*words).code


def test_keygen_makes_a_key_for_the_config_file(terminal: Terminal, keys: Path) -> None:
    """Backups are sealed for it without another word; its passphrase opens them."""
    file = keys / "backup.key"
    made = terminal.jrc("backup", "keygen", str(file), "--passphrase-file", str(keys / "pw"))
    assert (0, True) == (made.code, made.out.startswith("age1"))
    again = terminal.jrc("backup", "keygen", str(file), "--passphrase-file", str(keys / "pw"))
    one_sentence(again, ExitCode.REFUSED)
    with terminal.config.open("a") as config:
        config.write(f"[backup]\nkey_file = {json.dumps(str(file))}\n")
    assert 0 == terminal.jrc("backup", "create", str(keys / "b")).code
    words = ("backup", "verify", str(keys / "b"), "--passphrase-file", str(keys / "pw"))
    assert 0 == terminal.jrc(*words).code


def test_a_directory_without_anybody_who_could_open_it_is_refused(terminal: Terminal) -> None:
    """A backup that nobody can open is none."""
    with terminal.config.open("a") as config:
        config.write('[backup]\ndirectory = "."\n')
    done = terminal.jrc("check-config")
    assert (True, True) == (done.code != 0, "backup.key_file or backup.recipients" in done.err)

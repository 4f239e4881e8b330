"""``jrc recover`` and ``jrc quarantine`` as a person gives them, without a daemon."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from jrc.clock import SystemClock
from jrc.config import load
from jrc.errors import ExitCode
from jrc.model import Condition
from jrc.opened import Opened
from tests.at_home import keeps_births, wait_for_another_birth
from tests.cli.terminal import PLEDGE, Terminal

OTHER = "00124b0014b5b67f"
DERIVED = {
    "pledge_sender_key": "a4" * 3 + "0f1c2b3d4e5f60718293a4b5c6",
    "pledge_recipient_key": "19" * 3 + "5a6b7c8d9eafb0c1d2e3f40516",
    "common_iv": "7d1e2f3a4b5c6d7e8f9aab1c2d",
}


@pytest.fixture
def lab(terminal: Terminal) -> Terminal:
    """A registrar with a pledge."""
    terminal.add_lab()
    return terminal


def put_old_copy_back(terminal: Terminal) -> None:
    """The database as it was before its last transaction."""
    database, copy = terminal.folder / "jrc.db", terminal.folder / "copy"
    shutil.copy(database, copy)
    assert 0 == terminal.jrc("pledge", "revoke", PLEDGE, "--yes", "--reason", "stolen").code
    shutil.copy(copy, database)


def recover(terminal: Terminal, *more: str) -> str:
    done = terminal.jrc("recover", "--confirm-revocations", "--yes", "--reason", "r", *more)
    assert 0 == done.code, done.err
    return done.err


def test_whoever_opens_an_old_copy_first_is_told(lab: Terminal) -> None:
    """Once; then `jrc status` says it."""
    put_old_copy_back(lab)
    first, second = lab.jrc("pledge", "list"), lab.jrc("pledge", "list")
    assert (0, 0) == (first.code, second.code)
    assert "the database is quarantined now: the database is an old copy" in first.err
    assert "quarantined" not in second.err
    assert "put the newest database back" in lab.jrc("status", "--json").json["why"]


def test_the_plan_is_shown_and_nothing_done_without_a_confirmation(lab: Terminal) -> None:
    """A dry run is a success, a missing confirmation is refused."""
    put_old_copy_back(lab)
    dry, bare = lab.jrc("recover", "--dry-run"), lab.jrc("recover", "--yes")
    assert (0, ExitCode.REFUSED) == (dry.code, bare.code)
    for words in ("1 pledge in 1 network (lab)", "Revocations made after", "new link-layer keys"):
        assert words in dry.err
        assert words in bare.err
    assert "--revocations FILE" in bare.err
    assert "quarantined" == lab.jrc("recover", "status", "--json").json["condition"]
    without_yes = lab.jrc("recover", "--confirm-revocations")
    assert ExitCode.REFUSED == without_yes.code
    assert "quarantined" == lab.jrc("recover", "status", "--json").json["condition"]


def test_an_open_database_has_nothing_to_recover_in_a_dry_run_either(lab: Terminal) -> None:
    """It would say since when the database is quarantined, and why."""
    dry = lab.jrc("recover", "--dry-run")
    assert ExitCode.REFUSED == dry.code
    assert "there is nothing to recover" in dry.err
    assert "was quarantined" not in dry.err


def test_a_recovery_says_what_it_does_and_what_is_next(lab: Terminal) -> None:
    """The second one has nothing to do."""
    put_old_copy_back(lab)
    said = recover(lab)
    for words in ("1 context marked", "key domain lab: new keys", "the database is open"):
        assert words in said
    again = lab.jrc("recover", "--confirm-revocations", "--yes")
    assert ExitCode.REFUSED == again.code
    assert "there is nothing to recover" in again.err
    assert 0 == lab.jrc("events", "verify").code
    kinds = [each["kind"] for each in lab.jrc("events", "--json").json]
    assert ["database.quarantined", "key_generation.created", "database.recovered"] == kinds[-3:]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_list_of_revocations_is_carried_out_first(lab: Terminal, as_json: bool) -> None:
    """As `jrc pledge list --state revoked --json` gives it, or one a line."""
    put_old_copy_back(lab)
    listed = json.dumps([{"pledge_id": PLEDGE}, {"pledge_id": OTHER}])
    lines = f"# lost since Monday\n{PLEDGE}  stolen\n\n00-12-4b-00-14-b5-b6-7f\n"
    file = lab.folder / "revoked"
    file.write_text(listed if as_json else lines)
    said = recover(lab, "--revocations", str(file))
    assert "1 pledge revoked, 1 of the list not known here" in said
    (pledge,) = lab.jrc("pledge", "list", "--json").json
    assert "revoked" == pledge["state"]


@pytest.mark.parametrize(
    ("content", "words"),
    [("xyz\n", "line 1: 'xyz'"), (f"{PLEDGE}\nnone", "line 2"), ("[1]", "no JSON array"),
     ('[{"id": 1}]', "no JSON array"), ("[", "no JSON array"), ('["zz"]', "'zz' is no pledge")],
)  # fmt: skip
def test_a_list_that_can_not_be_read_changes_nothing(
    lab: Terminal, content: str, words: str
) -> None:
    """The file, the line, and how it is to be written."""
    put_old_copy_back(lab)
    done = lab.jrc(
        "recover", "--confirm-revocations", "--revocations", "-", "--yes", stdin=content.encode()
    )
    assert ExitCode.USAGE == done.code
    assert words in done.err
    assert "quarantined" == lab.jrc("recover", "status", "--json").json["condition"]


def test_who_has_not_come_back_is_listed_with_what_to_do(lab: Terminal) -> None:
    """RFC 8613 App. B.2: derived keys alone can't."""
    (lab.folder / "derived.json").write_text(json.dumps(DERIVED))
    (lab.folder / "derived.json").chmod(0o600)
    added = lab.jrc("pledge", "add", OTHER, "--derived-file", str(lab.folder / "derived.json"))
    assert 0 == added.code, added.err
    assert 0 == lab.jrc("quarantine", "--yes").code
    recover(lab)
    status = lab.jrc("recover", "status", "--json")
    assert ExitCode.UNFINISHED == status.code
    assert (2, 0, 1) == tuple(status.json[name] for name in ("waiting", "back", "reprovision"))
    first, second = lab.jrc("recover", "status", "--waiting", "--json").json
    assert (PLEDGE, None) == (first["pledge_id"], first["obstacle"])
    assert f"jrc pledge add {OTHER} --on-conflict replace" in second["what_to_do"]
    replaced = lab.add_pledge(
        OTHER, "5e" + "1f9c0a73e84b52a9c7d0e15f3b8264", "--on-conflict", "replace"
    )
    assert 0 == replaced.code, replaced.err
    left = lab.jrc("recover", "status", "--waiting", "--json").json
    assert [PLEDGE] == [each["pledge_id"] for each in left]


def test_the_operator_quarantines_what_nothing_here_notices(lab: Terminal) -> None:
    """A virtual machine that was set back: with a yes, and with the reason kept."""
    refused = lab.jrc("quarantine", "--reason", "snapshot")
    assert ExitCode.REFUSED == refused.code
    assert "jrc recover" in refused.err
    done = lab.jrc("quarantine", "--yes", "--reason", "snapshot")
    assert 0 == done.code
    assert "next: `jrc recover --dry-run`" in done.err
    assert "snapshot" in lab.jrc("status", "--json").json["condition_why"]
    for words in (("window", "open", "lab", "--for", "1m", "--max", "1"), ("pledge", "add", OTHER)):
        assert 0 != lab.jrc(*words, stdin=b"6d1f9c0a73e84b52a9c7d0e15f3b8265").code


def test_doctor_and_check_config_say_so(lab: Terminal) -> None:
    """Before the daemon is started, and of what a start would do."""
    (lab.folder / "jrc.instance").unlink()
    found = _instance_file(lab)
    assert "failure" == found["status"]
    assert "opened as it is, the database is quarantined" in found["hint"]
    assert 0 == lab.jrc("check-config").code
    lab.jrc("network", "list")
    found = _instance_file(lab)
    assert "the database is quarantined" in found["what"]
    assert "`jrc recover`" in found["hint"]
    noted = lab.jrc("check-config")
    assert "the database is quarantined" in noted.out + noted.err


def _instance_file(terminal: Terminal) -> dict[str, str]:
    found = terminal.jrc("doctor", "--json", "--no-join").json
    checks = found["checks"] if isinstance(found, dict) else found
    (one,) = [each for each in checks if each["name"] == "instance_file"]
    result: dict[str, str] = one
    return result


def test_a_moved_database_is_looked_at_and_nothing_else(lab: Terminal) -> None:
    """Its final backup was made: it goes on elsewhere."""
    opened = Opened.open(load(lab.config), SystemClock())
    opened.write(lambda tx: tx.set_condition(Condition.MOVED, "to the new host"))
    opened.close()
    assert 0 == lab.jrc("pledge", "list").code
    for words in (
        ("network", "remove", "lab", "--yes"),
        ("recover", "--confirm-revocations", "--yes"),
    ):
        done = lab.jrc(*words)
        assert (ExitCode.REFUSED, True) == (done.code, "moved" in done.err), done.err
    refused = lab.jrc("check-config")
    assert (ExitCode.REFUSED, True) == (refused.code, "to the new host" in refused.err)
    assert 0 == lab.jrc("quarantine", "--yes").code
    recover(lab)
    assert "open" == lab.jrc("status", "--json").json["condition"]


def test_a_folder_that_was_moved_by_copying_is_accepted(terminal: Terminal) -> None:
    """It says what that means and asks; a second time there is nothing to say."""
    if not keeps_births():
        pytest.skip("this file system does not say when a file was made")
    terminal.jrc("status")
    wait_for_another_birth(terminal.folder)
    file = terminal.folder / "jrc.instance"
    shutil.copy2(file, terminal.folder / "copy")
    (terminal.folder / "copy").rename(file)
    found = terminal.jrc("status")
    assert "`jrc db accept-copy`" in found.out
    asked = terminal.jrc("db", "accept-copy", "--reason", "new disk")
    assert ExitCode.REFUSED == asked.code
    assert "answered twice under one nonce" in asked.out + asked.err
    done = terminal.jrc("db", "accept-copy", "--reason", "new disk", "--yes")
    assert 0 == done.code, done.err
    assert "goes on where it was" in done.out
    again = terminal.jrc("db", "accept-copy", "--yes")
    assert ExitCode.REFUSED == again.code
    assert "not quarantined" in again.err
    assert "quarantined" not in terminal.jrc("status").out


def test_e08_a_damaged_network_is_vouched_for_and_recovered(lab: Terminal) -> None:
    """It is shown first, and nothing is done without a yes."""
    assert 0 == lab.jrc("quarantine", "--yes").code
    with closing(sqlite3.connect(lab.folder / "jrc.db")) as connection, connection:
        connection.execute("UPDATE network SET join_rate = 77")
    refused = lab.jrc("recover", "--confirm-revocations", "--yes")
    assert ExitCode.REFUSED == refused.code
    assert "`jrc db accept-rows`" in refused.err
    asked = lab.jrc("db", "accept-rows")
    assert ExitCode.REFUSED == asked.code
    assert "join_rate 77" in asked.err
    done = lab.jrc("db", "accept-rows", "--yes", "--reason", "r", "--json")
    assert {"accepted": ["network lab"], "refused": {}} == done.json
    recover(lab)
    assert "nothing was changed" in lab.jrc("db", "accept-rows", "--yes").out


def test_a_damaged_network_that_makes_no_sense_is_refused(lab: Terminal) -> None:
    """By name, and with what of it can't be."""
    assert 0 == lab.jrc("quarantine", "--yes").code
    with closing(sqlite3.connect(lab.folder / "jrc.db")) as connection, connection:
        connection.execute("UPDATE network SET prefix = 'nowhere'")
    done = lab.jrc("db", "accept-rows", "--yes")
    assert ExitCode.FAILED == done.code
    assert "network lab can't be used" in done.err

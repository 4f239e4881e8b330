"""``jrc token`` on the registrar's host, and what doctor and check-config say of ``[api]``."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from jrc.cli.diagnosis.api import look_at_api
from jrc.cli.diagnosis.case import Daemon
from jrc.cli.diagnosis.verdict import Status
from jrc.cli.remote import Remote
from jrc.config import load
from tests.certificates import self_signed
from tests.cli.examined import append, case_of, findings
from tests.cli.terminal import Terminal

API = 'listen = "[::1]:9633"\ncertificate = "cert.pem"\nprivate_key = "key.pem"'


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path)
    made.init()
    return made


def test_a_token_is_printed_once_and_alone_on_standard_output(terminal: Terminal) -> None:
    """`jrc token add ... > file` puts nothing else into the file."""
    made = terminal.jrc("token", "add", "ci", "--scope", "import", "--reason", "build")
    assert made.code == 0
    assert (made.out[:4], len(made.out.strip())) == ("jrc_", 47)
    assert "shown this once" in made.err
    listed = terminal.jrc("token", "list", "--json")
    (token,) = listed.json
    assert (token["name"], token["scope"], token["state"]) == ("ci", "import", "good")
    assert made.out.strip()[4:] not in listed.out + terminal.jrc("events", "--json").out
    stored = (terminal.folder / "jrc.db").read_bytes()
    log = terminal.folder / "jrc.db-wal"
    assert sha256(made.out.strip().encode()).digest() in stored + (
        log.read_bytes() if log.exists() else b""
    )


def test_a_token_in_a_file_is_its_owners_alone(terminal: Terminal) -> None:
    """Whatever the umask; and nobody's file is written over."""
    file = terminal.folder / "token"
    words = ("token", "add", "ci", "--scope", "read", "--out", str(file))
    before = os.umask(0o022)
    try:
        made = terminal.jrc(*words)
    finally:
        os.umask(before)
    token = file.read_text()
    assert (0, "", 0o600) == (made.code, made.out, file.stat().st_mode & 0o777)
    assert (token[:4], len(token)) == ("jrc_", 48)
    assert f"it is in {file} alone" in made.err
    again = terminal.jrc(*words[:2], "other", *words[3:])
    assert (again.code, file.read_text()) == (1, token)
    assert "nothing was overwritten" in again.err
    assert ["ci"] == [each["name"] for each in terminal.jrc("token", "list", "--json").json]
    other = terminal.folder / "other"
    refused = terminal.jrc(*words[:-1], str(other))
    assert (6, False) == (refused.code, other.exists())
    told = terminal.jrc(*words[:2], "two", *words[3:-1], str(other), "--json").json
    assert ("two", str(other), False) == (told["name"], told["file"], "token" in told)
    assert other.read_text()[:4] == "jrc_"


def test_a_token_that_can_not_be_written_down_is_named(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has it: it is to be ended."""
    file = terminal.folder / "token"

    def fails(_file: int) -> None:
        raise OSError(28, "No space left on device")

    made = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file_: fails(file_) if _size(file_) == 48 else made(file_)
    )
    done = terminal.jrc("token", "add", "ci", "--scope", "read", "--out", str(file))
    assert (1, False) == (done.code, file.exists())
    assert "jrc token revoke ci" in done.err


def _size(number: int) -> int:
    return os.fstat(number).st_size


def test_a_file_with_a_token_is_called_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning says what is in it, and what to do."""
    file = tmp_path / "token"
    file.write_text("jrc_" + "a" * 43)
    file.chmod(0o644)
    Remote("https://h", token_file=str(file)).token()
    assert f"warning: {file} holds a token and everybody can" in capsys.readouterr().err
    file.chmod(0o600)
    Remote("https://h", token_file=str(file)).token()
    assert "" == capsys.readouterr().err


def test_a_token_ends_unless_it_is_said_to_last(terminal: Terminal) -> None:
    """Ninety days are usual."""
    usual = terminal.jrc("token", "add", "usual", "--scope", "read", "--json").json
    assert usual["expires"] is not None
    for_ever = terminal.jrc("token", "add", "x", "--scope", "read", "--expires", "never", "--json")
    assert for_ever.json["expires"] is None
    assert terminal.jrc("token", "add", "y", "--scope", "read", "--expires", "soon").code == 2
    assert terminal.jrc("token", "add", "z", "--scope", "root").code == 2


def test_a_revoked_token_is_in_the_list_of_all_alone(terminal: Terminal) -> None:
    """And revoking it twice says that it is not there."""
    terminal.jrc("token", "add", "ci", "--scope", "read")
    assert terminal.jrc("token", "revoke", "ci", "--reason", "left").code == 0
    assert terminal.jrc("token", "list", "--json").json == []
    (token,) = terminal.jrc("token", "list", "--all", "--json").json
    assert token["state"] == "revoked"
    again = terminal.jrc("token", "revoke", "ci")
    assert (again.code, "no token called 'ci'" in again.err) == (1, True)


def test_check_config_reads_the_certificate_and_the_groups(terminal: Terminal) -> None:
    """What `jrc run` would refuse is refused here."""
    before = terminal.config.read_text()
    append(terminal, f"[api]\n{API}")
    missing = terminal.jrc("check-config")
    assert (missing.code, "api.certificate" in missing.err) == (1, True)
    self_signed(terminal.folder)
    assert terminal.jrc("check-config").code == 0
    for key in ("group = 'no-such'", "read_groups = ['no-such']"):
        terminal.config.write_text(before.replace("[admin]\n", f"[admin]\n{key}\n"))
        refused = terminal.jrc("check-config")
        assert (refused.code, "there is no group no-such" in refused.err) == (1, True)


@pytest.mark.parametrize(
    ("days", "status"), [(90, Status.SUCCESS), (20, Status.WARNING), (-0.5, Status.FAILURE)]
)
def test_doctor_tells_when_the_certificate_ends(
    terminal: Terminal, days: float, status: Status
) -> None:
    """Three weeks before."""
    self_signed(terminal.folder, days=days)
    append(terminal, f"[api]\n{API}")
    (found,) = findings(case_of(terminal), "api")
    assert found.status is status
    assert bool(found.hint) is (status is not Status.SUCCESS)


def test_doctor_warns_of_tokens_that_last_and_of_a_certificate_that_is_not_taken(
    terminal: Terminal,
) -> None:
    """As the daemon tells; without [api] there is nothing to look at."""
    case = case_of(terminal)
    case.settings = load(terminal.config)
    assert [each.status for each in look_at_api(case)] == [Status.SKIPPED]
    self_signed(terminal.folder)
    append(terminal, f"[api]\n{API}")
    case.settings = load(terminal.config)
    case.daemon = Daemon({"api": {"error": "no pair", "tokens_without_end": ["ci", "old"]}})
    found = list(look_at_api(case))
    assert [each.status for each in found] == [Status.SUCCESS, Status.WARNING, Status.WARNING]
    assert "no pair" in found[1].what
    assert "ci, old" in found[2].what


def test_no_command_writes_over_the_private_key(terminal: Terminal) -> None:
    """A name that is typed wrong must not cost it."""
    files = self_signed(terminal.folder)
    append(terminal, f"[api]\n{API}")
    before = files.private_key.read_bytes()
    done = terminal.jrc("events", "export", str(files.private_key))
    assert (done.code, files.private_key.read_bytes() == before) == (6, True)

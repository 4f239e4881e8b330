"""``jrc pledge`` and ``jrc pledge import`` without a daemon."""

import os
import pty
import re
import subprocess
from pathlib import Path
from unittest.mock import patch

import pytest

from jrc.errors import ExitCode
from jrc.service.imports import MAX_REPORTED
from tests.cli.terminal import PLEDGE, PSK, Terminal, one_sentence, pledge_file


@pytest.fixture(scope="module")
def made(made: Terminal) -> Terminal:
    """A registrar with a network and a pledge that no test of this module changes."""
    made.add_lab()
    return made


def test_a_pledge_listing_has_the_stable_fields(made: Terminal) -> None:
    """Names that scripts rely on."""
    (pledge,) = made.jrc("pledge", "list", "--json").json
    assert pledge["pledge_id"] == PLEDGE
    assert {"state", "networks", "role", "short_id", "last_join", "address"} <= set(pledge)
    assert made.jrc("pledge", "list", "--state", "joined", "--json").json == []


def test_a_key_never_stands_on_the_command_line(made: Terminal) -> None:
    """`ps` shows arguments to everybody: there is no option that takes a key."""
    assert made.jrc("pledge", "add", "01", "--psk", PSK).code == ExitCode.USAGE
    assert "--psk " not in made.jrc("pledge", "add", "--help").out


def test_a_missing_key_is_not_waited_for(made: Terminal) -> None:
    """Where nobody can be asked, the options are named."""
    done = made.jrc("pledge", "add", "01")
    one_sentence(done, ExitCode.USAGE)
    assert "--psk-file" in done.err


@pytest.mark.parametrize(
    ("identifier", "psk", "code"),
    [
        ("01", "", ExitCode.USAGE),
        ("01", PSK + "zz", ExitCode.USAGE),
        ("zz", PSK[::-1], ExitCode.USAGE),
        ("01", PSK[:-2], ExitCode.REFUSED),
        ("01", PSK, ExitCode.REFUSED),
        ("01", "ab" * 16, ExitCode.REFUSED),
        (PLEDGE, PSK[::-1], ExitCode.REFUSED),
    ],
)
def test_a02_a_bad_key_is_refused_and_never_repeated(
    made: Terminal, identifier: str, psk: str, code: ExitCode
) -> None:
    """Short, weak, another pledge's, no hex: a sentence that holds nothing of the key."""
    done = made.add_pledge(identifier, psk)
    one_sentence(done, code)
    assert not psk or psk[:12] not in done.err


def test_a01_the_same_pledge_with_the_same_key_changes_nothing(made: Terminal) -> None:
    """Adding twice is no error (RFC 9031 §3)."""
    done = made.add_pledge()
    assert (done.code, "unchanged" in done.err) == (0, True)


def test_a_key_file_that_others_can_read_is_warned_about(
    terminal: Terminal, tmp_path: Path
) -> None:
    """And used all the same; one of mode 0600 gives no warning."""
    terminal.add_lab()
    file = tmp_path / "key"
    modes = (("01", 0o644, "everybody"), ("02", 0o640, "its group"), ("03", 0o600, ""))
    for identifier, mode, who in modes:
        file.write_text(os.urandom(16).hex())
        file.chmod(mode)
        done = terminal.jrc("pledge", "add", identifier, "--psk-file", str(file))
        said = re.findall(r"(\w+|its group) can read it", done.err)
        assert (done.code, said) == (0, [who] if who else [])


def test_a06_derived_keys_come_from_a_json_file(terminal: Terminal, tmp_path: Path) -> None:
    """All three of them or none (RFC 9031 App. B)."""
    terminal.add_lab()
    file = tmp_path / "derived.json"
    file.touch(0o600)
    file.write_text(
        '{"pledge_sender_key": "0d9201ba2ed1a09021fad68c191c784e",'
        ' "pledge_recipient_key": "4ad3e646c8ba7c5c86da72a0a775078f",'
        ' "common_iv": "da79295561aac8af3d084011f4"}'
    )
    words = ("pledge", "add", "00124b0014b5b600", "--derived-file", str(file))
    assert terminal.jrc(*words).code == 0
    file.write_text('{"pledge_sender_key": "0d9201ba2ed1a09021fad68c191c784e"}')
    one_sentence(terminal.jrc(*words), ExitCode.USAGE)


def test_revoking_and_removing_need_a_yes(terminal: Terminal) -> None:
    """What revokes or destroys says what it will do."""
    terminal.add_lab()
    assert terminal.jrc("pledge", "revoke", PLEDGE).code == ExitCode.REFUSED
    assert terminal.jrc("pledge", "revoke", PLEDGE, "--yes", "--reason", "lost").code == 0
    assert terminal.jrc("pledge", "show", PLEDGE, "--json").json["state"] == "revoked"
    assert terminal.jrc("pledge", "restore", PLEDGE).code == 0
    assert terminal.jrc("pledge", "restore", PLEDGE, "--yes").code == 0
    assert terminal.jrc("pledge", "remove", PLEDGE).code == ExitCode.REFUSED
    assert terminal.jrc("pledge", "remove", PLEDGE, "--yes").code == 0
    assert terminal.jrc("pledge", "list", "--json").json == []
    kinds = [event["kind"] for event in terminal.jrc("events", "--json").json][-3:]
    assert kinds == ["pledge.revoked", "pledge.restored", "pledge.removed"]


def test_a_label_does_not_drive_the_terminal(terminal: Terminal) -> None:
    """Whoever named a device does not colour the operator's screen, nor add lines to it."""
    terminal.add_lab()
    done = terminal.jrc("network", "show", "\x1b[31mlab\n")
    assert "\x1b" not in done.err
    done = terminal.jrc("pledge", "revoke", PLEDGE, "--yes", "--reason", "\x1b]0;x\x07a\nb\tc")
    assert done.code == 0
    shown = terminal.jrc("events").out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert all(len(line.split("\t")) == 8 for line in shown.splitlines())


def test_an_import_with_wrong_rows_stores_nothing_and_names_them(
    terminal: Terminal, tmp_path: Path
) -> None:
    """Line, column, reason; exit code 1, and 4 with --partial."""
    terminal.add_lab()
    rows = [f"{n:016x},{os.urandom(16).hex()},n" for n in range(3)]
    file = pledge_file(tmp_path / "p.csv", [*rows, "zz,00,x", f"ff,{'ab' * 16},x"])
    done = terminal.jrc("pledge", "import", str(file))
    assert done.code == ExitCode.FAILED
    header, *errors = (line.split("\t") for line in done.out.splitlines())
    assert header == ["LINE", "COLUMN", "REASON"]
    assert [error[:2] for error in errors] == [["5", "pledge_id"], ["6", "psk"]]
    assert len(terminal.jrc("pledge", "list", "--json").json) == 1
    assert terminal.jrc("pledge", "import", str(file), "--partial").code == ExitCode.PARTLY
    assert len(terminal.jrc("pledge", "list", "--json").json) == 4


def test_the_hint_does_not_name_an_option_that_stores_nothing(
    terminal: Terminal, tmp_path: Path
) -> None:
    """--partial helps where a good row is, and who said it needs no telling."""
    terminal.add_lab()
    bad, good = "zz,00,x", f"01,{os.urandom(16).hex()},x"
    file = pledge_file(tmp_path / "p.csv", [bad])
    for option in ("--partial", "--dry-run", "--on-conflict=skip"):
        done = terminal.jrc("pledge", "import", str(file), option)
        assert (done.code, "--partial" in done.err) == (ExitCode.FAILED, False), option
        assert "hint: mend them" in done.err
    done = terminal.jrc("pledge", "import", str(pledge_file(file, [bad, good])))
    assert (done.code, "say --partial" in done.err) == (ExitCode.FAILED, True)
    done = terminal.jrc("pledge", "import", str(file), "--partial", "--dry-run")
    assert (done.code, "--partial" in done.err) == (ExitCode.FAILED, False)


def test_every_wrong_row_of_a_large_file_is_listed(terminal: Terminal, tmp_path: Path) -> None:
    """In one run; --help says where that ends."""
    terminal.add_lab()
    file = pledge_file(tmp_path / "p.csv", [f"zz,{os.urandom(16).hex()},x"] * 1500)
    done = terminal.jrc("pledge", "import", str(file))
    lines = [int(row.split("\t")[0]) for row in done.out.splitlines()[1:]]
    assert (lines, "not listed" in done.err) == (list(range(2, 1502)), False)
    assert f"{MAX_REPORTED:,} errors" in terminal.jrc("pledge", "import", "--help").out


def test_a_file_whose_name_is_no_utf8_is_imported(terminal: Terminal, tmp_path: Path) -> None:
    """Linux takes any bytes; the audit log has them escaped."""
    terminal.add_lab()
    file = pledge_file(tmp_path / "p\udcff.csv", [f"01,{os.urandom(16).hex()},x"])
    assert terminal.jrc("pledge", "import", str(file)).code == 0
    (event,) = terminal.jrc("events", "--json", "--limit", "1").json
    assert event["detail"]["source"].endswith("/p\\xff.csv")


def test_a_good_import_from_standard_input_is_done(terminal: Terminal) -> None:
    """JSON lines are found by their content; a dry run says the same and stores nothing."""
    terminal.add_lab()
    lines = "\n".join(
        f'{{"pledge_id": "{n:016x}", "psk": "{os.urandom(16).hex()}"}}' for n in range(3)
    ).encode()
    words = ("pledge", "import", "-", "--json")
    dry = terminal.jrc(*words, "--dry-run", stdin=lines)
    assert (dry.code, dry.json["added"], dry.json["published"]) == (0, 3, False)
    done = terminal.jrc(*words, stdin=lines)
    assert (done.code, done.json["added"], done.json["published"]) == (0, 3, True)
    again = terminal.jrc(*words, stdin=lines)
    assert (again.code, again.json["unchanged"]) == (0, 3)


def test_a_terminal_sees_how_far_an_import_is_and_no_endless_list(
    terminal: Terminal, tmp_path: Path
) -> None:
    """Bytes and lines while it goes on; to lay out a table of 100,000 mistakes takes a minute."""
    rows = [f"{number:016x},,hall" for number in range(1001)]
    file = pledge_file(tmp_path / "keys.csv", rows)
    with patch.dict(os.environ, {"TERM": "xterm"}):
        code, shown = terminal.typed("pledge", "import", str(file))
    assert code == ExitCode.FAILED
    assert "1,002 lines" in shown
    assert shown.count("the row has no key") == 1000
    assert "and 1 more that are not listed" in shown
    assert terminal.jrc("pledge", "import", str(file)).out.count("the row has no key") == 1001


def test_how_far_an_import_is_goes_beside_its_output(terminal: Terminal, tmp_path: Path) -> None:
    """A list of mistakes that goes into a file has the bar on the terminal all the same."""
    file = pledge_file(tmp_path / "keys.csv", ["00,,hall"])
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            terminal.command("pledge", "import", str(file)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
            timeout=60,
            check=False,
        )
        os.close(theirs)
        shown = os.read(ours, 1 << 16)
    finally:
        os.close(ours)
    assert b"the row has no key" in done.stdout
    assert b"2 lines" in shown
    assert b"lines" not in done.stdout

"""Commands without a daemon: output, exit codes, questions, and what is never printed."""

import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jrc.cli import setup
from jrc.config import example, parse
from jrc.errors import ExitCode, StateError
from jrc.service.imports import MAX_REPORTED
from jrc.store.lock import StateLock
from tests.cli.terminal import PLEDGE, PREFIX, PSK, Done, Terminal, pledge_file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A registrar with a network and a pledge that no test of this module changes."""
    terminal = Terminal(tmp_path_factory.mktemp("jrc"))
    terminal.init()
    terminal.add_lab()
    return terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A registrar of a test's own."""
    fresh = Terminal(tmp_path / "registrar")
    fresh.init()
    return fresh


def _one_sentence(done: Done, code: ExitCode) -> None:
    assert done.code == code
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


# init


def test_init_makes_private_files_and_says_what_comes_next(tmp_path: Path) -> None:
    """Everything under DIR, without root; the key is to be kept apart from the database."""
    done = Terminal(tmp_path).jrc("init", "--dir", str(tmp_path / "r"), config=False)
    assert done.code == 0
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "r").iterdir()}
    assert modes == {
        "config.toml": 0o640,
        "kek": 0o600,
        "jrc.db": 0o600,
        "jrc.instance": 0o600,
    }
    assert f"jrc --config {tmp_path / 'r' / 'config.toml'} network add" in done.out
    assert "apart from the database" in done.out
    assert (tmp_path / "r" / "kek").read_text().strip() not in done.out


@pytest.mark.parametrize("name", ["config.toml", "kek", "jrc.db", "jrc.instance"])
def test_init_overwrites_nothing_and_makes_nothing_then(tmp_path: Path, name: str) -> None:
    """Not even the files that were not there."""
    (tmp_path / name).write_text("precious")
    done = Terminal(tmp_path).jrc("init", "--dir", str(tmp_path), config=False)
    _one_sentence(done, ExitCode.REFUSED)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_init_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second try must not meet the rest of the first."""
    from jrc.store import instancefile

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device", "jrc.instance")

    monkeypatch.setattr(instancefile, "write", full)
    done = Terminal(tmp_path).jrc("init", "--dir", str(tmp_path / "r"), config=False)
    _one_sentence(done, ExitCode.FAILED)
    assert list(tmp_path.iterdir()) == []


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
    _one_sentence(done, ExitCode.FAILED)
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


# pledges


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
    _one_sentence(done, ExitCode.USAGE)
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
    _one_sentence(done, code)
    assert not psk or psk[:12] not in done.err


def test_a01_the_same_pledge_with_the_same_key_changes_nothing(made: Terminal) -> None:
    """Adding twice is no error (RFC 9031 §3)."""
    done = made.add_pledge()
    assert (done.code, "unchanged" in done.err) == (0, True)


def test_a_world_readable_key_file_is_warned_about(terminal: Terminal, tmp_path: Path) -> None:
    """And used all the same; one of mode 0600 gives no warning."""
    terminal.add_lab()
    file = tmp_path / "key"
    for identifier, mode, warned in (("01", 0o644, True), ("02", 0o600, False)):
        file.write_text(os.urandom(16).hex())
        file.chmod(mode)
        done = terminal.jrc("pledge", "add", identifier, "--psk-file", str(file))
        assert (done.code, "everybody can read it" in done.err) == (0, warned)


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
    _one_sentence(terminal.jrc(*words), ExitCode.USAGE)


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


# import


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
    _one_sentence(done, ExitCode.UNREACHABLE)
    assert done.err.startswith("error: the daemon is not running\n")


def test_status_of_a_damaged_database_is_that_no_daemon_runs(
    made: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`jrc events verify` and others say what is damaged."""

    def damaged(_common: object) -> object:
        raise StateError("row 7 does not authenticate")

    monkeypatch.setattr("jrc.cli.daemon.connect", damaged)
    done = made.jrc("status")
    _one_sentence(done, ExitCode.UNREACHABLE)
    assert done.err.startswith("error: the daemon is not running\n")


def test_status_names_a_process_that_has_the_database_and_does_not_answer(
    terminal: Terminal,
) -> None:
    """It may be the daemon that is about to start."""
    with StateLock(terminal.folder / "jrc.db"):
        done = terminal.jrc("status")
    _one_sentence(done, ExitCode.UNREACHABLE)
    assert str(os.getpid()) in done.err


def test_a_stale_socket_is_no_daemon(terminal: Terminal) -> None:
    """What a killed daemon left does not keep commands from working."""
    from jrc.admin.server import bind_unix

    bind_unix(terminal.folder / "admin.sock").close()
    assert terminal.jrc("network", "list").code == 0


def test_a_held_lock_names_the_process(terminal: Terminal) -> None:
    """A daemon that can't be reached, yet has the database."""
    with StateLock(terminal.folder / "jrc.db"):
        done = terminal.jrc("network", "list")
    _one_sentence(done, ExitCode.UNREACHABLE)
    assert str(os.getpid()) in done.err


def test_another_users_database_is_left_alone(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of another owner would be in the daemon's way: the user to become is named."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    before = sorted(path.name for path in terminal.folder.iterdir())
    done = terminal.jrc("network", "list")
    _one_sentence(done, ExitCode.REFUSED)
    assert "hint: run: sudo -u " in done.err
    assert sorted(path.name for path in terminal.folder.iterdir()) == before


def test_a_damaged_database_is_one_sentence(terminal: Terminal) -> None:
    """Not a traceback of the driver."""
    (terminal.folder / "jrc.db").write_bytes(b"no database" * 1000)
    _one_sentence(terminal.jrc("network", "list"), ExitCode.FAILED)


def test_an_upgrade_that_is_not_needed_changes_nothing(terminal: Terminal) -> None:
    """No copy is made."""
    before = (terminal.folder / "jrc.db").read_bytes()
    done = terminal.jrc("db", "upgrade")
    assert (done.code, "already" in done.out) == (0, True)
    assert (terminal.folder / "jrc.db").read_bytes() == before


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


_SERVER = '[database]\nurl = "postgresql://jrc@db/jrc"\n[instance]\nfile = "instance"\n'


@pytest.mark.parametrize(
    "words", [("check-config",), ("run",), ("network", "list"), ("db", "upgrade")]
)
def test_a_database_server_is_refused_before_anything_is_opened(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """One sentence that says what to do, in place of a driver that can't be imported."""
    terminal = Terminal(tmp_path)
    socket = tmp_path / "admin.sock"
    terminal.config.write_text(f'{_SERVER}[admin]\nsocket = "{socket}"\n')
    done = terminal.jrc(*words)
    _one_sentence(done, ExitCode.FAILED)
    assert done.err == (
        "error: database.url: PostgreSQL is not served by this version\n"
        "hint: name a file: sqlite:////var/lib/jrc/jrc.db\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_readable_key_encryption_key_is_refused(terminal: Terminal) -> None:
    """Mode 0600, or nothing opens."""
    (terminal.folder / "kek").chmod(0o644)
    done = terminal.jrc("network", "list")
    _one_sentence(done, ExitCode.FAILED)
    assert "keys.kek_file" in done.err


# help


def test_every_command_has_an_example(made: Terminal) -> None:
    """--help of each command shows it in use."""
    groups: dict[str, list[str]] = {
        "": ["init", "run", "status", "check-config", "completion"],
        "network": ["add", "list", "show", "set", "install", "remove"],
        "pledge": [
            "add",
            "import",
            "list",
            "show",
            "revoke",
            "restore",
            "clear-reports",
            "address",
            "remove",
        ],
        "events": ["verify"],
        "db": ["upgrade"],
        "lab": ["run"],
    }
    for group, commands in groups.items():
        for command in commands:
            words = [word for word in (group, command) if word]
            done = made.jrc(*words, "--help")
            assert (done.code, "Example" in done.out) == (0, True), words


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
    _one_sentence(done, ExitCode.USAGE)
    assert done.err.startswith(f"error: {named} is not UTF-8 text\n")


def test_bytes_that_are_no_utf8_reach_a_command_as_such(made: Terminal) -> None:
    """As a shell gives them: --reason $'x\\xff'."""
    done = made.process("pledge", "revoke", PLEDGE, "--yes", "--reason", "x\udcff")
    _one_sentence(done, ExitCode.USAGE)
    assert "--reason is not UTF-8 text" in done.err


def test_init_makes_nothing_in_a_folder_that_toml_cannot_name(tmp_path: Path) -> None:
    """A config file is UTF-8."""
    done = Terminal(tmp_path).jrc("init", "--dir", str(tmp_path / "\udcff"), config=False)
    _one_sentence(done, ExitCode.USAGE)
    assert list(tmp_path.iterdir()) == []


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


# as root, for the service


def test_a_system_wide_init_gives_the_state_to_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's files would be in the daemon's way; the config file stays root's."""
    given: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "chown", lambda path, u, g: given.update({Path(path).name: (u, g)}))
    owner = pwd.struct_passwd(("jrc", "x", 901, 902, "", "/", "/bin/false"))
    state, config = tmp_path / "state", tmp_path / "etc" / "config.toml"
    text = example(state)
    setup.create(config, text, parse(text, path=str(config)), owner=owner)
    assert given.pop("config.toml") == (0, 902)
    assert {"state", "kek", "jrc.db", "jrc.instance"} <= set(given)
    assert set(given.values()) == {(901, 902)}
    assert "etc" not in given


# completion


def test_a_shell_gets_commands_completed(made: Terminal) -> None:
    """The script that `jrc completion` prints asks like this."""
    assert "_JRC_COMPLETE" in made.jrc("completion", "bash").out
    environment = {
        "_JRC_COMPLETE": "complete_bash",
        "COMP_WORDS": "jrc pledge re",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "jrc.cli.main"],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.split() == [b"revoke", b"restore", b"remove"]

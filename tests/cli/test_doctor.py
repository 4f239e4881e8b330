"""`jrc doctor` as a command: exit codes, JSON, a terminal, no secrets, and a whole join."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.cli import lab_registrar
from jrc.cli.diagnosis import clock, disk, trial
from jrc.cli.diagnosis.course import CHECKS
from jrc.cli.diagnosis.verdict import Check, Status, Verdict, examine, success, warning, worst
from jrc.cli.doctor import EXIT_CODES
from jrc.clock import Synchronisation
from jrc.errors import ExitCode, OperatorError, StateError
from tests.cli.examined import FAILURE, SKIPPED, SUCCESS, WARNING, case_of, findings
from tests.cli.terminal import PSK, Terminal, environment
from tests.lab.test_lab_run import is_running

NAMES = [check.name for check in CHECKS]
PATIENCE_S = 90.0
"""Where something else than the time is to be what fails, on a host that has much else to do."""


@pytest.fixture(scope="module")
def made(made: Terminal) -> Terminal:
    """A registrar with a network and a pledge, without a daemon."""
    made.add_lab()
    return made


@pytest.fixture
def good_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with a synchronised clock and a disk of its own."""
    good = Synchronisation(True, 0.01)
    monkeypatch.setattr(clock, "synchronisation", lambda: good)
    monkeypatch.setattr(disk, "file_system", lambda *_: "ext4")
    monkeypatch.setattr(disk, "time_syncs", lambda _: [0.001])
    monkeypatch.setattr(disk, "judge_space", lambda *_: success("room"))


# Exit codes and forms


@pytest.mark.usefixtures("good_host")
def test_all_is_well_is_exit_code_0(made: Terminal) -> None:
    """A daemon runs, and a join that was not asked for is none that failed."""
    with made.daemon():
        done = made.jrc("doctor", "--no-join", "--json")
    assert (done.code, done.json["status"]) == (ExitCode.DONE, "success")
    by_name = {check["name"]: check["status"] for check in done.json["checks"]}
    assert {"skipped"} == {by_name.pop(name) for name in ("join", "backups", "api")}
    assert {"success"} == set(by_name.values())


@pytest.mark.usefixtures("good_host")
def test_warnings_alone_are_exit_code_5(made: Terminal) -> None:
    """No daemon runs: nothing is broken, and something is left to do."""
    done = made.jrc("doctor", "--no-join", "--json")
    assert (done.code, done.json["status"]) == (ExitCode.UNFINISHED, "warning")
    warnings = [check for check in done.json["checks"] if check["status"] == "warning"]
    assert ["daemon"] == [check["name"] for check in warnings]


def test_a_failure_is_exit_code_1(tmp_path: Path) -> None:
    """Also where there is nothing at all; the output is on standard output, and whole."""
    done = Terminal(tmp_path).jrc("doctor", "--no-join", "--json")
    assert (done.code, done.json["status"], done.err) == (ExitCode.FAILED, "failure", "")
    assert NAMES == list(dict.fromkeys(check["name"] for check in done.json["checks"]))


def test_every_element_has_the_same_four_texts(made: Terminal) -> None:
    """Names that scripts rely on; whoever warns or fails says what to do."""
    document = made.jrc("doctor", "--no-join", "--json").json
    assert {"checks", "status"} == set(document)
    for check in document["checks"]:
        assert ["name", "status", "what", "hint"] == list(check)
        assert check["what"]
        assert check["hint"] or check["status"] in ("success", "skipped")


def test_elsewhere_than_on_a_terminal_it_is_columns(made: Terminal) -> None:
    """Tab-separated, without colours."""
    done = made.jrc("doctor", "--no-join")
    header, *rows = done.out.splitlines()
    assert "STATUS\tCHECK\tWHAT\tWHAT TO DO" == header
    assert {4} == {len(row.split("\t")) for row in rows}
    assert NAMES == list(dict.fromkeys(row.split("\t")[1] for row in rows))
    assert "\x1b" not in done.out


def test_on_a_terminal_it_is_aligned_and_coloured(made: Terminal) -> None:
    """A mark, a name, a sentence; what to do below it; a count at the end."""
    code, shown = made.typed("doctor", "--no-join")
    assert code in (ExitCode.UNFINISHED, ExitCode.FAILED)
    assert "\x1b[32msuccess" in shown
    plain = re.sub(r"\x1b\[[?\d;]*\w", "", shown)
    assert re.search(r"success  config +/", plain)
    assert re.search(r"warning  daemon +the daemon is not running", plain)
    assert re.search(r"\n +to do: start it", plain)
    assert re.search(r"warning: \d", plain.rstrip().splitlines()[-1])


def test_help_says_what_the_exit_codes_are(made: Terminal) -> None:
    """With an example."""
    shown = made.jrc("doctor", "--help").out
    assert "Exit code 0" in shown
    assert "jrc doctor" in shown


def test_no_secret_is_printed(made: Terminal) -> None:
    """Neither the key encryption key nor a pledge's, in any form of output."""
    kek = (made.folder / "kek").read_text().strip()
    for words in ((), ("--json",)):
        done = made.jrc("doctor", "--no-join", *words)
        for secret in (kek, PSK):
            assert secret not in done.out + done.err


def test_other_commands_do_not_load_what_it_needs() -> None:
    """Checks are loaded when the doctor is called."""
    question = "import sys, jrc.cli.tree; sys.exit('jrc.cli.diagnosis.course' in sys.modules)"
    command = [Terminal(Path()).command()[0], "-c", question]
    assert subprocess.run(command, check=False).returncode == 0


# How checks follow each other


def look(*verdicts: Verdict) -> Check[None]:
    return Check("first", lambda _: verdicts)


def later(found: list[str]) -> Check[None]:
    def note(_: None) -> Iterator[Verdict]:
        found.append("looked")
        yield success("fine")

    return Check("second", note, needs=("first",))


def test_what_depends_on_a_failure_is_skipped_with_its_cause() -> None:
    """It is not even tried."""
    tried: list[str] = []
    bad = Verdict(FAILURE, "broken", "mend it")
    *_, second = examine(None, (look(success("good"), bad), later(tried)))
    assert (second.status, second.what) == (SKIPPED, "not looked at, because of: first")
    assert [] == tried


def test_a_warning_stops_nothing() -> None:
    """It works, so what builds on it can be looked at."""
    tried: list[str] = []
    assert [WARNING, SUCCESS] == [
        finding.status for finding in examine(None, (look(warning("so so", "")), later(tried)))
    ]
    assert ["looked"] == tried


@pytest.mark.parametrize(
    ("error", "what", "hint"),
    [
        (OperatorError("no", "do that"), "no", "do that"),
        (OperatorError("no"), "no", "by default"),
        (StateError("broken"), "broken", "by default"),
        (FileNotFoundError(2, "No such file or directory", "/x"), "/x: No such file or", "by"),
        (OSError("odd"), "odd", "by default"),
    ],
)
def test_an_error_is_a_failure_with_something_to_do(error: Exception, what: str, hint: str) -> None:
    """No check ends the run."""

    def fail(_: None) -> Iterator[Verdict]:
        yield success("so far")
        raise error

    _, found = examine(None, (Check("first", fail, hint="by default"),))
    assert found.status is FAILURE
    assert found.what.startswith(what)
    assert found.hint.startswith(hint)


def test_the_worst_decides() -> None:
    """Of nothing at all nothing is wrong; every status has an exit code."""
    assert worst([]) is SUCCESS
    assert worst([WARNING, SUCCESS, SKIPPED]) is WARNING
    assert worst([WARNING, FAILURE, SKIPPED]) is FAILURE
    assert set(EXIT_CODES) == set(Status)


# The join


def test_a_whole_run_ends_with_a_join(made: Terminal, tmp_path: Path) -> None:
    """By a process of its own, through a proxy, on loopback; nothing is left of it."""
    before = (made.folder / "jrc.db").read_bytes()
    done = subprocess.run(
        made.command("doctor", "--json"),
        capture_output=True,
        timeout=120,
        check=False,
        env={**environment(), "TMPDIR": str(tmp_path)},
    )
    assert done.stderr == b""
    assert b'"join"' in done.stdout
    last = _last_check(done.stdout)
    assert (last["name"], last["status"]) == ("join", "success"), last
    assert "joined a throw-away network" in last["what"]
    assert before == (made.folder / "jrc.db").read_bytes()
    assert [] == list(tmp_path.iterdir())


def _last_check(document: bytes) -> dict[str, str]:
    check: dict[str, str] = json.loads(document)["checks"][-1]
    return check


def joined(terminal: Terminal) -> tuple[Status, str, str]:
    """What the check of the join says."""
    case = case_of(terminal)
    case.wants_join = True
    (found,) = (finding for finding in examine(case, CHECKS[-1:]))
    return found.status, found.what, found.hint


def test_a_registrar_that_can_not_start_here_fails(
    made: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the end of its log, and it is gone."""
    monkeypatch.setattr(trial, "WITHIN_S", PATIENCE_S)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as occupier:
        occupier.bind(("::1", 0))
        monkeypatch.setattr(lab_registrar, "_free_port", lambda: occupier.getsockname()[1])
        status, what, hint = joined(made)
    assert status is FAILURE
    assert "did not start" in what
    assert "its log ends" in hint


def test_a_pledge_that_is_not_answered_fails(
    made: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registrar stops before the pledge asks."""
    from jrc.lab import demo
    from jrc.lab.network import JoinResult

    async def unanswered(devices: list[demo.LabDevice], *_: object) -> list[JoinResult]:
        return [JoinResult(device.identifier, None, 46.5, 5) for device in devices]

    monkeypatch.setattr(demo, "join_devices", unanswered)
    monkeypatch.setattr(trial, "WITHIN_S", PATIENCE_S)
    status, what, hint = joined(made)
    assert status is FAILURE
    assert "no answer to 5 requests" in what
    assert "jrc lab run" in hint


def test_a_join_that_takes_too_long_fails(
    made: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And everything of it is stopped and removed."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(trial, "WITHIN_S", 0.01)
    status, what, _ = joined(made)
    assert status is FAILURE
    assert "no join within" in what
    assert [] == list(tmp_path.iterdir())


def test_a_missing_witness_is_a_warning_that_names_it(
    made: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest was looked at all the same."""
    monkeypatch.setattr(trial, "find_spec", lambda name: None if name == "aiocoap" else name)
    status, _, hint = joined(made)
    assert (status, hint) == (WARNING, "run: pip install aiocoap")


def test_a_join_that_is_not_wanted_is_skipped(made: Terminal) -> None:
    """--no-join."""
    (found,) = findings(case_of(made), "join")
    assert found.status is SKIPPED


def test_a_signal_in_the_middle_of_a_join_leaves_nothing(made: Terminal, tmp_path: Path) -> None:
    """Registrar and folder go before the command ends."""
    doctor = subprocess.Popen(
        made.command("doctor"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**environment(), "TMPDIR": str(tmp_path)},
    )
    folder = _until_registrar_runs(tmp_path)
    doctor.send_signal(signal.SIGTERM)
    assert doctor.stderr is not None
    with doctor.stderr as err:
        assert b"Traceback" not in err.read()
    assert doctor.wait(timeout=60) == 130
    assert not is_running(folder)
    assert [] == os.listdir(tmp_path)


def _until_registrar_runs(folder: Path) -> Path:
    """The throw-away registrar's folder, once its daemon has made its socket."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = list(folder.glob("*/admin.sock"))
        if found:
            return found[0].parent
        time.sleep(0.02)
    raise AssertionError("no registrar was started")

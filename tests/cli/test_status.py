"""``jrc status`` and ``jrc doctor`` on rollovers, nodes left behind, and a clock that is behind."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from jrc.cli.diagnosis.case import Daemon
from jrc.cli.diagnosis.service import judge_updates
from jrc.cli.status import _conductor, _to_know
from jrc.errors import ExitCode
from jrc.policy.rollover import NodeState
from jrc.service.rollover import advance
from tests.cli.examined import FAILURE, SKIPPED, SUCCESS, WARNING, case_of, findings, one
from tests.cli.rolled import (
    LATER_MS,
    answer,
    change,
    database_of,
    go_on,
    node_id,
    registrar,
)
from tests.cli.terminal import Terminal

FAST = "\n[rollover]\nguard_time_s = 0.2\nack_timeout_s = 0.2\n"
DAYS_MS = 3 * 86_400_000
PATIENCE_S = 90
LOOK = "see: jrc rollover status lab"


@pytest.fixture
def lab(tmp_path: Path) -> Terminal:
    """A registrar with two 6LNs and a 6LBR, which nobody tells anything."""
    return registrar(tmp_path, 3, routers=1, config=FAST)


def start(lab: Terminal) -> None:
    """A rollover in which one of the 6LNs does not answer."""
    assert lab.jrc("rollover", "start", "lab", "--yes").code == 0
    answer(lab, {1: NodeState.REACHED, 2: NodeState.UNREACHABLE}, "no_answer")


def end(lab: Terminal) -> None:
    """It goes on without that one, and is done."""
    go_on(lab, deadline_passed=True)
    assert lab.jrc("rollover", "resume", "lab", "--anyway", "--yes").code == 0
    answer(lab, {3: NodeState.REACHED})
    go_on(lab)
    change(lab, lambda tx: advance(tx, 1, guard_over=True))


def without_moments(line: str) -> str:
    """A line as it is a minute later too: each command looks at the clock itself."""
    return re.sub(r"( \d+ min)? \d+ s behind", " behind", line)


def run_ahead(lab: Terminal) -> None:
    """The clock was ahead by days when the database was written last."""
    with database_of(lab) as database:
        database.write(lambda _tx: None, LATER_MS + DAYS_MS)


def lines(lab: Terminal) -> list[str]:
    """What stands below the fields."""
    shown = lab.jrc("status").out.splitlines()
    (last,) = [place for place, line in enumerate(shown) if line.startswith("short identifiers")]
    return shown[last + 1 :]


def test_all_is_quiet_where_no_keys_are_changed(lab: Terminal) -> None:
    """No line more than the fields."""
    assert lines(lab) == []
    found = lab.jrc("status", "--json").json
    assert (found["key_notices"], found["clock_behind"]) == ([], None)
    quiet = one(lab, "rollovers")
    assert (quiet.status, quiet.what) == (
        SUCCESS, "none is under way, and all nodes have keys that are in force",
    )  # fmt: skip


def test_a_rollover_under_way_has_a_line(lab: Terminal) -> None:
    """With the command to look at it; the doctor finds nothing wrong with it."""
    start(lab)
    (line,) = lines(lab)
    assert line.startswith("lab: a rollover is distributing, 1 of 2 6LNs and 0 of 1 6LBR reached")
    assert line.endswith(f"; {LOOK}")
    (notice,) = lab.jrc("status", "--json").json["key_notices"]
    assert (notice["networks"], notice["phase"], notice["look"]) == (
        ["lab"], "distributing", "jrc rollover status lab",
    )  # fmt: skip
    found = one(lab, "rollovers")
    assert (found.status, found.what) == (SUCCESS, line)


def test_a_revoked_device_with_the_keys_in_force_is_a_warning(lab: Terminal) -> None:
    """New keys alone put it out; the doctor says how they come."""
    words = ("pledge", "revoke", node_id(1), "--yes", "--no-rollover")
    assert lab.jrc(*words).code == 0
    (line,) = lines(lab)
    assert line == (
        "lab: 1 revoked device still has the keys in force, and can go on reading and sending;"
        " see: jrc pledge list --state revoked"
    )
    assert node_id(1) in lab.jrc("pledge", "list", "--state", "revoked").out
    found = one(lab, "rollovers")
    assert found.status == WARNING
    assert found.hint.startswith("`jrc rollover start lab` puts it out; see: jrc pledge list")


def test_e02_a_paused_rollover_is_a_warning_with_the_ways_on(lab: Terminal) -> None:
    """It waits for a person (RFC 9031 §8.4.3.1)."""
    start(lab)
    go_on(lab, deadline_passed=True)
    (line,) = lines(lab)
    assert line == (
        "lab: a rollover is paused (the deadline has passed with 1 of 2 6LNs reached, and 100 %"
        f" are needed); {LOOK}"
    )
    found = one(lab, "rollovers")
    assert (found.status, f"{found.what}; {LOOK}") == (WARNING, line)
    assert "`jrc rollover resume lab` goes on telling them" in found.hint
    assert found.hint.endswith(LOOK)


def test_e02_a_rollover_past_its_deadline_is_a_warning(lab: Terminal) -> None:
    """No daemon has looked for an hour."""
    assert lab.jrc("rollover", "start", "lab", "--yes", "--deadline", "1s").code == 0
    case = case_of(lab)
    case.clock = type("Later", (), {"now_ms": lambda _: int(time.time() * 1000) + 3_600_000})()
    (found,) = findings(case, "rollovers")
    assert (found.status, "past its deadline" in found.what) == (WARNING, True)
    assert found.hint.startswith("see that the daemon runs")


def test_nodes_that_were_left_behind_have_a_line(lab: Terminal) -> None:
    """With the command that lists them, and who joins again."""
    start(lab)
    end(lab)
    (line,) = lines(lab)
    assert line == (
        "lab: 1 node holds retired keys and has to join again; see: jrc node list lab --behind"
    )
    found = one(lab, "rollovers")
    assert (found.status, found.hint.startswith("restart them")) == (WARNING, True)


def test_where_nobody_can_look_the_doctor_says_so(lab: Terminal) -> None:
    """The cause is another check's."""
    (lab.folder / "kek").write_text("no key")
    assert one(lab, "rollovers").status is SKIPPED


def test_a_clock_that_was_ahead_is_said_with_what_to_do(lab: Terminal) -> None:
    """RFC 8613 App. B.1.1: no sender number below one that may have been used."""
    run_ahead(lab)
    (line,) = map(without_moments, lines(lab))
    assert line.startswith("The clock is 2 d 23 h ")
    assert "so joined nodes are told nothing" in line
    assert "If it is right and was ahead before, wait until that time" in line
    told = lab.jrc("status", "--json").json["clock_behind"]
    assert without_moments(f"{told['meaning']} {told['what_to_do']}") == line
    found = findings(case_of(lab), "clock")[0]
    what = without_moments(told["meaning"].rstrip("."))
    assert (found.status, without_moments(found.what)) == (FAILURE, what)
    assert found.hint == told["what_to_do"]


def _hindered(lab: Terminal) -> Any:
    """The daemon's status once it has tried to tell somebody something."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = lab.jrc("status", "--json").json
        if found["updates"]["why"] is not None:
            return found
    raise AssertionError("the daemon has not noticed")


def test_a_daemon_that_can_tell_nobody_says_why(lab: Terminal) -> None:
    """Once: the clock is the reason, and is said with what to do."""
    run_ahead(lab)
    assert lab.jrc("rollover", "start", "lab", "--yes").code == 0
    with lab.daemon():
        found = _hindered(lab)
        assert "the clock is behind" in found["updates"]["why"]
        shown = lab.jrc("status").out
        told = findings(case_of(lab), "daemon")
    assert shown.count("The clock is 2 d 23 h") == 1
    assert "joined nodes are told nothing: " not in shown
    assert [each.status for each in told] == [SUCCESS, WARNING]
    assert "it tells joined nodes nothing: the clock is behind" in told[1].what


def test_another_reason_to_tell_nobody_is_said_as_it_is(
    lab: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a daemon that meets a damaged row, say."""
    why = "row 7 does not authenticate"
    told = {"ready": True, "updates": {"why": why}}
    shown: list[str] = []
    monkeypatch.setattr("jrc.cli.output.line", shown.append)
    monkeypatch.setattr("jrc.cli.status.is_served", lambda _asked: True)
    monkeypatch.setattr("jrc.cli.client.Api.status", lambda *_: told)
    assert lab.jrc("status").code == ExitCode.DONE
    assert shown[-1] == f"joined nodes are told nothing: {why}; see the daemon's log"
    (verdict,) = judge_updates(Daemon(told).part("updates"))
    assert (verdict.status, why in verdict.what) == (WARNING, True)
    assert list(judge_updates({"why": None})) == []


def test_e07_a_join_proxy_that_is_told_keys_has_a_line() -> None:
    """It is enrolled as a border router with a radio (RFC 9031 §5.1)."""
    assert list(_to_know({"proxy": {"given_keys": "run x"}})) == ["join proxy: run x"]
    for proxy in (None, {"given_keys": None}):
        assert list(_to_know({"proxy": proxy})) == []


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({"is_conductor": True, "conductor": None}, "this registrar"),
        ({"is_conductor": False, "conductor": "jrc east 17 watch"}, "jrc east 17 watch"),
        ({"is_conductor": False, "conductor": None}, "nobody just now"),
    ],
)
def test_m02_registrars_of_one_database_say_who_conducts(told: Any, shown: str) -> None:
    """RFC 9031 §8.4.3.1: with SQLite there is nobody else, and nothing to say."""
    url = "postgresql+psycopg://jrc@db/jrc"
    assert {"conductor": shown} == _conductor({"database": url, "registrars": told})
    assert {} == _conductor({"database": "/var/lib/jrc/jrc.db", "registrars": told})

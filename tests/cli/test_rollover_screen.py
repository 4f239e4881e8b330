"""What is seen of a rollover as it goes on: the table of a terminal, lines elsewhere."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from jrc.cli.rollover_screen import Lines, picture, switched_at
from jrc.cli.rollover_words import hindrances, summary

Doc = dict[str, Any]


def _node(number: int, state: str, **more: object) -> Doc:
    at = f"2026-11-21T16:00:{number % 60:02d}.000Z"
    return {
        "pledge_id": f"{number:016x}",
        "role": "6ln",
        "network": "lab",
        "state": state,
        "attempts": 1,
        "last_error": None,
        "sent": at,
        "reached": at if state == "reached" else None,
        "tried": at,
        "next": None,
        **more,
    }


def _status(phase: str = "distributing", **more: object) -> Doc:
    return {
        "id": 1,
        "network": "lab",
        "networks": ["lab"],
        "phase": phase,
        "cause": "operator",
        "key_ids": [2],
        "former_key_ids": [1],
        "counts": {"6ln": {"reached": 3, "pending": 1}, "6lbr": {"pending": 1}},
        "installers": {},
        "without_router": [],
        "paused": None,
        "begins": None,
        "deadline": "2026-11-21T17:00:00.000Z",
        "switching": None,
        "guarding": None,
        "ended": None,
        "hindered": None,
        **more,
    }


def _shown(
    status: Doc, nodes: list[Doc], *, width: int = 100, height: int = 24, most: int | None = None
) -> list[str]:
    """The lines of a terminal of this size."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, no_color=True)
    console.print(picture(console, status, nodes, most))
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()


def _ids(lines: list[str]) -> list[int]:
    found = (re.match(r"[0-9a-f]{16}\b", line) for line in lines)
    return [int(each[0], 16) for each in found if each]


def test_those_who_lag_behind_stand_on_top() -> None:
    """Unreachable, refused, pending; then the reached ones, the last one first."""
    nodes = [
        _node(1, "reached"),
        _node(2, "pending", sent=None, tried=None),
        _node(3, "refused"),
        _node(4, "reached"),
        _node(5, "unreachable"),
        _node(6, "left"),
        _node(7, "sent"),
    ]
    assert _ids(_shown(_status(), nodes)) == [5, 3, 7, 2, 4, 1, 6]


@pytest.mark.parametrize("height", [8, 24, 50])
@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_picture_fits_the_terminal(width: int, height: int) -> None:
    """However many nodes there are; the rest is counted."""
    lines = _shown(_status(), [_node(n, "pending") for n in range(300)], width=width, height=height)
    rows = len(_ids(lines))
    assert len(lines) < height
    assert rows >= 1
    assert lines[-1].rstrip() == f"and {300 - rows} more"
    assert max(map(len, lines)) <= width


def test_while_a_command_waits_the_table_is_short() -> None:
    """Only the first few."""
    nodes = [_node(number, "pending") for number in range(300)]
    assert len(_ids(_shown(_status(), nodes, most=5))) == 5


def test_an_operator_sees_what_to_do_about_a_pause() -> None:
    """The whole sentence, wrapped; the table gets what is left."""
    sentence = "The deadline has passed with 7 of 9 6LNs: " + "`jrc rollover resume lab` " * 9
    paused = {"cause": "deadline", "phase": "distributing", "sentence": sentence}
    lines = _shown(_status("paused", paused=paused), [_node(n, "pending") for n in range(50)])
    assert len(lines) < 24
    assert " ".join(" ".join(lines).split()).count("`jrc rollover resume lab`") == 9


def test_a_node_switches_with_the_6lbrs_and_not_before() -> None:
    """A 6LN follows what it hears: not where a 6LBR is dead, or none is (RFC 9031 §8.4.3.2)."""
    early, late = _node(10, "reached"), _node(50, "reached")
    router = {**early, "role": "6lbr"}
    switching = {"switching": "2026-11-21T16:00:05.000Z"}
    both = {**switching, "guarding": "2026-11-21T16:00:30.000Z"}
    assert switched_at(early, _status()) is None
    assert switched_at(early, _status("switching", **switching)) is None
    assert switched_at(router, _status("switching", **switching)) == router["reached"]
    assert switched_at(early, _status("guarding", **both)) == both["guarding"]
    assert switched_at(late, _status("guarding", **both)) == late["reached"]
    assert switched_at(early, _status("guarding", **both, without_router=["lab"])) is None
    assert switched_at(_node(5, "unreachable"), _status("done", **both)) is None


def test_what_a_node_says_can_not_drive_the_terminal() -> None:
    """Its trouble may be of its own making."""
    out = io.StringIO()
    console = Console(file=out, width=120, height=24, force_terminal=True)
    node = _node(1, "refused", last_error="4.00 \x1b]0;owned\x07")
    console.print(picture(console, _status(), [node]))
    assert "\x1b]0;" not in out.getvalue()


def _lines(*looks: tuple[Doc, list[Doc]], each_node: bool = True) -> list[str]:
    """What is written, without the times."""
    written: list[str] = []
    lines = Lines(written.append, each_node=each_node)
    for status, nodes in looks:
        lines.show(status, nodes)
    return [line.partition(" ")[2] for line in written]


def test_elsewhere_each_change_is_a_line() -> None:
    """A phase, or a node; what stays is not said again."""
    before = [_node(1, "pending"), _node(2, "pending")]
    trouble = {"last_error": "no_answer", "next": "2026-11-21T16:09:00.000Z"}
    after = [_node(1, "reached"), _node(2, "unreachable", attempts=2, **trouble)]
    done = _status("switching", switching="2026-11-21T16:00:30.000Z")
    told, deadline = "3 of 4 6LNs reached, 0 of 1 6LBR reached", "2026-11-21T17:00:00.000Z"
    assert _lines((_status(), before), (_status(), before), (_status(), after), (done, after)) == [
        f"lab: distributing, key id 2 in place of key id 1; {told}; deadline {deadline}",
        f"lab: {1:016x} reached (attempt 1)",
        f"lab: {2:016x} unreachable (attempt 2): no_answer, again at 2026-11-21T16:09:00.000Z",
        f"lab: switching, key id 2 in place of key id 1; {told}",
    ]


def test_who_is_in_trouble_already_is_named_at_the_first_look() -> None:
    """Once; the others are as they should be."""
    nodes = [_node(1, "reached"), _node(2, "refused", last_error="4.00"), _node(3, "sent")]
    assert _lines((_status(), nodes), (_status(), nodes))[1:] == [
        f"lab: {2:016x} refused (attempt 1): 4.00"
    ]


def test_while_a_command_waits_nodes_are_counted_and_not_named() -> None:
    """A line where the count has changed."""
    more = _status(counts={"6ln": {"reached": 4}, "6lbr": {"pending": 1}})
    looks = [(_status(), [_node(1, "pending")]), (more, [_node(1, "reached")])]
    assert _lines(*looks, looks[1], each_node=False)[1:] == [
        "lab: 4 of 4 6LNs reached, 0 of 1 6LBR reached"
    ]


FAILING = {
    "installed": False,
    "failures": 3,
    "error": "exit code 1: no radio",
    "tried": "2026-11-21T16:00:00.000Z",
    "next": "2026-11-21T16:05:00.000Z",
}
FAILED = "installer lab/exec has failed 3 times: exit code 1: no radio, again at 2026-11-21T16:05"


def test_a_summary_is_one_sentence_whatever_its_parts_end_in() -> None:
    """No full stop before a semicolon."""
    paused = {"sentence": "It was paused by the operator."}
    found = summary(_status(paused=paused, hindered="the clock is behind."))
    last = "It was paused by the operator; nobody is told anything: the clock is behind."
    assert found.endswith(last)


def test_an_installer_that_was_never_run_has_not_failed_0_times() -> None:
    """Its network is not there, say."""
    told = {**FAILING, "failures": 0, "error": "there is no network 'lab'", "next": None}
    (line,) = hindrances(_status("switching", installers={"lab/exec": told}), []).values()
    assert line == "installer lab/exec was not run: there is no network 'lab'"


def test_an_installer_that_fails_is_a_line_once() -> None:
    """Until it fails in another way; when it has the keys, it counts."""
    failing = _status("switching", installers={"lab/exec": FAILING})
    again = _status("switching", installers={"lab/exec": {**FAILING, "failures": 4}})
    other = {**FAILING, "failures": 1, "error": "timed out", "next": None}
    worse = _status("switching", installers={"lab/exec": other})
    found = _lines((failing, []), (again, []), (worse, []))
    assert "0 of 1 installer" in found[0]
    assert [f"lab: {FAILED}:00.000Z", "lab: installer lab/exec has failed once: timed out"] == (
        found[1:]
    )
    has = {**FAILING, "installed": True, "failures": 0, "error": None, "next": None}
    (line,) = _lines((_status("switching", installers={"lab/exec": has}), []))
    assert "1 of 1 installer" in line


def test_whom_a_switch_waits_for_stands_over_the_table() -> None:
    """Before the switch no 6LBR is told, so none is waited for; three at most are named."""
    router = _node(9, "unreachable", role="6lbr", last_error="no_answer")
    at = "2026-11-21T16:00:30.000Z"
    shown = {"installers": {"lab/exec": FAILING}}
    lines = _shown(_status("switching", switching=at, **shown), [router], width=160)
    assert any(line.startswith(FAILED) for line in lines)
    assert f"6LBR {9:016x} unreachable (attempt 1): no_answer" in "\n".join(lines)
    assert "6LBR 0" not in "\n".join(_shown(_status(), [router]))
    assert FAILED not in "\n".join(_shown(_status("done", ended=at, **shown), []))
    routers = [_node(n, "unreachable", role="6lbr", last_error="no_answer") for n in range(9)]
    lines = _shown(_status("switching", switching=at), routers, width=160)
    assert sum(line.startswith("6LBR") for line in lines) == 3


def test_while_a_command_waits_6lbrs_that_can_not_be_told_are_named() -> None:
    """The switch waits for them; 6LNs are counted."""
    at = "2026-11-21T16:00:30.000Z"
    nodes = [
        _node(1, "unreachable", last_error="no_answer"),
        _node(9, "unreachable", role="6lbr", last_error="no_answer"),
    ]
    look = (_status("switching", switching=at), nodes)
    assert _lines(look, look, each_node=False)[1:] == [
        f"lab: 6LBR {9:016x} unreachable (attempt 1): no_answer"
    ]


def test_the_reason_of_a_pause_can_not_drive_the_terminal() -> None:
    """Somebody else may have given it."""
    sentence = 'It was paused by bob ("\x1b]0;owned\x07"): `jrc rollover resume lab` goes on.'
    out = io.StringIO()
    console = Console(file=out, width=120, height=24, force_terminal=True)
    console.print(
        picture(
            console, _status("paused", paused={"phase": "distributing", "sentence": sentence}), []
        )
    )
    assert "\x1b]0;" not in out.getvalue()

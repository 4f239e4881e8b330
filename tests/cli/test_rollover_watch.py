"""``jrc rollover watch``: when it ends, and what it shows where another rollover follows."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from jrc.cli import rollover_show, rollover_wait
from jrc.cli.client import Api, Query
from jrc.errors import ExitCode
from tests.cli.terminal import Done, Terminal
from tests.cli.test_rollover_screen import Doc, _node, _status

PAUSED = _status(
    "paused",
    paused={
        "cause": "deadline",
        "phase": "distributing",
        "at": "2026-11-21T17:00:00.000Z",
        "actor": "jrc",
        "reason": "",
        "sentence": "The deadline has passed: `jrc rollover resume lab` goes on.",
    },
)
ENDED = "2026-11-21T18:00:00.000Z"


def _rollover(number: int, phase: str, **more: object) -> Doc:
    ended = ENDED if phase in ("done", "aborted") else None
    return {**_status(phase), "id": number, "ended": ended, "wanted": None, **more}


class Daemon(Api):
    """Gives the next of ``looks`` each time; ``ended`` has those that are asked for by number."""

    def __init__(
        self, *looks: Doc, ended: tuple[Doc, ...] = (), nodes: tuple[Doc, ...] = ()
    ) -> None:
        self._looks = list(looks)
        self._ended = {str(each["id"]): each for each in ended}
        self._nodes = list(nodes)

    def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        asked = dict(query or {})
        if asked.get("limit") != 0:
            return {"nodes": self._nodes, "next": None}
        if "id" in asked:
            return self._ended[str(asked["id"])]
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Time does not pass between two looks."""
    monkeypatch.setattr(rollover_wait, "LOOK_EVERY_S", 0)
    return Terminal(tmp_path)


def _watch(terminal: Terminal, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Done:
    monkeypatch.setattr(rollover_show, "connect_daemon", lambda _asked: nullcontext(daemon))
    return terminal.jrc("rollover", "watch", "lab", config=False)


@pytest.mark.parametrize(
    ("on_terminal", "code"), [(False, ExitCode.UNFINISHED), (True, ExitCode.FAILED)]
)
def test_a_pause_ends_it_where_nobody_looks(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, on_terminal: bool, code: ExitCode
) -> None:
    """With the sentence that says what to do; on a terminal it stays until it is over."""
    monkeypatch.setattr(rollover_show, "on_terminal", lambda: on_terminal)
    paused = {**PAUSED, "wanted": None}
    running = _rollover(1, "distributing")
    # Its first look is whether there is a rollover at all.
    daemon = Daemon(running, running, paused, paused, _rollover(1, "aborted"))
    done = _watch(terminal, daemon, monkeypatch)
    assert done.code == code
    assert done.out.count("; The deadline has passed: `jrc rollover resume lab` goes on.") == 1
    assert ("lab: aborted" in done.out) == on_terminal


def test_the_end_of_one_that_another_replaces_is_shown(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is the last one's; nodes of the next are news from their first trouble on."""
    first, second = _rollover(1, "distributing"), _rollover(2, "distributing", cause="revocation")
    last = _rollover(2, "done", cause="revocation")
    nodes = (_node(1, "pending"), _node(2, "unreachable", last_error="no_answer"))
    looks = (first, first, second, second, last)
    done = _watch(
        terminal, Daemon(*looks, ended=(_rollover(1, "aborted"),), nodes=nodes), monkeypatch
    )
    assert done.code == ExitCode.DONE
    trouble = f"lab: {2:016x} unreachable (attempt 1): no_answer"
    assert [line.split(" ", 1)[1].partition(",")[0].partition(";")[0] for line in _lines(done)] == [
        "lab: distributing",
        trouble,
        "lab: aborted",
        "lab: distributing (revocation)",
        trouble,
        "lab: done (revocation)",
    ]


def _lines(done: Done) -> list[str]:
    assert done.err == ""
    return done.out.splitlines()

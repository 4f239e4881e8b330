"""How joins are shown."""

import io

import pytest
from rich.console import Console

from jrc.cli import lab_screen
from jrc.lab.configuration import LabConfiguration
from jrc.lab.network import JoinResult
from jrc.lab.pledge import Joined

RESULTS = [
    JoinResult(bytes([0xA0 + number]), Joined(LabConfiguration((), bytes([0, number]))), 0.0123, 1)
    for number in range(9)
] + [JoinResult(b"\xff", None, 46.5, 5)]


def shown(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=100, height=10)
    monkeypatch.setattr(lab_screen, "Console", lambda: console)
    with lab_screen.screen(len(RESULTS)) as screen:
        for result in RESULTS:
            screen.show(result)
    return output.getvalue()


def test_a_terminal_ends_with_one_table_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who joined with which short address and how long it took, also on a short terminal."""
    *_, table = shown(monkeypatch, terminal=True).split("9 of 10 joined")
    rows = [line.split() for line in table.splitlines() if line.startswith("│")]
    assert len(rows) == len(RESULTS)
    assert "0001" in rows[1]
    assert "12.3" in rows[1]


def test_elsewhere_each_pledge_is_a_plain_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No control characters in a pipe."""
    assert shown(monkeypatch, terminal=False) == ""
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "a1  0001   12.3 ms   1  joined"
    assert lines[-1] == "ff     -  46500.0 ms   5  no answer to 5 requests"

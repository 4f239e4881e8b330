"""How consoles are shown."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from jrc.cli.output import Record
from jrc.cli.watch_outbox import Sighting, Stored
from jrc.cli.watch_rows import Row, Rows, State
from jrc.cli.watch_screen import Lines, picture, screen
from jrc.cojp.credential import parse
from jrc.model import PledgeId
from jrc.provision.backchannel import Course
from jrc.provision.bench_plan import News
from tests.provision.board import credential, device_id

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def shown(rows: list[Row], height: int = 24, width: int = 120) -> str:
    console = Console(file=StringIO(), width=width, height=height)
    console.print(picture(rows, "2 devices stored", height))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_consoles_with_a_problem_stand_on_top() -> None:
    """So that they are seen where there is no room for all."""
    rows = [Row(f"ttyACM{number}", State.LISTENING) for number in range(30)]
    rows[29].state, rows[29].trouble = State.PROBLEM, "line 7: two device ids"
    lines = shown(rows, height=10).splitlines()
    assert "ttyACM29" in lines[2]
    assert "and 25 more" in lines[-2]
    assert "ttyACM29: line 7: two device ids" in lines[-1]
    assert len(lines) < 10


def test_a_table_is_whole_on_a_small_terminal() -> None:
    """Eighty columns have room for an EUI-64 and the beginning of a thumbprint."""
    row = Row("ttyACM0", State.SUPERSEDED, device_id(1), "ab" * 32, "", "x" * 200, 12, last=AT)
    lines = shown([row], width=80).splitlines()
    assert all(part in lines[2] for part in (device_id(1), "ab" * 8, "superseded", " 12 "))
    assert "…" not in lines[2]


def test_a_table_of_keys_is_whole_on_a_small_terminal() -> None:
    """In each state that a board goes through, the last column included."""
    for state in (State.ENTERING, State.KEY_SENT, State.KEY_STORED):
        row = Row("ttyACM0", state, device_id(1), "", "da742a8f", stored=12, last=AT)
        lines = shown([row], width=80).splitlines()
        whole = (device_id(1), state.value, "da742a8f", " 12 ", f"{AT.astimezone():%H:%M:%S}")
        assert all(part in lines[2] for part in whole)
        assert "…" not in "".join(lines)


def test_devices_that_have_their_key_are_counted_where_they_are() -> None:
    """Each once, however often it says so, and no more once it has lost it."""
    rows = Rows(lambda _record: None, now=lambda: AT)
    first, second = (PledgeId.from_hex(device_id(number)) for number in (1, 2))
    done = (first, Course.DONE, "da742a8f")
    for news in (done, done, (second, Course.SENT, None), (second, Course.DONE, "00000001")):
        state = State.KEY_STORED if news[1] is Course.DONE else State.KEY_SENT
        rows.keyed("a", state, News("a", *news))
    assert 2 == rows.rows["a"].stored
    rows.keyed("a", State.PROBLEM, News("a", second, Course.PROBLEM))
    assert 1 == rows.rows["a"].stored


@pytest.mark.parametrize("as_json", [False, True], ids=["lines", "JSON"])
def test_nothing_of_a_change_drives_the_terminal(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who names a port or prints on it writes no escape sequence to whoever watches."""
    with screen(as_json=as_json) as shown_on:
        shown_on.tell({
            "at": "now", "port": "tty\x1b[2J", "event": "problem", "error": "\x9b1m\x07",
        })  # fmt: skip
    out = capsys.readouterr().out
    assert out.startswith('{"at"' if as_json else "now tty")
    assert out.removesuffix("\n").isprintable()


def test_nothing_of_a_row_drives_the_terminal() -> None:
    """Labels are chosen by others."""
    text = shown([Row("tty\x1b[2J", State.PROBLEM, trouble="a\x1bb\n[bold]c")])
    assert "\x1b" not in text
    assert "[bold]c" in text


def test_each_outcome_is_a_line_that_says_what_to_do() -> None:
    """With port, device and key; of a refusal with its reason and hint."""
    told: list[Record] = []
    rows = Rows(told.append, now=lambda: AT)
    found = parse(credential(1))
    sighting = Sighting(PledgeId.from_hex(device_id(1)), found, "bench-1")
    for done in (
        Stored(sighting, "new"),
        Stored(sighting, "refused", "a reason", "see the boards"),
    ):
        rows.stored(done)
    rows.registrar("nobody answers")
    rows.registrar("nobody answers")
    rows.registrar("")
    lines: list[str] = []
    for record in told:
        Lines(lines.append).tell(record)
    assert [
        f"2026-11-22T08:00:00Z bench-1: {device_id(1)} stored, identity {found.thumbprint.hex()}",
        f"2026-11-22T08:00:00Z bench-1: {device_id(1)} refused: a reason (see the boards)",
        "2026-11-22T08:00:00Z registrar: can't be reached; what is seen is kept: nobody answers",
        "2026-11-22T08:00:00Z registrar: there again",
    ] == lines

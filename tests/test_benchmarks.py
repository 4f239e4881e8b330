"""What `make bench` can measure, and how it reckons; the measuring itself is no test."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.client import MeasurementError
from benchmarks.command import Running
from benchmarks.fleet import Fleet
from benchmarks.report import Figure
from benchmarks.scale import QUICK
from benchmarks.stream import Waits
from tests import postgresql

DOCUMENT = Path("docs/performance.md")


def test_each_measurement_is_named_in_the_document() -> None:
    """An operator who wants a figure again finds its word beside `--only`."""
    (line,) = [each for each in DOCUMENT.read_text().splitlines() if "--only rejoin" in each]
    names = line.partition("# ")[2].partition(";")[0]
    assert set(benchmarks.NAMES) == set(names.split(", "))


def test_the_best_run_is_the_fastest_one() -> None:
    """Of a time the lowest, of a rate the highest."""
    runs = [3.0, 1.0, 2.0]
    assert (1.0, 3.0) == (Figure("a", "us", runs).best, Figure("a", "joins/s", runs).best)


def test_waits_tell_how_many_were_answered_and_how_late() -> None:
    """None is sent twice: what has no answer lowers the share alone."""
    waits = Waits(sent=200, waits_s=[0.001] * 98 + [0.5, 1.0])
    assert (50.0, 1.0, 1000.0) == (waits.share, waits.median_ms(), waits.longest_ms())
    assert 500.0 <= waits.p99_ms() <= 1000.0


def test_a_command_tells_its_time_and_its_memory() -> None:
    """Its own, and not that of the process that measures it."""
    large = bytearray(64 * 1024 * 1024)
    cost = Running((sys.executable, "-c", "sum(range(10**6))")).wait()
    assert 0 < cost.peak_bytes < len(large)
    assert 0 < cost.cpu_s


def test_a_command_that_fails_gives_no_figure() -> None:
    """What it said is in the error."""
    with pytest.raises(MeasurementError, match="no such thing"):
        Running((sys.executable, "-c", "raise SystemExit('no such thing')")).wait()


def test_without_postgresql_it_is_left_out_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest is measured all the same."""
    monkeypatch.setattr(postgresql, "missing", lambda: "it is not installed")
    assert [] == list(benchmarks._on_server(tmp_path, QUICK))
    assert "postgresql is left out: it is not installed\n" == capsys.readouterr().err


def test_an_import_file_of_the_fleet_says_the_label(tmp_path: Path) -> None:
    """Another one changes each pledge, and so writes an event of each."""
    Fleet(2).write_csv(tmp_path / "rows", "hall 1")
    first, *rows = (tmp_path / "rows").read_text().splitlines()
    assert "pledge_id,psk,network,label" == first
    assert ["hall 1", "hall 1"] == [row.split(",")[3] for row in rows]


def test_an_unknown_measurement_is_refused() -> None:
    """The words are those of the table of measurements."""
    command = (sys.executable, "-m", "benchmarks", "--only", "nothing")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 2 == done.returncode
    assert all(name in done.stderr for name in benchmarks.NAMES)

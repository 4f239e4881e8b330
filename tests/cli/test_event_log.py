"""``jrc events verify``, ``export`` and ``prune``."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from jrc.cli import event_log
from jrc.errors import ExitCode
from tests.cli.terminal import PLEDGE, Terminal, one_sentence


@pytest.fixture
def lab(terminal: Terminal) -> Terminal:
    """A registrar with some events."""
    terminal.add_lab()
    return terminal


def test_an_export_is_verified_without_the_database(lab: Terminal, tmp_path: Path) -> None:
    """The file is its owner's; what is changed in it is found, as exit code 1."""
    file = tmp_path / "events.jsonl"
    done = lab.jrc("events", "export", str(file))
    assert done.code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    whole = lab.jrc("events", "verify", str(file), "--json").json
    assert (whole["intact"], whole["first"]) == (True, 1)
    assert whole["hash"] in done.err
    assert whole["hash"] == lab.jrc("events", "verify", "--json").json["hash"]
    (lab.folder / "jrc.db").rename(tmp_path / "elsewhere.db")
    assert lab.jrc("events", "verify", str(file)).code == 0
    assert lab.jrc("events", "verify", "-", stdin=file.read_bytes()).code == 0
    file.write_text(file.read_text().replace(PLEDGE, "00124b0014b5b600"))
    broken = lab.jrc("events", "verify", str(file))
    assert broken.code == ExitCode.FAILED
    assert "does not fit its hash" in broken.out


def test_an_export_overwrites_nothing(lab: Terminal, tmp_path: Path) -> None:
    """One sentence; and what is refused leaves no file behind."""
    file = tmp_path / "events.jsonl"
    file.write_text("mine")
    one_sentence(lab.jrc("events", "export", str(file)), ExitCode.FAILED)
    assert file.read_text() == "mine"
    other = tmp_path / "other.jsonl"
    one_sentence(lab.jrc("events", "export", str(other), "--since", "noon"), ExitCode.USAGE)
    assert not other.exists()


@pytest.mark.parametrize("cut", [httpx.ReadError("cut off"), KeyboardInterrupt()])
def test_an_export_that_is_broken_off_leaves_no_file(
    lab: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: BaseException
) -> None:
    """It could be taken for a whole one, and nothing goes from the log for it."""
    file, real = tmp_path / "events.jsonl", httpx.AsyncClient.request
    pages: list[str] = []

    async def request(client: httpx.AsyncClient, method: str, url: str, **more: Any) -> Any:
        if url == "/v1/events/export":
            assert bool(pages) == file.exists()
            if pages:
                raise cut
            pages.append(url)
        return await real(client, method, url, **more)

    monkeypatch.setattr(event_log, "_PAGE", 1)
    monkeypatch.setattr(httpx.AsyncClient, "request", request)
    done = lab.jrc("events", "prune", "--before", "0s", "--yes", "--export", str(file))
    monkeypatch.undo()
    assert (True, False) == (done.code != 0, file.exists())
    assert lab.jrc("events", "--json").json[0]["number"] == 1


def test_exports_and_listings_are_filtered_alike(lab: Terminal) -> None:
    """By kind, pledge, network and time."""
    for filters, some in (
        (("--kind", "pledge.added"), True),
        (("--pledge", PLEDGE), True),
        (("--network", "lab"), True),
        (("--since", "1h"), True),
        (("--until", "1h"), False),
        (("--since", "2020-01-01", "--until", "2020-01-02T12:00+01:00"), False),
    ):
        lines = lab.jrc("events", "export", "-", *filters).out.splitlines()
        numbers = [json.loads(line)["number"] for line in lines]
        listed = lab.jrc("events", "--json", *filters).json
        assert [each["number"] for each in listed] == numbers
        assert bool(numbers) is some, filters


def test_a_changed_log_is_exit_code_1_and_says_what_it_means(lab: Terminal) -> None:
    """`jrc events verify`, in words and as JSON."""
    assert lab.jrc("events", "verify").out.endswith(" events, each as it was written.\n")
    with sqlite3.connect(lab.folder / "jrc.db") as database:
        database.execute("DELETE FROM event WHERE number = 2")
    done = lab.jrc("events", "verify")
    assert done.code == ExitCode.FAILED
    assert done.out.startswith("Event 2 is missing. ")
    assert lab.jrc("events", "verify", "--json").json["broken_at"] == 2


def test_old_events_are_kept_in_a_file_before_they_go(lab: Terminal, tmp_path: Path) -> None:
    """It asks; the file verifies, the rest too; a second time there are fewer to go."""
    file = tmp_path / "old.jsonl"
    words = ("events", "prune", "--before", "0s", "--export", str(file))
    one_sentence_after_plan = lab.jrc(*words)
    assert one_sentence_after_plan.code == ExitCode.REFUSED
    assert not file.exists()
    count = len(lab.jrc("events", "--json").json)
    done = lab.jrc(*words, "--yes", "--reason", "yearly", "--json")
    assert done.json == {"removed": count, "first": 1, "last": count}
    assert lab.jrc("events", "verify", str(file), "--json").json["count"] == count
    (left,) = lab.jrc("events", "--json").json
    assert (left["kind"], left["reason"], left["detail"]["last"]) == (
        "events.removed", "yearly", count,
    )  # fmt: skip
    assert lab.jrc("events", "verify", "--json").json["first"] == count + 1
    nothing = lab.jrc("events", "prune", "--before", "2020-01-01", "--yes")
    assert (nothing.code, nothing.err) == (0, "no event is that old; nothing was removed\n")


def test_a_log_that_does_not_verify_is_not_shortened(lab: Terminal, tmp_path: Path) -> None:
    """With --export; what is wrong with it is evidence."""
    with sqlite3.connect(lab.folder / "jrc.db") as database:
        database.execute("UPDATE event SET reason = 'other' WHERE number = 2")
    file = tmp_path / "old.jsonl"
    done = lab.jrc("events", "prune", "--before", "0s", "--export", str(file), "--yes")
    assert done.code == ExitCode.FAILED
    assert "does not verify, and nothing was removed" in done.err
    assert lab.jrc("events", "--json").json[0]["number"] == 1

"""Entries of the journal: fields by name, priorities, and nothing that looks like another field."""

import io
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from jrc import journal, log
from jrc.journal import Entry, Journal
from jrc.logwriter import LogWriter
from jrc.model import PledgeId, Secret

KEY = bytes.fromhex("e6bf4287c2d7618d6a9687445ffd33e6")
LONG = "x" * 300_000
WITHIN_S = 20


def fields(entry: bytes) -> dict[str, str]:
    """What an entry says, read as the journal reads it."""
    found: dict[str, str] = {}
    while entry:
        line, _, rest = entry.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[9 + size :]
        assert name.decode() not in found
        found[name.decode()] = value.decode()
        entry = rest
    return found


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.settimeout(WITHIN_S)
        yield listening


@pytest.fixture
def logged(
    reader: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LogWriter]:
    """A log whose standard error goes to the journal."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with tempfile.TemporaryFile("w+") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        sent = Journal(str(tmp_path / "socket"))
        writer = LogWriter(stream.fileno(), sent)
        assert "journal" == log.configure("info", "auto", stream, writer)
        writer.makes_entries = True
        yield writer
        writer.close()
        stream.seek(0)
        assert "" == stream.read()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_an_entry_with_its_fields(logged: LogWriter, reader: socket.socket) -> None:
    """`journalctl JRC_PLEDGE=...` finds it, and its priority is that of its level."""
    pledge = PledgeId(b"\xab\xcd")
    structlog.get_logger().warning("something_happened", pledge=pledge, n=3, key_id=1, none=None)
    assert {
        "MESSAGE": "something_happened pledge=abcd n=3 key_id=1 none=",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "jrc",
        "JRC_EVENT": "something_happened",
        "JRC_PLEDGE": "abcd",
        "JRC_N": "3",
        "JRC_KEY_ID": "1",
        "JRC_NONE": "",
    } == fields(reader.recv(65_536))


@pytest.mark.parametrize(
    ("level", "priority"),
    [("info", "6"), ("warning", "4"), ("error", "3"), ("critical", "2")],
)
def test_the_priority_is_that_of_the_level(
    logged: LogWriter, reader: socket.socket, level: str, priority: str
) -> None:
    """`journalctl -p warning` shows what a person has to look at."""
    getattr(structlog.get_logger(), level)("event")
    assert priority == fields(reader.recv(65_536))["PRIORITY"]


def test_no_key_is_in_an_entry(logged: LogWriter, reader: socket.socket) -> None:
    """By type, by name and nested; as everywhere else."""
    row = {"psk": KEY.hex(), "name": "x"}
    structlog.get_logger().info("event", a=Secret(KEY), psk=KEY, rows=[row])
    entry = reader.recv(65_536)
    assert KEY not in entry
    assert KEY.hex().encode() not in entry.lower()
    assert b"[redacted]" in entry


def test_a_value_begins_no_field(logged: LogWriter, reader: socket.socket) -> None:
    """A label comes from an import file, and may pretend to be another line."""
    structlog.get_logger().info("event", label="a\nPRIORITY=0\nMESSAGE=all is well")
    found = fields(reader.recv(65_536))
    assert "6" == found["PRIORITY"]
    assert found["MESSAGE"].startswith("event label=a")


def test_a_traceback_keeps_its_lines(logged: LogWriter, reader: socket.socket) -> None:
    """It is the one value with several, and has its length before it."""
    try:
        raise ValueError("no")
    except ValueError:
        structlog.get_logger().exception("failed")
    message = fields(reader.recv(65_536))["MESSAGE"]
    assert message.startswith("failed\nTraceback")
    assert message.endswith("ValueError: no")


def test_what_the_journal_does_not_take_is_counted(
    logged: LogWriter, reader: socket.socket
) -> None:
    """An entry that is longer than a datagram can be; the next one arrives, and that it is lost."""
    structlog.get_logger().info("event", long=LONG)
    structlog.get_logger().info("after")
    came = [fields(reader.recv(65_536))["JRC_EVENT"] for _ in range(2)]
    assert ["1 log lines were lost", "after"] == sorted(came)
    assert 1 == logged.lost


def test_a_journal_that_was_started_anew_is_found(
    logged: LogWriter, reader: socket.socket, tmp_path: Path
) -> None:
    """Its socket is another one under the same name."""
    structlog.get_logger().info("before")
    assert reader.recv(65_536)
    (tmp_path / "socket").unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as anew:
        anew.bind(str(tmp_path / "socket"))
        anew.settimeout(WITHIN_S)
        structlog.get_logger().info("after")
        assert "after" == fields(anew.recv(65_536))["JRC_EVENT"]


def test_the_journal_is_behind_the_stream_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd.exec(5): a variable that was inherited says nothing of a stream that is another."""
    with tempfile.TemporaryFile("w") as one, tempfile.TemporaryFile("w") as other:
        found = os.fstat(one.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert journal.is_behind(one, environ)
        assert not journal.is_behind(other, environ)
        assert not journal.is_behind(one, {})
        assert not journal.is_behind(io.StringIO(), environ)
        monkeypatch.setenv("JOURNAL_STREAM", environ["JOURNAL_STREAM"])
        assert "json" == log.form_of("json", one)
        assert "json" == log.form_of("auto", other)
        assert "journal" == log.form_of("auto", one)


def test_names_are_those_that_the_journal_takes() -> None:
    """journald drops a field with another name, or one that begins with an underscore."""
    entry = journal.entry("info", "m", "e", {"x.y-z": "1", "n" * 100: "2", "_pid": "3"})
    assert {"JRC_X_Y_Z", "JRC_" + "N" * 60, "JRC__PID"} <= fields(entry.data).keys()
    assert isinstance(entry, Entry)

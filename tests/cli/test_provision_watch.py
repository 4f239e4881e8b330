"""``jrc provision watch``: what devices print is stored; none of it is shown but public keys."""

import json
import os
import pty
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jrc.cli import watch_session
from jrc.cli.watch_rows import MAX_KEYS
from jrc.errors import ExitCode
from tests import forked
from tests.cli.follower import Follower
from tests.cli.terminal import Done, Terminal, environment, one_sentence
from tests.provision.board import Socket, boot_lines, credential, device_id
from tests.provision.seen import SPLIT, recorded

SECRET = "6d1f9c0a73e84b52a9c7d0e15f3b8264"
ESCAPE = "\x1b]0;owned\x07\x1b[2J"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Socket]:
    made = Socket(tmp_path / "ttyACM0")
    yield made
    made.unplug()


def log(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def watch(terminal: Terminal, *words: str, stdin: bytes = b"") -> Done:
    return terminal.jrc("provision", "watch", *words, stdin=stdin)


def identities(terminal: Terminal) -> dict[str, str]:
    """What the registrar has, by device."""
    listed: list[dict[str, Any]] = terminal.jrc("identity", "list", "--json").json
    return {each["pledge_id"]: each["credential"] for each in listed}


def test_two_recorded_consoles_give_two_devices(terminal: Terminal, logs: Path) -> None:
    """Each on its own port, with where it was seen and who."""
    first = log(logs, "a.log", recorded("ariel-os.log"))
    second = log(logs, "b.log", recorded("ariel-os-defmt.log"))
    done = watch(terminal, first, f"{second}=fixture-2", "--once", "--reason", "batch 7")
    assert done.code == ExitCode.DONE
    assert "2 devices stored: 2 new" in done.err
    assert {"540f572ac81e", "806a150875d60102"} == set(identities(terminal))
    listed = terminal.jrc("identity", "list", "--json").json
    assert {("a.log", "serial"), ("fixture-2", "serial")} == {
        (each["where"], each["provenance"]) for each in listed
    }
    assert "batch 7" in terminal.jrc("events", "--kind", "identity.recorded", "--json").out


def test_two_interleaved_consoles_on_one_port_give_two_devices(
    terminal: Terminal, logs: Path
) -> None:
    """By the word before each line; the same once more changes nothing."""
    both = log(logs, "runner.log", recorded("two-boards.log"))
    first, again = (watch(terminal, both, "--once", "--split", SPLIT) for _ in range(2))
    assert (first.code, again.code) == (ExitCode.DONE, ExitCode.DONE)
    assert "2 new" in first.err
    assert "2 same" in again.err
    assert {"540f572ac81e", "540f572ad07b"} == set(identities(terminal))
    assert re.search(r"runner\.log/board-2: 540f572ad07b", first.out)


def test_what_is_not_clear_is_named_and_left_out(terminal: Terminal, logs: Path) -> None:
    """By port and line, with what to do; the exit code says that something is missing."""
    mixed = recorded("two-boards.log").replace(b"[board-1] ", b"").replace(b"[board-2] ", b"")
    done = watch(terminal, log(logs, "mixed.log", mixed), "--once")
    assert done.code == ExitCode.PARTLY
    assert "mixed.log: problem in line 11: two identities" in done.out
    assert "not clear: 540f572ad07b: mixed.log: line 11" in done.err
    assert "start again" in done.err
    assert identities(terminal) == {}


def test_a_problem_of_a_recording_stays_one(terminal: Terminal, logs: Path) -> None:
    """The board behind it may be any; one that says later what it is was not lost."""
    garbled = boot_lines(1).replace(b"h'", b"h'zz", 1)
    done = watch(terminal, log(logs, "a.log", garbled + boot_lines(2)), "--once")
    assert done.code == ExitCode.PARTLY
    assert f"not clear: {device_id(1)}: a.log: line 5" in done.err
    done = watch(terminal, log(logs, "b.log", garbled + boot_lines(1)), "--once")
    assert done.code == ExitCode.DONE, done.err


def test_a_board_of_a_recording_that_nobody_can_name_is_not_forgotten(
    terminal: Terminal, logs: Path
) -> None:
    """On a bench the next board on the port may be the same; in a recording it is not."""
    nameless = boot_lines(1).replace(b"[00, 12", b"[zz, 12")
    text = log(logs, "a.log", nameless + boot_lines(2))
    done = watch(terminal, text, "--once")
    assert done.code == ExitCode.PARTLY
    assert "not clear: a.log: line 3: what should be a device id" in done.err
    assert watch(terminal, text, "--count", "1").code == ExitCode.DONE


def test_a_device_that_keeps_no_key_is_named(terminal: Terminal, logs: Path) -> None:
    """Firmware without storage makes one at each start, and would fill the history for ever."""
    anew = [
        boot_lines(number).replace(f"{number:02x}]".encode(), b"99]") for number in range(1, 10)
    ]
    done = watch(terminal, log(logs, "a.log", b"".join(anew)), "--once", "--json")
    assert done.code == ExitCode.PARTLY
    assert "00124b0000000099: a.log: it shows a new identity at each start" in done.err
    *events, _summary = map(json.loads, done.out.splitlines())
    assert sum(each["event"] == "problem" for each in events) == 9 - MAX_KEYS


def test_a_key_that_two_boards_show_is_refused_by_both_their_names(
    terminal: Terminal, logs: Path
) -> None:
    """As firmware with a key in it makes them."""
    other = boot_lines(1).replace(b"00, 00, 00, 01", b"00, 00, 00, 02")
    files = log(logs, "a.log", boot_lines(1)), log(logs, "b.log", other)
    assert watch(terminal, files[0], "--once").code == ExitCode.DONE
    done = watch(terminal, files[1], "--once", "--json")
    assert done.code == ExitCode.PARTLY
    *_, refused, summary = map(json.loads, done.out.splitlines())
    assert refused["event"] == "refused"
    assert f"{refused['error']} ({refused['hint']})" in done.err
    assert "start again" not in done.err
    assert device_id(1) in refused["error"]
    assert [device_id(2)] == summary["refused"]


def test_a_board_without_an_identity_is_named(terminal: Terminal, logs: Path) -> None:
    """There is nothing to store, and that is no failure."""
    done = watch(terminal, log(logs, "a.log", b"Device ID: [0a, 0b, 0c, 0d]\n"), "--once")
    assert done.code == ExitCode.DONE
    assert "has no identity yet: 0a0b0c0d: a.log" in done.err


def test_a_board_that_was_not_done_at_the_end_is_named(terminal: Terminal, logs: Path) -> None:
    """Its port is still there; nobody would look for its identity otherwise."""
    half = boot_lines(2).partition(b"[INFO ] CoAP")[0]
    done = watch(terminal, log(logs, "a.log", boot_lines(1) + half), "--count", "1")
    assert done.code == ExitCode.DONE
    assert f"has no identity yet: {device_id(2)}: a.log" in done.err


def test_a_port_has_so_many_devices(
    terminal: Terminal, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that names devices without end does not fill the registrar; it is told once."""
    monkeypatch.setattr(watch_session, "MAX_DEVICES", 2)
    path = log(logs, "a.log", b"".join(map(boot_lines, (1, 2, 3, 4, 1))))
    done = watch(terminal, path, log(logs, "b.log", boot_lines(5)), "--once")
    assert done.code == ExitCode.PARTLY
    assert {device_id(number) for number in (1, 2, 5)} == set(identities(terminal))
    assert done.out.count("further ones are left out") == 1
    assert "not clear: others on a.log: more than" in done.err


def test_a_file_gets_no_keys(terminal: Terminal, logs: Path) -> None:
    """A pattern may match one; it is named once, and not opened again and again."""
    path = log(logs, "ttyACM0.log", boot_lines(1))
    words = (f"{path[:-3]}*", "--send-keys", "--network", "lab", "--for", "1s")
    done = watch(terminal, *words)
    assert done.code == ExitCode.DONE
    (line,) = done.out.splitlines()
    assert "ttyACM0.log: waiting: no key can be sent to it, as it is no serial port" in line


HOSTILE = (
    f"key={SECRET} {ESCAPE}\nDevice ID: {SECRET[:-1]} {ESCAPE}\n"
    f"Device ID: [0a, {ESCAPE}0b, 0c]\n"
    f"CoAP server identity: {{1:4, -1:h'{SECRET}'}}\nCoAP server identity: {SECRET}\n"
    f"[{ESCAPE}board{ESCAPE}] Device ID: zz{SECRET}\n"
).encode()


@pytest.mark.parametrize("words", [(), ("--json",), ("--split", r"^\[(?P<source>.*)\] ")])
def test_no_line_of_a_console_is_shown(
    terminal: Terminal, logs: Path, words: tuple[str, ...]
) -> None:
    """It may hold a key, or drive the terminal; what is taken for an id is hex."""
    hostile = log(logs, "a.log", HOSTILE)
    done = watch(terminal, hostile, "--once", *words)
    code, shown = terminal.typed("provision", "watch", hostile, "--once", *words)
    assert done.code == code
    for text in done.out + done.err, shown:
        assert SECRET[:-1] not in text
        assert "owned" not in text
        assert "-1:h" not in text
        assert "zz" not in text
    assert "\x1b" not in done.out + done.err
    assert SECRET not in terminal.jrc("events", "--json").out


def test_standard_input_is_a_port(terminal: Terminal) -> None:
    """As of a program that flashes and shows what the board prints."""
    done = terminal.process("provision", "watch", "-", stdin=recorded("ariel-os-defmt.log"))
    assert done.code == ExitCode.DONE, done.err
    assert ["806a150875d60102"] == list(identities(terminal))


def test_it_ends_with_so_many_devices_or_after_a_time(terminal: Terminal, logs: Path) -> None:
    """A file that is followed would have no end."""
    both = log(logs, "a.log", boot_lines(1) + boot_lines(2))
    assert watch(terminal, both, "--count", "2").code == ExitCode.DONE
    done = watch(terminal, both, "--count", "3", "--for", "1s")
    assert done.code == ExitCode.UNFINISHED
    assert "1 fewer than --count" in done.err


def test_a_bench_is_followed_till_ctrl_c(terminal: Terminal, socket: Socket) -> None:
    """Board after board on one port, with a daemon that stores them at once."""
    with terminal.daemon():
        follower = Follower(terminal, "provision", "watch", str(socket.path), "--json")
        assert follower.event()["error"] == "nothing is there yet"
        for number in (1, 2):
            socket.plug()
            opened = follower.event()
            assert opened["event"] == "opened", opened
            socket.prints(boot_lines(number))
            stored = follower.event()
            assert (stored["event"], stored["pledge_id"]) == ("new", device_id(number))
            socket.unplug()
            assert follower.event()["event"] == "closed"
        assert follower.end(signal.SIGINT) == ExitCode.DONE
        assert "2 devices stored: 2 new" in follower.said()
    assert {device_id(n): credential(n).hex() for n in (1, 2)} == identities(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_was_seen_is_stored_when_a_signal_ends_it(
    terminal: Terminal, socket: Socket, number: signal.Signals
) -> None:
    """A second that a pair waits for is not over; the problem beside it shows that it was read."""
    split = ("--split", r"^(?P<source>\w+): ")
    follower = Follower(terminal, "provision", "watch", str(socket.path), *split, "--json")
    socket.plug()
    whole = b"".join(b"a: " + line for line in boot_lines(1).splitlines(keepends=True))
    assert follower.event()["event"] in ("opened", "waiting")
    socket.prints(whole + b"b: [INFO ] Device ID: [1\r\n")
    follower.until("problem")
    assert follower.end(number) == ExitCode.PARTLY
    assert {device_id(1): credential(1).hex()} == identities(terminal)


def test_what_was_seen_is_stored_when_the_terminal_hangs_up(
    terminal: Terminal, socket: Socket
) -> None:
    """What can't be printed any more hinders nothing, as where a connection by ssh breaks."""
    ours, theirs = pty.openpty()
    command = terminal.command("provision", "watch", str(socket.path))[2:]
    with open(os.devnull) as nothing, terminal.daemon():
        process = forked.Forked(
            *command, stdin=nothing.fileno(), stdout=theirs, stderr=theirs, environ=environment()
        )
        os.close(theirs)
        socket.plug()
        shown = b""
        while b"listening" not in shown:
            shown += os.read(ours, 4096)
        socket.prints(boot_lines(1))
        while b"identity" not in shown.partition(b"listening")[2]:
            shown += os.read(ours, 4096)
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == ExitCode.DONE
        assert {device_id(1): credential(1).hex()} == identities(terminal)


def test_what_becomes_no_console_under_a_pattern_is_a_row_in_trouble(
    terminal: Terminal, tmp_path: Path
) -> None:
    """And no end of the run: boards were seen beside it."""
    bench = tmp_path / "bench"
    bench.mkdir()
    follower = Follower(terminal, "provision", "watch", f"{bench}/*", "--count", "2", "--json")
    (bench / "folder").mkdir()
    assert "no serial port" in follower.until("folder")
    log(bench, "a.log", boot_lines(1) + boot_lines(2))
    assert follower.end() == ExitCode.DONE
    assert {device_id(1), device_id(2)} == set(identities(terminal))


def test_it_goes_on_where_the_daemon_ends(terminal: Terminal, socket: Socket) -> None:
    """It works on the database then, as other commands do."""
    with terminal.daemon():
        follower = Follower(terminal, "provision", "watch", str(socket.path))
        socket.plug()
        follower.until("open")
        socket.prints(boot_lines(1))
        follower.until("stored")
    socket.prints(boot_lines(2))
    follower.until(f"{device_id(2)} stored")
    assert follower.end(signal.SIGINT) == ExitCode.DONE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{log}", "{log}"), "both called"),
        (("{log}", "{log}=b"), "named twice"),
        (("{log}", "--new"), "--new is of ports that appear"),
        (("{log}", "--split", "("), "--split is no regular expression"),
        (("{log}", "--split", "x"), "--split lacks the group"),
        (("{log}", "--pattern", "x"), "known are ariel-os, ariel-os-defmt, riot"),
        (("{log}", "--for", "x"), "--for"),
        (("/dev/null", "--once"), "no end"),
        (("{log}*", "--once"), "--once reads what is there"),
        (("{log}*=bench",), "a pattern takes no label"),
        (("{log}/", "{log}=\x1b"), "is no label"),
        (("/dev",), "no serial port"),
        (("/dev/tty-that-is-not", "--once"), "No such file"),
    ],
)
def test_what_can_not_be_is_refused_with_a_sentence(
    made: Terminal, logs: Path, words: tuple[str, ...], said: str
) -> None:
    """Before anything is read."""
    path = log(logs, "a.log", b"")
    done = watch(made, *(word.format(log=path) for word in words))
    one_sentence(done, ExitCode.FAILED if said.startswith("No ") else ExitCode.USAGE)
    assert said in done.err


def test_patterns_of_the_config_are_looked_for(terminal: Terminal, logs: Path) -> None:
    """Beside those that ship, or by their name alone."""
    with terminal.config.open("a") as config:
        config.write(
            "[[provision.pattern]]\nname = 'acme'\nboot = 'ACME \\d'\n"
            "device_id = 'EUI64=(?P<value>[0-9a-f]{16})'\n"
            "identity = 'credential=(?P<value>[0-9a-f]+)'\n"
        )
    text = f"ACME 1\nEUI64={device_id(1)}\ncredential={credential(1).hex()}\n".encode()
    both = log(logs, "a.log", text + boot_lines(2))
    assert watch(terminal, both, "--once", "--pattern", "acme").code == ExitCode.DONE
    assert [device_id(1)] == list(identities(terminal))
    assert watch(terminal, both, "--once").code == ExitCode.DONE
    assert [device_id(1), device_id(2)] == sorted(identities(terminal))

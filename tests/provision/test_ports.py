"""Ports: serial ones on pseudo-terminals, pipes and files, and several at once."""

import fcntl
import os
import sys
import termios
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from jrc.provision.console import Console
from jrc.provision.console_patterns import SHIPPED
from jrc.provision.console_stream import Said, Stream
from jrc.provision.ports import MAX_UNSENT_BYTES, Port
from jrc.provision.serial_line import GONE, NO_CONSOLE, PortClosedError
from jrc.provision.watching import WRITE_WITHIN_S, Change, Happened, Watch, Watched, matching
from tests.provision.board import Socket, boot_lines, device_id
from tests.provision.seen import Pair, pairs

PATIENCE_S = 20.0
TIOCGEXCL = 0x80045440
"""Of asm-generic/ioctls.h; Python 3.11 has no name for it."""


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Socket]:
    made = Socket(tmp_path / "ttyACM0")
    yield made
    made.unplug()


def watched(path: Path, *, once: bool = False) -> Watched:
    return Watched(Port(str(path), path.name, 115_200, once), Stream(lambda: Console(SHIPPED)))


def watch_of(*paths: Path) -> Watch:
    return Watch([watched(path) for path in paths], settle_s=0.05)


def until(watch: Watch, is_enough: Change | int) -> list[Happened]:
    """What happens till so many pairs are given, or a change of a port."""
    happened: list[Happened] = []
    ends_s = monotonic() + PATIENCE_S
    while monotonic() < ends_s:
        happened += watch.turn(0.05)
        if isinstance(is_enough, Change):
            if any(each.event is is_enough for each in happened):
                return happened
        elif len(found(happened)) >= is_enough:
            return happened
    raise AssertionError(f"{happened} is not enough")


def found(happened: Sequence[Happened]) -> list[Pair]:
    return pairs(
        [Said(each.source, each.event) for each in happened if not isinstance(each.event, Change)]
    )


def test_a_port_that_vanishes_in_a_line_goes_on_with_the_next_board(socket: Socket) -> None:
    """Of the first one nothing is taken; the second one is whole."""
    watch = watch_of(socket.path)
    socket.plug()
    until(watch, Change.OPENED)
    socket.prints(boot_lines(1)[:-60])
    list(watch.turn(0.2))
    socket.unplug()
    until(watch, Change.CLOSED)
    socket.plug()
    until(watch, Change.OPENED)
    socket.prints(boot_lines(2))
    assert [device_id(2)] == [each.device for each in found(until(watch, 1))]
    watch.close()


def test_a_port_is_had_by_one_program(socket: Socket) -> None:
    """Two readers would each get a part of the lines."""
    socket.plug()
    first, second = (Port(str(socket.path), "a", 115_200) for _ in range(2))
    assert first.open()
    assert not second.open()
    assert "another program" in second.trouble
    first.close()
    assert second.open()
    second.close()


@pytest.mark.parametrize("call", ["tcgetattr", "tcsetattr", "tcflush"])
def test_a_board_that_goes_while_its_port_is_opened_may_come_back(
    socket: Socket, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Whichever question to the driver is the first that nobody answers."""
    asked: list[str] = []
    real = getattr(termios, call)

    def goes(*given: object) -> object:
        asked.append(call)
        socket.unplug()
        return real(*given)

    socket.plug()
    port = Port(str(socket.path), "one", 115_200)
    with monkeypatch.context() as patched:
        patched.setattr(termios, call, goes)
        assert not port.open()
    assert asked
    assert port.trouble == GONE
    socket.plug()
    assert port.open()
    port.close()


def test_a_device_is_written_to_as_it_is(socket: Socket) -> None:
    """No byte is made into another, or added."""
    socket.plug()
    port = Port(str(socket.path), "a", 115_200)
    assert port.open()
    data = bytes(range(256))
    port.write(data)
    port.flush()
    assert data == socket.was_sent()
    socket.unplug()
    port.write(b"x")
    with pytest.raises(PortClosedError):
        port.flush()
    assert not port.is_open
    with pytest.raises(PortClosedError):
        port.write(b"x")


@pytest.mark.parametrize("path", ["/dev", "/dev/null"])
def test_what_can_be_no_console_is_not_opened(path: str) -> None:
    """A folder, and a device that is no terminal."""
    port = Port(path, "a", 115_200)
    assert not port.open()
    assert port.trouble == NO_CONSOLE


def test_a_port_keeps_others_out_while_it_is_open(socket: Socket) -> None:
    """Those that ask for no lock, and are not root, which these tests may be."""
    socket.plug()
    port = Port(str(socket.path), "a", 115_200)
    assert port.open()
    assert is_exclusive(socket.path)
    port.close()
    assert not is_exclusive(socket.path)


def is_exclusive(path: Path) -> bool:
    """Whether the kernel lets nobody but root open it."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        return bool(int.from_bytes(fcntl.ioctl(descriptor, TIOCGEXCL, b"\0" * 4), sys.byteorder))
    finally:
        os.close(descriptor)


def test_a_device_that_takes_nothing_is_read_all_the_same(socket: Socket) -> None:
    """It is told once, what it was to be sent is forgotten, and other ports do not wait for it."""
    now_s = 0.0
    socket.plug()
    each = watched(socket.path)
    watch = Watch([each], settle_s=0, now_s=lambda: now_s)
    until(watch, Change.OPENED)
    for told in ([Change.STUCK], []):
        fill(each.port)
        each.port.write(b"who\n")
        assert list(watch.turn(0)) == []
        now_s += WRITE_WITHIN_S - 0.1
        socket.prints(boot_lines(1))
        assert [device_id(1)] == [one.device for one in found(until(watch, 1))]
        assert each.port.unsent
        now_s += 0.1
        happened = [one.event for one in watch.turn(0) if isinstance(one.event, Change)]
        assert told == happened
        assert not each.port.unsent
    while socket.was_sent():
        pass
    each.port.write(b"who\n")
    assert list(watch.turn(0)) == []
    assert socket.was_sent() == b"who\n"
    fill(each.port)
    each.port.write(b"who\n")
    assert list(watch.turn(0)) == []
    now_s += WRITE_WITHIN_S
    assert [Change.STUCK] == [one.event for one in watch.turn(0)]
    watch.close()


def fill(port: Port) -> None:
    """The driver has no room left, as where the device reads nothing."""
    with suppress(BlockingIOError):
        while True:
            os.write(port.fileno(), b"x")


def test_what_waits_for_a_device_that_takes_nothing_is_bounded(socket: Socket) -> None:
    """More than a few lines nobody asks for."""
    socket.plug()
    port = Port(str(socket.path), "a", 115_200)
    assert port.open()
    for _ in range(3):
        port.write(b"x" * (MAX_UNSENT_BYTES // 2))
    assert port.unsent == MAX_UNSENT_BYTES
    port.close()


def test_a_file_is_followed_from_its_beginning_and_through_its_replacement(tmp_path: Path) -> None:
    """As loggers write and rotate it."""
    log = tmp_path / "board.log"
    log.write_bytes(boot_lines(1))
    watch = watch_of(log)
    assert [device_id(1)] == [each.device for each in found(until(watch, 1))]
    with log.open("ab") as file:
        file.write(boot_lines(2))
    assert [device_id(2)] == [each.device for each in found(until(watch, 1))]
    other = tmp_path / "new.log"
    other.write_bytes(boot_lines(3))
    other.replace(log)
    assert device_id(3) in [each.device for each in found(until(watch, 1))]
    watch.close()


def test_a_pipe_goes_on_with_its_next_writer(tmp_path: Path) -> None:
    """A program that ends, and is started again, is a board that was away."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    watch = watch_of(pipe)
    until(watch, Change.OPENED)
    for number in (1, 2):
        pipe.write_bytes(boot_lines(number))
        happened = until(watch, Change.CLOSED)
        assert [device_id(number)] == [each.device for each in found(happened)]
        until(watch, Change.OPENED)
    watch.close()


def test_a_pipe_without_a_name_has_one_end() -> None:
    """As the shell's ``<(command)``, which nobody can write to once more."""
    read, write = os.pipe()
    watch = watch_of(Path(f"/dev/fd/{read}"))
    os.write(write, boot_lines(1))
    os.close(write)
    happened = until(watch, Change.ENDED)
    os.close(read)
    assert [device_id(1)] == [each.device for each in found(happened)]
    assert watch.is_over
    watch.close()


def test_once_reads_a_file_to_its_end_and_gives_what_was_whole(tmp_path: Path) -> None:
    """Without the line that does not end."""
    log = tmp_path / "board.log"
    log.write_bytes(boot_lines(1) + boot_lines(2)[:-20])
    watch = Watch([watched(log, once=True)])
    assert {device_id(1), device_id(2)} == {
        each.device for each in found(until(watch, Change.ENDED))
    }
    assert watch.is_over
    watch.close()


def test_ports_that_appear_are_taken(tmp_path: Path) -> None:
    """A pattern is looked at again and again; what was there before may be left out."""
    (tmp_path / "ttyACM0").write_bytes(boot_lines(1))
    globs = [str(tmp_path / "ttyACM*")]
    watch = Watch([], globs, lambda path: watched(Path(path)), but=matching(globs), settle_s=0)
    list(watch.turn(0))
    assert watch.watched == []
    (tmp_path / "ttyACM1").write_bytes(boot_lines(2))
    assert [device_id(2)] == [each.device for each in found(until(watch, 1))]
    assert not watch.is_over
    watch.close()


def test_another_thread_ends_a_wait(socket: Socket) -> None:
    """What the registrar says is shown at once."""
    socket.plug()
    watch = watch_of(socket.path)
    until(watch, Change.OPENED)
    waits = threading.Thread(target=lambda: list(watch.turn(10 * PATIENCE_S)), daemon=True)
    waits.start()
    watch.wake()
    waits.join(PATIENCE_S)
    assert not waits.is_alive()
    watch.close()
    watch.wake()

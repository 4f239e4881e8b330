"""Ports that are given up in the midst of a watch, and pairs that wait in it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.provision.console import Alone, Console, DeviceSeen, Event, Found
from jrc.provision.console_patterns import SHIPPED
from jrc.provision.console_stream import Stream
from jrc.provision.ports import Port
from jrc.provision.watching import Change, Happened, Watch, Watched
from tests.provision.board import Socket, boot_lines, device_id
from tests.provision.seen import SPLIT

MAX_TURNS = 200
WAIT_S = 0.1
AT_IDENTITY = b"[INFO ] CoAP server identity:"


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[list[Socket]]:
    made = [Socket(tmp_path / f"ttyACM{number}") for number in range(2)]
    yield made
    for each in made:
        each.unplug()


def watched(socket: Socket, split: str | None = None) -> Watched:
    stream = Stream(lambda: Console(SHIPPED), re.compile(split) if split else None)
    return Watched(Port(str(socket.path), socket.path.name, 115_200), stream)


def until(watch: Watch, wanted: type[Event] | Change, watched: Watched) -> list[Happened]:
    """What happens till a port has told of this."""
    happened: list[Happened] = []
    for _ in range(MAX_TURNS):
        happened += watch.turn(WAIT_S)
        if any(is_one(each, wanted) for each in happened if each.watched is watched):
            return happened
    raise AssertionError(f"{happened} has no {wanted}")


def is_one(happened: Happened, wanted: type[Event] | Change) -> bool:
    if isinstance(wanted, Change):
        return happened.event is wanted
    return isinstance(happened.event, wanted)


def test_a_port_that_a_write_gave_up_has_gone_before_it_is_open_again(
    sockets: list[Socket],
) -> None:
    """The id of the board that was there never goes with what the next one says."""
    socket, each = sockets[0], watched(sockets[0])
    watch = Watch([each], settle_s=0)
    socket.plug()
    until(watch, Change.OPENED, each)
    socket.prints(boot_lines(1).partition(AT_IDENTITY)[0])
    until(watch, DeviceSeen, each)
    socket.unplug()
    each.port.write(b"x")
    socket.plug()
    happened = until(watch, Change.OPENED, each)
    alone, closed, opened = (one.event for one in happened)
    assert isinstance(alone, Alone)
    assert (device_id(1), Change.CLOSED, Change.OPENED) == (str(alone.device), closed, opened)
    _, mark, identity = boot_lines(2).partition(AT_IDENTITY)
    socket.prints(mark + identity + boot_lines(3))
    found = [one.event for one in until(watch, Found, each) if isinstance(one.event, Found)]
    assert [device_id(3)] == [str(one.device) for one in found]
    watch.close()


def test_a_port_may_be_given_up_while_another_one_speaks(sockets: list[Socket]) -> None:
    """What one port says may call for a write to the next one, which has gone."""
    first, second = map(watched, sockets)
    watch = Watch([first, second])
    for socket in sockets:
        socket.plug()
    until(watch, Change.OPENED, second)
    sockets[1].unplug()
    sockets[0].prints(boot_lines(1))
    told = []
    for happened in watch.turn(WAIT_S):
        if happened.watched is first and second.port.is_open:
            second.port.write(b"x")
            told = [one.event for one in until(watch, Change.CLOSED, second)]
    assert not second.port.is_open
    assert told.count(Change.CLOSED) == 1
    watch.close()


def test_the_end_tells_of_half_a_pair(sockets: list[Socket]) -> None:
    """The board has more to say, and nobody listens any more."""
    each = watched(sockets[0])
    watch = Watch([each])
    sockets[0].plug()
    until(watch, Change.OPENED, each)
    sockets[0].prints(boot_lines(1).partition(AT_IDENTITY)[0])
    until(watch, DeviceSeen, each)
    (left,) = watch.end()
    assert isinstance(left.event, Alone)
    assert device_id(1) == str(left.event.device)
    watch.close()


def test_each_pair_waits_as_long(sockets: list[Socket]) -> None:
    """Those of other boards on the port, and a board's next one, do not shorten it."""
    now_s = 0.0
    each = watched(sockets[0], SPLIT)
    watch = Watch([each], now_s=lambda: now_s)

    def given() -> list[tuple[str, str]]:
        happened = list(watch.turn(WAIT_S))
        return [
            (one.source, str(one.event.device)) for one in happened if isinstance(one.event, Found)
        ]

    def prints(source: str, number: int) -> None:
        lines = boot_lines(number).decode().splitlines(keepends=True)
        sockets[0].prints("".join(f"[{source}] {line}" for line in lines).encode())

    sockets[0].plug()
    until(watch, Change.OPENED, each)
    prints("a", 1)
    assert given() == []
    now_s = 0.9
    prints("b", 2)
    assert given() == []
    now_s = 1.0
    prints("a", 3)
    assert [("a", device_id(1))] == given()
    now_s = 1.89
    assert given() == []
    now_s = 1.9
    assert [("b", device_id(2))] == given()
    now_s = 2.0
    assert [("a", device_id(3))] == given()
    watch.close()


def test_a_file_is_no_port_to_write_to(tmp_path: Path) -> None:
    """It is not opened, and goes on being none."""
    (tmp_path / "ttyACM0.log").write_bytes(boot_lines(1))
    port = Port(str(tmp_path / "ttyACM0.log"), "a", 115_200, is_written_to=True)
    assert not port.open()
    assert "no serial port" in port.trouble

"""The devices of one run that get keys, without a registrar."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.cli.client import Api
from jrc.cli.key_entering import Terms
from jrc.cli.watch_keys import MARKS, Keys, Wanted
from jrc.cli.watch_outbox import Errand
from jrc.cli.watch_rows import Rows
from jrc.provision.backlines import sealed
from jrc.provision.console import Console, Marked
from jrc.provision.console_stream import Stream
from jrc.provision.ports import Port
from jrc.provision.watching import Watch, Watched
from tests.provision.board import Socket

DEVICE = "0200000000000001"
MAX_TURNS = 200
WANTED = Wanted(Terms({}), derived=False)


class NotAsked(Api):
    """A registrar that is to be told nothing."""

    def __init__(self) -> None:
        """Without a connection: any question fails."""


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Socket]:
    made = Socket(tmp_path / "ttyACM0")
    made.plug()
    yield made
    made.unplug()


def test_a_key_that_will_not_be_sent_is_not_entered(socket: Socket) -> None:
    """What waits for the registrar at the end is left; else it would have keys of no device."""
    errands: list[Errand] = []
    keys = Keys(Rows(lambda _record: None), errands.append, WANTED, "")
    each = Watched(Port(str(socket.path), "a", 115_200), Stream(lambda: Console((), MARKS)))
    watch = Watch([each])
    list(watch.turn(0))
    for nonce in (1, 2):
        offer(watch, keys, socket, nonce)
    (errand,) = errands
    keys.end()
    errand(NotAsked())()
    assert [DEVICE] == list(keys.left())
    watch.close()


def offer(watch: Watch, keys: Keys, socket: Socket, nonce: int) -> None:
    """A device says that it has no key."""
    socket.prints(sealed(f"hello id={DEVICE} key=none n={nonce:08x}").encode() + b"\r\n")
    for _ in range(MAX_TURNS):
        happened = list(watch.turn(0.1))
        for one in happened:
            keys.happened(one)
        if any(isinstance(one.event, Marked) for one in happened):
            return
    raise AssertionError("it was not heard")

"""A bench in a test: ports with receivers, a host, a registrar that remembers check values."""

import ctypes
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from jrc.model import PledgeId
from jrc.provision.backlines import MARK
from jrc.provision.bench import Action, Bench, Compare, Enter, Send
from jrc.provision.bench_plan import Answer, News
from jrc.provision.console import Console, Marked
from jrc.provision.console_stream import Stream
from jrc.provision.device import Device
from jrc.provision.source import KeySource
from tests.provision.receiver import Foreseeable, Receiver


def identifier(number: int) -> PledgeId:
    return PledgeId(bytes.fromhex("020000000000") + number.to_bytes(2))


class Held(NamedTuple):
    """Check values of a device's key in force, and of one that waits."""

    current: str
    waiting: str | None = None


class Registrar:
    """Takes keys as ``/v1/imports`` does; ``refuses`` is what it says instead."""

    def __init__(self) -> None:
        self.held: dict[PledgeId, Held] = {}
        self.given: list[Device] = []
        self.refuses: Answer | None = None

    def enter(self, device: Device) -> Answer:
        if self.refuses is not None:
            return self.refuses
        before = self.held.get(device.identifier)
        if before is None:
            self.held[device.identifier] = Held(device.key_check)
        elif device.key_check not in before:
            self.held[device.identifier] = Held(before.current, device.key_check)
        self.given.append(device)
        return Answer()

    def compare(self, identifier: PledgeId, check: str) -> Answer:
        held = self.held.get(identifier)
        good = held is not None and check in held
        return Answer() if good else Answer("it has another key", "erase its flash")


MAX_TURNS: Final = 100
"""More than any course has that is allowed to a few devices."""

Noise = Callable[[bytes], bytes]


def nothing(data: bytes) -> bytes:
    """No noise on the line."""
    return data


class Desk:
    """One run of the host after another, over boards that stay what they are.

    Questions for the registrar wait in ``questions`` until ``registrar_turn``. Lines on their way
    wait in ``down`` and ``up``.
    """

    def __init__(self, code: ctypes.CDLL, *, derived: bool = False) -> None:
        self.code, self.derived = code, derived
        self.registrar = Registrar()
        self.ports: dict[str, Receiver] = {}
        self.boards: dict[PledgeId, Receiver] = {}
        self.now_s = 0.0
        self.seen = bytearray()
        """All that was printed on consoles."""
        self._runs = 0
        self.start_host()

    def start_host(self) -> None:
        """A new run, that knows nothing of the one before; it empties the ports' buffers."""
        self._runs += 1
        source = KeySource(Foreseeable(self._runs))
        self.bench = Bench(source, derived=self.derived)
        self.streams = {port: _stream() for port in self.ports}
        self.questions: list[Enter | Compare] = []
        self.down: list[Send] = []
        self.up: list[tuple[str, bytes]] = []
        self.told: list[News] = []

    def plug(self, port: str, number: int) -> Receiver:
        """A board in a port, in the place of the one that was there."""
        name = identifier(number)
        board = self.boards.setdefault(name, Receiver(self.code, name))
        for other, there in list(self.ports.items()):
            if there is board:
                del self.ports[other]
        self.ports[port] = board
        self.streams.setdefault(port, _stream())
        board.boot()
        board.offer()
        self.collect()
        return board

    def collect(self) -> None:
        """What boards have printed is on its way."""
        for port, board in self.ports.items():
            if printed := board.fetch():
                self.seen += printed
                self.up.append((port, printed))

    def host_turn(self, noise: Noise = nothing) -> None:
        """The host reads what has come."""
        arrived, self.up = self.up, []
        for port, data in arrived:
            for said in self.streams[port].feed(noise(data)):
                if isinstance(said.event, Marked):
                    self.do(self.bench.heard(port, said.event.text, self.now_s))

    def meet(self) -> None:
        """The host hears of a board, and asks once more who it is."""
        self.host_turn()
        self.device_turn()
        self.host_turn()

    def device_turn(self, noise: Noise = nothing) -> None:
        """The boards read what was sent; what died is reset."""
        sent, self.down = self.down, []
        for send in sent:
            board = self.ports.get(send.port)
            if board is None:
                continue
            board.feed(noise(send.data.reveal()))
            if board.is_dead:
                self.reset(send.port)
        self.collect()

    def registrar_turn(self) -> None:
        """The registrar answers what it was asked first."""
        if not self.questions:
            return
        question = self.questions.pop(0)
        if isinstance(question, Enter):
            answer = self.registrar.enter(question.device)
            self.do(self.bench.entered(question.device.identifier, answer, self.now_s))
        else:
            answer = self.registrar.compare(question.identifier, question.check)
            self.do(self.bench.compared(question.identifier, answer, self.now_s))

    def reset(self, port: str) -> None:
        """The board in a port starts anew."""
        board = self.ports[port]
        board.dies = None
        board.boot()
        board.offer()
        self.collect()

    def wait(self, seconds: float) -> None:
        """Time passes: boards without a key offer themselves, the host sees who is late."""
        self.now_s += seconds
        for board in self.ports.values():
            if board.flash is None:
                board.offer()
        self.collect()
        self.do(self.bench.late(self.now_s))

    def settle(self) -> None:
        """Turns until nothing is on its way."""
        for _ in range(MAX_TURNS):
            if not (self.up or self.down or self.questions):
                return
            self.host_turn()
            self.registrar_turn()
            self.device_turn()
        raise AssertionError("host and devices talk on and on")

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self.down.append(action)
            elif isinstance(action, News):
                self.told.append(action)
            else:
                self.questions.append(action)

    def courses(self) -> dict[PledgeId, str]:
        return {news.identifier: news.course.value for news in self.bench.news()}

    def wrong(self) -> Iterator[str]:
        """What must never be, whatever happens."""
        for name, board in self.boards.items():
            if len(board.writes) > 1:
                yield f"{name} was written twice"
            given = {made.key_check for made in self.registrar.given if made.identifier == name}
            if board.flash is not None and board.check not in given:
                yield f"{name} has a key that the registrar was never told"
        for made in self.registrar.given:
            if made.keys.pledge_sender_key.reveal().hex().encode() in self.seen:
                yield f"a key of {made.identifier} was printed"
            if made.psk is not None and made.psk.reveal().hex().encode() in self.seen:
                yield f"the PSK of {made.identifier} was printed"


def _stream() -> Stream:
    return Stream(lambda: Console((), marks=(MARK,)))

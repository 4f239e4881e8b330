"""Devices get their keys down pseudo-terminals, from a real registrar, and join with them.

Devices, ports and the host are killed at random. ``JRC_TEST_BENCH_PORTS`` and
``JRC_TEST_BENCH_BOARDS`` make it longer than the usual form.
"""

import os
import random
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from jrc.lab.pledge import SimulatedPledge
from jrc.model import PledgeId
from tests.daemon.receivers import Board, Host, Port, board_program, wait_until
from tests.daemon.site import CAFE, Daemon, Site
from tests.daemon.test_secrets import leaks
from tests.daemon.wire import Wire
from tests.provision.receiver import COMPILER

PORTS: Final = int(os.environ.get("JRC_TEST_BENCH_PORTS", "2"))
BOARDS: Final = int(os.environ.get("JRC_TEST_BENCH_BOARDS", "3"))
SEED: Final = int(os.environ.get("JRC_FAULTS_SEED", "20310831"))
_KEY_LINE = re.compile(rb"jrc1 key n=[0-9a-f]{8} len=\d+ data=([0-9a-f]+) crc=")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return board_program(tmp_path_factory.mktemp("program"))


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[list[Port]]:
    """As many as the form has."""
    made = [Port(tmp_path / f"ttyTEST{n}", random.Random(SEED + n)) for n in range(PORTS)]
    yield made
    for port in made:
        port.close()


@pytest.fixture
def boards(program: Path, tmp_path: Path) -> list[list[Board]]:
    """Those of each port."""
    (tmp_path / "flash").mkdir()

    def board(number: int) -> Board:
        identifier = PledgeId(bytes.fromhex("020000000001") + number.to_bytes(2))
        return Board(program, tmp_path / "flash", identifier)

    return [[board(BOARDS * port + n) for n in range(BOARDS)] for port in range(PORTS)]


def test_devices_get_keys_through_kills_and_join_with_them(
    site: Site, ports: list[Port], boards: list[list[Board]]
) -> None:
    """RFC 9031 §3: after any kill a device has a key that the registrar holds, or none; then all.

    No key is on a console, in what the host says or in the registrar's log.
    """
    every = [board for some in boards for board in some]
    with site.start() as daemon:
        hosts = _storm(site, ports, boards)
        keyed = [board for board in every if board.device is not None]
        print(f"{len(hosts)} hosts killed; {len(keyed)} of {len(every)} boards had a key by then")
        for board in keyed:
            _assert_whole(daemon, board)
        hosts.append(Host(site, ports, "--count", str(len(every)), is_executed=True))
        _calm(hosts[-1], ports, boards)
        keys = _keys_in_use(daemon, every)
        with Wire(daemon.address) as wire:
            for board in every:
                _joins(wire, board)
        after = _keys_in_use(daemon, every)
    counts = [sum(map(len, held.values())) for held in (keys, after)]
    print(f"{counts[0]} keys in force or waiting before the joins, {counts[1]} after")
    for board in every:
        made = board.device
        assert made is not None
        assert [made.key_check] == after[board.identifier]
        assert [] == board.faults
        assert 0o600 == board.flash.stat().st_mode & 0o777
    secrets = _sent(ports) | {str(board.identifier): _psk(board) for board in every}
    assert len(secrets) >= len(every)
    assert [] == leaks(secrets, _places(daemon, ports, hosts, site.folder.parent))


def test_no_key_is_sent_before_the_registrar_has_it(
    site: Site, ports: list[Port], boards: list[list[Board]]
) -> None:
    """While it does not answer, a board offers itself in vain; then the host dies."""
    port, board = ports[0], boards[0][0]
    with site.start() as daemon:
        host = Host(site, [port])
        wait_until(lambda: bool(host.said), "a word of the host")
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            port.plug(board)
            wait_until(lambda: any("key entering" in line for line in host.said), "an offer")
            offers = port.printed.count(b"key=none")
            wait_until(lambda: port.printed.count(b"key=none") > offers + 3, "more offers")
            assert b"jrc1 who" in port.sent
            assert b"jrc1 key" not in port.sent
        finally:
            host.kill()
            os.kill(daemon.pid, signal.SIGCONT)
        assert not board.flash.exists()
        _calm(Host(site, [port], "--count", "1"), [port], [[board]])
        assert board.device is not None
        assert board.device.key_check in _keys_in_use(daemon, [board])[board.identifier]


def _storm(site: Site, ports: Sequence[Port], boards: Sequence[Sequence[Board]]) -> list[Host]:
    """Everybody has some time for his boards, and is disturbed."""
    drivers = [
        threading.Thread(target=_handle, args=(port, some, random.Random(SEED * 3 + number)))
        for number, (port, some) in enumerate(zip(ports, boards, strict=True))
    ]
    for port in ports:
        port.is_bad = True
    for driver in drivers:
        driver.start()
    hosts, chance, rest = [], random.Random(SEED), threading.Event()
    while any(driver.is_alive() for driver in drivers):
        hosts.append(Host(site, ports))
        if chance.random() < 0.8:
            wait_until(lambda: bool(hosts[-1].said), "a word of the host")
        rest.wait(chance.uniform(0, 2))
        hosts[-1].kill()
    for port in ports:
        port.is_bad = False
    return hosts


def _handle(port: Port, boards: Sequence[Board], chance: random.Random) -> None:
    rest = threading.Event()
    for board in boards:
        port.plug(board)
        for _ in range(chance.randrange(1, 5)):
            rest.wait(chance.expovariate(3))
            chance.choice((port.restart, port.vanish))()


def _calm(host: Host, ports: Sequence[Port], boards: Sequence[Sequence[Board]]) -> None:
    """Each board once more, undisturbed, until the host says that it has its key."""

    def handle(port: Port, some: Sequence[Board]) -> None:
        for board in some:
            name = str(board.identifier)
            port.plug(board)
            wait_until(lambda name=name: name in host.settled, f"a key of {name}")  # type: ignore[misc]

    drivers = [
        threading.Thread(target=handle, args=pair) for pair in zip(ports, boards, strict=True)
    ]
    for driver in drivers:
        driver.start()
    for path in ("cmdline", "environ"):
        host.said.append(Path(f"/proc/{host.process.pid}/{path}").read_bytes().decode())
    for driver in drivers:
        driver.join()
    assert 0 == host.wait(), host.said[-5:]
    for board in (board for some in boards for board in some):
        made = board.device
        assert made is not None
        assert made.key_check == host.settled[str(board.identifier)]


def _assert_whole(daemon: Daemon, board: Board) -> None:
    """It has no key, or one that is in force at the registrar, or waits there."""
    made = board.device
    if made is not None:
        assert made.key_check in _keys_in_use(daemon, [board])[board.identifier]


def _keys_in_use(daemon: Daemon, boards: Sequence[Board]) -> dict[PledgeId, list[str]]:
    found = {}
    for board in boards:
        keys = daemon.api("GET", f"/v1/pledges/{board.identifier}")["keys"]
        found[board.identifier] = [
            key["key_check"]
            for key in keys  # type: ignore[attr-defined]
            if key["state"] in ("current", "candidate") and key["provenance"] == "serial"
        ]
    return found


def _psk(board: Board) -> bytes:
    assert board.device is not None
    assert board.device.psk is not None
    return board.device.psk.reveal()


def _joins(wire: Wire, board: Board) -> None:
    made = board.device
    assert made is not None
    assert made.psk is not None
    wire.join(SimulatedPledge(board.identifier.value, made.psk, CAFE, 0))


def _sent(ports: Sequence[Port]) -> dict[str, bytes]:
    """Every key that went down a port, also those that did not arrive."""
    contents = {
        bytes.fromhex(found.decode()) for port in ports for found in _KEY_LINE.findall(port.sent)
    }
    marks = {content: content.index(b"\x02\x50") + 2 for content in contents}
    return {content.hex(): content[at : at + 16] for content, at in marks.items()}


def _places(
    daemon: Daemon, ports: Sequence[Port], hosts: Sequence[Host], folder: Path
) -> dict[str, bytes]:
    """All that somebody else could see, and every file but what is the boards' own."""
    files = {
        path.name: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "kek" and path.suffix != ".flash"
    }
    assert {"jrc.db", "config.toml"} <= files.keys()
    return {
        **{f"console of {port.path.name}": bytes(port.printed) for port in ports},
        "what the hosts said": "".join(line for host in hosts for line in host.said).encode(),
        "log": "".join(daemon.log).encode(),
        **files,
    }

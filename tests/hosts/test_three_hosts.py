"""A mesh without a radio: pledges, their Join Proxy and the JRC are hosts of their own."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jrc.cojp import message
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.lab.pledge import SimulatedPledge
from jrc.model import Secret
from tests.daemon.site import RUN, Daemon, Device
from tests.hosts.crowd import CAFE, Task
from tests.hosts.hasty import FRESHNESS_MS
from tests.hosts.processes import Talker, crowd, proxy, talking, tapped
from tests.hosts.topology import (
    BACKHAUL,
    COAP_PORT,
    JRC_ADDRESS,
    PLEDGE_SIDE,
    RADIO,
    Hosts,
)

pytestmark = pytest.mark.hosts

PLEDGES = 200
LOSS_PERCENT = 20
AT_ONCE = 195
"""Of those, at their first attempt; each of five transmissions gets through with 0.64."""
FAST = "join_rate_bytes_per_s = 10000"
AF42, AF43 = 36, 38
"""RFC 9031 §6.1.1, §6.1.2."""
DEFAULT_PERIOD_S = 3.0
"""One packet in so many seconds where no rate is given (RFC 8085 §3.1.3, row P4)."""
BURST = 1.1
"""One packet of debt; the default rate saves nothing up, and clocks of two hosts are not one."""
UNSEEN = bytes.fromhex("02000000deadbeef")
ANSWER = b"\x01" * 24


def task_for(hosts: Hosts, devices: Sequence[Device], **more: Any) -> Task:
    """The devices ask the proxy at its link-local address."""
    address = hosts.lbr.link_local(RADIO)
    known = [(device.identifier.hex(), device.psk.reveal().hex()) for device in devices]
    return Task(f"{address}%{PLEDGE_SIDE}", COAP_PORT, known, **more)


def test_200_pledges_join_at_once_through_one_proxy_with_loss(
    hosts: Hosts, registrar: Daemon, tmp_path: Path
) -> None:
    """RFC 9031 §7.2: retransmission makes up for a fifth lost in each direction."""
    devices = registrar.site.new_devices(PLEDGES)
    registrar.site.import_devices(devices, network="lab")
    hosts.lose(LOSS_PERCENT)
    with proxy(hosts.lbr, tmp_path, FAST), tapped(hosts.jrc, BACKHAUL) as tap:
        report = crowd(hosts.pledges, task_for(hosts, devices))
    assert report.joined[0] >= AT_ONCE
    assert PLEDGES == report.joined[-1] == len(set(report.short_ids.values()))
    assert report.transmissions > PLEDGES * 1.2
    assert {(AF43, "to"), (AF42, "from")} == {
        (seen["dscp"], "to" if seen["to"] == JRC_ADDRESS else "from") for seen in tap.datagrams()
    }


def test_p04_the_default_rate_holds(hosts: Hosts, registrar: Daemon, tmp_path: Path) -> None:
    """RFC 8085 §3.1.3: without a rate, a packet in three seconds, whatever pledges send."""
    devices = registrar.site.new_devices(50)
    registrar.site.import_devices(devices, network="lab")
    with proxy(hosts.lbr, tmp_path), tapped(hosts.jrc, BACKHAUL) as tap:
        report = crowd(hosts.pledges, task_for(hosts, devices, attempts=1))
        times = [seen["at_s"] for seen in tap.datagrams() if seen["to"] == JRC_ADDRESS]
    assert report.transmissions > 200
    assert 3 <= len(times)
    assert report.joined[0] <= len(times)
    for first, began in enumerate(times):
        for last, ended in enumerate(times[first:], start=first):
            assert last - first <= (ended - began) / DEFAULT_PERIOD_S + BURST


def test_a_storm_ends_well_when_the_interface_goes_and_comes_in_the_middle(
    hosts: Hosts, registrar: Daemon, tmp_path: Path
) -> None:
    """RFC 9031 §7.1: the proxy finds it again, with another address, by itself."""
    before, after = registrar.site.new_devices(50), registrar.site.new_devices(50)
    registrar.site.import_devices([*before, *after], network="lab")
    with (
        proxy(hosts.lbr, tmp_path, FAST) as process,
        tapped(hosts.lbr, RADIO) as tap,
        ThreadPoolExecutor(1) as pool,
    ):
        # Lossy enough that most of them have not joined when the interface goes.
        hosts.lose(70)
        address = hosts.lbr.link_local(RADIO)
        storm = pool.submit(crowd, hosts.pledges, task_for(hosts, before, attempts=1))
        tap.wait_for(len(before), lambda seen: seen["from_port"] != COAP_PORT)
        hosts.remove_radio()
        process.wait_for("proxy_waits")
        hosts.add_radio()
        process.wait_for("proxy_listens")
        assert address != hosts.lbr.link_local(RADIO)
        assert storm.result().joined[0] < len(before)
        hosts.lose(0)
        report = crowd(hosts.pledges, task_for(hosts, [*before, *after], first_number=1000))
    assert 100 == report.joined[-1] == len(set(report.short_ids.values()))


def test_the_proxy_may_start_before_its_interface_is_there(
    hosts: Hosts, registrar: Daemon, tmp_path: Path
) -> None:
    """A radio's driver may take longer than the service manager waits."""
    (device,) = registrar.site.new_devices(1)
    registrar.site.import_devices([device], network="lab")
    hosts.remove_radio()
    with proxy(hosts.lbr, tmp_path, FAST) as process:
        hosts.add_radio()
        process.wait_for("proxy_listens")
        assert 1 == crowd(hosts.pledges, task_for(hosts, [device])).joined[-1]


class Bench:
    """A pledge and a JRC that a test plays itself, with the proxy in between."""

    def __init__(self, hosts: Hosts, pledge: Talker, jrc: Talker) -> None:
        self.pledge = pledge
        self.jrc = jrc
        self._proxy = f"{hosts.lbr.link_local(RADIO)}%{PLEDGE_SIDE}"
        self._device = SimulatedPledge(UNSEEN, Secret(bytes(range(16))), CAFE)
        self._upstream = ("", 0)

    def forwarded(self) -> Message:
        """What reaches the JRC of a new request."""
        self.pledge.send(self._device.request(token=b"\x77"), self._proxy)
        payload, self._upstream = self.jrc.hear()
        return message.decode(payload)

    def answer(self, token: bytes, by: Talker | None = None) -> None:
        """Send an answer with a token to where the last request came from."""
        options = ((OptionNumber.OSCORE, b""),)
        fields = (MessageType.NON, CoapCode.CHANGED, 7, token, options, ANSWER)
        (by or self.jrc).send(message.encode(Message(*fields)), *self._upstream)

    def is_alone(self, token: bytes) -> bool:
        """Whether a good answer is the next that the pledge hears, and so nothing came before."""
        self.answer(token)
        payload, _ = self.pledge.hear()
        answer = message.decode(payload)
        return (b"\x77", ANSWER) == (answer.token, answer.payload)


@contextmanager
def benched(hosts: Hosts, folder: Path, program: Sequence[str] = RUN) -> Iterator[Bench]:
    """A proxy between a pledge and a JRC that are sockets of the test."""
    with (
        talking(hosts.jrc, JRC_ADDRESS, COAP_PORT) as jrc,
        talking(hosts.pledges, "::") as pledge,
        proxy(hosts.lbr, folder, FAST, program=program),
    ):
        yield Bench(hosts, pledge, jrc)


def flip(token: bytes) -> bytes:
    return token[:-1] + bytes((token[-1] ^ 1,))


@pytest.mark.parametrize("change", [flip, lambda token: token[:-1], lambda token: token[:1]])
def test_p01_a_forged_or_cut_token_goes_nowhere(
    hosts: Hosts, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    """RFC 8974 §5.2: nobody hears of an answer whose token the proxy has not sealed."""
    with benched(hosts, tmp_path) as bench:
        token = bench.forwarded().token
        bench.answer(change(token))
        assert bench.is_alone(token)


def test_p01_a_replayed_token_goes_nowhere(hosts: Hosts, tmp_path: Path) -> None:
    """RFC 8974 §5.2: an answer is forwarded once."""
    with benched(hosts, tmp_path) as bench:
        first = bench.forwarded().token
        assert bench.is_alone(first)
        bench.answer(first)
        assert bench.is_alone(bench.forwarded().token)


def test_p01_a_stale_token_goes_nowhere(hosts: Hosts, tmp_path: Path) -> None:
    """RFC 8974 §5.2: a token that is older than any pledge waits opens nothing."""
    with benched(hosts, tmp_path, ("-m", "tests.hosts.hasty")) as bench:
        stale = bench.forwarded().token
        time.sleep(2 * FRESHNESS_MS / 1000)  # nothing else makes a token old
        bench.answer(stale)
        assert bench.is_alone(bench.forwarded().token)


def test_p08_an_answer_from_another_port_or_host_goes_nowhere(hosts: Hosts, tmp_path: Path) -> None:
    """RFC 7252 §5.3.2: answers count from the JRC's endpoint alone."""
    with (
        benched(hosts, tmp_path) as bench,
        talking(hosts.jrc, JRC_ADDRESS) as other_port,
        talking(hosts.jrc, "::") as other_address,
    ):
        token = bench.forwarded().token
        bench.answer(token, by=other_port)
        bench.answer(token, by=other_address)
        assert bench.is_alone(token)

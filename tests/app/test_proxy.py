"""Rate and blocklist from the database, and a proxy whose own state is damaged."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from jrc import config
from jrc.app.proxy import JoinProxyPart, Limits, limits_of, reaches
from jrc.app.proxy_host import ProxyHost
from jrc.coap.endpoint import Datagram, Way
from jrc.cojp.objects import Configuration
from jrc.config import Endpoint, Proxy
from jrc.errors import ExitCode, OperatorError, Reason
from jrc.policy.interface import Interface
from jrc.service.networks import remove_network
from jrc.service.registry import Registry
from jrc.service.revoking import revoke_pledge
from tests.desk import ACTOR, Desk, pledge_id

T = TypeVar("T")
PSK = "000102030405060708090a0b0c0d0eff"


def revoke(desk: Desk, *numbers: int) -> None:
    for number in numbers:
        identifier = pledge_id(number)
        desk.write(
            lambda tx: revoke_pledge(tx, identifier, actor=ACTOR, reason="lost", agreed=True)  # noqa: B023
        )


def test_p04_p05_the_only_network_gives_rate_and_revoked_pledges(desk: Desk) -> None:
    """RFC 9031 §8.4.2, without a name in [proxy]."""
    desk.network(join_rate_bytes_per_s=70)
    for number in (1, 2, 3):
        desk.pledge(number, networks=("lab",))
    revoke(desk, 1, 3)
    blocked = (pledge_id(1).value, pledge_id(3).value)
    assert Limits("lab", 70, blocked) == desk.read(lambda tx: limits_of(tx, None))


def test_p05_of_several_networks_the_named_one_counts(desk: Desk) -> None:
    """Without a name there is no rate, and everybody revoked is dropped."""
    desk.network(join_rate_bytes_per_s=70)
    desk.network("two", b"\x02", join_rate_bytes_per_s=80)
    desk.pledge(1, networks=("lab",))
    desk.pledge(2, networks=("two",))
    revoke(desk, 1, 2)
    named = Limits("two", 80, (pledge_id(2).value,))
    assert named == desk.read(lambda tx: limits_of(tx, "two"))
    everybody = (pledge_id(1).value, pledge_id(2).value)
    assert Limits(None, None, everybody) == desk.read(lambda tx: limits_of(tx, None))
    missing = "there is no network 'none'"
    assert Limits(None, None, everybody, missing) == desk.read(lambda tx: limits_of(tx, "none"))


def test_p05_more_revoked_pledges_than_a_page_are_all_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read in pages."""
    monkeypatch.setattr("jrc.app.proxy._PAGE", 2)
    desk.network()
    numbers = range(1, 6)
    for number in numbers:
        desk.pledge(number, networks=("lab",))
    revoke(desk, *numbers)
    found = desk.read(lambda tx: limits_of(tx, None)).blocked
    assert tuple(pledge_id(number).value for number in numbers) == found


class NoInterface:
    """A watcher of an interface that never comes."""

    current: Interface | None = None
    is_known = True

    def __init__(self, _name: str, told: Callable[[Interface | None], None]) -> None:
        self._told = told

    async def start(self) -> None:
        self._told(None)

    async def stop(self) -> None:
        pass


def settings(folder: Path, more: str = "") -> Proxy:
    psk = folder / "psk"
    psk.write_text(PSK)
    psk.chmod(0o600)
    own = f'pledge_id = "0102"\npsk_file = "{psk}"\n'
    text = f'[proxy]\ninterface = "none0"\njrc = "[::1]:9"\n{own}{more}'
    proxy = config.parse(text).proxy
    assert proxy is not None
    return proxy


def status_of(proxy: Proxy) -> dict[str, Any]:
    """What a proxy with these settings says once it has started."""

    async def run() -> dict[str, Any]:
        host = ProxyHost(proxy, NoInterface, lambda error: None)
        try:
            await host.start()
            return {**host.status(), "joined_metric": host.figures().joined}
        finally:
            await host.stop()

    return asyncio.run(run())


def test_b07_with_a_damaged_state_it_serves_and_does_not_join(tmp_path: Path) -> None:
    """Neighbours can join at the default rate; status and log say what to do."""
    (tmp_path / "psk.state").write_text("{")
    found = status_of(settings(tmp_path))
    assert (found["joined"], found["joined_metric"]) == (False, False)
    assert found["given_keys"] is None
    assert found["join_rate_bytes_per_s"] is None
    assert "psk.state is damaged" in found["why"]
    assert found["source"] is not None
    assert (tmp_path / "psk.state").read_text() == "{"


def test_p02_what_comes_before_the_interface_was_seen_is_not_the_registrars() -> None:
    """It is dropped and counted; on another interface it is none of the proxy's business."""
    proxy = config.parse('[proxy]\ninterface = "lo"\njrc = "[::1]:9"\n').proxy
    assert proxy is not None

    async def run(sock: socket.socket) -> tuple[list[int], dict[Reason, int]]:
        host = ProxyHost(proxy, NoInterface, lambda error: None)
        await host.start()
        sent = [
            Datagram(b"", Way(("fe80::2", 9, 0, index), b"", 0, sock), False)
            for index in (socket.if_nametoindex("lo"), 0x7FFF_FFFF)
        ]
        left = [each.way.peer[3] for each in host.take(sent)]
        await host.stop()
        return left, dict(host.proxy.dropped)

    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        assert asyncio.run(run(sock)) == ([0x7FFF_FFFF], {Reason.SEND_FAILED: 1})


class NoAnswer(NoInterface):
    """A watcher that the kernel leaves without an answer."""

    is_known = False

    async def start(self) -> None:
        pass


def test_p08_while_the_kernel_is_silent_the_proxy_has_started_and_says_so() -> None:
    """It listens once the kernel has told of the interface."""

    async def run() -> tuple[object, object]:
        host = ProxyHost(plain(), NoAnswer, lambda error: None)
        await host.start()
        found = host.status()
        await host.stop()
        return found["listening"], found["why"]

    listening, why = asyncio.run(run())
    assert listening is None
    assert "the kernel has not told yet" in str(why)


def test_updates_that_can_not_come_are_told_in_a_sentence(tmp_path: Path) -> None:
    """Status says whose the port is, beside what else there is to say."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::1", 5683))
        found = status_of(settings(tmp_path))
    said = "the registrar's updates do not reach it: port 5683 is another program's"
    assert said in found["why"].split("; ")


def test_a_good_state_is_made_beside_the_key(tmp_path: Path) -> None:
    """Where no state_file is named."""
    found = status_of(settings(tmp_path))
    assert (found["joined"], found["why"]) == (False, "there is no such interface")
    assert (tmp_path / "psk.state.lock").exists()


def test_b04_a_credential_in_use_stops_a_second_proxy(tmp_path: Path) -> None:
    """Two processes would use one number twice."""

    async def run() -> None:
        proxy = settings(tmp_path)
        first = ProxyHost(proxy, NoInterface, lambda error: None)
        with pytest.raises(OperatorError) as refused:
            ProxyHost(proxy, NoInterface, lambda error: None)
        assert refused.value.exit_code is ExitCode.REFUSED
        await first.stop()

    asyncio.run(run())


class Read:
    """The half of the daemon that reads the database."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        return self._desk.read(work)


def plain(more: str = "") -> Proxy:
    """A proxy without a credential."""
    proxy = config.parse(f'[proxy]\ninterface = "none0"\njrc = "[::1]:9"\n{more}').proxy
    assert proxy is not None
    return proxy


HERE, ELSEWHERE = (Endpoint("::", 9),), (Endpoint("2001:db8::1", 9),)


def in_jrc_run(
    desk: Desk,
    proxy: Proxy,
    work: Callable[[JoinProxyPart], Awaitable[None]],
    listen: tuple[Endpoint, ...] = HERE,
) -> None:
    """``work`` while the proxy is a part of a registrar that listens there."""

    async def run() -> None:
        host = ProxyHost(proxy, NoInterface, lambda error: None)
        part = JoinProxyPart(proxy, host, Read(desk), lambda error: None, listen)
        try:
            await part.start()
            await work(part)
        finally:
            await part.stop()

    asyncio.run(run())


def limits(part: JoinProxyPart) -> tuple[object, set[bytes]]:
    proxy = part.host.proxy
    return proxy.rate.bytes_per_s, set(proxy.blocklist.identifiers)


async def become(part: JoinProxyPart, expected: tuple[object, set[bytes]]) -> None:
    part.changed()
    async with asyncio.timeout(10):
        while limits(part) != expected:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def test_p04_p05_beside_its_registrar_the_database_counts_also_with_a_credential(
    desk: Desk, tmp_path: Path
) -> None:
    """At once and at each change; what it was told as it joined is cut, and older."""
    desk.network(join_rate_bytes_per_s=70)
    desk.pledge(1, networks=("lab",))

    async def work(part: JoinProxyPart) -> None:
        assert limits(part) == (70, set())
        part.host._configured(Configuration(join_rate_bytes_per_s=5, blocklist=(b"old",)), True)
        assert limits(part) == (70, set())
        revoke(desk, 1)
        await become(part, (70, {pledge_id(1).value}))

    in_jrc_run(desk, settings(tmp_path), work)


def test_p04_p05_with_a_registrar_elsewhere_what_that_one_tells_counts(
    desk: Desk, tmp_path: Path
) -> None:
    """The networks of this host's own registrar are others (RFC 9031 §8.4.2)."""
    desk.network(join_rate_bytes_per_s=70)

    async def work(part: JoinProxyPart) -> None:
        assert limits(part) == (None, set())
        part.host._configured(Configuration(join_rate_bytes_per_s=5, blocklist=(b"bad",)), True)
        assert limits(part) == (5, {b"bad"})

    in_jrc_run(desk, settings(tmp_path), work, ELSEWHERE)


@pytest.mark.parametrize(
    ("jrc", "listen", "own"),
    [
        (Endpoint("::1", 9), Endpoint("::", 9), True),
        (Endpoint("::1", 9), Endpoint("::", 10), False),
        (Endpoint("2001:db8::7", 9), Endpoint("::", 9), False),
        (Endpoint("2001:db8::7", 9), Endpoint("2001:db8::7", 9), True),
        (Endpoint("2001:db8::7", 9), Endpoint("2001:db8::8", 9), False),
        (Endpoint("fe80::1", 9, "none0"), Endpoint("::", 9), False),
    ],
)
def test_a_registrar_is_ones_own_where_one_listens(
    jrc: Endpoint, listen: Endpoint, own: bool
) -> None:
    """At an address that is named, or at any of this host's."""
    assert reaches(jrc, (listen,)) is own


@pytest.mark.parametrize(
    ("network", "own", "expected"),
    [(70, 50, 50), (70, 90, 70), (0, 50, 0), (70, 0, 0), (None, 50, 50), (70, None, 70)],
)
def test_p04_of_two_rates_the_smaller_counts(
    desk: Desk, network: int | None, own: int | None, expected: int
) -> None:
    """0 closes joining, whoever says it (RFC 9031 §8.4.2)."""
    desk.network(join_rate_bytes_per_s=network)

    async def work(part: JoinProxyPart) -> None:
        assert limits(part) == (expected, set())

    in_jrc_run(desk, plain("" if own is None else f"join_rate_bytes_per_s = {own}\n"), work)


def test_p05_the_blocklist_of_the_config_file_is_added(desk: Desk, tmp_path: Path) -> None:
    """From the start, beside what the database says and what a registrar tells."""
    more = 'blocklist = ["00124b00000000aa"]\n'
    own = bytes.fromhex("00124b00000000aa")
    desk.network()
    desk.pledge(1, networks=("lab",))
    revoke(desk, 1)

    async def beside(part: JoinProxyPart) -> None:
        assert limits(part) == (None, {own, pledge_id(1).value})

    async def elsewhere(part: JoinProxyPart) -> None:
        assert limits(part) == (None, {own})
        part.host._configured(Configuration(blocklist=(b"bad",)), True)
        assert limits(part) == (None, {own, b"bad"})

    in_jrc_run(desk, plain(more), beside)
    in_jrc_run(desk, settings(tmp_path, more), elsewhere, ELSEWHERE)


def test_p04_p05_other_settings_count_beside_what_was_told(desk: Desk, tmp_path: Path) -> None:
    """SIGHUP brings a rate and a blocklist; what the database or a registrar says stays."""
    desk.network(join_rate_bytes_per_s=70)
    desk.pledge(1, networks=("lab",))
    revoke(desk, 1)
    other = bytes.fromhex("00124b00000000bb")
    listed = 'blocklist = ["00124b00000000bb"]\n'

    async def beside(part: JoinProxyPart) -> None:
        part.use(plain("join_rate_bytes_per_s = 50\n" + listed))
        assert limits(part) == (50, {other, pledge_id(1).value})
        part.use(plain(""))
        assert limits(part) == (70, {pledge_id(1).value})

    async def elsewhere(part: JoinProxyPart) -> None:
        told = Configuration(join_rate_bytes_per_s=60, blocklist=(b"bad",))
        part.host._configured(told, True)
        part.use(settings(tmp_path, listed))
        assert limits(part) == (60, {other, b"bad"})

    in_jrc_run(desk, plain(""), beside)
    in_jrc_run(desk, settings(tmp_path, ""), elsewhere, ELSEWHERE)


def test_p04_p05_a_network_that_is_not_there_is_waited_for_and_said_once(desk: Desk) -> None:
    """Until it is there, the rate is the default one and everybody revoked is dropped."""
    desk.network()
    for number in (1, 2):
        desk.pledge(number, networks=("lab",))
    revoke(desk, 1)

    async def work(part: JoinProxyPart) -> None:
        assert limits(part) == (None, {pledge_id(1).value})
        status = part.status()
        assert (status["network"], status["waits_for_network"]) == (None, "hall")
        assert str(status["why"]).startswith("there is no network 'hall'; ")
        await part._catch_up()
        desk.network("hall", b"\xca\xff", join_rate_bytes_per_s=70)
        await part._catch_up()
        assert limits(part) == (70, set())
        status = part.status()
        assert (status["network"], status["waits_for_network"]) == ("hall", None)
        desk.write(lambda tx: remove_network(tx, "hall", actor=ACTOR, agreed=True))
        await part._catch_up()
        assert limits(part) == (None, {pledge_id(1).value})

    with capture_logs() as logs:
        in_jrc_run(desk, plain('network = "hall"\n'), work)
    said = [(each["log_level"], each["event"]) for each in logs if "network" in each["event"]]
    waits = ("warning", "proxy_waits_for_network")
    assert [waits, ("info", "proxy_has_network"), waits] == said

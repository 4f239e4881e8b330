"""Simulated networks over real UDP on loopback, with a stand-in for the registrar."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from jrc.cojp.constants import MessageType
from jrc.lab.network import JoinResult, RequestForm, Timing, join, join_all, join_proxy
from jrc.lab.pledge import Joined, SimulatedPledge
from jrc.model import Secret
from tests.lab.registrar import Registrar

NETWORK_ID = bytes.fromhex("cafe")
QUICK = Timing().scaled(0.01)


def psk_of(identifier: bytes) -> bytes:
    return identifier * 2


def pledges(count: int) -> list[SimulatedPledge]:
    identifiers = [bytes(7) + bytes([number]) for number in range(1, count + 1)]
    return [SimulatedPledge(i, Secret(psk_of(i)), NETWORK_ID) for i in identifiers]


def make_registrar(losses: Iterator[bool] | None = None) -> Registrar:
    return Registrar(
        {p.identifier: psk_of(p.identifier) for p in pledges(20)}, losses=losses or iter(())
    )


@asynccontextmanager
async def listening(registrar: Registrar) -> AsyncIterator[tuple[str, int]]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: registrar, local_addr=("::1", 0))
    try:
        yield transport.get_extra_info("sockname")[:2]
    finally:
        transport.close()


def join_through_proxy(
    count: int, registrar: Registrar, form: RequestForm | None = None, timing: Timing = QUICK
) -> list[JoinResult]:
    """``count`` pledges against a registrar behind the stateless proxy."""

    async def run() -> list[JoinResult]:
        async with listening(registrar) as jrc, join_proxy(jrc) as proxy:
            return await join_all(pledges(count), proxy.address, timing, form, concurrency=5)

    return asyncio.run(run())


def test_the_waits_are_those_of_the_rfc() -> None:
    """10 s and up to half more, doubled four times (RFC 9031 §7.2); 465 s at the most."""
    assert list(Timing().waits(0)) == [10, 20, 40, 80, 160]
    assert sum(Timing().waits(1)) == 465
    assert list(Timing().scaled(0.1).waits(0)) == [1, 2, 4, 8, 16]


def test_p02_twenty_pledges_join_through_the_proxy() -> None:
    """The registrar sees NONs from one proxy; each pledge gets its own answer (RFC 9031 §7.1)."""
    registrar = make_registrar()
    results = join_through_proxy(20, registrar)
    assert [result.pledge_id for result in results] == [p.identifier for p in pledges(20)]
    assert all(isinstance(result.outcome, Joined) for result in results)
    assert {result.transmissions for result in results} == {1}
    assert {request.type for request in registrar.received} == {MessageType.NON}
    assert len({request.token for request in registrar.received}) == 20


@pytest.mark.parametrize("confirmable", [True, False])
@pytest.mark.parametrize("proxy_scheme", [True, False])
@pytest.mark.parametrize("size", [0, 8, 13, 269, 300])
def test_p06_requests_of_any_form_pass_the_proxy(
    confirmable: bool, proxy_scheme: bool, size: int
) -> None:
    """CON and NON, with extended tokens of pledges (RFC 8974 §4.4)."""
    form = RequestForm(confirmable, bytes(size), proxy_scheme)
    (result,) = join_through_proxy(1, make_registrar(), form)
    assert isinstance(result.outcome, Joined)


def test_c11_a_lost_answer_is_asked_for_again_with_the_same_request() -> None:
    """A CON is sent again as it is; the proxy makes each copy a message of its own."""
    registrar = make_registrar(itertools.chain([True, True], itertools.repeat(False)))
    (result,) = join_through_proxy(1, registrar)
    first, second, third = registrar.received
    assert isinstance(result.outcome, Joined)
    assert result.transmissions == 3
    assert first.options == second.options == third.options
    assert first.payload == second.payload == third.payload
    assert len({request.token for request in registrar.received}) == 3
    assert len({request.message_id for request in registrar.received}) == 3


def test_a_pledge_with_non_asks_anew() -> None:
    """A NON is not repeated (RFC 7252 §4.3): each request has its own number."""
    registrar = make_registrar(itertools.chain([True], itertools.repeat(False)))
    (result,) = join_through_proxy(1, registrar, RequestForm(confirmable=False))
    first, second = registrar.received
    assert isinstance(result.outcome, Joined)
    assert first.payload != second.payload


def test_without_an_answer_a_pledge_gives_up_after_five_requests() -> None:
    """MAX_RETRANSMIT is 4 (RFC 9031 §7.2)."""
    registrar = make_registrar(itertools.repeat(True))
    (result,) = join_through_proxy(1, registrar, timing=Timing().scaled(0.0005))
    assert result.outcome is None
    assert result.transmissions == len(registrar.received) == 5


def test_c01_a_6lbr_asks_the_registrar_itself() -> None:
    """Without a proxy the request arrives as it was written (RFC 9031 §6)."""
    registrar = make_registrar()

    async def run() -> JoinResult:
        async with listening(registrar) as jrc:
            return await join(pledges(1)[0], jrc, Timing())

    assert isinstance(asyncio.run(run()).outcome, Joined)
    assert registrar.received[0].type == MessageType.CON


def test_a_proxy_that_is_not_there_is_a_pledge_without_answer() -> None:
    """What ICMP tells does not stop the lab."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        nobody = probe.getsockname()[:2]
    result = asyncio.run(join(pledges(1)[0], nobody, Timing().scaled(0.0005)))
    assert (result.outcome, result.transmissions) == (None, 5)


def test_results_are_told_as_they_come() -> None:
    """The table of the demonstration lives from this."""
    told: list[JoinResult] = []

    async def run() -> list[JoinResult]:
        registrar = make_registrar()
        async with listening(registrar) as jrc, join_proxy(jrc) as proxy:
            return await join_all(pledges(3), proxy.address, on_result=told.append)

    results = asyncio.run(run())
    assert sorted(told, key=lambda result: result.pledge_id) == results

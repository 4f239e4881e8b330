"""The Join Proxy's sockets on loopback (RFC 9031 §6.1.1, RFC 7252 §5.3.2)."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from jrc.coap.endpoint import Datagram, Way
from jrc.coap.proxy import JoinProxy
from jrc.coap.proxy_endpoint import (
    ProxyEndpoint,
    SharedSide,
    open_jrc_socket,
    open_pledge_socket,
)
from jrc.cojp import message
from jrc.cojp.constants import MessageType
from jrc.cojp.message import Message
from jrc.errors import Reason
from tests.coap.test_proxy import PEER, REQUEST, answer_to, make_proxy


@contextmanager
def udp() -> Iterator[socket.socket]:
    """A bound socket on loopback with a time limit."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::1", 0))
        sock.settimeout(5)
        yield sock


@contextmanager
def forwarding(jrc: socket.socket) -> Iterator[ProxyEndpoint]:
    """A proxy between pledges on loopback and this registrar, on the running loop."""
    endpoint = ProxyEndpoint(make_proxy(), lambda: 0)
    try:
        endpoint.connect(open_jrc_socket(jrc.getsockname()))
        endpoint.listen(open_pledge_socket("::1", 0))
        yield endpoint
    finally:
        endpoint.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop work until something is so; fails if it never is."""
    for _ in range(10_000):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never was")


async def heard(sock: socket.socket) -> tuple[bytes, int, tuple[str, int]]:
    """The next datagram, its traffic class and its source."""
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    loop = asyncio.get_running_loop()
    datagram, ancillary, _, source = await loop.run_in_executor(None, sock.recvmsg, 2048, 64)
    (traffic_class,) = [
        int.from_bytes(data, "little")
        for level, kind, data in ancillary
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
    ]
    return datagram, traffic_class, source


def test_p08_h02_requests_are_marked_and_the_registrar_alone_is_heard() -> None:
    """AF43 towards the registrar (RFC 9031 §6.1.1); answers of others are not read (P8)."""

    async def run() -> tuple[Message, int, int, JoinProxy]:
        with udp() as pledge, udp() as jrc, udp() as stranger, forwarding(jrc) as endpoint:
            jrc.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            pledge.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            pledge.sendto(message.encode(REQUEST), endpoint.address)
            datagram, upwards, source = await heard(jrc)
            request = message.decode(datagram)
            stranger.sendto(answer_to(request, payload=b"lies"), source)
            jrc.sendto(answer_to(request), source)
            answer, downwards, _ = await heard(pledge)
            return message.decode(answer), upwards, downwards, endpoint.proxy

    answer, upwards, downwards, proxy = asyncio.run(run())
    assert (answer.type, answer.message_id) == (MessageType.ACK, REQUEST.message_id)
    assert (answer.token, answer.payload) == (REQUEST.token, b"keys")
    assert (upwards, downwards) == (38 << 2, 0)
    assert (proxy.forwarded, proxy.returned) == (1, 1)
    assert not proxy.dropped


def test_p08_a_separate_answer_is_acknowledged_to_the_registrar() -> None:
    """An empty ACK with the registrar's message id goes back (RFC 7252 §4.2)."""

    async def run() -> tuple[bytes, bytes]:
        with udp() as pledge, udp() as jrc, forwarding(jrc) as endpoint:
            jrc.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            pledge.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            pledge.sendto(message.encode(REQUEST), endpoint.address)
            datagram, _, source = await heard(jrc)
            jrc.sendto(answer_to(message.decode(datagram), type=MessageType.CON), source)
            acknowledgement, _, _ = await heard(jrc)
            answer, _, _ = await heard(pledge)
            return acknowledgement, answer

    acknowledgement, answer = asyncio.run(run())
    assert acknowledgement == b"\x60\x00\x00\x4d"
    assert message.decode(answer).payload == b"keys"


def test_h02_what_the_proxy_itself_asks_is_not_marked() -> None:
    """Its own join is no join traffic that it forwards (RFC 9031 §6.1.1)."""

    async def run() -> tuple[bytes, int]:
        with udp() as jrc, forwarding(jrc) as endpoint:
            jrc.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            assert endpoint.send(b"its own")
            datagram, traffic_class, _ = await heard(jrc)
            return datagram, traffic_class

    assert asyncio.run(run()) == (b"its own", 0)


def test_p08_the_endpoint_survives_a_registrar_that_is_not_there() -> None:
    """What ICMP tells of a closed port is counted and nothing else."""

    async def run() -> JoinProxy:
        with udp() as pledge, udp() as jrc, forwarding(jrc) as endpoint:
            jrc.close()
            for number in range(1, 4):
                pledge.sendto(message.encode(REQUEST), endpoint.address)
                await until(lambda: endpoint.proxy.forwarded == number)  # noqa: B023
            return endpoint.proxy

    proxy = asyncio.run(run())
    assert proxy.forwarded == 3
    assert proxy.dropped[Reason.SEND_FAILED] >= 1


def test_p08_without_a_way_to_the_registrar_requests_are_dropped_and_counted() -> None:
    """They are not sealed either, and the rate is left alone (RFC 9031 §7.2)."""

    async def run() -> JoinProxy:
        with udp() as pledge, udp() as jrc, forwarding(jrc) as endpoint:
            endpoint.connect(None)
            assert endpoint.upstream is None
            pledge.sendto(message.encode(REQUEST), endpoint.address)
            await until(lambda: bool(endpoint.proxy.dropped))
            return endpoint.proxy

    proxy = asyncio.run(run())
    assert (proxy.forwarded, proxy.dropped) == (0, {Reason.SEND_FAILED: 1})


def test_p03_answers_leave_through_a_socket_that_has_taken_the_formers_place() -> None:
    """An interface that came back has another socket; tokens are still good (RFC 9031 §7.1)."""

    async def run() -> bytes:
        with udp() as pledge, udp() as jrc, forwarding(jrc) as endpoint:
            jrc.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            pledge.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            pledge.sendto(message.encode(REQUEST), endpoint.address)
            datagram, _, source = await heard(jrc)
            endpoint.listen(open_pledge_socket("::1", 0))
            jrc.sendto(answer_to(message.decode(datagram)), source)
            answer, _, sender = await heard(pledge)
            assert sender[:2] == endpoint.address
            return answer

    assert message.decode(asyncio.run(run())).payload == b"keys"


LOOPBACK_INDEX = socket.if_nametoindex("lo")
NEAR, GLOBAL = (socket.inet_pton(socket.AF_INET6, each) for each in ("fe80::1", "2001:db8::1"))
GROUP = socket.inet_pton(socket.AF_INET6, "ff02::1")


def test_p02_link_local_on_its_interface_is_the_proxys_and_the_rest_the_registrars() -> None:
    """Any link-local source or destination there; all of it is dropped while it can't serve."""
    ours, other = 3, 4
    expected = {
        (NEAR, ours, ours): False,
        (NEAR, ours, 0): False,
        (GLOBAL, ours, ours): False,
        (b"", 0, ours): False,
        (GROUP, ours, ours): False,
        (GLOBAL, ours, 0): True,
        (b"", 0, 0): True,
        (NEAR, other, other): True,
        (GROUP, ours, 0): True,
    }

    async def run() -> tuple[dict[tuple[bytes, int, int], bool], JoinProxy]:
        endpoint = ProxyEndpoint(make_proxy(), lambda: 0, is_ours=lambda index: index == ours)
        with udp() as sock:
            return {
                (local, interface, scope_id): bool(
                    endpoint.take(
                        [Datagram(b"", Way(("::1", 9, 0, scope_id), local, interface, sock), False)]
                    )
                )
                for local, interface, scope_id in expected
            }, endpoint.proxy

    left, proxy = asyncio.run(run())
    assert left == expected
    assert proxy.dropped == {Reason.SEND_FAILED: 4, Reason.MULTICAST: 1}


def test_a_request_that_this_proxy_sent_names_the_pledge_behind_it() -> None:
    """Without using up its token; a datagram from elsewhere, or the proxy's own, stays as it is."""

    async def run() -> list[tuple[bytes, str] | None]:
        with udp() as jrc:
            endpoint = ProxyEndpoint(make_proxy(), lambda: 0, link="lowpan0")
            endpoint.connect(open_jrc_socket(jrc.getsockname()))
            request = endpoint.proxy.from_pledge(message.encode(REQUEST), PEER, 0)
            assert request is not None
            own = endpoint.upstream
            assert own is not None
            came = [
                Datagram(payload, Way(peer, b"", 0, jrc), False)
                for payload, peer in (
                    (request, own),
                    (request, (own[0], own[1] ^ 1, 0, 0)),
                    (message.encode(REQUEST), own),
                    (b"cut", own),
                )
            ]
            left = endpoint.take(came)
            assert left == came
            assert endpoint.proxy.from_jrc(answer_to(message.decode(request)), 0) is not None
            endpoint.close()
            return [each.way.forwarded_for() for each in left]

    assert [(PEER.address, "lowpan0"), None, None, None] == asyncio.run(run())


@pytest.mark.parametrize("usual", ["::1", "::2"])
def test_p03_an_answer_leaves_a_shared_socket_from_the_address_that_was_asked(usual: str) -> None:
    """Unmarked, whether that is the usual one or another one (RFC 9031 §7.1)."""

    async def run() -> tuple[bytes, int]:
        with udp() as pledge, udp() as jrc, udp() as shared, udp() as another:
            endpoint = ProxyEndpoint(
                make_proxy(), lambda: 0, is_ours=lambda index: index == LOOPBACK_INDEX
            )
            endpoint.connect(open_jrc_socket(jrc.getsockname()))
            jrc.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            pledge.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            shared.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 36 << 2)
            near = socket.inet_pton(socket.AF_INET6, "::1")
            local = socket.inet_pton(socket.AF_INET6, usual)
            endpoint.share(SharedSide(shared, local, LOOPBACK_INDEX))
            source = (*pledge.getsockname()[:3], LOOPBACK_INDEX)
            left = endpoint.take(
                [
                    Datagram(payload, Way(source, near, LOOPBACK_INDEX, sock), long)
                    for payload, sock, long in (
                        (message.encode(REQUEST), shared, False),
                        (b"cut off", shared, True),
                        (b"on a socket that no answer leaves from", another, False),
                    )
                ]
            )
            datagram, _, upstream = await heard(jrc)
            jrc.sendto(answer_to(message.decode(datagram)), upstream)
            answer, traffic_class, sender = await heard(pledge)
            assert sender[:2] == shared.getsockname()[:2]
            assert endpoint.proxy.dropped == {Reason.TOO_LONG: 1, Reason.SEND_FAILED: 1}
            assert not left
            endpoint.close()
            return answer, traffic_class

    answer, traffic_class = asyncio.run(run())
    assert (message.decode(answer).payload, traffic_class) == (b"keys", 0)


@pytest.mark.parametrize("address", ["::", "ff02::1"])
def test_p08_the_endpoint_needs_one_unicast_address(address: str) -> None:
    """Answers leave from the address that was asked (RFC 7252 §5.3.2)."""
    with pytest.raises(ValueError, match="unicast"):
        open_pledge_socket(address, 0)


def test_p08_a_taken_address_is_an_error_and_leaves_no_socket_open() -> None:
    """Two proxies never share a port in silence."""
    with udp() as taken, pytest.raises(OSError, match="in use"):
        open_pledge_socket(*taken.getsockname()[:2])

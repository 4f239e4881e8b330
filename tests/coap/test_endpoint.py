"""The datagram endpoint on real sockets of the loopback interface."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from jrc.coap.endpoint import (
    DRAIN,
    DSCP_AF42,
    Datagram,
    Endpoint,
    Way,
    bind,
    is_here,
    prepare,
)
from jrc.cojp.constants import MAX_DATAGRAM_BYTES
from jrc.errors import OperatorError

HOST = "::1"
GROUP = "ff01::fd"
"""All CoAP Nodes, interface-local: it never leaves this host (RFC 7252 §12.8)."""
WITHIN_S = 60.0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A bound socket."""
    with bind(HOST, 0) as listener:
        yield listener


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """Somebody who asks, and sees traffic classes."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        peer.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        peer.bind((HOST, 0))
        peer.settimeout(WITHIN_S)
        yield peer


def to(peer: socket.socket, listener: socket.socket, *datagrams: bytes) -> None:
    for datagram in datagrams:
        peer.sendto(datagram, listener.getsockname()[:2])


async def until(reached: Callable[[], bool]) -> None:
    """Turn the loop until something is so."""
    async with asyncio.timeout(WITHIN_S):
        while not reached():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


class Post:
    """What an endpoint has read, batch by batch."""

    def __init__(self) -> None:
        self.batches: list[list[Datagram]] = []
        self.failures = 0

    def failed(self) -> None:
        self.failures += 1

    @property
    def datagrams(self) -> list[Datagram]:
        return [datagram for batch in self.batches for datagram in batch]

    async def read(self, *listeners: socket.socket, count: int) -> Endpoint:
        """Until ``count`` datagrams have come; the endpoint reads no more then."""
        endpoint = Endpoint(listeners, self.batches.append, send_failed=self.failed)
        endpoint.start(asyncio.get_running_loop())
        await until(lambda: len(self.datagrams) >= count)
        endpoint.stop_reading()
        return endpoint


def read(*listeners: socket.socket, count: int) -> tuple[Post, Endpoint]:
    post = Post()
    return post, asyncio.run(post.read(*listeners, count=count))


def test_a_datagram_comes_with_the_way_it_came(peer: socket.socket) -> None:
    """Peer, our address, interface; nothing else is kept of it."""
    loopback = socket.inet_pton(socket.AF_INET6, HOST)
    with bind("::", 0) as anywhere:
        peer.sendto(b"hello", (HOST, anywhere.getsockname()[1]))
        post, _ = read(anywhere, count=1)
        (datagram,) = post.datagrams
        assert (b"hello", False, False) == (
            datagram.payload, datagram.truncated, datagram.to_multicast,
        )  # fmt: skip
        way = Way(peer.getsockname(), loopback, socket.if_nametoindex("lo"), anywhere)
        assert way == datagram.way
    assert loopback == datagram.way.peer_address()


def test_c13_a_socket_with_one_address_needs_not_be_told_it(
    listener: socket.socket, peer: socket.socket
) -> None:
    """RFC 7252 §5.3.2: the answer leaves from there all the same."""
    to(peer, listener, b"ask")
    post, endpoint = read(listener, count=1)
    way = post.datagrams[0].way
    assert Way(peer.getsockname(), b"", 0, listener) == way
    endpoint.send(b"answer", way)
    assert (b"answer", listener.getsockname()) == peer.recvfrom(64)


def test_h01_answers_are_marked_af42(listener: socket.socket, peer: socket.socket) -> None:
    """RFC 9031 §6.1.2."""
    to(peer, listener, b"ask")
    post, endpoint = read(listener, count=1)
    endpoint.send(b"answer", post.datagrams[0].way)
    payload, ancillary, _, sender = peer.recvmsg(64, 64)
    ((level, kind, data),) = ancillary
    assert (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == (level, kind)
    assert 36 == DSCP_AF42 == struct.unpack("@i", data)[0] >> 2
    assert (b"answer", listener.getsockname()) == (payload, sender)


def test_c13_an_answer_leaves_from_the_address_that_was_asked(peer: socket.socket) -> None:
    """RFC 7252 §5.3.2: on a wildcard socket too, where the kernel would choose another."""
    with bind("::", 0) as listener, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = listener.getsockname()[1]
        peer.sendto(b"ask", (HOST, port))
        post, endpoint = read(listener, count=1)
        way = post.datagrams[0].way
        endpoint.send(b"answer", way)
        assert (HOST, port) == peer.recvfrom(64)[1][:2]
        assert 0 == post.failures
        elsewhere = way._replace(local=socket.inet_pton(socket.AF_INET6, "2001:db8::1"))
        endpoint.send(b"answer", elsewhere)
        assert 1 == post.failures, "an address that is not ours can't be answered from"


def test_an_answer_that_can_not_leave_is_counted(
    listener: socket.socket, peer: socket.socket
) -> None:
    """It is asked for again."""
    to(peer, listener, b"ask")
    post, endpoint = read(listener, count=1)
    endpoint.send(bytes(70_000), post.datagrams[0].way)
    listener.close()
    endpoint.send(b"x", post.datagrams[0].way)
    assert 2 == post.failures


@pytest.mark.parametrize(("size", "cut"), [(0, 0), (1, 0), (MAX_DATAGRAM_BYTES, 0),
                                           (MAX_DATAGRAM_BYTES + 1, 1), (60_000, 1)])  # fmt: skip
@pytest.mark.parametrize("host", [HOST, "::"])
def test_b06_what_is_longer_than_we_read_is_marked(
    host: str, peer: socket.socket, size: int, cut: bool
) -> None:
    """Its first bytes must not be taken for the whole."""
    with bind(host, 0) as listener:
        peer.sendto(bytes(size), (HOST, listener.getsockname()[1]))
        post, _ = read(listener, count=1)
    (datagram,) = post.datagrams
    assert datagram.truncated is bool(cut)
    assert datagram.truncated or len(datagram.payload) == size


def reached_by_group(listener: socket.socket, number: int) -> bool:
    """Send to the group on interface ``number``; whether it has a route for that."""
    member = socket.inet_pton(socket.AF_INET6, GROUP) + struct.pack("@I", number)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, number)
        try:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
            sender.sendto(b"all", (GROUP, listener.getsockname()[1], 0, number))
        except OSError:
            return False
    return True


def test_b10_what_came_to_a_group_is_marked(peer: socket.socket) -> None:
    """RFC 7252 §11.3: also where somebody else has joined the group on our port."""
    with bind("::", 0) as listener:
        if not any(reached_by_group(listener, number) for number, _ in socket.if_nameindex()):
            pytest.skip("no interface has a route to groups here")
        peer.sendto(b"one", (HOST, listener.getsockname()[1]))
        post, _ = read(listener, count=2)
    flags = {datagram.payload: datagram.to_multicast for datagram in post.datagrams}
    assert {b"all": True, b"one": False} == flags


def test_b10_group_addresses_are_told_from_others() -> None:
    """RFC 4291 §2.7."""
    for name, expected in ((GROUP, True), ("ff05::fd", True), ("fe80::1", False), (HOST, False)):
        way = Way((HOST, 1, 0, 0), socket.inet_pton(socket.AF_INET6, name), 1, socket.socket())
        way.socket.close()
        assert expected is Datagram(b"", way, False).to_multicast


def test_many_datagrams_are_read_a_wake_up(listener: socket.socket, peer: socket.socket) -> None:
    """Up to a bound, in their order, none lost."""
    sent = [number.to_bytes(2) for number in range(DRAIN + 10)]
    to(peer, listener, *sent)
    post, _ = read(listener, count=len(sent))
    assert sent == [datagram.payload for datagram in post.datagrams]
    assert [DRAIN, 10] == [len(batch) for batch in post.batches if batch]


def test_several_sockets_are_read(peer: socket.socket) -> None:
    """Each answer leaves by the one that was asked."""
    with bind(HOST, 0) as first, bind(HOST, 0) as second:
        to(peer, first, b"1")
        to(peer, second, b"2")
        post, endpoint = read(first, second, count=2)
        for datagram in post.datagrams:
            endpoint.send(datagram.payload, datagram.way)
        heard = {peer.recvfrom(64) for _ in range(2)}
        assert {(b"1", first.getsockname()), (b"2", second.getsockname())} == heard
        names = [f"[{HOST}]:{one.getsockname()[1]}" for one in (first, second)]
        assert names == endpoint.addresses()


def test_while_held_datagrams_wait_in_the_kernel(
    listener: socket.socket, peer: socket.socket
) -> None:
    """None is lost; they are read when the endpoint is told to go on."""
    held = [True]  # emptied to let go
    post = Post()

    async def work() -> None:
        endpoint = Endpoint([listener], post.batches.append, lambda: bool(held))
        endpoint.start(asyncio.get_running_loop())
        to(peer, listener, b"1", b"2")
        await until(lambda: endpoint.is_waiting)
        assert [] == post.datagrams
        held.clear()
        endpoint.resume()
        await until(lambda: len(post.datagrams) == 2)
        endpoint.close()

    asyncio.run(work())
    assert [b"1", b"2"] == [datagram.payload for datagram in post.datagrams]


def test_b03_a_second_registrar_on_the_port_is_refused(listener: socket.socket) -> None:
    """It would take half of the datagrams: no SO_REUSEPORT, no SO_REUSEADDR."""
    port = listener.getsockname()[1]
    with pytest.raises(OperatorError) as caught:
        bind(HOST, port)
    assert f"coap.listen: [{HOST}]:{port} can't be bound (Address already in use)" == (
        caught.value.message
    )
    assert "ss -ulpn" in caught.value.hint
    for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR):
        assert 0 == listener.getsockopt(socket.SOL_SOCKET, option)


@pytest.mark.parametrize(("host", "interface"), [("fe80::1", "no-such-0"), ("no address", "")])
def test_an_interface_that_is_not_here_is_refused(host: str, interface: str) -> None:
    """By the setting's name."""
    with pytest.raises(OperatorError, match=r"coap\.listen: .* can't be bound"):
        bind(host, 0, interface)


def test_an_address_may_come_after_the_start() -> None:
    """A registrar starts before its network is up."""
    assert not is_here("2001:db8::1")
    with bind("2001:db8::1", 0) as early:
        assert "2001:db8::1" == early.getsockname()[0]
    assert is_here(HOST)
    assert not is_here("fe80::1", "no-such-0")


def test_listeners_come_and_go_while_it_runs(peer: socket.socket) -> None:
    """Also before the start, and while requests wait in the kernel's queue."""
    post = Post()
    held: list[bool] = []

    async def work() -> None:
        early, late = bind(HOST, 0), bind(HOST, 0)
        endpoint = Endpoint([], post.batches.append, lambda: bool(held))
        endpoint.add(early)
        endpoint.start(asyncio.get_running_loop())
        endpoint.add(late)
        assert [f"[{HOST}]:{each.getsockname()[1]}" for each in (early, late)] == (
            endpoint.addresses()
        )
        to(peer, early, b"1")
        to(peer, late, b"2")
        await until(lambda: len(post.datagrams) == 2)
        held.append(True)
        to(peer, early, b"lost")
        await until(lambda: endpoint.is_waiting)
        endpoint.drop(early)
        held.clear()
        endpoint.resume()
        to(peer, late, b"3")
        await until(lambda: len(post.datagrams) == 3)
        endpoint.send(b"too late", post.datagrams[0].way)
        endpoint.close()

    asyncio.run(work())
    assert {b"1", b"2", b"3"} == {datagram.payload for datagram in post.datagrams}


def test_sockets_are_ready_for_the_loop(listener: socket.socket) -> None:
    """IPv6 alone, not blocking; also one that a service manager has bound."""
    with bind("::", 0) as anywhere:
        assert 1 == anywhere.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as passed:
        prepare(passed)
        for one, told in ((listener, 0), (passed, 1)):
            assert not one.getblocking()
            assert told == one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO)
            assert 0x90 == one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS)


def test_after_stopping_nothing_is_read_and_answers_still_leave(
    listener: socket.socket, peer: socket.socket
) -> None:
    """What was accepted is answered."""
    to(peer, listener, b"1")
    post, endpoint = read(listener, count=1)
    endpoint.resume()
    to(peer, listener, b"2")
    endpoint.send(b"answer", post.datagrams[0].way)
    assert b"answer" == peer.recv(64)
    assert 1 == len(post.datagrams)
    endpoint.close()
    assert -1 == listener.fileno()


def test_an_error_on_the_socket_stops_nothing(listener: socket.socket, peer: socket.socket) -> None:
    """An ICMP error of an answer nobody waits for comes up at the next read."""
    to(peer, listener, b"1")
    post, endpoint = read(listener, count=1)
    gone = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    gone.bind((HOST, 0))
    way = post.datagrams[0].way._replace(peer=gone.getsockname())
    gone.close()
    endpoint.send(b"nobody", way)
    to(peer, listener, b"2")
    more, _ = read(listener, count=1)
    assert b"2" == more.datagrams[0].payload


def scoped(peer: tuple[str, int, int, int]) -> bytes:
    with socket.socket() as any_socket:
        return Way(peer, bytes(16), 0, any_socket).peer_address()


@pytest.mark.parametrize("name", ["fe80::1%lo", "fe80::1"])
def test_a_zone_is_no_part_of_an_address(name: str) -> None:
    """Row C11 compares addresses."""
    assert socket.inet_pton(socket.AF_INET6, "fe80::1") == scoped((name, 5, 0, 1))

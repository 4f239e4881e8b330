"""Requests of the registrar's own, on real sockets of the loopback interface (RFC 9031 §8.2.1)."""

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from jrc.coap.endpoint import COAP_PORT, Endpoint, Way, bind
from tests.unshared import needs_namespace, run_inside

HOST = IPv6Address("::1")
ELSEWHERE = IPv6Address("2001:db8::7")
LINK_LOCAL = IPv6Address("fe80::7")
LO = socket.if_nametoindex("lo")


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """A node, which sees traffic classes."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        peer.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        peer.bind((str(HOST), 0))
        peer.settimeout(20)
        yield peer


def endpoint(*listeners: socket.socket) -> Endpoint:
    return Endpoint(listeners, lambda _datagrams: None)


@pytest.mark.parametrize("host", ["::", "::1"])
def test_h01_a_request_of_our_own_is_no_join_traffic(host: str, peer: socket.socket) -> None:
    """Traffic class 0 on the wire, though answers on the socket carry AF42 (RFC 9031 §6.1)."""
    with bind(host, 0) as listener:
        asking = endpoint(listener)
        way = asking.way_to(HOST, peer.getsockname()[1])
        assert way is not None
        assert asking.ask(b"update", way)
        data, ancillary, _, source = peer.recvmsg(64, 64)
        assert (b"update", listener.getsockname()[1]) == (data, source[1])
        ((_, kind, value),) = ancillary
        assert (socket.IPV6_TCLASS, 0) == (kind, struct.unpack("@i", value)[0])
        asking.send(b"answer", way)
        ((_, _, value),) = peer.recvmsg(64, 64)[1]
        assert 36 == struct.unpack("@i", value)[0] >> 2


def test_e01_the_usual_port_is_that_of_coap() -> None:
    """RFC 7252 §12.6."""
    with bind("::", 0) as listener:
        assert Way(("2001:db8::7", COAP_PORT, 0, 0), b"", 0, listener) == endpoint(listener).way_to(
            ELSEWHERE
        )


def test_e01_without_a_socket_there_is_no_way() -> None:
    """None at all, or link-local ones alone, which reach nodes of their link only."""
    assert endpoint().way_to(ELSEWHERE) is None
    with bind("::", 0) as anywhere:
        assert endpoint(anywhere).way_to(LINK_LOCAL) is None, "on which link?"
    with bind("fe80::1", 0, "lo") as listener:
        assert endpoint(listener).way_to(ELSEWHERE) is None
        assert endpoint(listener).way_to(LINK_LOCAL) is None
        assert endpoint(listener).way_to(LINK_LOCAL, interface=LO + 1) is None
        way = endpoint(listener).way_to(LINK_LOCAL, interface=LO)
        source = IPv6Address("fe80::1").packed
        assert Way(("fe80::7", COAP_PORT, 0, LO), source, LO, listener) == way


def test_e01_a_link_local_socket_beside_others_is_passed_over() -> None:
    """Its address would mean nothing to a node elsewhere."""
    with bind("fe80::1", 0, "lo") as local, bind("::1", 0) as other:
        way = endpoint(local, other).way_to(ELSEWHERE)
        assert way is not None
        assert other is way.socket


def test_e01_of_several_sockets_it_is_the_one_that_the_kernel_would_use() -> None:
    """The node may have a route back to one of its addresses only."""
    with bind("2001:db8:f::1", 0) as absent, bind("::1", 0) as here, bind("::", 0) as wild:
        for listeners in ((absent, here), (here, absent)):
            way = endpoint(*listeners).way_to(HOST)
            assert way is not None
            assert here is way.socket
        anywhere = endpoint(absent, wild, here).way_to(HOST)
        assert anywhere is not None
        assert wild is anywhere.socket


def test_e01_what_can_not_leave_is_said() -> None:
    """An address that is not on this host, a socket that was closed: no exception."""
    with bind("2001:db8:f::1", 0) as absent, bind("::1", 0) as here:
        way = endpoint(absent).way_to(HOST)
        assert way is not None
        assert not endpoint(absent).ask(b"update", way)
        closing = endpoint(here)
        way = closing.way_to(HOST, here.getsockname()[1])
        assert way is not None
        assert closing.ask(b"update", way)
    assert not closing.ask(b"update", way)


@needs_namespace
def test_e01_a_node_of_the_join_proxys_own_link_is_told_over_the_shared_socket() -> None:
    """Registrar and Join Proxy share port 5683; the node's global address is the registrar's."""
    seen = run_inside("tests.coap.update_namespace")
    assert [0x44, ""] == seen["answer"]
    assert ([0, ["2001:db8:1::1", COAP_PORT]]) == [seen["traffic_class"], seen["source"]]
    assert (0, {}) == (seen["left"], seen["dropped"])

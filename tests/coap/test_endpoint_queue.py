"""The kernel's queue of the endpoint: how much room it has, and what found none."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from jrc.coap.endpoint import (
    RECEIVE_BUFFER_BYTES,
    SO_RCVBUFFORCE,
    Endpoint,
    prepare,
    receive_buffer_bytes,
)

SMALL_BYTES = 4096
COUNT = 200


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket on loopback."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as opened:
        opened.bind(("::1", 0))
        yield opened


def test_what_finds_no_room_is_counted(listener: socket.socket) -> None:
    """SO_MEMINFO, as /proc/net/udp6 has it."""
    endpoint = Endpoint([listener], lambda _datagrams: None)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
    assert 0 == endpoint.queues().lost
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        for _ in range(COUNT):
            sender.sendto(bytes(100), listener.getsockname())
    waiting = 0
    listener.setblocking(False)
    with suppress(BlockingIOError):
        while listener.recv(200):
            waiting += 1
    assert 0 < waiting < COUNT
    assert COUNT - waiting == endpoint.queues().lost


def test_a_queue_is_made_larger_and_never_smaller(listener: socket.socket) -> None:
    """A service manager may give more than this process may take by itself."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
    prepare(listener)
    enlarged = receive_buffer_bytes(listener)
    assert SMALL_BYTES < enlarged
    with suppress(PermissionError):
        listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 2 * RECEIVE_BUFFER_BYTES)
    given = receive_buffer_bytes(listener)
    prepare(listener)
    assert given == receive_buffer_bytes(listener)

"""Sends prepared datagrams at a steady rate, from many addresses of a prefix that is local here.

``python -m benchmarks.flooder PORT RATE SECONDS FILE``: the file holds them, each after its length.
They leave with sendmmsg(2), for Python makes one system call for many. What was sent is printed as
JSON.
"""

import ctypes
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address, IPv6Network
from itertools import cycle
from pathlib import Path

from jrc.coap.endpoint import IPV6_FREEBIND

SOURCES = IPv6Network("2001:db8:f100:d::/64")
SOCKETS = 256
BURST = 32
"""Messages to a system call; a burst lasts a millisecond at the usual rates."""
_LENGTH = struct.Struct("!I")
_HOST = b"\0" * 15 + b"\1"


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """``struct msghdr`` (sendmsg(2)); the socket is connected, so most of it stays empty."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """``struct mmsghdr`` (sendmmsg(2))."""

    _fields_ = (("header", _Header), ("sent", ctypes.c_uint))


class Burst:
    """``BURST`` datagrams that leave with one call."""

    def __init__(self, datagrams: Sequence[bytes]) -> None:
        self._datagrams = datagrams
        self._vectors = [_Vector(each, len(each)) for each in datagrams]
        self.messages = (_Message * len(datagrams))()
        for message, vector in zip(self.messages, self._vectors, strict=True):
            message.header.vectors = ctypes.pointer(vector)
            message.header.vector_count = 1


def write(datagrams: Sequence[bytes], path: Path) -> None:
    """The file for the flooder."""
    with path.open("wb") as file:
        for each in datagrams:
            file.write(_LENGTH.pack(len(each)) + each)


def _read(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    at = 0
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size + length
        yield data[at - length : at]


def _sockets(port: int) -> list[socket.socket]:
    made = []
    for number in range(1, SOCKETS + 1):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        sock.bind((str(IPv6Address(int(SOURCES.network_address) + number)), 0))
        sock.connect((socket.inet_ntop(socket.AF_INET6, _HOST), port))
        made.append(sock)
    return made


def flood(port: int, rate: int, seconds: float, datagrams: Sequence[bytes]) -> dict[str, float]:
    """Send at ``rate`` a second, as well as this host can; how many left, in how long."""
    send = ctypes.CDLL(None, use_errno=True).sendmmsg
    held = _sockets(port)
    files = cycle([each.fileno() for each in held])
    whole = len(datagrams) // BURST * BURST
    bursts = cycle([Burst(datagrams[at : at + BURST]) for at in range(0, whole, BURST)])
    began = now = time.perf_counter()
    sent = 0
    while now - began < seconds:
        if sent < (now - began) * rate:
            burst = next(bursts)
            done = send(next(files), burst.messages, BURST, 0)
            if done < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            sent += done
        else:
            time.sleep(BURST / rate / 2)
        now = time.perf_counter()
    for each in held:
        each.close()
    return {"sent": sent, "seconds": now - began}


if __name__ == "__main__":
    found = flood(
        int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), list(_read(Path(sys.argv[4])))
    )
    print(json.dumps(found))

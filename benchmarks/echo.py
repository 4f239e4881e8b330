"""The floor: a process that reads datagrams with their ancillary data and sends them back.

``python -m benchmarks.echo PORT [--silent]``. The same system calls as the registrar's, in the
smallest drain loop on asyncio; it shares no code with the registrar, so that it stays what it is.
"""

import asyncio
import socket
import struct
import sys

_PKTINFO = struct.Struct("@16sI")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_PKTINFO.size)
_LARGEST_BYTES = 65_535
_DRAIN = 64
_BUFFER_BYTES = 4 * 1024 * 1024
_TRAFFIC_CLASS = 36 << 2


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _TRAFFIC_CLASS)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    listener.bind(("::1", port))
    return listener


def _drain(listener: socket.socket, silent: bool) -> None:
    for _ in range(_DRAIN):
        try:
            payload, ancillary, _, peer = listener.recvmsg(_LARGEST_BYTES, _ANCILLARY_BYTES)
        except OSError:
            return
        if silent:
            continue
        local, _ = _PKTINFO.unpack(ancillary[0][2])
        way = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO.pack(local, 0))]
        listener.sendmsg([payload], way, 0, peer)


async def _serve(port: int, silent: bool) -> None:
    listener = _bind(port)
    asyncio.get_running_loop().add_reader(listener, _drain, listener, silent)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), "--silent" in sys.argv))

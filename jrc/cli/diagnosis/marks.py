"""DSCP: whether join traffic can be marked, and whether the mark is there on arrival.

What is seen is loopback. Whether routers on the way keep the mark can't be seen from one host.
"""

import socket
import struct
from collections.abc import Iterator

from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, failure, success, warning
from jrc.coap.endpoint import DSCP_AF42
from jrc.coap.proxy import AF43, DSCP_SHIFT

MARKS = {"AF42": DSCP_AF42, "AF43": AF43}
"""Answers to pledges and requests of pledges (RFC 9031 §6.1)."""
_WITHIN_S = 1.0
_INT = struct.Struct("@i")
_LOOPBACK = "::1"


def look_at_marks(_case: Case) -> Iterator[Verdict]:
    """Each mark of RFC 9031 §6.1, sent and read."""
    for name, dscp in MARKS.items():
        yield judge(name, dscp, read_back(dscp << DSCP_SHIFT))


def read_back(traffic_class: int) -> int | None:
    """The traffic class of a datagram that was sent with this one; None where it is not told.

    Raises:
        OSError: loopback has no IPv6, or the mark can't be set.
    """
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender,
    ):
        receiver.settimeout(_WITHIN_S)
        receiver.bind((_LOOPBACK, 0))
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, traffic_class)
        sender.sendto(b"", receiver.getsockname())
        _, ancillary, _, _ = receiver.recvmsg(1, socket.CMSG_SPACE(_INT.size))
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_TCLASS):
            found: int = _INT.unpack(data)[0]
            return found
    return None


def judge(name: str, dscp: int, read: int | None) -> Verdict:
    """Whether what was read is what was sent."""
    if read is None:
        return warning(
            f"{name} can be set, and this kernel does not tell it of what arrives",
            "nothing is to be done: joins work, and marks can be seen with tcpdump",
        )
    if read >> DSCP_SHIFT != dscp:
        return failure(
            f"{name} (DSCP {dscp}) was set, and DSCP {read >> DSCP_SHIFT} arrived",
            "look for a rule that changes DSCP: nft list ruleset",
        )
    return success(f"{name} (DSCP {dscp}) is set, and read on arrival over loopback")

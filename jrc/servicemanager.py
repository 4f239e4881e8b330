"""What a service manager such as systemd and the daemon say to each other.

Sockets that it bound are passed in (sd_listen_fds(3)), so that the port stays open over a restart
and datagrams wait instead of being refused; readiness and stopping are told back (sd_notify(3)).
"""

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

from jrc.errors import OperatorError

FIRST_SOCKET = 3
"""sd_listen_fds(3): where passed-in file descriptors begin."""


def passed_sockets(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The IPv6 datagram sockets that were passed in, none if there are none.

    The variables are removed, so that no child takes them for its own.

    Raises:
        OperatorError: one of them is something else.
    """
    count = environ.pop("LISTEN_FDS", "0")
    meant_for = environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if meant_for != str(os.getpid()) or not count.isdigit():
        return []
    return [_datagram_socket(FIRST_SOCKET + index) for index in range(int(count))]


def _datagram_socket(number: int) -> socket.socket:
    try:
        os.set_inheritable(number, False)
        passed = socket.socket(fileno=number)
    except OSError as error:
        raise OperatorError(
            f"the service manager passed file descriptor {number}, which is no socket"
            f" ({error.strerror})"
        ) from None
    try:
        _check(passed, number)
    except OperatorError:
        passed.close()
        raise
    return passed


def _check(passed: socket.socket, number: int) -> None:
    if (passed.family, passed.type) != (socket.AF_INET6, socket.SOCK_DGRAM):
        raise OperatorError(
            f"the service manager passed socket {number}, which is not IPv6 and datagram",
            "give jrc.socket nothing but ListenDatagram= with IPv6 addresses",
        )
    if passed.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
        raise OperatorError(
            f"the service manager passed socket {number} with SO_REUSEPORT: a second registrar"
            " could take half of its datagrams",
            "remove ReusePort= from jrc.socket",
        )


def notify(environ: MutableMapping[str, str], message: str) -> None:
    """Tell the service manager, if there is one; its absence or deafness is not our concern."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to, suppress(OSError):
        to.sendto(message.encode(), address.replace("@", "\0", 1))

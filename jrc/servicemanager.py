"""What a service manager such as systemd and the daemon say to each other.

Sockets that it bound are passed in (sd_listen_fds(3)), so that the port stays open over a restart
and datagrams wait instead of being refused; readiness, reloading, stopping and that the daemon
still works are told back (sd_notify(3)).
"""

import os
import socket
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress

from jrc.errors import OperatorError

FIRST_SOCKET = 3
"""sd_listen_fds(3): where passed-in file descriptors begin."""


class Passed:
    """The sockets that were passed in: ``datagrams`` for joins, in their order, and TCP listeners.

    Each of the latter is for the section of the config file that names its address.
    """

    def __init__(self) -> None:
        self.datagrams: list[socket.socket] = []
        self._streams: list[socket.socket] = []
        self._asked_for: set[tuple[str, int]] = set()

    def add(self, passed: socket.socket) -> None:
        """One more."""
        kind = self._streams if passed.type == socket.SOCK_STREAM else self.datagrams
        kind.append(passed)

    def stream_at(self, host: str, port: int) -> socket.socket | None:
        """The one that listens there, under a number of its own; None if there is none."""
        self._asked_for.add((host, port))
        for stream in self._streams:
            if stream.getsockname()[:2] == (host, port):
                return stream.dup()
        return None

    def unused(self) -> list[str]:
        """Addresses that listen, and that nobody has asked for: connections there would hang."""
        places = [stream.getsockname()[:2] for stream in self._streams]
        return [f"{host}:{port}" for host, port in places if (host, port) not in self._asked_for]

    def close(self) -> None:
        """Close them all, but for what was given under numbers of its own."""
        for each in (*self.datagrams, *self._streams):
            each.close()


def passed_sockets(environ: MutableMapping[str, str]) -> Passed:
    """The sockets that were passed in, none if there are none.

    The variables are removed, so that no child takes them for its own.

    Raises:
        OperatorError: one of them is neither an IPv6 datagram socket nor listens on TCP.
    """
    count = environ.pop("LISTEN_FDS", "0")
    meant_for = environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    found = Passed()
    if meant_for != str(os.getpid()) or not count.isdigit():
        return found
    try:
        for number in range(FIRST_SOCKET, FIRST_SOCKET + int(count)):
            passed = _passed(number)
            found.add(passed)
            _check(passed, number)
    except OperatorError:
        found.close()
        raise
    return found


def passed_unix_listener(environ: MutableMapping[str, str]) -> socket.socket | None:
    """The one socket that was passed in and listens on a path; None if there is none.

    Raises:
        OperatorError: there are more, or it is none of that kind.
    """
    count = environ.pop("LISTEN_FDS", "0")
    meant_for = environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if meant_for != str(os.getpid()) or not count.isdigit() or not int(count):
        return None
    found = _passed(FIRST_SOCKET)
    listens = found.type == socket.SOCK_STREAM and found.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    )
    if int(count) != 1 or found.family != socket.AF_UNIX or not listens:
        found.close()
        raise OperatorError(
            "the service manager has to pass one socket that listens on a path",
            "give the socket unit one ListenStream=/... and nothing else",
        )
    return found


def _passed(number: int) -> socket.socket:
    try:
        os.set_inheritable(number, False)
        return socket.socket(fileno=number)
    except OSError as error:
        raise OperatorError(
            f"the service manager passed file descriptor {number}, which is no socket"
            f" ({error.strerror})"
        ) from None


def _check(passed: socket.socket, number: int) -> None:
    is_datagram = (passed.family, passed.type) == (socket.AF_INET6, socket.SOCK_DGRAM)
    is_tcp = passed.family in (socket.AF_INET, socket.AF_INET6) and (
        passed.type == socket.SOCK_STREAM
        and passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    )
    if not is_datagram and not is_tcp:
        raise OperatorError(
            f"the service manager passed socket {number}, which is not IPv6 and datagram, and does"
            " not listen on TCP",
            "give jrc.socket nothing but ListenDatagram= with IPv6 addresses, and"
            " jrc-metrics.socket nothing but ListenStream=",
        )
    if passed.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
        raise OperatorError(
            f"the service manager passed socket {number} with SO_REUSEPORT: a second registrar"
            " could take half of its datagrams",
            "remove ReusePort= from jrc.socket",
        )


def watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Seconds within which the service manager wants to hear again, None where it does not care.

    sd_watchdog_enabled(3)
    """
    limit, meant_for = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID")
    if not limit.isdigit() or not int(limit) or meant_for not in (None, str(os.getpid())):
        return None
    return int(limit) / 1_000_000


def reloading() -> str:
    """What ``notify`` says as the settings are read again; ``READY=1`` follows (sd_notify(3))."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


def notify(environ: Mapping[str, str], message: str) -> None:
    """Tell the service manager, if there is one; its absence or deafness is not our concern."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to, suppress(OSError):
        to.setblocking(False)
        to.sendto(message.encode(), address.replace("@", "\0", 1))

"""Sockets that were passed in, and what is told back."""

import itertools
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jrc import servicemanager
from jrc.errors import OperatorError
from jrc.servicemanager import (
    Passed,
    notify,
    passed_sockets,
    passed_unix_listener,
    watchdog_s,
)

FREE = itertools.count(200, 10)
"""Numbers of descriptors; each test has its own, as a socket may be closed late."""


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, str]]]:
    """Passes descriptors in, from one that is certainly free; gives the environment."""
    opened: list[int] = []

    def hand_over(*sockets: socket.socket) -> dict[str, str]:
        first = next(FREE)
        monkeypatch.setattr(servicemanager, "FIRST_SOCKET", first)
        for index, one in enumerate(sockets):
            os.dup2(one.fileno(), first + index)
            opened.append(first + index)
            one.close()
        return {
            "LISTEN_FDS": str(len(sockets)), "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDNAMES": "jrc.socket", "HOME": "/",
        }  # fmt: skip

    yield hand_over
    for number in opened:
        with suppress(OSError):
            os.close(number)


def datagram_socket() -> socket.socket:
    one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    one.bind(("::1", 0))
    return one


def test_passed_sockets_are_taken_in_their_order(passed: Callable[..., dict[str, str]]) -> None:
    """sd_listen_fds(3): and no child takes them for its own."""
    first, second = datagram_socket(), datagram_socket()
    names = [first.getsockname(), second.getsockname()]
    environ = passed(first, second)
    found = passed_sockets(environ)
    assert names == [one.getsockname() for one in found.datagrams]
    assert {"HOME": "/"} == environ
    assert not any(one.get_inheritable() for one in found.datagrams)
    found.close()


def tcp_socket(host: str = "127.0.0.1") -> socket.socket:
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    one.bind((host, 0))
    one.listen(1)
    return one


def test_a_tcp_socket_goes_to_whoever_names_its_address(
    passed: Callable[..., dict[str, str]],
) -> None:
    """Again and again, as a sealed daemon and the one after it do; who asks has one of his own."""
    listening, other = tcp_socket(), tcp_socket("::1")
    port, other_port = listening.getsockname()[1], other.getsockname()[1]
    found = passed_sockets(passed(datagram_socket(), listening, other))
    assert 1 == len(found.datagrams)
    for _ in range(2):
        given = found.stream_at("127.0.0.1", port)
        assert given is not None
        with given, socket.create_connection(("127.0.0.1", port)):
            given.accept()[0].close()
    assert found.stream_at("127.0.0.1", 1) is None
    assert [f"::1:{other_port}"] == found.unused()
    found.close()


def test_nothing_passed_is_nothing_for_anybody() -> None:
    """As without a service manager."""
    assert Passed().stream_at("127.0.0.1", 9631) is None
    assert [] == Passed().unused()


@pytest.mark.parametrize(
    ("environ", "limit_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid())}, 1e-6),
        ({"WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
    ],
)
def test_the_watchdogs_limit_is_that_of_this_process(
    environ: dict[str, str], limit_s: float | None
) -> None:
    """sd_watchdog_enabled(3)."""
    assert limit_s == watchdog_s(environ)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())},
        {"LISTEN_FDS": "-1", "LISTEN_PID": str(os.getpid())},
        {"LISTEN_FDS": "0", "LISTEN_PID": str(os.getpid())},
        {"LISTEN_PID": str(os.getpid())},
    ],
)
def test_without_sockets_for_us_there_are_none(environ: dict[str, str]) -> None:
    """Variables that were meant for a parent count for nothing, and go."""
    found = passed_sockets(environ)
    assert ([], []) == (found.datagrams, found.unused())
    assert {} == environ


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_STREAM),
        (socket.AF_UNIX, socket.SOCK_DGRAM),
    ],
)  # fmt: skip
def test_another_kind_of_socket_is_refused(
    passed: Callable[..., dict[str, str]], family: int, kind: int
) -> None:
    """The unit is named that has to be mended."""
    with pytest.raises(OperatorError, match="not IPv6 and datagram, and does not") as caught:
        passed_sockets(passed(socket.socket(family, kind)))
    assert "ListenDatagram=" in caught.value.hint


def test_b03_a_shared_port_is_refused(passed: Callable[..., dict[str, str]]) -> None:
    """RFC 9031 §7.3.1: a second registrar would split the replay windows."""
    one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    with pytest.raises(OperatorError, match="SO_REUSEPORT") as caught:
        passed_sockets(passed(one))
    assert "ReusePort=" in caught.value.hint


def test_a_descriptor_that_is_no_socket_is_refused(
    passed: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    """By its number."""
    environ = passed(datagram_socket())
    number = servicemanager.FIRST_SOCKET
    with (tmp_path / "file").open("w") as file:
        os.dup2(file.fileno(), number)
    with pytest.raises(OperatorError, match=f"file descriptor {number}, which is no socket"):
        passed_sockets(environ)


def test_a_descriptor_that_was_not_passed_is_refused(passed: Callable[..., dict[str, str]]) -> None:
    """There are fewer than was said."""
    environ = {**passed(), "LISTEN_FDS": "1"}
    with pytest.raises(OperatorError, match="which is no socket"):
        passed_sockets(environ)


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told(tmp_path: Path, abstract: bool) -> None:
    """sd_notify(3): a path, or a name in the abstract namespace."""
    name = f"@jrc-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(20)
        notify({"NOTIFY_SOCKET": name}, "READY=1")
        assert b"READY=1" == manager.recv(64)


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"},
                                     {"NOTIFY_SOCKET": "/nobody/is/here"}])  # fmt: skip
def test_nobody_to_tell_is_no_error(environ: dict[str, str], tmp_path: Path) -> None:
    """Its absence is not our concern."""
    before = dict(environ)
    notify(environ, "READY=1")
    assert before == environ


def test_a_helper_is_passed_one_socket_that_listens_on_a_path(
    passed: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    """Of a socket unit with one ListenStream=/...; by hand there is none."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(tmp_path / "sock"))
    listening.listen()
    environ = passed(listening)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        found = passed_unix_listener(environ)
        assert found is not None
        asking.connect(str(tmp_path / "sock"))
        assert not found.get_inheritable()
        found.close()
    assert {"HOME": "/"} == environ
    assert passed_unix_listener(environ) is None


def test_a_helper_takes_no_other_socket(passed: Callable[..., dict[str, str]]) -> None:
    """Neither one of the network, nor one that does not listen, nor two."""
    for wrong in ([datagram_socket()], [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)]):
        with pytest.raises(OperatorError, match="one socket that listens on a path"):
            passed_unix_listener(passed(*wrong))

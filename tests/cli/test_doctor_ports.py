"""`jrc doctor` on addresses and ports, and who holds them."""

import os
import socket
import sys
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from jrc.cli.diagnosis import holders, ports
from jrc.config import Endpoint, endpoint
from tests.cli.examined import (
    FAILURE,
    SKIPPED,
    SUCCESS,
    WARNING,
    append,
    case_of,
    findings,
    listen,
    one,
    statuses,
)
from tests.cli.terminal import Terminal


def port_of(terminal: Terminal) -> Endpoint:
    """Where it listens."""
    (place,) = case_of(terminal).asked.settings().coap.listen
    return place


def test_a_free_port_is_in_order(made: Terminal) -> None:
    """No daemon runs; it was tried."""
    assert one(made, "addresses").status is SUCCESS
    assert one(made, "ports").what.endswith("is free")


def test_an_address_that_is_not_here_is_waited_for_and_its_port_skipped(terminal: Terminal) -> None:
    """With the sentence of `check-config`; the daemon waits for none of the metrics."""
    listen(terminal, "[2001:db8:715c::1]:5683")
    found = one(terminal, "addresses")
    assert (found.status, bool(found.hint)) == (WARNING, True)
    assert f"{found.what.partition(';')[0]};" in terminal.jrc("check-config").out
    assert one(terminal, "ports").status is SKIPPED
    append(terminal, '[metrics]\nlisten = "192.0.2.1:9631"')
    assert [WARNING, FAILURE] == statuses(terminal, "addresses")
    assert [SKIPPED, SKIPPED] == statuses(terminal, "ports")


def test_a_port_that_another_holds_fails_and_names_it(made: Terminal) -> None:
    """Process and program, of all that listen on that port of loopback."""
    place = port_of(made)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as occupier:
        occupier.bind(("::1", place.port))
        found = one(made, "ports")
    assert found.status is FAILURE
    assert f"held by process {os.getpid()} (" in found.what
    assert found.hint


def test_a_metrics_port_that_another_holds_fails_and_names_it(terminal: Terminal) -> None:
    """TCP, and IPv4 as well."""
    with socket.socket() as occupier:
        occupier.bind(("127.0.0.1", 0))
        occupier.listen()
        append(terminal, f'[metrics]\nlisten = "127.0.0.1:{occupier.getsockname()[1]}"')
        _, metrics = findings(case_of(terminal), "ports")
    assert metrics.status is FAILURE
    assert f"process {os.getpid()} (" in metrics.what
    _, again = findings(case_of(terminal), "ports")
    assert again.status is SUCCESS


def test_a_port_that_is_the_kernels_choice_is_in_order(terminal: Terminal) -> None:
    """Port 0."""
    listen(terminal, "[::1]:0")
    assert one(terminal, "ports").status is SUCCESS


def test_a_port_of_the_service_manager_is_in_order(
    made: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Process 1 holds sockets for services that it starts later (systemd.socket(5))."""
    monkeypatch.setattr(ports, "holders", lambda *_: [holders.Holder(1, "systemd", 0)])
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as occupier:
        occupier.bind(("::1", port_of(made).port))
        assert one(made, "ports").status is SUCCESS


def test_a_holder_that_this_user_may_not_see_is_named_by_its_user(tmp_path: Path) -> None:
    """The table tells the user; the process's files are closed to others."""
    table = tmp_path / "net" / "udp6"
    table.parent.mkdir()
    table.write_text(UDP6)
    (found,) = holders.holders(Endpoint("::1", 5683), socket.SOCK_DGRAM, tmp_path)
    assert (found.pid, found.uid) == (None, 998)
    assert "only root can name" in str(found)


HEADER = "  sl  local_address  remote_address  st tx rx tr tm->when retrnsmt  uid  timeout inode\n"
WILDCARD = "0" * 32
IS_LITTLE = sys.byteorder == "little"
LOOPBACK_WORDS = "00000000" * 3 + ("01000000" if IS_LITTLE else "00000001")
_ROW = " 1: {}:{:04X} " + WILDCARD + ":0000 {:02X} 0:0 00:0 0 {} 0 {} 2 0 0\n"
UDP6 = (
    HEADER
    + _ROW.format(LOOPBACK_WORDS, 5683, 7, 998, 4242)
    + _ROW.format(WILDCARD, 5684, 7, 0, 4243)
)


def test_rows_of_the_kernels_tables_are_read() -> None:
    """Addresses are words in this machine's order."""
    loopback, wildcard = holders.open_sockets(UDP6, socket.SOCK_DGRAM)
    assert (IPv6Address("::1"), 5683, 998, 4242) == (
        loopback.address, loopback.port, loopback.uid, loopback.inode,
    )  # fmt: skip
    assert wildcard.address.is_unspecified
    tcp = HEADER + _ROW.format("0100007F", 80, 10, 0, 1) + _ROW.format("0100007F", 81, 1, 0, 2)
    assert [(80, 1)] == [
        (entry.port, entry.inode) for entry in holders.open_sockets(tcp, socket.SOCK_STREAM)
    ]
    first, *_ = holders.open_sockets(tcp, socket.SOCK_STREAM)
    assert IPv4Address("127.0.0.1" if IS_LITTLE else "1.0.0.127") == first.address


def test_a_socket_on_all_addresses_holds_the_port_of_each(tmp_path: Path) -> None:
    """And one on another address does not."""
    table = tmp_path / "net" / "udp6"
    table.parent.mkdir()
    table.write_text(UDP6)
    found = {
        place: len(holders.holders(endpoint(place), socket.SOCK_DGRAM, tmp_path))
        for place in ("[::1]:5684", "[::]:5683", "[2001:db8::1]:5683")
    }
    assert {"[::1]:5684": 1, "[::]:5683": 1, "[2001:db8::1]:5683": 0} == found

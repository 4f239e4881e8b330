"""Row M2: two registrars on one PostgreSQL database, each with a process and files of its own."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jrc.lab.pledge import Joined
from tests.daemon.site import PATIENCE_S, Daemon, Device, Site
from tests.daemon.wire import Wire, ciphertext_of, with_header
from tests.postgresql import NEEDED, Server, new_server

pytestmark = NEEDED
CACHED = 'jrc_cache_entries{cache="contexts"}'


class Pair(NamedTuple):
    """Two registrars; ``first`` was started before."""

    first: Daemon
    second: Daemon
    server: Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that a test may stop."""
    made = new_server()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def sites(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Site]:
    """Two hosts' folders: the second has copies of config, key file and instance file."""
    folder = tmp_path_factory.mktemp("registrars")
    site = Site.make(folder / "first", server=server.new_database())
    site.add_lab("--lease-hours", "3")
    return site, beside(site, folder / "second", 1000)


def beside(site: Site, folder: Path, devices: int) -> Site:
    """Another host's folder, whose own devices are numbered from there."""
    other = site.copy(folder)
    other._next_device = devices
    return other


@pytest.fixture(scope="module")
def pair(sites: tuple[Site, Site], server: Server) -> Iterator[Pair]:
    """Both of them running."""
    with sites[0].start() as first, sites[1].start() as second:
        until(lambda: conducts(first))
        yield Pair(first, second, server)


def status(daemon: Daemon) -> dict[str, Any]:
    return daemon.api("GET", "/v1/status")


def conducts(daemon: Daemon) -> bool:
    return bool(status(daemon)["registrars"]["is_conductor"])


def until(is_so: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait for something that has to come."""
    ends_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < ends_s, "it never came"
        time.sleep(0.02)


def join(daemon: Daemon, device: Device, number: int = 0) -> int:
    """The short identifier that a join gives; requests that get no answer are repeated."""
    ends_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_s:
        pledge = device.pledge(first=number)
        number += 1
        with Wire(daemon.address) as wire:  # where no late answer to the request before comes
            wire.socket.settimeout(0.5)
            wire.send(pledge.request(token=b"\x01"))
            heard = first_of(wire)
        if heard is not None:
            outcome = pledge.receive(heard)
            assert isinstance(outcome, Joined)
            assert outcome.configuration.short_id is not None
            return int.from_bytes(outcome.configuration.short_id)
    raise AssertionError("it was never answered")


def test_m02_a_pledge_that_one_has_enrolled_joins_through_the_other(pair: Pair) -> None:
    """RFC 9031 §8.1: the filter of the other learns its kid context, and one identifier is its."""
    for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
        device = one.enroll()
        given = join(other, device)
        assert given == join(one, device, 1000)
        assert given == join(other, device, 2000)


def test_both_tell_how_large_the_database_is(pair: Pair) -> None:
    """They ask the server at the start, and then now and then."""
    for daemon in (pair.first, pair.second):
        until(lambda daemon=daemon: "jrc_database_size_bytes" in daemon.metrics())  # type: ignore[misc]
        assert daemon.metrics()["jrc_database_size_bytes"] > 1_000_000
        assert "jrc_database_wal_size_bytes" not in daemon.metrics()


def test_b03_one_request_at_both_has_one_answer(pair: Pair) -> None:
    """RFC 9031 §7.3.1: and the pledge's short identifier has no other holder."""
    held: dict[int, bytes] = {}
    for device in [pair.first.enroll() for _ in range(20)]:
        join(pair.second, device)
        pledge = device.pledge(first=5000)
        request = pledge.request(token=b"\x01")
        with Wire(pair.first.address) as one, Wire(pair.second.address) as other:
            one.send(request)
            other.send(request)
            for wire in (one, other):
                wire.socket.settimeout(0.5)
            found = [heard for wire in (one, other) if (heard := first_of(wire)) is not None]
        assert 1 == len({ciphertext_of(each) for each in found})
        outcome = pledge.receive(found[0])
        assert isinstance(outcome, Joined)
        short_id = int.from_bytes(outcome.configuration.short_id or b"")
        assert device.identifier == held.setdefault(short_id, device.identifier)


def first_of(wire: Wire) -> bytes | None:
    try:
        return wire.hear().payload
    except TimeoutError:
        return None


def test_m03_a_revocation_is_in_force_everywhere_when_the_command_returns(pair: Pair) -> None:
    """RFC 9031 §8.4.2: whatever the other has in memory, and copies as well."""
    device, other = pair.first.enroll(), pair.second.enroll()
    join(pair.second, device)
    pledge = device.pledge(first=3000)
    with Wire(pair.second.address) as wire:
        request = pledge.request()
        wire.ask(request)
        revoke(pair.first, device)
        witness = other.pledge(first=4000)
        wire.assert_silence(
            [with_header(request, type=0, message_id=9, token=b"9"), pledge.request()], witness
        )
    numbers = itertools.count(5000, 100)

    def is_cached() -> bool:  # the revocation before empties the cache as it is heard of
        join(pair.second, other, next(numbers))
        return bool(pair.second.metrics()[CACHED])

    until(is_cached)
    revoke(pair.first, other)
    until(lambda: not pair.second.metrics()[CACHED])


def revoke(daemon: Daemon, device: Device) -> None:
    daemon.api(
        "POST",
        f"/v1/pledges/{device.identifier.hex()}/revoke",
        json={"reason": "lost", "agreed": True},
    )


def test_o04_a_server_that_goes_away_is_silence_and_not_ready_until_it_is_back(pair: Pair) -> None:
    """RFC 9031 §7.3.1: nobody is answered from memory, and nobody has to start anything."""
    device = pair.first.enroll()
    join(pair.first, device)
    pair.server.stop()
    try:
        until(lambda: not status(pair.first)["ready"])
        with Wire(pair.first.address) as wire:
            wire.socket.settimeout(0.3)
            wire.send(device.pledge(first=100).request())
            assert first_of(wire) is None
        assert not conducts(pair.first)
    finally:
        pair.server.start()
    for daemon in pair[:2]:
        until(lambda: bool(status(daemon)["ready"]))  # noqa: B023
        join(daemon, device, 1000)
    until(lambda: conducts(pair.first) or conducts(pair.second))


def test_b03_a_server_that_is_told_to_forget_commits_is_silence_until_it_is_told_not_to(
    pair: Pair,
) -> None:
    """RFC 9031 §7.3.1: nothing is restarted, and requests wait in the kernel's queue meanwhile."""
    device = pair.first.enroll()
    pair.server.sql("ALTER SYSTEM SET fsync = off")
    pair.server.reload()
    try:
        until(lambda: "fsync=off" in str(status(pair.first)["why"]))
        with Wire(pair.first.address) as wire:
            wire.socket.settimeout(0.3)
            wire.send(device.pledge().request())
            assert first_of(wire) is None
            pair.server.sql("ALTER SYSTEM RESET fsync")
            pair.server.reload()
            wire.socket.settimeout(PATIENCE_S)
            assert first_of(wire) is not None
    finally:
        pair.server.sql("ALTER SYSTEM RESET fsync")
        pair.server.reload()
    until(lambda: bool(status(pair.second)["ready"]))
    (begun,) = (
        each
        for each in pair.first.events()
        if each["event"] == "joins_not_answered" and "fsync" in str(each["error"])
    )
    assert "not_durable" == begun["cause"]
    assert "`sync`" in str(begun["remedy"])


def test_the_same_host_has_one_daemon(pair: Pair) -> None:
    """Its instance file and its socket are one process's."""
    refused = pair.first.site.attempt("run")
    assert 3 == refused.returncode
    assert f"in use by process {pair.first.pid}" in refused.stderr


def test_a_command_on_another_host_needs_no_daemon_there(
    pair: Pair, sites: tuple[Site, Site], tmp_path: Path
) -> None:
    """It writes beside the others, and they hear of it."""
    third = beside(sites[0], tmp_path / "third", 2000)
    (device,) = third.new_devices(1)
    third.import_devices([device], network="lab")
    assert join(pair.first, device) == join(pair.second, device, 1000)


def test_m02_one_conducts_and_the_other_takes_over(pair: Pair) -> None:
    """RFC 9031 §8.4.3.1: as soon as its connection is gone, however that came."""
    until(lambda: conducts(pair.first) != conducts(pair.second))
    old, new = pair[:2] if conducts(pair.first) else (pair.second, pair.first)
    until(lambda: f" {old.pid} " in (status(new)["registrars"]["conductor"] or ""))
    old.kill()
    until(lambda: conducts(new))
    assert any(each["event"] == "conductor" for each in new.events())

"""Interfaces that come late, go, come back, change addresses and names; real ones, veth pairs."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from jrc.errors import OperatorError
from jrc.net import interfaces
from jrc.net.interfaces import InterfaceWatch
from jrc.policy.interface import Interface, InterfaceKind
from tests.unshared import needs_namespace, run_inside

EUI64 = bytes.fromhex("00124b0014b5b67e")


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What ``tests.net.namespace`` saw."""
    return run_inside("tests.net.namespace")


@needs_namespace
def test_an_interface_that_comes_late_and_comes_back_is_seen(seen: dict[str, Any]) -> None:
    """Nothing at the start is a state like any other; the one that came back is another one."""
    assert {"first": None, "other_index": True, "current": True} == seen["late"]


@needs_namespace
def test_addresses_are_seen_as_they_come_are_deprecated_and_go(seen: dict[str, Any]) -> None:
    """An address that duplicate detection is about is not used before (RFC 4862 §5.4)."""
    prefixes = ["fd00:6:715c::/64", "fd00:6:715d::/64"]
    expected = {"prefixes": prefixes, "kind": "other", "eui64": None, "current": True}
    assert expected == seen["moves"]


@needs_namespace
def test_an_interface_that_is_down_has_no_link_local_address(seen: dict[str, Any]) -> None:
    """Up again it has one anew."""
    assert {"link_local_while_down": None, "current": True} == seen["downs"]


@needs_namespace
def test_the_address_of_the_hardware_goes_before_a_lower_one(seen: dict[str, Any]) -> None:
    """Pledges form it from the EUI-64; without it the lowest counts (RFC 2464 §5)."""
    expected = {"stays": True, "lowest": "fe80::1", "then": "fe80::1", "current": True}
    assert expected == seen["more"]


@needs_namespace
def test_a_renamed_interface_is_gone_and_comes_back_with_its_name(seen: dict[str, Any]) -> None:
    """The config names it, not its number."""
    assert {"by_event": True, "current": True} == seen["named"]


@needs_namespace
def test_a_duplicate_address_is_no_address(seen: dict[str, Any]) -> None:
    """RFC 4862 §5.4.5: it must not be used."""
    assert {"addresses": 1, "current": True} == seen["twins"]


@needs_namespace
def test_lost_messages_are_made_up_for(seen: dict[str, Any]) -> None:
    """ENOBUFS: the socket is of no more use, and what is true now is asked for."""
    assert {"recovered": True, "current": True} == seen["floods"]


@needs_namespace
def test_other_interfaces_and_repetitions_are_not_told(seen: dict[str, Any]) -> None:
    """One change is one call."""
    assert {"told": 1, "current": True} == seen["quiet"]


@needs_namespace
def test_a_stopped_watch_leaves_no_task(seen: dict[str, Any]) -> None:
    """Whoever stops it can close the loop."""
    assert {"tasks": 0} == seen["left"]


@pytest.mark.parametrize(
    ("ifi_type", "kind", "eui64"),
    [
        (804, InterfaceKind.WPAN, EUI64),
        (825, InterfaceKind.LOWPAN, EUI64),
        (1, InterfaceKind.OTHER, None),
    ],
)
def test_an_ieee_802_15_4_interface_has_an_eui64(
    monkeypatch: pytest.MonkeyPatch, ifi_type: int, kind: InterfaceKind, eui64: bytes | None
) -> None:
    """All 8 bytes of the hardware address (linux/if_arp.h: ARPHRD_IEEE802154, ARPHRD_6LOWPAN)."""

    def hardware_address(_descriptor: object, request: int, name: bytes) -> bytes:
        assert (0x8927, b"lowpan0") == (request, name.rstrip(b"\0"))
        return name[:16] + ifi_type.to_bytes(2, "little") + EUI64 + bytes(14)

    monkeypatch.setattr(fcntl, "ioctl", hardware_address)
    found = interfaces._interface("lowpan0", {"index": 3, "flags": 0, "ifi_type": ifi_type}, [])
    assert (kind, eui64, False) == (found.kind, found.eui64, found.is_up)


class SlowKernel:
    """A kernel with the interface ``lowpan0`` that answers once ``answers`` is set."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = 0

    async def __aenter__(self) -> "SlowKernel":
        return self

    async def __aexit__(self, *_error: object) -> None:
        pass

    async def bind(self, _groups: int) -> None:
        pass

    async def link(self, _command: str, ifname: str) -> list[dict[str, Any]]:
        self.asked += 1
        await self.answers.wait()
        assert ifname == "lowpan0"
        return [{"index": 3, "flags": 0, "ifi_type": 1}]

    async def get_addr(self, **_filter: object) -> AsyncIterator[dict[str, Any]]:
        async def nothing() -> AsyncIterator[dict[str, Any]]:
            empty: tuple[dict[str, Any], ...] = ()
            for message in empty:
                yield message

        return nothing()

    def get(self) -> AsyncIterator[dict[str, Any]]:
        async def silence() -> AsyncIterator[dict[str, Any]]:
            await asyncio.Event().wait()
            yield {}

        return silence()


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop work until something is so; fails if it never is."""
    for _ in range(20_000):
        if is_so():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never was")


def test_a_watch_starts_also_while_the_kernel_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says so once, however often it tries, and goes on when there is an answer."""
    for name, value in (("START_S", 0.01), ("PATIENCE_S", 0.01), ("RETRY_S", 0.001)):
        monkeypatch.setattr(interfaces, name, value)
    told: list[Interface | None] = []

    async def run() -> list[object]:
        kernel = SlowKernel()
        monkeypatch.setattr(interfaces, "_netlink", lambda **_options: kernel)
        watch = InterfaceWatch("lowpan0", told.append)
        await watch.start()
        found: list[object] = [watch.is_known, watch.current, list(told)]
        await until(lambda: kernel.asked >= 4)
        kernel.answers.set()
        await until(lambda: bool(told))
        await watch.stop()
        return [*found, watch.is_known, watch.current == told[-1]]

    with capture_logs() as logs:
        assert [False, None, [], True, True] == asyncio.run(run())
    assert [3] == [found.index for found in told if found is not None]
    assert ["interface_not_known_yet", "interface_watch_works_again"] == [
        entry["event"] for entry in logs
    ]


def test_a_fault_in_what_is_told_of_a_change_is_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The watch goes on; nobody takes the fault for one of the kernel's."""
    for name, value in (("START_S", 0.01), ("PATIENCE_S", 5.0), ("RETRY_S", 0.001)):
        monkeypatch.setattr(interfaces, name, value)

    def told(_found: Interface | None) -> None:
        raise KeyError("lab")

    async def run() -> None:
        kernel = SlowKernel()
        monkeypatch.setattr(interfaces, "_netlink", lambda **_options: kernel)
        watch = InterfaceWatch("lowpan0", told)
        await watch.start()
        kernel.answers.set()
        await until(lambda: any("kind" in entry for entry in logs))
        await watch.stop()

    with capture_logs() as logs:
        asyncio.run(run())
    (fault,) = (entry for entry in logs if entry["event"] == "interface_watch_begins_anew")
    assert ("KeyError", "'lab'") == (fault["kind"], fault["error"])


def test_a_change_that_could_not_be_told_is_told_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing has changed since, and whoever is told does not know of it yet."""
    for name, value in (("START_S", 0.01), ("PATIENCE_S", 5.0), ("RETRY_S", 0.001)):
        monkeypatch.setattr(interfaces, name, value)
    told: list[Interface | None] = []

    def tell(found: Interface | None) -> None:
        told.append(found)
        if len(told) < 3:
            raise KeyError("lab")

    async def run() -> None:
        kernel = SlowKernel()
        monkeypatch.setattr(interfaces, "_netlink", lambda **_options: kernel)
        watch = InterfaceWatch("lowpan0", tell)
        await watch.start()
        kernel.answers.set()
        await until(lambda: any("works_again" in entry["event"] for entry in logs))
        await watch.stop()

    with capture_logs() as logs:
        asyncio.run(run())
    assert [3, 3, 3] == [found.index for found in told if found is not None]
    said = [entry["event"].removeprefix("interface_") for entry in logs]
    assert ["not_known_yet", "watch_begins_anew", "watch_works_again"] == said


def test_a_person_who_asks_for_an_interface_is_told_that_the_kernel_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not that the service lacks a right."""
    monkeypatch.setattr(interfaces, "START_S", 0.01)

    async def run() -> None:
        kernel = SlowKernel()
        monkeypatch.setattr(interfaces, "_netlink", lambda: kernel)
        await interfaces.look("lowpan0")

    with pytest.raises(OperatorError, match="the kernel does not answer") as refused:
        asyncio.run(run())
    assert "AF_NETLINK" not in (refused.value.hint or "")


def test_who_may_not_use_netlink_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting would not help: the unit's RestrictAddressFamilies= has to be changed."""

    def refused(**_options: int) -> None:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(interfaces, "_netlink", refused)
    with pytest.raises(OperatorError) as error:
        asyncio.run(InterfaceWatch("lowpan0", lambda _found: None).start())
    assert "AF_NETLINK" in (error.value.hint or "")

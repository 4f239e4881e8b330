"""Interfaces of this host as they are now and as they change, by rtnetlink.

A message of the kernel only says that something happened to the interface; what is true then is
asked for anew. So messages that were lost, came twice or out of turn do no harm.
"""

import asyncio
import errno
import fcntl
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Final

import structlog

from jrc.errors import OperatorError
from jrc.model import PledgeId
from jrc.policy.addresses import link_local_address
from jrc.policy.interface import Interface, InterfaceAddress, InterfaceKind

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute

OnChange = Callable[[Interface | None], None]

# Linux: linux/if.h, if_addr.h, if_arp.h, rtnetlink.h, sockios.h.
_IFF_UP: Final = 0x1
_IFF_RUNNING: Final = 0x40
_IFA_F_TEMPORARY: Final = 0x01
_IFA_F_DADFAILED: Final = 0x08
_IFA_F_DEPRECATED: Final = 0x20
_IFA_F_TENTATIVE: Final = 0x40
_IFA_F_OPTIMISTIC: Final = 0x04
_FOR_EVER: Final = 0xFFFF_FFFF
_RT_SCOPE_UNIVERSE: Final = 0
_RT_SCOPE_LINK: Final = 253
_KINDS: Final = {804: InterfaceKind.WPAN, 825: InterfaceKind.LOWPAN}
_SIOCGIFHWADDR: Final = 0x8927
_RTMGRP_LINK: Final = 0x1
_RTMGRP_IPV6_IFADDR: Final = 0x100
_EUI64_BYTES: Final = 8
_EUI48_BYTES: Final = 6

# Ours.
SETTLE_S: Final = 0.1
"""Changes come in bursts: an interface that goes up is five messages."""
RESYNC_S: Final = 60.0
"""How long a change could stay unseen if the kernel had told nobody of it."""
RETRY_S: Final = 1.0
"""Before netlink is opened anew after it failed."""
START_S: Final = 1.0
"""How long a start, or a person, waits for the kernel's answer."""
PATIENCE_S: Final = 30.0
"""How long a watch waits for it that has begun."""
SILENCE: Final = "the kernel does not answer"
RECEIVE_BUFFER_BYTES: Final = 1024 * 1024

_log = structlog.get_logger("jrc")


class InterfaceWatch:
    """Follows the interface called ``name``, also one that comes late, goes or comes back.

    ``on_change`` is called on the loop: in ``start`` with what is there, then at each change; None
    stands for no such interface. It must not wait. Where the kernel does not answer in time,
    the first call comes when it has answered.
    """

    def __init__(
        self, name: str, on_change: OnChange, *, receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES
    ) -> None:
        self._name = name
        self._on_change = on_change
        self._receive_buffer_bytes = receive_buffer_bytes
        self._current: Interface | None = None
        self._is_known = False
        self._is_told = False
        self._failure = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def current(self) -> Interface | None:
        """The interface as it was when it was last looked at."""
        return self._current

    @property
    def is_known(self) -> bool:
        """As ``service.ports.InterfaceWatcher.is_known``."""
        return self._is_known

    async def start(self) -> None:
        """Look once, then follow.

        Raises:
            OperatorError: this process may not use netlink.
        """
        try:
            self._take(await _look(self._name, START_S))
        except TimeoutError as error:
            self._failure = type(error).__name__
            _log.warning(
                "interface_not_known_yet",
                interface=self._name,
                hint="the kernel does not answer; the interface is followed once it does",
            )
        self._task = asyncio.create_task(self._run(), name=f"watch {self._name}")

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except Exception as error:  # noqa: BLE001 - the outermost guard of this task
                # ENOBUFS is one of these: messages were lost, and the socket is of no more use.
                self._complain(error)
                await asyncio.sleep(RETRY_S)

    def _complain(self, error: Exception) -> None:
        """Say once that netlink fails, or what is told of it, until it has worked again."""
        kind = type(error).__name__
        if kind != self._failure:
            _log.warning(
                "interface_watch_begins_anew",
                interface=self._name,
                error=str(error) or SILENCE,
                kind=kind,
            )
        self._failure = kind

    async def _follow(self) -> None:
        async with _netlink(rcvbuf=self._receive_buffer_bytes) as messages:
            await messages.bind(_RTMGRP_LINK | _RTMGRP_IPV6_IFADDR)
            while True:
                self._take(await _look(self._name, PATIENCE_S))
                with suppress(TimeoutError):
                    async with asyncio.timeout(RESYNC_S):
                        await self._hear(messages)
                with suppress(TimeoutError):
                    async with asyncio.timeout(SETTLE_S):
                        await _ignore(messages)

    async def _hear(self, messages: "AsyncIPRoute") -> None:
        """Return when the kernel says something about the interface."""
        while True:
            async for message in messages.get():
                if self._concerns(message):
                    return

    def _concerns(self, message: Any) -> bool:
        if self._current is not None and message.get("index") == self._current.index:
            return True
        return bool(message.get("ifname") == self._name)

    def _take(self, found: Interface | None) -> None:
        is_same = self._is_told and found == self._current
        self._current, self._is_known = found, True  # where it is the same, lifetimes are newer
        self._is_told = is_same
        if not is_same:
            self._on_change(found)
            self._is_told = True  # and not where that has failed: then it is told once more
        if self._failure:
            _log.info("interface_watch_works_again", interface=self._name)
        self._failure = ""


async def look(name: str) -> Interface | None:
    """The interface called ``name`` as it is now, None where there is none.

    Raises:
        OperatorError: this process may not use netlink, or the kernel does not answer.
    """
    try:
        return await _look(name, START_S)
    except TimeoutError:
        hint = "the host may be very busy; try again"
        raise OperatorError(f"interface {name} can't be looked at ({SILENCE})", hint) from None


async def _look(name: str, patience_s: float) -> Interface | None:
    """As ``look``.

    Raises:
        TimeoutError: the kernel does not answer.
        OperatorError: this process may not use netlink.
    """
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        # Made before the time runs: the import alone takes seconds on a small, busy machine.
        messages = _netlink()
        async with asyncio.timeout(patience_s), messages as kernel:
            (link,) = await kernel.link("get", ifname=name)
            dump = await kernel.get_addr(family=socket.AF_INET6, index=link["index"])
            addresses = [message async for message in dump]
    except NetlinkError as error:
        if error.code in (errno.ENODEV, errno.ENXIO):
            return None
        raise OperatorError(f"interface {name} can't be looked at ({error.args[-1]})") from None
    except TimeoutError:
        raise
    except OSError as error:
        raise OperatorError(
            f"interfaces can't be looked at ({error})",
            "the service needs AF_NETLINK (RestrictAddressFamilies= in its unit)",
        ) from None
    return _interface(name, link, addresses)


def _netlink(**options: int) -> "AsyncIPRoute":
    # Imported where it is used: 15 MiB and 0.1 s that a registrar without interfaces to watch
    # need not spend.
    from pyroute2 import AsyncIPRoute

    return AsyncIPRoute(**options)


async def _ignore(messages: "AsyncIPRoute") -> None:
    while True:
        async for _ in messages.get():
            pass


def _interface(name: str, link: Any, messages: list[Any]) -> Interface:
    running = _IFF_UP | _IFF_RUNNING
    kind = _KINDS.get(link["ifi_type"], InterfaceKind.OTHER)
    usable = [message for message in messages if _is_usable(message)]
    addresses = [_address(m) for m in usable if m["scope"] == _RT_SCOPE_UNIVERSE]
    link_locals = tuple(sorted(_own(m) for m in usable if m["scope"] == _RT_SCOPE_LINK))
    eui64 = None if kind is InterfaceKind.OTHER else _eui64(name)
    return Interface(
        name=name,
        index=link["index"],
        is_up=link["flags"] & running == running,
        link_local=_steady(link_locals, eui64 or _eui64_of(link.get("address"))),
        link_locals=link_locals,
        addresses=tuple(sorted(addresses, key=lambda entry: entry.address)),
        eui64=eui64,
        kind=kind,
    )


def _steady(link_locals: Sequence[IPv6Address], eui64: bytes | None) -> IPv6Address | None:
    """The address that neighbours form from the hardware address, else the lowest."""
    formed = None if eui64 is None else link_local_address(PledgeId(eui64), None)
    return formed if formed in link_locals else min(link_locals, default=None)


def _eui64_of(hardware_address: str | None) -> bytes | None:
    """Of a hardware address of 6 bytes (RFC 2464 §4)."""
    found = bytes.fromhex((hardware_address or "").replace(":", ""))
    return found[:3] + b"\xff\xfe" + found[3:] if len(found) == _EUI48_BYTES else None


def _flags(message: Any) -> int:
    flags: int = message.get("flags") or 0
    return flags


def _is_usable(message: Any) -> bool:
    flags = _flags(message)
    if flags & _IFA_F_DADFAILED:
        return False
    return not flags & _IFA_F_TENTATIVE or bool(flags & _IFA_F_OPTIMISTIC)


def _own(message: Any) -> IPv6Address:
    """This host's address; IFA_ADDRESS is the other end's where there is an IFA_LOCAL."""
    return IPv6Address(message.get("local") or message.get("address"))


def _address(message: Any) -> InterfaceAddress:
    flags = _flags(message)
    lifetimes: Mapping[str, int] = message.get("cacheinfo") or {}
    valid_s = lifetimes.get("ifa_valid", _FOR_EVER)
    return InterfaceAddress(
        address=_own(message),
        prefix_bits=message["prefixlen"],
        deprecated=bool(flags & _IFA_F_DEPRECATED),
        temporary=bool(flags & _IFA_F_TEMPORARY),
        valid_s=None if valid_s == _FOR_EVER else valid_s,
    )


def _eui64(name: str) -> bytes | None:
    """The hardware address of 8 bytes; pyroute2 would give the first 6 of them."""
    request = struct.pack("16s24x", name.encode())
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFHWADDR, request)
        except OSError:
            return None
    found = answer[18 : 18 + _EUI64_BYTES]
    return found if any(found) else None

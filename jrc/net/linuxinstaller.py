"""Puts link-layer keys into an IEEE 802.15.4 interface of this host, by netlink.

The tables of the interface are the installer's alone: what is in them and not wanted goes. Each run
looks at what is there and changes what differs, so a run that failed halfway is mended by the next.
It was never tried with a radio: its messages are held against an encoder of their own and a kernel
that is played (tests/net/).
"""

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.net.framecounter import Seen, UsedUpError, least_start
from jrc.net.interfaces import look
from jrc.net.llsec import Tables, tables_of
from jrc.net.neighbours import LIMIT_FILE
from jrc.net.radiotables import Taken, put_keys, put_levels, put_nodes
from jrc.net.runlock import RunLock, run_alone
from jrc.policy.interface import InterfaceKind
from jrc.service.ports import InstallOutcome

if TYPE_CHECKING:
    from jrc.net.ieee802154 import OpenSocket, Parameters, Radio, RefusedError

NOT_TRIED: Final = "this was never tried with a radio: see with a sniffer that frames are protected"
"""What people are told wherever this installer is named."""
FIRST_KERNELS: Final = "Debian's are good from 6.1.180-1 and 6.12.100-1"
NOTE_S: Final = 600
"""How old what is remembered of the frame counter gets while it moves."""
_LOOK_WITHIN_S: Final = 10.0
_NO_PAN_ID: Final = 0xFFFF


class PrivilegeError(OperatorError):
    """Whether keys can be set is not known, as this process may not try."""


class CounterMemory(Protocol):
    """What outlives an interface; ``framecounter.CounterFile`` is one."""

    def read(self) -> Seen | None:
        """What was seen last, None before the first time.

        Raises:
            OperatorError: nobody can tell.
        """
        ...

    def write(self, seen: Seen) -> None:
        """Remember it; on disk on return.

        Raises:
            OperatorError: it can't be kept.
        """
        ...


class RadioKeys:
    """The keys of the interface of this name, for whoever sees that no two runs are at once.

    ``now_s`` gives Unix seconds; ``open_socket`` makes a generic netlink socket that is not bound
    yet.
    """

    def __init__(
        self,
        interface: str,
        timeout_s: float,
        memory: CounterMemory,
        *,
        now_s: Callable[[], float] = time.time,
        open_socket: "OpenSocket | None" = None,
    ) -> None:
        self._interface = interface
        self._timeout_s = timeout_s
        self._memory = memory
        self._now_s = now_s
        self._open_socket = open_socket
        self._taken: Taken = {}

    async def put(self, document: Secret) -> InstallOutcome:
        """Put in what ``document`` says, as ``KeyInstaller.install`` does."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._install(tables_of(document))
        except TimeoutError:
            return InstallOutcome(False, f"took longer than {self._timeout_s:g} s")
        except ValueError as error:
            return InstallOutcome(False, str(error))
        except OperatorError as error:
            how = f"{error.message}; {error.hint}" if error.hint else error.message
            return InstallOutcome(False, how)
        return InstallOutcome(True)

    async def _install(self, wanted: Tables) -> None:
        async with usable(self._interface, self._open_socket) as radio:
            before = await radio.parameters()
            if not before.enabled:
                self._taken.clear()
            await put_nodes(radio, wanted.nodes, self._taken)
            await put_levels(radio, wanted.levels)
            left = await put_keys(radio, wanted.keys)
            await self._send(radio, before, wanted)
            for index in left:
                await radio.remove_key(index)

    async def _send(self, radio: "Radio", before: "Parameters", wanted: Tables) -> None:
        """Send with the key in force; on disk is how far the frame counter may have gone."""
        start = self._start(before, wanted.generation)
        counter = before.frame_counter if start is None else start
        self._memory.write(Seen(counter, int(self._now_s()), wanted.generation))
        if start is not None or before.outgoing != wanted.outgoing or not before.enabled:
            await radio.send_with(wanted.outgoing, start)

    def _start(self, before: "Parameters", generation: int) -> int | None:
        """The frame counter to begin with; None to go on with the interface's own."""
        seen = self._memory.read()
        if seen is None or (before.enabled and before.frame_counter >= seen.frame_counter):
            return None
        try:
            start = least_start(seen, generation, int(self._now_s()))
        except UsedUpError as error:
            raise OperatorError(
                f"{self._interface} counts its frames anew, and {error}: with the same keys it"
                " would repeat nonces",
                "see that the clock is right; if it is, give the network new keys with"
                " `jrc rollover start`",
            ) from None
        return None if before.frame_counter >= start else start

    async def keeps(self) -> bool:
        """As ``KeyInstaller.keeps``: False where the interface was made anew, or is gone."""
        try:
            async with asyncio.timeout(self._timeout_s):
                async with usable(self._interface, self._open_socket) as radio:
                    found = await radio.parameters()
            return self._note(found)
        except (OperatorError, TimeoutError):
            return False

    def _note(self, found: "Parameters") -> bool:
        """Remember how far the frame counter is; False where it was begun anew."""
        seen, now_s = self._memory.read(), int(self._now_s())
        if seen is None or not found.enabled or found.frame_counter < seen.frame_counter:
            return False
        if found.frame_counter > seen.frame_counter and not 0 <= now_s - seen.at_s < NOTE_S:
            self._memory.write(Seen(found.frame_counter, now_s, seen.generation))
        return True


class LinuxInstaller(RadioKeys):
    """As ``service.ports.KeyInstaller``, in this process. No two runs hold ``lock`` at once."""

    is_local = True

    def __init__(
        self,
        interface: str,
        timeout_s: float,
        lock: Path,
        memory: CounterMemory,
        *,
        now_s: Callable[[], float] = time.time,
        open_socket: "OpenSocket | None" = None,
    ) -> None:
        super().__init__(interface, timeout_s, memory, now_s=now_s, open_socket=open_socket)
        self._lock = lock

    async def install(self, network: str, document: Secret) -> InstallOutcome:
        """As ``KeyInstaller.install``; ``network`` is in the document as well."""
        return await run_alone(self._lock, partial(self._run, document))

    async def _run(self, document: Secret, lock: RunLock) -> InstallOutcome:
        lock.name(os.getpid())
        return await self.put(document)


async def check(interface: str, open_socket: "OpenSocket | None" = None) -> None:
    """Nothing, if keys can be set for this interface; nothing is changed.

    Raises:
        OperatorError: they can't; one sentence, and what to do.
    """
    try:
        async with asyncio.timeout(_LOOK_WITHIN_S), usable(interface, open_socket):
            pass
    except TimeoutError:
        raise OperatorError(
            f"{interface} can't be looked at (the kernel does not answer)", "try again"
        ) from None


@asynccontextmanager
async def usable(interface: str, open_socket: "OpenSocket | None" = None) -> AsyncIterator["Radio"]:
    """The interface, for which keys can be set.

    Raises:
        OperatorError: they can't, or the kernel refuses what is asked of it.
    """
    from jrc.net.ieee802154 import Radio, RefusedError, connected, plain_socket

    opening = open_socket or plain_socket
    try:
        async with connected(opening) as kernel:
            radio = Radio(interface, kernel, opening)
            try:
                await radio.look()
                await radio.try_to_set()
            except RefusedError as error:
                raise await _unusable(interface, error) from None
            if radio.pan_id == _NO_PAN_ID:
                raise OperatorError(
                    f"{interface} has no PAN ID yet",
                    f"set it before the interface is up: iwpan dev {interface} set pan_id 0x...",
                )
            yield radio
    except RefusedError as error:
        raise _refusal(interface, error) from None
    except OSError as error:
        raise OperatorError(
            f"link-layer keys can't be set ({error.strerror or error})",
            "the service needs AF_NETLINK (RestrictAddressFamilies= in its unit)",
        ) from None


async def _unusable(interface: str, error: "RefusedError") -> OperatorError:
    """Why nothing can be set at all."""
    if error.errno == errno.ENODEV:
        return await _no_radio(interface)
    if error.errno == errno.EPERM:
        return PrivilegeError(
            "this process may not set link-layer keys (CAP_NET_ADMIN)",
            f"systemctl enable --now jrc-wpan@{interface}.socket, and name its socket: helper ="
            f' "/run/jrc-wpan/{interface}.sock"; without systemd, give it that capability',
        )
    if error.errno == errno.EOPNOTSUPP:
        return OperatorError(
            f"the driver of {interface} has no link-layer security that Linux can set",
            'use kind = "exec" with a program that sets the keys',
        )
    if error.errno == errno.EINVAL:
        return OperatorError(
            f"this kernel refuses every link-layer key, which is an error of older ones"
            f" ({FIRST_KERNELS})",
            "use a newer kernel",
        )
    return _refusal(interface, error)


async def _no_radio(interface: str) -> OperatorError:
    """What the interface is, where it is no IEEE 802.15.4 one to the kernel."""
    found = await look(interface)
    if found is None:
        return OperatorError(
            f"interface {interface} is not there",
            "plug the radio in, or load its driver; `iwpan dev` lists interfaces",
        )
    if found.kind is InterfaceKind.LOWPAN:
        return OperatorError(
            f"{interface} is a 6LoWPAN interface, and keys belong to the radio beneath it",
            f"name that one: `ip link show {interface}` tells it after the @",
        )
    return OperatorError(
        f"{interface} is no IEEE 802.15.4 interface (ARPHRD 804)", "`iwpan dev` lists interfaces"
    )


def _refusal(interface: str, error: "RefusedError") -> OperatorError:
    """What the kernel did not want in the middle of it, or that it has no such family."""
    if error.doing:
        return OperatorError(f"{interface}: the kernel refuses to {error.doing} ({error.strerror})")
    return _no_family(LIMIT_FILE)


def _no_family(only_in_first: Path) -> OperatorError:
    """Why the kernel shows no such family; ``only_in_first`` may be hidden from a service."""
    absent = 'this kernel has no IEEE 802.15.4 (generic netlink family "802.15.4 MAC")'
    load = "load the radio's driver, or use a kernel with CONFIG_IEEE802154"
    if only_in_first.exists():
        return OperatorError(absent, load)
    move = "run the registrar in the host's own network namespace (a container: its network)"
    if only_in_first.parent.is_dir():
        return OperatorError(
            "link-layer keys can be set in the first network namespace alone, and this process is"
            " in another",
            move,
        )
    return OperatorError(
        f"{absent}, or this process is not in the first namespace", f"{load}; {move}"
    )

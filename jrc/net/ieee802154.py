"""Messages of the generic netlink family "802.15.4 MAC", which sets link-layer keys.

Numbers: Linux, include/linux/nl802154.h (not part of its uapi, and unchanged since 3.16); what a
message has to hold: net/ieee802154/nl-mac.c. A key's value is a ``Secret`` in every message, so
that no log of pyroute2 shows one. Importing this takes 0.1 s and 15 MiB: only who needs it does.
"""

import errno
import os
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, NamedTuple

from pyroute2.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    genlmsg,
    nla_base_string,
)
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic import AsyncGenericNetlinkSocket

from jrc.model import Secret
from jrc.net.llsec import KEY_BY_INDEX, Level, Node, Outgoing, RadioKey

FAMILY: Final = "802.15.4 MAC"
VERSION: Final = 1

LIST_IFACE: Final = 31
LLSEC_GETPARAMS: Final = 36
LLSEC_SETPARAMS: Final = 37
LLSEC_LIST_KEY: Final = 38
LLSEC_ADD_KEY: Final = 39
LLSEC_DEL_KEY: Final = 40
LLSEC_LIST_DEV: Final = 41
LLSEC_ADD_DEV: Final = 42
LLSEC_DEL_DEV: Final = 43
LLSEC_LIST_SECLEVEL: Final = 47
LLSEC_ADD_SECLEVEL: Final = 48
LLSEC_DEL_SECLEVEL: Final = 49

_CREATE: Final = NLM_F_CREATE | NLM_F_EXCL
"""The kernel refuses whatever is added without these."""
_ANY_KEY_OF_A_DEVICE: Final = 0
"""IEEE802154_LLSEC_DEVKEY_IGNORE: a device may use every key, with one frame counter for all."""
_KEY_WITH_SOURCE: Final = 2
"""Key ID Mode 2: IEEE802154_SCF_KEY_SHORT_INDEX."""
_NO_KEYS_INDEX: Final = 255
"""Reserved by IEEE 802.15.4 (RFC 9031 §8.4.3.3)."""
_NO_SHORT_ADDRESS: Final = 0xFFFE
"""IEEE802154_ADDR_UNDEF: a device that is known by its EUI-64 alone."""
_KEY_BYTES: Final = 16

OpenSocket = Callable[[], AsyncGenericNetlinkSocket]
Attributes = Sequence[tuple[str, object]]


class MacMessage(genlmsg):  # type: ignore[misc]
    """A message of the family; attributes that are not used here are not named."""

    class secret(nla_base_string):  # type: ignore[misc]  # noqa: N801 - pyroute2's names are so
        """Bytes that are a ``Secret`` outside of the buffer."""

        __slots__ = ()

        def encode(self) -> None:
            hidden = self["value"]
            self["value"] = hidden.reveal()
            try:
                nla_base_string.encode(self)
            finally:
                self["value"] = hidden

        def decode(self) -> None:
            nla_base_string.decode(self)
            self["value"] = Secret(self["value"])

        def getvalue(self) -> Any:
            return self["value"]

    __slots__ = ()
    prefix = "IEEE802154_ATTR_"
    nla_map = (
        (1, "IEEE802154_ATTR_DEV_NAME", "asciiz"),
        (2, "IEEE802154_ATTR_DEV_INDEX", "uint32"),
        (4, "IEEE802154_ATTR_SHORT_ADDR", "uint16"),
        (5, "IEEE802154_ATTR_HW_ADDR", "cdata"),
        (6, "IEEE802154_ATTR_PAN_ID", "uint16"),
        (41, "IEEE802154_ATTR_LLSEC_ENABLED", "uint8"),
        (42, "IEEE802154_ATTR_LLSEC_SECLEVEL", "uint8"),
        (43, "IEEE802154_ATTR_LLSEC_KEY_MODE", "uint8"),
        (44, "IEEE802154_ATTR_LLSEC_KEY_SOURCE_SHORT", "uint32"),
        (46, "IEEE802154_ATTR_LLSEC_KEY_ID", "uint8"),
        (47, "IEEE802154_ATTR_LLSEC_FRAME_COUNTER", "uint32"),
        (48, "IEEE802154_ATTR_LLSEC_KEY_BYTES", "secret"),
        (49, "IEEE802154_ATTR_LLSEC_KEY_USAGE_FRAME_TYPES", "uint8"),
        (51, "IEEE802154_ATTR_LLSEC_FRAME_TYPE", "uint8"),
        (53, "IEEE802154_ATTR_LLSEC_SECLEVELS", "uint8"),
        (54, "IEEE802154_ATTR_LLSEC_DEV_OVERRIDE", "uint8"),
        (55, "IEEE802154_ATTR_LLSEC_DEV_KEY_MODE", "uint8"),
    )


class RefusedError(OSError):
    """The kernel said no: ``errno``, and ``doing``, what it was asked for.

    ``doing`` is empty where the kernel has no such family in this network namespace.
    """

    def __init__(self, number: int, doing: str) -> None:
        super().__init__(number, os.strerror(number))
        self.doing = doing


class Parameters(NamedTuple):
    """``outgoing`` is None where keys are not named by index; ``frame_counter`` is the next."""

    enabled: bool
    outgoing: Outgoing | None
    frame_counter: int


class HeldKey(NamedTuple):
    """A key in the kernel's table: ``key`` is None where it is not named by index."""

    mode: int
    key: RadioKey | None


class HeldNode(NamedTuple):
    """A device in the kernel's table; ``frame_counter`` is the least that it may send next."""

    node: Node
    pan_id: int
    frame_counter: int


def message(command: int, attributes: Attributes) -> MacMessage:
    """A request of the family, not yet sent."""
    made = MacMessage()
    made["cmd"], made["version"] = command, VERSION
    made["attrs"] = [(MacMessage.prefix + name, value) for name, value in attributes]
    return made


@asynccontextmanager
async def connected(open_socket: OpenSocket) -> AsyncIterator[AsyncGenericNetlinkSocket]:
    """A socket that speaks with the family.

    Raises:
        RefusedError: the kernel has no such family here.
    """
    async with open_socket() as kernel:
        # It would write to the log of whoever asks that the family is not there.
        kernel.module_err_level = "debug"
        try:
            await kernel.bind(FAMILY, MacMessage)
        except NetlinkError as error:
            raise RefusedError(error.code, "") from None
        yield kernel


def plain_socket() -> AsyncGenericNetlinkSocket:
    """A generic netlink socket."""
    return AsyncGenericNetlinkSocket()


class Radio:
    """One interface; each method is one request, and raises RefusedError with the kernel's errno.

    ``pan_id`` is what it had when it was looked at; ffff stands for none.
    """

    def __init__(
        self, name: str, kernel: AsyncGenericNetlinkSocket, open_socket: OpenSocket
    ) -> None:
        self.name = name
        self.pan_id = 0xFFFF
        self._kernel = kernel
        self._open_socket = open_socket

    async def look(self) -> None:
        """Learn its PAN ID. ENODEV: it is no IEEE 802.15.4 interface, or not there."""
        (answer,) = await self._get(LIST_IFACE, "look at the interface")
        self.pan_id = answer.get("PAN_ID")

    async def try_to_set(self) -> None:
        """Ask for what changes nothing and shows whether keys can be set.

        A key that nobody can have is deleted, and its value is given, which an old kernel refuses.
        EPERM: this process may not; EOPNOTSUPP: the driver can't; EINVAL: the kernel is too old.
        """
        named = (
            ("LLSEC_KEY_MODE", _KEY_WITH_SOURCE),
            ("LLSEC_KEY_SOURCE_SHORT", 0),
            ("LLSEC_KEY_ID", _NO_KEYS_INDEX),
            ("LLSEC_KEY_BYTES", Secret(bytes(_KEY_BYTES))),
        )
        try:
            await self._set(LLSEC_DEL_KEY, "set link-layer keys", named)
        except RefusedError as error:
            if error.errno != errno.ENOENT:
                raise

    async def parameters(self) -> Parameters:
        """What is sent with, and the frame counter."""
        (answer,) = await self._get(LLSEC_GETPARAMS, "read its parameters")
        is_by_index = answer.get("LLSEC_KEY_MODE") == KEY_BY_INDEX
        outgoing = Outgoing(answer.get("LLSEC_KEY_ID") or 0, answer.get("LLSEC_SECLEVEL"))
        return Parameters(
            bool(answer.get("LLSEC_ENABLED")),
            outgoing if is_by_index else None,
            answer.get("LLSEC_FRAME_COUNTER"),
        )

    async def send_with(self, outgoing: Outgoing, frame_counter: int | None) -> None:
        """Protect all that is sent, from this frame counter on; None leaves it as it is."""
        named: list[tuple[str, object]] = [
            ("LLSEC_ENABLED", 1),
            ("LLSEC_SECLEVEL", outgoing.level),
            ("LLSEC_KEY_MODE", KEY_BY_INDEX),
            ("LLSEC_KEY_ID", outgoing.key_index),
        ]
        if frame_counter is not None:
            named.append(("LLSEC_FRAME_COUNTER", frame_counter))
        await self._set(LLSEC_SETPARAMS, f"send with key {outgoing.key_index}", named)

    async def keys(self) -> list[HeldKey]:
        """Every key of the interface."""
        return [
            _held_key(answer)
            async for answer in self._list(
                LLSEC_LIST_KEY,
                "list its keys",
                ("LLSEC_KEY_MODE", "LLSEC_KEY_ID", "LLSEC_KEY_SOURCE_SHORT"),
            )
        ]

    async def add_key(self, key: RadioKey) -> None:
        """Put a key in. EEXIST: its index has one, or its value is there for other frames."""
        named = (
            ("LLSEC_KEY_MODE", KEY_BY_INDEX),
            ("LLSEC_KEY_ID", key.index),
            ("LLSEC_KEY_USAGE_FRAME_TYPES", key.frame_types),
            ("LLSEC_KEY_BYTES", key.value),
        )
        await self._set(LLSEC_ADD_KEY, f"add key {key.index}", named, _CREATE)

    async def remove_key(self, index: int) -> None:
        """Take a key out."""
        named = (("LLSEC_KEY_MODE", KEY_BY_INDEX), ("LLSEC_KEY_ID", index))
        await self._set(LLSEC_DEL_KEY, f"remove key {index}", named)

    async def levels(self) -> list[Level]:
        """The security levels of incoming frames, in the order in which the kernel looks."""
        return [
            Level(answer.get("LLSEC_FRAME_TYPE"), answer.get("LLSEC_SECLEVELS"))
            async for answer in self._list(
                LLSEC_LIST_SECLEVEL,
                "list its security levels",
                ("LLSEC_FRAME_TYPE", "LLSEC_SECLEVELS", "LLSEC_DEV_OVERRIDE"),
            )
        ]

    async def add_level(self, level: Level) -> None:
        """Take frames with these security levels."""
        doing = f"add the security levels of frame type {level.frame_type}"
        await self._set(LLSEC_ADD_SECLEVEL, doing, _level(level), _CREATE)

    async def remove_level(self, level: Level) -> None:
        """Take an entry of the security levels out."""
        doing = f"remove security levels of frame type {level.frame_type}"
        await self._set(LLSEC_DEL_SECLEVEL, doing, _level(level))

    async def nodes(self) -> list[HeldNode]:
        """The devices of the interface; the kernel tells the first two hundred or so."""
        return [
            _held_node(answer)
            async for answer in self._list(LLSEC_LIST_DEV, "list its devices", ("HW_ADDR",))
        ]

    async def add_node(self, node: Node, pan_id: int, frame_counter: int) -> None:
        """Take frames of a node. EEXIST: its EUI-64 or its short address is there."""
        named: list[tuple[str, object]] = [
            ("HW_ADDR", node.eui64),
            ("LLSEC_FRAME_COUNTER", frame_counter),
            ("LLSEC_DEV_OVERRIDE", 0),
            ("LLSEC_DEV_KEY_MODE", _ANY_KEY_OF_A_DEVICE),
        ]
        if node.short_address is not None:
            named += [("PAN_ID", pan_id), ("SHORT_ADDR", node.short_address)]
        await self._set(LLSEC_ADD_DEV, f"add node {node.eui64.hex()}", named, _CREATE)

    async def remove_node(self, eui64: bytes) -> None:
        """Take no more frames of a node."""
        await self._set(LLSEC_DEL_DEV, f"remove node {eui64.hex()}", (("HW_ADDR", eui64),))

    # How it is asked

    async def _get(self, command: int, doing: str) -> list[MacMessage]:
        return await self._ask(command, doing, (), NLM_F_REQUEST)

    async def _set(self, command: int, doing: str, attributes: Attributes, flags: int = 0) -> None:
        await self._ask(command, doing, attributes, NLM_F_REQUEST | NLM_F_ACK | flags)

    async def _ask(
        self, command: int, doing: str, attributes: Attributes, flags: int
    ) -> list[MacMessage]:
        asked = message(command, [("DEV_NAME", self.name), *attributes])
        answers = await self._kernel.nlm_request(asked, self._kernel.prid, flags)
        try:
            async with aclosing(answers):
                return [answer async for answer in answers]
        except NetlinkError as error:
            raise RefusedError(error.code, doing) from None

    async def _list(
        self, command: int, doing: str, named_by: Sequence[str]
    ) -> AsyncIterator[MacMessage]:
        """The entries of a table, each once.

        A table longer than one answer is told from its beginning again, without end: the kernel
        does not remember how far it was. So each has a socket that is closed at the first entry
        that comes twice.
        """
        seen: set[Hashable] = set()
        async with connected(self._open_socket) as kernel:
            asked = message(command, ())
            answers = await kernel.nlm_request(asked, kernel.prid, NLM_F_REQUEST | NLM_F_DUMP)
            try:
                async with aclosing(answers):
                    async for answer in answers:
                        name = answer.get("DEV_NAME"), *(answer.get(each) for each in named_by)
                        if name in seen:
                            return
                        seen.add(name)
                        if name[0] == self.name:
                            yield answer
            except NetlinkError as error:
                raise RefusedError(error.code, doing) from None


def _level(level: Level) -> Attributes:
    return (
        ("LLSEC_FRAME_TYPE", level.frame_type),
        ("LLSEC_SECLEVELS", level.levels),
        ("LLSEC_DEV_OVERRIDE", 0),
    )


def _held_key(answer: Any) -> HeldKey:
    mode = answer.get("LLSEC_KEY_MODE")
    if mode != KEY_BY_INDEX:
        return HeldKey(mode, None)
    types = answer.get("LLSEC_KEY_USAGE_FRAME_TYPES")
    return HeldKey(mode, RadioKey(answer.get("LLSEC_KEY_ID"), types, answer.get("LLSEC_KEY_BYTES")))


def _held_node(answer: Any) -> HeldNode:
    short = answer.get("SHORT_ADDR")
    node = Node(answer.get("HW_ADDR"), None if short == _NO_SHORT_ADDRESS else short)
    return HeldNode(node, answer.get("PAN_ID"), answer.get("LLSEC_FRAME_COUNTER"))

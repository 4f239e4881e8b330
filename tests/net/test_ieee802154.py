"""Messages of "802.15.4 MAC", byte for byte as they were packed by hand after the kernel."""

import asyncio
import errno
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jrc.model import Secret
from jrc.net.ieee802154 import (
    HeldKey,
    HeldNode,
    Parameters,
    Radio,
    RefusedError,
    connected,
    message,
)
from jrc.net.llsec import Level, Node, Outgoing, RadioKey
from tests.net.nl802154 import ADD_KEY
from tests.net.wpan import Device, Interface, PlayedKernel

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/linux-llsec.json").read_text())
KEY = bytes.fromhex("8a5c01ff7e00274bd3915c6de2f04b1a")
EUI64 = bytes.fromhex("00124b0014b5b67e")
RADIO_KEY = RadioKey(7, 3, Secret(KEY))

ASKS: dict[str, Callable[[Radio], Awaitable[Any]]] = {
    "look at the interface": lambda radio: radio.look(),
    "probe": lambda radio: radio.try_to_set(),
    "read parameters": lambda radio: radio.parameters(),
    "send with key 7 at level 5": lambda radio: radio.send_with(Outgoing(7, 5), None),
    "send with key 7 at level 5 from frame 65538": lambda radio: radio.send_with(
        Outgoing(7, 5), 65538
    ),
    "list keys": lambda radio: radio.keys(),
    "add key 7 for beacons and data": lambda radio: radio.add_key(RADIO_KEY),
    "remove key 7": lambda radio: radio.remove_key(7),
    "list devices": lambda radio: radio.nodes(),
    "add a device with a short address": lambda radio: radio.add_node(Node(EUI64, 0x10), 0xCAFE, 9),
    "add a device without one": lambda radio: radio.add_node(Node(EUI64, None), 0xCAFE, 0),
    "remove a device": lambda radio: radio.remove_node(EUI64),
    "list security levels": lambda radio: radio.levels(),
    "add levels 5 and 6 of data frames": lambda radio: radio.add_level(Level(1, 0x60)),
    "remove level 1 of beacons": lambda radio: radio.remove_level(Level(0, 2)),
}


def ask(kernel: PlayedKernel, work: Callable[[Radio], Awaitable[Any]]) -> Any:
    """What comes of a request."""

    async def run() -> Any:
        async with connected(kernel.open_socket) as opened:
            return await work(Radio("wpan0", opened, kernel.open_socket))

    return asyncio.run(run())


def full() -> PlayedKernel:
    """A kernel with something in every table, so that all can be taken out."""
    wpan = Interface(
        enabled=1,
        out_key=(1, 7),
        out_level=5,
        frame_counter=1234,
        keys={(1, 7, 0): (3, KEY), (2, 9, 0xABCD): (1, bytes(16))},
        levels=[(0, 2), (1, 0x20)],
        devices={EUI64: Device(0xCAFE, 0x10, 9), bytes(8): Device(0, 0xFFFE, 1)},
    )
    return PlayedKernel(wpan, Interface("wpan1", keys={(1, 1, 0): (3, bytes(16))}))


@pytest.mark.skipif(sys.byteorder != "little", reason="the vectors are a little-endian host's")
@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: str(vector["name"]))
def test_a_message_is_what_an_independent_encoder_makes(vector: dict[str, Any]) -> None:
    """include/linux/nl802154.h; sequence number and port are the socket's affair."""
    kernel = full() if "add" not in vector["name"] else PlayedKernel()
    ask(kernel, ASKS[vector["name"]])
    datagram = bytearray(kernel.datagrams[-1])
    datagram[8:16] = bytes(8)
    assert datagram.hex() == vector["hex"]


def test_every_message_has_a_vector() -> None:
    """One that is added needs one, too."""
    assert ASKS.keys() == {vector["name"] for vector in VECTORS["messages"]}


def test_what_the_kernel_keeps_is_read_of_this_interface_alone() -> None:
    """Keys that are not named by index are seen, and are no key of ours."""
    kernel = full()
    assert ask(kernel, ASKS["read parameters"]) == Parameters(True, Outgoing(7, 5), 1234)
    assert ask(kernel, ASKS["list keys"]) == [HeldKey(2, None), HeldKey(1, RADIO_KEY)]
    assert ask(kernel, ASKS["list security levels"]) == [Level(0, 2), Level(1, 0x20)]
    assert ask(kernel, ASKS["list devices"]) == [
        HeldNode(Node(EUI64, 0x10), 0xCAFE, 9),
        HeldNode(Node(bytes(8), None), 0, 1),
    ]


def test_an_interface_that_was_never_set_sends_with_no_key() -> None:
    """Key ID Mode 0, and not enabled."""
    assert ask(PlayedKernel(), ASKS["read parameters"]) == Parameters(False, None, 0)


def test_a_table_that_the_kernel_tells_for_ever_is_read_once() -> None:
    """A long one begins anew with each piece; what is beyond the first is not seen."""
    kernel = PlayedKernel()
    for number in range(5):
        kernel.wpan.devices[number.to_bytes(8)] = Device(0xCAFE, number, 0)
    found = ask(kernel, ASKS["list devices"])
    assert [each.node.short_address for each in found] == [0, 1, 2]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EOPNOTSUPP, errno.EEXIST, errno.ENODEV])
def test_an_error_of_the_kernel_is_told_with_what_was_asked(code: int) -> None:
    """And without the request, which the kernel sends back with it."""
    kernel = PlayedKernel()
    kernel.fails[ADD_KEY] = code
    with pytest.raises(RefusedError) as caught:
        ask(kernel, ASKS["add key 7 for beacons and data"])
    error = caught.value
    assert (error.errno, error.doing) == (code, "add key 7")
    assert error.strerror == os.strerror(code)
    assert error.__cause__ is None


def test_no_key_shows_in_a_message_before_and_after_it_is_packed() -> None:
    """Only the bytes for the kernel have it."""
    made = message(ADD_KEY, [("LLSEC_KEY_BYTES", Secret(KEY))])
    for _ in range(2):
        assert "[redacted]" in repr(made)
        made.reset()
        made.encode()
        assert KEY in bytes(made.data)


def test_no_key_shows_in_a_log_even_of_the_library(caplog: pytest.LogCaptureFixture) -> None:
    """pyroute2 logs whole messages at level debug: requests that come back, and listings."""
    kernel = full()
    with caplog.at_level(logging.DEBUG, logger="pyroute2"):
        found = ask(kernel, ASKS["list keys"])
        kernel.fails[ADD_KEY] = errno.EEXIST
        with pytest.raises(RefusedError):
            ask(kernel, ASKS["add key 7 for beacons and data"])
    assert "message" in caplog.text
    assert "[redacted]" in caplog.text
    for form in (KEY.hex(), repr(KEY)[2:-1], str(list(KEY))[1:-1]):
        assert form not in caplog.text
        assert form not in repr(found)

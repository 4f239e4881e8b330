"""From what the kernel has for an interface to what it is to have (``llsec.Tables``)."""

import errno
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from jrc.net.llsec import Level, Node, RadioKey

if TYPE_CHECKING:
    from jrc.net.ieee802154 import HeldNode, Radio

Taken = dict[bytes, tuple[Node, int]]
"""Nodes that this process has put in, with their PAN ID, by EUI-64."""


async def put_nodes(radio: "Radio", wanted: Iterable[Node], taken: Taken) -> None:
    """Take frames of these nodes and of no others; those who stay keep their frame counter.

    The kernel lists the first of a long table alone, and ``taken`` helps with the others. One that
    another process has put in beyond them loses its frame counter, and stays where it is to go.
    """
    from jrc.net.ieee802154 import HeldNode

    missing = {node.eui64: HeldNode(node, radio.pan_id, 0) for node in wanted}
    surplus = taken.keys() - missing.keys()
    for held in await radio.nodes():
        eui64, entry = held.node.eui64, missing.get(held.node.eui64)
        if entry is not None and (entry.node, entry.pan_id) == (held.node, held.pan_id):
            taken[eui64] = held.node, held.pan_id
        elif entry is None:
            surplus.add(eui64)
        else:
            await _drop(radio, eui64, taken)
            missing[eui64] = entry._replace(frame_counter=held.frame_counter)
    late = [each for each in missing.values() if taken.get(each.node.eui64) != each[:2]]
    # All that go, before any comes: another may have its short address now.
    for eui64 in (*surplus, *(each.node.eui64 for each in late if each.node.eui64 in taken)):
        await _drop(radio, eui64, taken)
    for each in late:
        await _take(radio, each, taken)


async def _drop(radio: "Radio", eui64: bytes, taken: Taken) -> None:
    """Take no more frames of a node, if any were taken."""
    from jrc.net.ieee802154 import RefusedError

    try:
        await radio.remove_node(eui64)
    except RefusedError as error:
        if error.errno != errno.ENOENT:
            raise
    taken.pop(eui64, None)


async def _take(radio: "Radio", entry: "HeldNode", taken: Taken) -> None:
    from jrc.net.ieee802154 import RefusedError

    eui64 = entry.node.eui64
    try:
        await radio.add_node(*entry)
    except RefusedError as error:
        if error.errno != errno.EEXIST:
            raise
        await _drop(radio, eui64, taken)
        await radio.add_node(*entry)
    taken[eui64] = entry.node, entry.pan_id


async def put_levels(radio: "Radio", wanted: Sequence[Level]) -> None:
    """The kernel looks at the first entry of a type: the new one is there before the old goes."""
    held = await radio.levels()
    for level in wanted:
        if level not in held:
            await radio.add_level(level)
    for level in held:
        if level not in wanted:
            await radio.remove_level(level)


async def put_keys(radio: "Radio", wanted: Iterable[RadioKey]) -> list[int]:
    """Add what is missing; the indexes of keys that may go once nothing is sent with them."""
    held = {entry.key.index: entry.key for entry in await radio.keys() if entry.key is not None}
    for key in wanted:
        if held.get(key.index) != key:
            for index in [index for index, other in held.items() if _is_in_the_way(other, key)]:
                await radio.remove_key(index)
                del held[index]
            await radio.add_key(key)
        held.pop(key.index, None)
    return list(held)


def _is_in_the_way(held: RadioKey, key: RadioKey) -> bool:
    """An index has one key, and a value is for the same frames under whatever index."""
    if held.index == key.index:
        return True
    return held.value == key.value and held.frame_types != key.frame_types

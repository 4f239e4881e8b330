"""Nodes that share one address: each update finds the one whose context opens it."""

import asyncio

from jrc.lab.crowd import Crowd
from jrc.lab.pledge import SimulatedPledge
from jrc.model import Secret

CAFE = bytes.fromhex("cafe")


def test_what_no_node_can_open_gets_no_answer() -> None:
    """Silence to strangers, on the nodes' side as well (RFC 9031 §7.3.2)."""

    async def ask() -> list[bytes | None]:
        crowd = Crowd(
            [SimulatedPledge(bytes([n]) * 8, Secret(bytes([n]) * 16), CAFE) for n in (1, 2)]
        )
        asked = SimulatedPledge(b"\3" * 8, Secret(b"\3" * 16), CAFE).request()
        return [crowd._answer(data) for data in (b"", b"\x40", asked)]

    assert [None] * 3 == asyncio.run(ask())

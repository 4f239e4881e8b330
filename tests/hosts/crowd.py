"""Pledges on a host of their own: ``python -m tests.hosts.crowd``, told by JSON what to do.

They ask the Join Proxy at its link-local address, all at once, with aiocoap's OSCORE and the
retransmission of RFC 9031 §7.2; who fails tries once more.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass

from jrc.lab.network import JoinResult, RequestForm, Timing, join_all
from jrc.lab.pledge import Joined, SimulatedPledge
from jrc.model import Secret

CAFE = bytes.fromhex("cafe")


@dataclass(frozen=True, slots=True)
class Task:
    """``proxy`` is an address with its zone; ``pledges`` are identifiers and keys in hex."""

    proxy: str
    port: int
    pledges: list[tuple[str, str]]
    time_factor: float = 0.05
    attempts: int = 2
    confirmable: bool = True
    max_retransmit: int = 4
    first_number: int = 0

    def to_json(self) -> str:
        """For the standard input of this program."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it: how many had joined after each attempt, and their short identifiers."""

    joined: list[int]
    short_ids: dict[str, str]
    transmissions: int

    @classmethod
    def of(cls, text: str) -> "Report":
        """From the standard output of this program."""
        return cls(**json.loads(text))


async def carry_out(task: Task) -> Report:
    """Everybody joins, or has tried often enough."""
    waiting = [
        SimulatedPledge(
            bytes.fromhex(name), Secret(bytes.fromhex(psk)), CAFE, first_number=task.first_number
        )
        for name, psk in task.pledges
    ]
    timing = Timing(max_retransmit=task.max_retransmit).scaled(task.time_factor)
    form = RequestForm(confirmable=task.confirmable)
    short_ids: dict[str, str] = {}
    joined: list[int] = []
    transmissions = 0
    for _ in range(task.attempts):
        results = await join_all(
            waiting, (task.proxy, task.port), timing, form, concurrency=len(waiting)
        )
        transmissions += sum(result.transmissions for result in results)
        short_ids.update(_given(results))
        joined.append(len(short_ids))
        waiting = [pledge for pledge in waiting if pledge.identifier.hex() not in short_ids]
        if not waiting:
            break
    return Report(joined, short_ids, transmissions)


def _given(results: list[JoinResult]) -> dict[str, str]:
    return {
        result.pledge_id.hex(): (result.outcome.configuration.short_id or b"").hex()
        for result in results
        if isinstance(result.outcome, Joined)
    }


if __name__ == "__main__":
    found = asyncio.run(carry_out(Task(**json.load(sys.stdin))))
    print(json.dumps(asdict(found)))

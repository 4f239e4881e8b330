"""Run inside a network namespace of its own: watches interfaces while they are changed.

``python -m tests.net.namespace`` prints what was seen as JSON, one list a scenario.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address

from jrc.net.interfaces import InterfaceWatch, look
from jrc.policy.interface import Interface

PATIENCE_S = 60.0
ADDRESS = "fd00:6:715c::1"
SECOND = "fd00:6:715d::1"
Seen = dict[str, object]


def ip(*words: str) -> None:
    """An ``ip`` command that must succeed."""
    subprocess.run(("ip", "-6", *words), check=True, capture_output=True)


def batch(commands: str) -> None:
    """Many ``ip`` commands, which take up the whole of this thread."""
    subprocess.run(("ip", "-6", "-batch", "-"), input=commands.encode(), check=True)


class Witness:
    """A watch with everything it told."""

    def __init__(self, name: str, receive_buffer_bytes: int = 1 << 20) -> None:
        self.told: list[Interface | None] = []
        self._news = asyncio.Event()
        self.watch = InterfaceWatch(name, self._hear, receive_buffer_bytes=receive_buffer_bytes)

    def _hear(self, found: Interface | None) -> None:
        self.told.append(found)
        self._news.set()

    async def until(self, is_so: Callable[[Interface | None], bool]) -> float:
        """Wait until what was told last is so; how long that took."""
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            while not is_so(self.told[-1]):
                self._news.clear()
                await self._news.wait()
        return time.monotonic() - began


def make(name: str) -> None:
    """A veth pair, both ends up."""
    ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-far")
    ip("link", "set", f"{name}-far", "up")
    ip("link", "set", name, "up")


def is_there(found: Interface | None) -> bool:
    return found is not None


def is_gone(found: Interface | None) -> bool:
    return found is None


def on_link(found: Interface | None) -> bool:
    """Up, with its link-local address past duplicate detection."""
    return found is not None and found.is_up and found.link_local is not None


def owns(*addresses: str) -> Callable[[Interface | None], bool]:
    wanted = [IPv6Address(each) for each in addresses]

    def check(found: Interface | None) -> bool:
        return found is not None and wanted == [entry.address for entry in found.addresses]

    return check


async def comes_late(witness: Witness) -> Seen:
    """It is made after the start, goes, and comes back with another number."""
    first = witness.told[-1]
    make("late")
    await witness.until(on_link)
    before = witness.told[-1]
    ip("link", "del", "late")
    await witness.until(is_gone)
    make("late")
    await witness.until(on_link)
    after = witness.told[-1]
    assert before is not None
    assert after is not None
    return {"first": first, "other_index": before.index != after.index}


async def changes_addresses(witness: Witness) -> Seen:
    """Addresses come, are deprecated, and go."""
    make("moves")
    await witness.until(on_link)
    ip("address", "add", f"{ADDRESS}/64", "dev", "moves")
    await witness.until(owns(ADDRESS))
    ip("address", "add", f"{SECOND}/64", "dev", "moves", "nodad")
    await witness.until(owns(ADDRESS, SECOND))
    ip("address", "change", f"{ADDRESS}/64", "dev", "moves", "preferred_lft", "0")
    await witness.until(lambda found: found is not None and found.addresses[0].deprecated)
    two = witness.told[-1]
    assert two is not None
    ip("address", "del", f"{ADDRESS}/64", "dev", "moves")
    await witness.until(owns(SECOND))
    return {"prefixes": [str(each) for each in two.prefixes], "kind": two.kind, "eui64": two.eui64}


async def goes_down(witness: Witness) -> Seen:
    """Down it has no addresses; up again it has them anew."""
    make("downs")
    await witness.until(on_link)
    ip("link", "set", "downs", "down")
    await witness.until(lambda found: found is not None and not found.is_up)
    down = witness.told[-1]
    assert down is not None
    ip("link", "set", "downs", "up")
    await witness.until(on_link)
    return {"link_local_while_down": down.link_local}


async def takes_more_link_local_addresses(witness: Witness) -> Seen:
    """A lower one comes; then the one of the hardware address goes."""
    make("more")
    await witness.until(on_link)
    first = witness.told[-1]
    assert first is not None
    ip("address", "add", "fe80::1/64", "dev", "more", "nodad")
    await witness.until(lambda found: found is not None and len(found.link_locals) == 2)
    both = witness.told[-1]
    assert both is not None
    ip("address", "del", f"{first.link_local}/64", "dev", "more")
    await witness.until(lambda found: found is not None and len(found.link_locals) == 1)
    last = witness.told[-1]
    assert last is not None
    stays = first.link_local == both.link_local
    return {"stays": stays, "lowest": str(both.link_locals[0]), "then": str(last.link_local)}


async def is_renamed(witness: Witness) -> Seen:
    """It takes another name, which another interface had, and gets its own back."""
    make("named")
    await witness.until(on_link)
    ip("link", "set", "named", "down")
    ip("link", "set", "named", "name", "other")
    await witness.until(is_gone)
    ip("link", "set", "other", "name", "named")
    took_s = await witness.until(is_there)
    return {"by_event": took_s < PATIENCE_S}


async def finds_a_duplicate(witness: Witness) -> Seen:
    """An address that somebody else on the link has is none."""
    make("twins")
    ip("address", "add", f"{ADDRESS}/64", "dev", "twins-far", "nodad")
    await witness.until(on_link)
    ip("address", "add", f"{ADDRESS}/64", "dev", "twins")
    ip("address", "add", f"{SECOND}/64", "dev", "twins")
    await witness.until(owns(SECOND))
    return {"addresses": [len(each.addresses) for each in witness.told if each is not None][-1]}


async def loses_messages(witness: Witness) -> Seen:
    """More happens than the socket's buffer holds, while the loop is busy elsewhere."""
    make("floods")
    await witness.until(on_link)
    burst = "".join(
        f"address add fd00:{n:x}::1/64 dev floods nodad\naddress del fd00:{n:x}::1/64 dev floods\n"
        for n in range(1, 400)
    )
    burst += f"address add {SECOND}/64 dev floods nodad\n"
    batch(burst)
    await witness.until(owns(SECOND))
    ip("address", "del", f"{SECOND}/64", "dev", "floods")
    await witness.until(owns())
    return {"recovered": True}


async def tells_no_news_of_others(witness: Witness) -> Seen:
    """Another interface's changes are not told, nor the same state twice."""
    make("quiet")
    await witness.until(on_link)
    count = len(witness.told)
    make("noise")
    ip("address", "add", f"{ADDRESS}/64", "dev", "noise", "nodad")
    ip("address", "add", f"{SECOND}/64", "dev", "quiet", "nodad")
    await witness.until(owns(SECOND))
    return {"told": len(witness.told) - count}


SCENARIOS: dict[str, Callable[[Witness], Awaitable[Seen]]] = {
    "late": comes_late,
    "moves": changes_addresses,
    "downs": goes_down,
    "more": takes_more_link_local_addresses,
    "named": is_renamed,
    "twins": finds_a_duplicate,
    "floods": loses_messages,
    "quiet": tells_no_news_of_others,
}


async def act(name: str, scenario: Callable[[Witness], Awaitable[Seen]]) -> Seen:
    """What a scenario saw, and whether the watch ends up with what is there."""
    witness = Witness(name, 4096 if name == "floods" else 1 << 20)
    await witness.watch.start()
    seen = await scenario(witness)
    current = witness.watch.current == await look(name)
    await witness.watch.stop()
    return {**seen, "current": current}


async def main() -> None:
    """Every scenario at once, each with an interface of its own."""
    ip("link", "set", "lo", "up")
    found = await asyncio.gather(*(act(name, each) for name, each in SCENARIOS.items()))
    left = {"tasks": len(asyncio.all_tasks()) - 1}
    print(json.dumps({**dict(zip(SCENARIOS, found, strict=True)), "left": left}, default=str))


if __name__ == "__main__":
    asyncio.run(main())

"""What Linux does for the neighbours of a Join Proxy on this host (RFC 9031 §5.1, §6)."""

import asyncio
from collections.abc import Iterator

from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, skipped, success, warning
from jrc.net.interfaces import look
from jrc.net.neighbours import NeighbourFacts, probe
from jrc.policy.interface import InterfaceKind

ENOUGH_ENTRIES = 1024
"""What Linux has by default."""


def look_at_neighbours(case: Case) -> Iterator[Verdict]:
    """Neighbour table and link-layer authentication, where there is a Join Proxy."""
    if case.settings.proxy is None:
        yield success("no Join Proxy is configured, so nothing is asked of this host")
        return
    name = case.settings.proxy.interface
    interface = asyncio.run(look(name))
    facts = asyncio.run(probe())
    yield judge_table(facts)
    yield judge_authentication(name, None if interface is None else interface.kind, facts)


def judge_table(facts: NeighbourFacts) -> Verdict:
    """Pledges and joined nodes share one table, so its size is what a flood has to fill."""
    one = "Linux keeps pledges and joined nodes in one neighbour table"
    if facts.max_entries is None:
        return success(f"{one}, whose size this network namespace does not show")
    if facts.max_entries < ENOUGH_ENTRIES:
        return warning(
            f"{one} of at most {facts.max_entries} entries, which few pledges fill",
            f"run: sysctl -w net.ipv6.neigh.default.gc_thresh3={ENOUGH_ENTRIES}",
        )
    return success(f"{one} of at most {facts.max_entries} entries")


def judge_authentication(name: str, kind: InterfaceKind | None, facts: NeighbourFacts) -> Verdict:
    """Frames to a pledge are to be authenticated (RFC 9031 §5.1); what Linux has for it is said."""
    if kind is None or kind is InterfaceKind.OTHER:
        return skipped(
            f"{name} is no IEEE 802.15.4 interface to Linux: whether frames to pledges are"
            " authenticated is up to the radio behind it, and can't be seen from here",
            "see that its firmware gets the link-layer keys and protects frames to pledges",
        )
    if not facts.takes_keys:
        return warning(
            f"this kernel takes no link-layer keys for {name}, so frames to pledges are not"
            " authenticated",
            "use a kernel with CONFIG_IEEE802154_NL802154_EXPERIMENTAL, or a radio that protects"
            " frames by itself",
        )
    return success(
        f"this kernel takes link-layer keys for {name}; whether they are set was not looked at"
    )

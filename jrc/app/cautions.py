"""What the daemon warns of at each start, though it can work so."""

import os
from collections.abc import Iterator, Mapping

from jrc.opened import Opened
from jrc.service.applicants import LAB, SIMULATED_NODES, WEAK_KEYS


def cautions(opened: Opened) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Events for the log, each with its fields."""
    if os.geteuid() == 0:
        yield "running_as_root", {"hint": "the service's own user is enough"}
    nodes = opened.settings.lab.nodes
    if nodes is not None:
        yield "simulated_nodes", {"at": str(nodes), "hint": SIMULATED_NODES}
    allowed = opened.settings.lab.allow_weak_keys
    pledges = opened.read(lambda tx: tx.credentials.count(LAB))
    if allowed or pledges:
        yield "weak_keys", {"pledges": pledges, "more_are_taken": allowed, "hint": WEAK_KEYS}

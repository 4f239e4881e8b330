"""Waiting until nodes have what they are to have, as far as an update can bring it."""

from collections.abc import Sequence

from jrc.cli.client import Api, segment
from jrc.cli.output import Record
from jrc.cli.patience import Patient, TimeIsUp
from jrc.cli.reporting import INTERRUPTED, say
from jrc.errors import ExitCode

LOOK_EVERY_S = 1.0
_SHOWN = 20


def path_of(pledge_id: str) -> str:
    """Where the API has a node."""
    return f"/v1/nodes/{segment('the pledge identifier', pledge_id)}"


def wait_until_told(api: Api, pledge_ids: Sequence[str], network: str | None, for_s: float) -> int:
    """The exit code, when no node is left that waits to be told; or the time is over.

    Ctrl-C, or a time that is over, takes nothing back and says so.
    """
    daemon, last = Patient(api, for_s), -1
    try:
        while True:
            nodes = _nodes(daemon, pledge_ids, network)
            waiting = [node for node in nodes if _waits(node)]
            if not waiting:
                return _ended(nodes)
            if len(waiting) != last:
                last = len(waiting)
                say(f"{last} to go")
            daemon.rest(LOOK_EVERY_S)
    except TimeIsUp:
        say(f"not finished in the time that was given; {_GOES_ON}")
        return ExitCode.UNFINISHED
    except KeyboardInterrupt:
        say(_GOES_ON)
        return INTERRUPTED


_GOES_ON = "nodes are told without this command, `jrc node list --behind` shows who is not yet"


def _waits(node: Record) -> bool:
    """Whether it is to be told something; one with a failed attempt goes on waiting."""
    lacks = node["lacks"]
    assert isinstance(lacks, list)
    is_told = node["next"] is not None or "keys" in lacks
    return bool(lacks) and not node["must_join"] and is_told


def _ended(nodes: Sequence[Record]) -> int:
    """Whoever lacks something now has refused it."""
    refused = [node for node in nodes if node["behind"] and not node["must_join"]]
    for node in refused[:_SHOWN]:
        say(f"{node['pledge_id']} refused it: {node['last_error']}")
    return ExitCode.UNFINISHED if refused else ExitCode.DONE


def _nodes(daemon: Patient, pledge_ids: Sequence[str], network: str | None) -> list[Record]:
    if network is None:
        paths = [path_of(each) for each in pledge_ids]
        return [daemon.get(path) for path in paths]
    found: list[Record] = []
    after: object = None
    while True:
        query: dict[str, str | int] = {"network": network, "behind": 1}
        page = daemon.get("/v1/nodes", query if after is None else {**query, "after": str(after)})
        nodes, after = page["nodes"], page["next"]
        assert isinstance(nodes, list)
        found += nodes
        if after is None:
            return found

"""A rollover in words, made of what the API tells of it."""

from collections.abc import Mapping, Sequence

from jrc.cli.output import Record
from jrc.service.rollover_missing import BRING_ONE, NOBODY_BEGINS
from jrc.service.wording import counted, listed

_NOUNS = {"6ln": "6LN", "6lbr": "6LBR"}
_COUNTED = ("pending", "sent", "reached", "refused", "unreachable")
"""States of nodes that are to get the new keys by update."""
_TROUBLES = {
    "unreachable": "unreachable",
    "refused": "refused",
    "must_join": "must join again",
    "reverting": "to be told the old keys again",
}


def headline(status: Record) -> str:
    """``lab and hall: distributing, key ids 3 and 4 in place of key ids 1 and 2``."""
    networks = listed(_texts(status["networks"]))
    if status["phase"] is None:
        return f"{networks}: no rollover yet"
    new, former = _key_ids(status["key_ids"]), _key_ids(status["former_key_ids"])
    cause = "" if status["cause"] == "operator" else f" ({status['cause']})"
    return f"{networks}: {status['phase']}{cause}, {new} in place of {former}"


def _key_ids(value: object) -> str:
    ids = _texts(value)
    return f"key id{'' if len(ids) == 1 else 's'} {listed(ids)}"


def summary(status: Record) -> str:
    """How far it is, who is in trouble, and until when or why it waits."""
    hindered = [f"nobody is told anything: {status['hindered']}"] if status["hindered"] else []
    *before, last = (numbers(status), *_waits(status), *hindered)
    return "; ".join((*(part.rstrip(".") for part in before), last))


def numbers(status: Record) -> str:
    """``187 of 200 6LNs reached, 0 of 1 6LBR, 2 unreachable``."""
    counts = _counts(status)
    parts = [
        f"{_reached(counts, role)} of {counted(_total(counts, role), noun)} reached"
        for role, noun in _NOUNS.items()
        if _total(counts, role)
    ]
    for state, words in _TROUBLES.items():
        count = sum(states.get(state, 0) for states in counts.values())
        if count:
            parts.append(f"{count} {words}")
    if radios := installers(status):
        done = sum(bool(each["installed"]) for each in radios.values())
        parts.append(f"{done} of {counted(len(radios), 'installer')}")
    return ", ".join(parts) or "no node to tell"


def _waits(status: Record) -> list[str]:
    paused = status["paused"]
    if isinstance(paused, Mapping):
        return [str(paused["sentence"])]
    if status["phase"] == "planned":
        return [f"begins at {status['begins']}"]
    if status["phase"] == "distributing":
        return [f"deadline {status['deadline']}"]
    if status["ended"]:
        return [f"ended at {status['ended']}"]
    return []


def news(node: Record) -> str:
    """What is new of a node, on one line."""
    trouble = f": {node['last_error']}" if node["last_error"] else ""
    again = f", again at {node['next']}" if node["next"] and trouble else ""
    return f"{node['pledge_id']} {node['state']} (attempt {node['attempts']}){trouble}{again}"


def installers(status: Record) -> Mapping[str, Record]:
    """Those whose radios are to have the new keys, by network and name."""
    found = status["installers"]
    return found if isinstance(found, Mapping) else {}


def hindrances(status: Record, nodes: Sequence[Record]) -> dict[tuple[str, str], str]:
    """What keeps a part of the network from the new keys: who and why, with a sentence for each.

    An installer that fails; once the 6LBRs are told, one that can't be, and a network without any.
    """
    if status["ended"]:
        return {}
    found = {
        (name, str(each["error"])): _failing(name, each)
        for name, each in installers(status).items()
        if each["error"]
    }
    if status["switching"]:
        found |= {
            (str(node["pledge_id"]), str(node["last_error"])): f"6LBR {news(node)}"
            for node in nodes
            if node["role"] == "6lbr" and node["last_error"] and node["state"] != "reached"
        }
    return found | nobody_begins(status)


def nobody_begins(status: Record) -> dict[tuple[str, str], str]:
    """As ``hindrances``: the networks that a switch waits for, since they have no 6LBR."""
    paused = status["paused"]
    phase = paused["phase"] if isinstance(paused, Mapping) else status["phase"]
    names = _texts(status["without_router"]) if phase == "switching" else ()
    return {
        (name, "without router"): f"{NOBODY_BEGINS.format(name)}: {BRING_ONE.format(name)}"
        for name in names
    }


def left_with_old_keys(status: Record) -> list[str]:
    """Who goes on with the old keys though they are retired, where a person has ended the switch.

    Names of installers and networks, and a count of 6LBRs.
    """
    counts = _counts(status)
    routers = _total(counts, "6lbr") - _reached(counts, "6lbr")
    routers += counts.get("6lbr", {}).get("must_join", 0)
    return [
        *(
            f"installer {name}"
            for name, each in installers(status).items()
            if not each["installed"]
        ),
        *([counted(routers, "6LBR")] if routers else []),
        *(f"the 6LNs of {name}, which has no 6LBR" for name in _texts(status["without_router"])),
    ]


def _failing(name: str, run: Record) -> str:
    """``installer lab/exec has failed 3 times: exit code 1: no radio, again at ...``."""
    times = "once" if run["failures"] == 1 else f"{run['failures']} times"
    has_failed = f"has failed {times}" if run["failures"] else "was not run"
    again = f", again at {run['next']}" if run["next"] else ""
    return f"installer {name} {has_failed}: {run['error']}{again}"


def told(status: Record) -> tuple[int, int]:
    """How many nodes are reached, and how many are to be; 6LNs and 6LBRs together."""
    counts = _counts(status)
    return (
        sum(_reached(counts, role) for role in counts),
        sum(_total(counts, role) for role in counts),
    )


def _counts(status: Record) -> Mapping[str, Mapping[str, int]]:
    counts = status["counts"]
    return counts if isinstance(counts, Mapping) else {}


def _reached(counts: Mapping[str, Mapping[str, int]], role: str) -> int:
    return counts.get(role, {}).get("reached", 0)


def _total(counts: Mapping[str, Mapping[str, int]], role: str) -> int:
    return sum(counts.get(role, {}).get(state, 0) for state in _COUNTED)


def _texts(value: object) -> Sequence[str]:
    assert isinstance(value, list | tuple)
    return [str(item) for item in value]

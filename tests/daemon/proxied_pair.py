"""Run inside a network namespace of its own: `jrc proxy` with a credential before `jrc run`.

``python -m tests.daemon.proxied_pair FOLDER`` prints what came of it as JSON. Nothing is between
the two. First the proxy is enrolled as a border router with a radio, which the operator mends while
a rollover waits for it. Then it is killed again and again, and what it is told after it has joined
is what holds then; last come a changed rate and a rollover, while it runs.
"""

import json
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.daemon.proxied import (
    COAP_PORT,
    NODE,
    RATE,
    ProxyProcess,
    joins,
    logged,
    metrics,
    neighbour,
    node_config,
    prepare,
    until,
)
from tests.daemon.site import Daemon, Device, Site

FAST = """
[rollover]
guard_time_s = 0.2
ack_timeout_s = 0.2
max_retransmit = 0
retry_s = 1
retry_max_s = 1
"""
AT_LAST = 555
DROPPED = 'jrc_proxy_dropped_total{reason="%s"}'


def dropped(device: Device, reason: str) -> bool:
    """Whether a neighbour's request ends in silence, for this reason."""
    name = DROPPED % reason
    before = metrics().get(name, 0)
    with neighbour() as wire:
        wire.send(device.pledge(first=100).request())
        until(lambda: metrics().get(name, 0) > before)
        return wire.is_quiet()


def last_join(daemon: Daemon, device: Device) -> object:
    """When the registrar answered a device last, as it shows it."""
    found: Any = daemon.api("GET", f"/v1/pledges/{device.identifier.hex()}")
    return found["last_join"]


def told() -> dict[str, float]:
    """What the registrar has told the proxy."""
    found = metrics()
    names = ("joined", "join_rate_bytes_per_second", "blocked_identifiers")
    return {name: found[f"jrc_proxy_{name}"] for name in names}


class Pair:
    """A registrar, and the devices round the proxy that stands before it."""

    def __init__(self, folder: Path) -> None:
        self.site = Site.make(folder, listen=f"[::1]:{COAP_PORT}")
        self.site.config.write_text(self.site.config.read_text() + FAST)
        self.site.add_lab("--join-rate", str(RATE))
        self.own = Device(bytes.fromhex(NODE), self.site.new_devices(1)[0].psk)
        self.config = node_config(folder, self.own, "::1")

    def revoke(self, device: Device) -> None:
        self.site.run("pledge", "revoke", device.identifier.hex(), "--reason", "lost", "--yes")

    def set_rate(self, rate: int) -> None:
        self.site.run("network", "set", "lab", "--join-rate", str(rate), "--reason", "x", "--yes")

    def shut(self) -> None:
        self.set_rate(0)

    def generation(self) -> int:
        """That of the keys in force."""
        shown: dict[str, int] = json.loads(self.site.run("network", "show", "lab", "--json").stdout)
        return shown["generation"]

    def start_rollover(self) -> None:
        self.site.run("rollover", "start", "lab", "--reason", "x", "--yes")

    def rollover(self) -> tuple[str, dict[str, int]]:
        """Its phase, and how many 6LBRs are in each state."""
        shown = json.loads(self.site.run("rollover", "status", "lab", "--json").stdout)
        return shown["phase"], shown["counts"]["6lbr"]


def killed(proxy: ProxyProcess, work: Callable[[], None]) -> int:
    """The exit code of a proxy that was killed; ``work`` is done before another is started."""
    code = proxy.end(signal.SIGKILL)
    work()
    return code


def mended(pair: Pair) -> dict[str, Any]:
    """The proxy is enrolled as a border router, and becomes a Join Proxy during a rollover."""
    with ProxyProcess(pair.config) as proxy:
        logged(proxy.log, "proxy_joined")
        logged(proxy.log, "proxy_given_keys")
        pair.start_rollover()
        until(lambda: pair.rollover()[1].get("refused"))
        found: dict[str, Any] = {"before": pair.rollover()[0]}
        name = pair.own.identifier.hex()
        pair.site.run("pledge", "set", name, "--profile", "join-proxy", "--reason", "x", "--yes")
        until(lambda: pair.rollover()[0] == "done")
        found["said"] = [json.loads(line) for line in proxy.log if '"proxy_given_keys"' in line]
        return found


def while_it_runs(pair: Pair, daemon: Daemon, neighbours: Iterable[Device]) -> dict[str, Any]:
    """A changed rate, and a rollover that waits for nobody else."""
    joined_at = last_join(daemon, pair.own)
    pair.set_rate(AT_LAST)
    until(lambda: metrics()["jrc_proxy_join_rate_bytes_per_second"] == AT_LAST)
    for each in neighbours:
        pair.site.run("pledge", "remove", each.identifier.hex(), "--reason", "x", "--yes")
    pair.start_rollover()
    until(lambda: pair.rollover()[0] == "done")
    return {
        "joined_again": last_join(daemon, pair.own) != joined_at,
        "updates": metrics()["jrc_proxy_updates_total"],
        "counts": pair.rollover()[1],
        "generation": pair.generation(),
        "behind": json.loads(pair.site.run("node", "list", "--behind", "--json").stdout),
    }


def main(folder: Path) -> None:
    prepare()
    pair = Pair(folder)
    with pair.site.start() as daemon, ExitStack() as stack:
        daemon.enroll(pair.own, role="6lbr")
        mending = mended(pair)
        first, second, third, lost = (daemon.enroll() for _ in range(4))
        pair.revoke(lost)
        proxy = stack.enter_context(ProxyProcess(pair.config))
        logged(proxy.log, "proxy_joined")
        found: dict[str, Any] = {"told": [told()], "joins": [joins(first)["joined"]]}
        found |= {"mended": mending, "generations": [pair.generation()]}
        found["given_keys"] = any('"proxy_given_keys"' in line for line in proxy.log)
        found["blocked"] = [dropped(lost, "blocklisted")]
        at = [last_join(daemon, pair.own)]
        found["codes"] = [killed(proxy, lambda: pair.revoke(second))]
        proxy = stack.enter_context(ProxyProcess(pair.config))
        logged(proxy.log, "proxy_joined")
        found["told"].append(told())
        found["joins"].append(joins(third)["joined"])
        found["blocked"].append(dropped(second, "blocklisted"))
        at.append(last_join(daemon, pair.own))
        found["codes"].append(killed(proxy, pair.shut))
        with ProxyProcess(pair.config) as proxy:
            logged(proxy.log, "proxy_joined")
            found["told"].append(told())
            found["shut"] = dropped(first, "join_rate")
            at.append(last_join(daemon, pair.own))
            found["generations"].append(pair.generation())
            found["while_it_runs"] = while_it_runs(pair, daemon, (first, third))
            found["codes"].append(proxy.end(signal.SIGTERM))
        found["joined_anew"] = len(set(at))
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

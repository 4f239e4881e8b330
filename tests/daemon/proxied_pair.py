"""Run inside a network namespace of its own: `jrc proxy` with a credential before `jrc run`.

``python -m tests.daemon.proxied_pair FOLDER`` prints what came of it as JSON. Nothing is between
the two; the proxy is killed, and what it is told after it has joined again is what holds then.
"""

import json
import signal
import sys
from collections.abc import Callable
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
        self.site.add_lab("--join-rate", str(RATE))
        self.own = Device(bytes.fromhex(NODE), self.site.new_devices(1)[0].psk)
        self.config = node_config(folder, self.own, "::1")

    def revoke(self, device: Device) -> None:
        self.site.run("pledge", "revoke", device.identifier.hex(), "--reason", "lost", "--yes")

    def shut(self) -> None:
        self.site.run("network", "set", "lab", "--join-rate", "0", "--reason", "full", "--yes")


def killed(proxy: ProxyProcess, work: Callable[[], None]) -> int:
    """The exit code of a proxy that was killed; ``work`` is done before another is started."""
    code = proxy.end(signal.SIGKILL)
    work()
    return code


def main(folder: Path) -> None:
    prepare()
    pair = Pair(folder)
    with pair.site.start() as daemon, ExitStack() as stack:
        daemon.enroll(pair.own, role="6lbr")
        first, second, third, lost = (daemon.enroll() for _ in range(4))
        pair.revoke(lost)
        proxy = stack.enter_context(ProxyProcess(pair.config))
        logged(proxy.log, "proxy_joined")
        found: dict[str, Any] = {"told": [told()], "joins": [joins(first)["joined"]]}
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
            found["codes"].append(proxy.end(signal.SIGTERM))
        at.append(last_join(daemon, pair.own))
        found["joined_anew"] = len(set(at))
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

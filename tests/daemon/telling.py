"""Run inside a network namespace of its own: `jrc run` tells nodes that live there settings.

``python -m tests.daemon.telling FOLDER`` prints what came of it as JSON.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.daemon.crew import JRC_LISTEN, Crew, prepare
from tests.daemon.site import Site

NODES: Final = 6
_SECTION: Final = """\
[rollover]
ack_timeout_s = 0.3
max_retransmit = 2
retry_s = 1
retry_max_s = 2
rate_bytes_per_s = 1000000
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What nodes have at the end, by identifier in hex: join rate and blocklist.

    ``revoked`` was put out, ``throttled`` has a rate of its own, ``dead`` does not answer;
    ``codes`` are exit codes of `jrc node push --wait`, with the dead one and without.
    """

    rates: dict[str, int | None]
    blocked: dict[str, list[str]]
    revoked: str
    throttled: str
    dead: str
    behind: list[str]
    codes: list[int]
    faults: list[str]

    @classmethod
    def of(cls, found: dict[str, Any]) -> "Report":
        """From what this program has printed."""
        return cls(**found)


def _tell(site: Site, crew: Crew) -> Report:
    """One operator's afternoon."""
    with site.start() as daemon:
        crew.join(daemon.address)
        revoked, throttled, dead = crew.nodes[1:4]
        crew.place(dead).is_dead = True
        site.run("network", "set", "lab", "--join-rate", "40")
        name = revoked.identifier.hex()
        site.run("pledge", "revoke", name, "--no-rollover", "--yes")
        site.run("node", "throttle", throttled.identifier.hex(), "--join-rate", "7")
        others = [each.identifier.hex() for each in crew.nodes if each not in (revoked, dead)]
        push = ("node", "push", "--reason", "test", "--wait", "--timeout", "30s")
        codes = [site.attempt(*push, *others).returncode]
        late = ("--wait", "--timeout", "3s", "--network", "lab")
        codes.append(site.attempt("node", "push", *late).returncode)
        listed = site.run("node", "list", "lab", "--behind", "--json").stdout
        faults = crew.on_loop(crew.violations)
    return Report(
        rates={node.identifier.hex(): node.join_rate_bytes_per_s for node in crew.nodes},
        blocked={
            node.identifier.hex(): [each.hex() for each in node.blocklist] for node in crew.nodes
        },
        revoked=name,
        throttled=throttled.identifier.hex(),
        dead=dead.identifier.hex(),
        behind=[node["pledge_id"] for node in json.loads(listed)],
        codes=codes,
        faults=faults,
    )


def main(folder: Path) -> None:
    """Set everything up, carry it out, print the report."""
    prepare()
    site = Site.make(folder, listen=JRC_LISTEN)
    with site.config.open("a") as config:
        config.write(_SECTION)
    site.add_lab()
    devices = site.new_devices(NODES)
    site.import_devices(devices[:1], role="6lbr")
    site.import_devices(devices[1:])
    with Crew(devices, guard_time_s=2.0, period_s=0.1, seed=9031) as crew:
        print(json.dumps(asdict(_tell(site, crew))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

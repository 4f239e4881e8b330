"""What a flood of pledges' datagrams leaves in the Join Proxy's memory."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.hosts.processes import Program, proxy, running
from tests.hosts.topology import COAP_PORT, JRC_ADDRESS, PLEDGE_SIDE, RADIO, Hosts

pytestmark = pytest.mark.hosts

WARMING, FLOOD = 20_000, 100_000
MOST_LEFT_BYTES = 2_000_000
METRICS = "127.0.0.1:9631"
ENDLESS = f"""\
join_rate_bytes_per_s = {2**32}
[metrics]
listen = "{METRICS}"
"""
DEAF = f"""\
import socket, sys
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.bind(("{JRC_ADDRESS}", {COAP_PORT}))
print("bound", flush=True)
sys.stdin.read()
"""
"""A registrar that says nothing."""
ASK = f'import urllib.request as u; print(u.urlopen("http://{METRICS}/metrics").read().decode())'


def resident_bytes(pid: int) -> int:
    """VmRSS (proc(5))."""
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found is not None
    return int(found[1]) * 1024


def counted(hosts: Hosts) -> dict[str, int]:
    """Datagrams of pledges that the proxy has forwarded, and dropped for whatever reason."""
    text = hosts.lbr.run(sys.executable, "-c", ASK)
    found = {"forwarded": 0, "dropped": 0}
    for name, value in re.findall(r"^jrc_proxy_(\w+)_total(?:\{.*\})? (\S+)$", text, re.M):
        if name in found:
            found[name] += round(float(value))
    return found


def flood(flooder: Program, count: int) -> None:
    flooder.order(str(count))
    assert json.loads(flooder.next_line()) == {"lost": 0}


def test_p01_a_flood_leaves_nothing_in_the_proxys_memory(hosts: Hosts, tmp_path: Path) -> None:
    """RFC 9031 §7.1: it keeps no state of any pledge, whatever they send."""
    address = f"{hosts.lbr.link_local(RADIO)}%{PLEDGE_SIDE}"
    with (
        running(hosts.jrc, "-c", DEAF) as registrar,
        proxy(hosts.lbr, tmp_path, ENDLESS) as process,
        running(hosts.pledges, "-m", "tests.hosts.flooder", address, str(process.pid)) as flooder,
    ):
        registrar.wait_for("bound")
        flood(flooder, WARMING)
        counted(hosts)
        before = resident_bytes(process.pid)
        flood(flooder, FLOOD)
        half = (WARMING + FLOOD) // 2
        assert counted(hosts) == {"forwarded": half, "dropped": half}
        assert resident_bytes(process.pid) - before < MOST_LEFT_BYTES

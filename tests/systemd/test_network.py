"""What of the network the services reach, and what not, on a host that systemd has booted."""

from collections.abc import Iterator

import pytest

from tests.systemd.conftest import IDENTIFIERS, RELEASE, Router
from tests.systemd.machine import PYTHON, TESTED

pytestmark = pytest.mark.systemd

CONFIG = "etc/jrc/config.toml"
DROP_IN = "etc/systemd/system/{}.d/test.conf"
NEIGHBOUR = ("ip", "netns", "exec", "mesh")
"""Runs a command on the other side of the radio."""
OURS, THEIRS = "192.0.2.1", "192.0.2.2"
PROXY = """
[proxy]
interface = "lowpan0"
jrc = "[::1]:5683"
join_rate_bytes_per_s = 100000
"""
ASK = """\
import socket, sys
with socket.create_connection((sys.argv[1], 9631), timeout=1) as end:
    end.sendall(b"GET /metrics HTTP/1.0\\r\\nHost: router\\r\\n\\r\\n")
    print(end.makefile().read())
"""
COUNTED = "jrc_proxy_forwarded_total"
ALL = len(IDENTIFIERS)


@pytest.fixture(scope="module")
def meshed(router: Router) -> Router:
    """With `lowpan0`, beyond which there is a network; the registrar has its port on loopback."""
    router.run("ip", "link", "set", "lo", "up")
    router.run("ip", "netns", "add", "mesh")
    router.type("ip link add lowpan0 type veth peer name wpan0 netns mesh")
    for link, inside, number in (("lowpan0", (), 1), ("wpan0", NEIGHBOUR, 2)):
        router.run(*inside, "ip", "link", "set", link, "addrgenmode", "none", "up")
        router.run(*inside, "ip", "addr", "add", f"fe80::{number}/64", "dev", link, "nodad")
        router.run(*inside, "ip", "addr", "add", f"192.0.2.{number}/24", "dev", link)
    listens = "[Socket]\nListenDatagram=\nListenDatagram=[::1]:5683\n"
    drop_in(router, "jrc.socket", listens)
    router.run("systemctl", "stop", "jrc.socket", "jrc.service")
    router.run("systemctl", "start", "jrc")
    return router


@pytest.fixture
def proxy(meshed: Router) -> Iterator[Router]:
    """With a Join Proxy of its own, and metrics for another host."""
    file = meshed.root / "etc/jrc/proxy.toml"
    file.write_text(f'{PROXY}\n[metrics]\nlisten = "0.0.0.0:9631"\n')
    meshed.run("chgrp", "jrc", "/etc/jrc/proxy.toml")
    file.chmod(0o640)
    meshed.run("systemctl", "start", "jrc-proxy")
    yield meshed
    meshed.run("systemctl", "stop", "jrc-proxy")


def drop_in(router: Router, unit: str, text: str) -> None:
    """As `systemctl edit` would leave it."""
    file = router.root / DROP_IN.format(unit)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    router.run("systemctl", "daemon-reload")


def test_pledges_join_by_a_proxy_that_may_speak_ipv6_alone(proxy: Router) -> None:
    """With neighbours at their link-local addresses, and with the registrar."""
    assert ALL == proxy.join(at="fe80::1%wpan0", inside=NEIGHBOUR)["joined"]
    assert f"jrc_proxy_forwarded_total {float(ALL)}" in proxy.run(PYTHON, "-c", ASK, "127.0.0.1")


def test_another_host_has_to_be_allowed_before_it_reaches_a_proxy_over_ipv4(proxy: Router) -> None:
    """This one is; the drop-in is as docs/systemd.md says."""
    ask = (PYTHON, "-c", ASK)
    assert "TimeoutError" in proxy.attempt(*NEIGHBOUR, *ask, OURS).stderr
    drop_in(proxy, "jrc-proxy.service", f"[Service]\nIPAddressAllow={THEIRS}\n")
    proxy.run("systemctl", "restart", "jrc-proxy")
    assert COUNTED in proxy.run(*NEIGHBOUR, *ask, OURS)


def test_the_drop_in_for_sockets_lets_the_daemon_reach_any_address(meshed: Router) -> None:
    """A Join Proxy inside it, and metrics for another host."""
    file = meshed.root / CONFIG
    before = file.read_text()
    file.write_text(f'{before}{PROXY}\n[metrics]\nlisten = "{OURS}:9631"\n')
    drop_ins = "/etc/systemd/system/jrc.service.d"
    meshed.run("install", "-D", "-t", drop_ins, f"{RELEASE}/deploy/systemd/ip.conf")
    meshed.run("systemctl", "daemon-reload")
    meshed.run("systemctl", "restart", "jrc")
    assert ALL == meshed.join(at="fe80::1%wpan0", inside=NEIGHBOUR)["joined"]
    assert COUNTED in meshed.run(*NEIGHBOUR, PYTHON, "-c", ASK, OURS)
    meshed.run("rm", f"{drop_ins}/ip.conf")
    file.write_text(before)


def test_the_daemon_opens_no_socket_in_any_way(meshed: Router) -> None:
    """Nor by io_uring, for which no filter of `socket()` is asked; one that it came by would serve
    it nothing. What runs before it is confined as it is."""
    unit = "jrc.service"
    before = f"[Service]\nExecStartPre={PYTHON} {TESTED}/source/tests/systemd/ring.py\n"
    refused = "not opened: Address family not supported by protocol"
    for more, ring in (("", "not opened"), ("SystemCallFilter=@aio\n", "not sent")):
        drop_in(meshed, unit, before + more)
        meshed.run("systemctl", "restart", unit)
        said = meshed.run("journalctl", "--output=cat", "--no-pager", f"--unit={unit}")
        by_socket, by_ring = [line for line in said.splitlines() if " not " in line][-2:]
        assert (f"socket {refused}", f"io_uring {ring}: Operation not permitted") == (
            by_socket, by_ring,
        )  # fmt: skip

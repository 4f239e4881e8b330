"""A Join Proxy in earnest: `jrc run` with [proxy], and `jrc proxy` that joins as a 6LBR."""

from itertools import pairwise
from typing import Any

import pytest

from jrc.cojp.constants import CoapCode
from tests.daemon.proxied import COAP_PORT, FURTHER, NODE_ADDRESS, RADIO, RATE
from tests.unshared import needs_namespace, run_inside

pytestmark = needs_namespace
AF42 = 36 << 2
REFUSED = 6


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``tests.daemon.proxied`` saw."""
    return run_inside("tests.daemon.proxied", str(tmp_path_factory.mktemp("proxied") / "sites"))


@pytest.fixture
def shared(found: dict[str, Any]) -> dict[str, Any]:
    """`jrc run` on the wildcard address, with [proxy]."""
    run: dict[str, Any] = found["shared"]
    return run


@pytest.fixture
def node(found: dict[str, Any]) -> dict[str, Any]:
    """`jrc proxy` with a credential, before another registrar process."""
    run: dict[str, Any] = found["node"]
    return run


def test_p03_a_neighbour_joins_through_the_link_local_side(shared: dict[str, Any]) -> None:
    """One socket, roles by destination; the hop to the pledge is unmarked (RFC 9031 §7.1)."""
    assert shared["neighbour"] == {"joined": True, "traffic_class": 0}
    assert shared["direct_traffic_class"] == AF42


def test_p02_every_link_local_address_of_the_interface_is_the_proxys(
    shared: dict[str, Any], node: dict[str, Any]
) -> None:
    """One socket or several; the answer leaves from the address that was asked (RFC 9031 §7.1)."""
    expected = {"joined": True, "sender": FURTHER, "forwarded": 1}
    assert [expected, expected] == [
        {**run["further"], "sender": run["further"]["sender"].partition("%")[0]}
        for run in (shared, node)
    ]
    assert shared["listened_at"] == 1


def test_p04_p05_rate_and_blocklist_come_from_the_network(shared: dict[str, Any]) -> None:
    """Join rate 0 silences it, and who is revoked is dropped, at once (RFC 9031 §8.4.2)."""
    assert shared["status"]["join_rate_bytes_per_s"] == RATE
    assert shared["blocked"]
    assert shared["closed"]


def test_p01_status_and_metrics_tell_what_it_did(shared: dict[str, Any]) -> None:
    """An object in `jrc status --json`, counters in /metrics."""
    status, metrics = shared["status"], shared["metrics"]
    assert (status["network"], status["interface"], status["why"]) == ("lab", RADIO, None)
    assert status["listening"].endswith(f"%{RADIO}]:{COAP_PORT}")
    assert (status["forwarded"], status["returned"], status["dropped"]) == (1, 1, {})
    assert metrics["jrc_proxy_forwarded_total"] == metrics["jrc_proxy_returned_total"] == 1
    assert metrics["jrc_proxy_join_rate_bytes_per_second"] == RATE
    assert (metrics["jrc_proxy_listening"], metrics["jrc_proxy_connected"]) == (1, 1)
    assert shared["shown"]


def test_an_attempt_through_the_own_proxy_shows_the_devices_address(shared: dict[str, Any]) -> None:
    """Also its interface, and not that to the registrar it came from ::1 (RFC 9031 §7.1)."""
    assert [["joined", shared["pledge"], RADIO], ["joined", "::1", None]] == shared["tried"]


def test_p08_the_interface_may_go_and_come_back(shared: dict[str, Any]) -> None:
    """With another number and address, without a restart."""
    assert shared["away"] is None
    assert shared["back"]


def test_a_proxy_beside_a_registrar_on_the_wildcard_is_refused(shared: dict[str, Any]) -> None:
    """With the registrar's file by `jrc proxy`, with another by `check-config` and in the log."""
    assert shared["checked"] == 0
    assert shared["beside"] == REFUSED
    assert shared["alone"]["check_config"] == REFUSED
    assert "`jrc run` is the Join Proxy then" in shared["alone"]["said"]
    assert shared["alone"]["hint"]


def test_c10_g01_as_a_6lbr_it_is_told_rate_and_blocklist(node: dict[str, Any]) -> None:
    """RFC 9031 §8.4.1, §8.4.2; its neighbours join through it."""
    assert node["joined"]["jrc_proxy_joined"] == 1
    assert node["joined"]["jrc_proxy_join_rate_bytes_per_second"] == RATE
    assert node["joined"]["jrc_proxy_blocked_identifiers"] == 1
    assert node["shown"] == "6lbr"
    assert node["neighbour"]
    assert node["last"]


def test_d01_updates_reach_it_and_change_rate_and_blocklist(node: dict[str, Any]) -> None:
    """At the address that the registrar forms, port 5683 (RFC 9031 §8.2.1); Echo comes first."""
    assert node["upstream"] == [NODE_ADDRESS, COAP_PORT]
    assert node["updates"] == [CoapCode.UNAUTHORIZED, CoapCode.CHANGED]
    assert node["updated"]["jrc_proxy_join_rate_bytes_per_second"] == 5000
    assert node["updated"]["jrc_proxy_blocked_identifiers"] == 1
    assert node["updated"]["jrc_proxy_updates_total"] == 1


def test_b03_b04_kills_repeat_no_number_and_lose_no_window(node: dict[str, Any]) -> None:
    """On the wire, over four kills (RFC 9031 §7.3.1); afterwards no Echo is asked for again."""
    assert node["codes"] == [-9, -9, -9, -9, 0]
    assert len(node["numbers"]) == 5
    assert all(before < after for before, after in pairwise(node["numbers"]))
    assert node["after"] == CoapCode.CHANGED

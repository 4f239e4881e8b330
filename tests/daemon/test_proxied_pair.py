"""`jrc proxy` that joins `jrc run` as a 6LBR, with nothing between the two."""

from typing import Any

import pytest

from tests.daemon.proxied import NODE, RATE
from tests.unshared import needs_namespace, run_inside

pytestmark = needs_namespace


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``tests.daemon.proxied_pair`` saw."""
    return run_inside("tests.daemon.proxied_pair", str(tmp_path_factory.mktemp("pair") / "site"))


def test_c10_g01_a_proxy_takes_rate_and_blocklist_from_the_registrar_it_joins(
    found: dict[str, Any],
) -> None:
    """Told in the Configuration of its own join (RFC 9031 §8.4.2), they hold for its neighbours."""
    rate_and_blocklist = {"join_rate_bytes_per_second": RATE, "blocked_identifiers": 1}
    assert {"joined": 1, **rate_and_blocklist} == found["told"][0]
    assert (found["joins"][0], found["blocked"][0]) == (True, True)


def test_e07_keys_told_to_a_proxy_are_said_with_what_to_run(found: dict[str, Any]) -> None:
    """It was enrolled as a border router, whose joins change the keys (RFC 9031 §5.1)."""
    (said,) = found["mended"]["said"]
    assert f"`jrc pledge set {NODE} --profile join-proxy`" in said["hint"]
    assert found["given_keys"] is False


def test_e02_a_rollover_goes_on_without_a_proxy_that_is_enrolled_as_one(
    found: dict[str, Any],
) -> None:
    """It hung before the move, since the proxy refuses keys (RFC 9031 §8.4.3.1, §8.4.5)."""
    assert "switching" == found["mended"]["before"]


def test_e07_a_proxy_that_joins_again_changes_no_keys(found: dict[str, Any]) -> None:
    """Twice, after nodes have joined; it has no radio that counts slots (RFC 9031 §5.1)."""
    before, after = found["generations"]
    assert before == after


def test_g02_a_changed_rate_reaches_a_proxy_by_update(found: dict[str, Any]) -> None:
    """Without another join (RFC 9031 §8.2, §8.4.2)."""
    seen = found["while_it_runs"]
    assert (False, 1) == (seen["joined_again"], seen["updates"])


def test_e02_a_rollover_of_its_network_gets_to_its_end(found: dict[str, Any]) -> None:
    """The proxy is no node of it, and lacks nothing afterwards (RFC 9031 §8.4.3.1)."""
    seen = found["while_it_runs"]
    assert ({}, []) == (seen["counts"], seen["behind"])
    assert found["generations"][-1] + 1 == seen["generation"]


def test_b04_a_killed_proxy_joins_again_and_is_told_what_has_changed(found: dict[str, Any]) -> None:
    """Twice, with kill -9; neither side takes a former number for a new one (RFC 9031 §7.3.1)."""
    assert [-9, -9, 0] == found["codes"]
    assert found["joined_anew"] == 3
    assert [(RATE, 1), (RATE, 2), (0, 2)] == [
        (told["join_rate_bytes_per_second"], told["blocked_identifiers"]) for told in found["told"]
    ]
    assert (found["joins"][1], found["blocked"][1]) == (True, True)


def test_p04_a_join_rate_of_0_that_is_told_closes_the_way(found: dict[str, Any]) -> None:
    """Its neighbours get silence, and the proxy itself joins all the same (RFC 9031 §8.4.2)."""
    assert found["told"][2]["joined"] == 1
    assert found["shut"]

"""`jrc run` changes the keys of nodes that live at their global addresses (RFC 9031 §8.2)."""

from pathlib import Path

from tests.daemon.rolling import Orders, Report
from tests.unshared import needs_namespace, run_inside

pytestmark = needs_namespace


def test_e02_jrc_run_gives_a_network_new_keys(tmp_path: Path) -> None:
    """With loss, a sleeper and a dead node; no frame between the others is lost (§8.4.3.1-2)."""
    orders = Orders(nodes=16, loss=0.1, sleepy=1, dead=1)
    report = Report.of(run_inside("tests.daemon.rolling", str(tmp_path / "site"), orders.to_json()))
    asleep, dead = "0200000000000010", "020000000000000f"
    reached = {name for name, state in report.states.items() if state == "reached"}
    assert (report.phase, report.faults, report.lost) == ("done", [], 0)
    assert report.states[dead] == "unreachable"
    assert report.states.keys() - reached <= {asleep, dead}
    assert set(report.holders) == reached

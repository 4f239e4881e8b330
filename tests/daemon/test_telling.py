"""`jrc run` tells nodes at their global addresses what is changed of their network (§8.4.2)."""

from pathlib import Path

from tests.daemon.telling import Report
from tests.unshared import needs_namespace, run_inside

pytestmark = needs_namespace


def test_g01_g02_jrc_run_tells_its_nodes_rate_and_blocklist(tmp_path: Path) -> None:
    """Joined nodes, aiocoap's OSCORE, sockets; who is dead stays behind (RFC 9031 §8.2)."""
    report = Report.of(run_inside("tests.daemon.telling", str(tmp_path / "site")))
    told = set(report.rates) - {report.revoked, report.dead}
    assert report.faults == []
    assert {report.rates[name] for name in told - {report.throttled}} == {40}
    assert report.rates[report.throttled] == 7
    assert all(report.blocked[name] == [report.revoked] for name in told)
    assert report.blocked[report.revoked] == []
    assert (report.codes, report.behind) == ([0, 5], [report.dead])

"""The audit log in pages, backwards."""

from pathlib import Path

from tests.admin.registrar import Registrar


def test_a_page_ends_before_a_number(tmp_path: Path) -> None:
    """So that whoever has the newest ones comes to the older ones, filters and all."""
    with Registrar(tmp_path) as registrar:
        registrar.add_lab()
        for hours in range(1, 6):
            change = {"lease_hours": hours}
            registrar.call("PATCH", "/v1/networks/lab", json=change).raise_for_status()
        seen: list[int] = []
        before = registrar.services.newest_event + 1
        while True:
            query = {"kind": "network.changed", "limit": 2, "before": before}
            page = registrar.call("GET", "/v1/events", params=query).json()["events"]
            if not page:
                break
            seen = [event["number"] for event in page] + seen
            before = seen[0]
        everything = registrar.call("GET", "/v1/events", params={"kind": "network.changed"})
        assert seen == [event["number"] for event in everything.json()["events"]]
        assert len(seen) == 5

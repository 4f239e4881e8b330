"""A change of keys as the page shows it while it goes on."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jrc.policy.rollover import NodeState
from tests.browser.conftest import Open
from tests.browser.lab import Lab, prepared
from tests.cli.rolled import answer, join_nodes
from tests.cli.terminal import Terminal

NODES = 12
DEAD = 1
MANY = 10_000
SLOW = 60
"""Bytes a second: some seconds for all nodes."""


@pytest.fixture(scope="module")
def rolling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Nodes of which one does not answer, and a pace at which one can look on."""
    with Lab(tmp_path_factory.mktemp("rolling"), NODES, dead=DEAD, rate=SLOW) as running:
        running.join()
        yield running


def _column(page: Page, head: str) -> list[str]:
    heads = page.locator("thead th").all_inner_texts()
    place = heads.index(head)
    return [row[place] for row in _rows(page)]


def _rows(page: Page) -> list[list[str]]:
    rows: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('tbody tr')].map((row) =>"
        " [...row.children].map((cell) => cell.textContent))"
    )
    return rows


def test_the_grid_fills_while_one_looks_on(rolling: Lab, opened: Open) -> None:
    """A row a node, a time a step, without a reload; at the end it is what the command says."""
    page = opened(rolling, "#/rollovers")
    expect(page.locator("main")).to_contain_text("lab has had no rollover")
    page.evaluate("window.stays = true")
    rolling.jrc("rollover", "start", "lab", "--yes", "--reason", "yearly", "--quorum", "90%")
    expect(page.locator("tbody tr")).to_have_count(NODES)
    step = page.locator(".phases [aria-current=step]")
    expect(step).to_contain_text("6LNs are told")
    expect(page.locator("tbody")).to_contain_text("reached")
    seen: set[int] = set()

    def has_filled() -> bool:
        seen.add(_reached(page))
        return max(seen) == NODES - DEAD

    rolling.wait(has_filled)
    assert len(seen) > 2, "all of them came at once"
    expect(step).to_contain_text("Done", timeout=60_000)
    told = rolling.told("rollover", "status", "lab")
    by_id = {node["pledge_id"]: node for node in told["nodes"]}
    states = dict(zip(_column(page, "Node"), _column(page, "State"), strict=True))
    assert states == {name: node["state"] for name, node in by_id.items()}
    reached = dict(zip(_column(page, "Node"), _column(page, "Has the keys"), strict=True))
    for name, node in by_id.items():
        assert reached[name] == (node["reached"] or "–")[11:19].rjust(1, "–"), name
    switched = [each for each in _column(page, "Sends with them") if each != "–"]
    assert len(switched) == NODES - DEAD
    assert page.evaluate("window.stays") is True
    expect(page.locator("main")).to_contain_text(
        f"{NODES - DEAD} of {NODES} nodes have the new keys"
    )


def _reached(page: Page) -> int:
    return len([each for each in _column(page, "Has the keys") if each != "–"])


def test_one_state_can_be_picked(rolling: Lab, opened: Open) -> None:
    """By buttons that say how many there are; the focus stays on them."""
    if rolling.told("rollover", "status", "lab")["phase"] is None:
        rolling.jrc("rollover", "start", "lab", "--yes")
    page = opened(rolling, "#/rollovers?network=lab")
    button = page.get_by_role("button", name=re.compile("^reached"))
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_be_focused()
    page.wait_for_function(
        "[...document.querySelectorAll('tbody tr')]"
        ".every((row) => row.children[2].textContent == 'reached')"
    )
    assert "states=reached" in page.url
    expect(button).to_be_focused()


def test_ten_thousand_nodes_are_paged(tmp_path: Path, opened: Open) -> None:
    """A hundred rows at a time: the page and the daemon carry no more."""
    site = prepared(tmp_path / "site", rate=1, retry_s=3600)
    terminal = Terminal(site.folder)
    site.import_devices(site.new_devices(MANY))
    join_nodes(terminal, MANY)
    site.run("rollover", "start", "lab", "--yes")
    answer(terminal, dict.fromkeys(range(1, 6001), NodeState.REACHED))
    with site.start() as daemon:
        before_kib = daemon.resident_kib()
        lab = Lab.__new__(Lab)
        lab.site, lab.daemon = site, daemon
        page = opened(lab, "#/rollovers?network=lab")
        expect(page.locator("tbody tr")).to_have_count(100)
        expect(page.locator("main")).to_contain_text("6,000 of 10,000 nodes have the new keys")
        expect(page.get_by_role("button", name="reached 6,000")).to_be_visible()
        pager = page.get_by_role("group", name="Pages of nodes")
        for number in range(1, 6):
            pager.get_by_role("button", name="Next").click()
            expect(pager).to_contain_text(f"{number}01 to {number + 1}00 of 10,000 nodes")
        pager.get_by_role("button", name="Back").click()
        expect(pager).to_contain_text("401 to 500 of 10,000 nodes")
        expect(page.locator("tbody tr")).to_have_count(100)
        assert page.locator("*").count() < 5000
        page.close()
        assert daemon.resident_kib() - before_kib < 64 * 1024

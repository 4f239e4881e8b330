"""The page by keyboard, by screen reader, on a small screen, dark and light."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.lab import Lab

VIEWS = ("#/", "#/joins", "#/rollovers", "#/pledges", "#/pledge?id=0200000000000002", "#/events")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def _settled(page: Page) -> None:
    """What a view shows has come, and nothing fades any more."""
    page.locator("tbody tr").first.wait_for()
    page.wait_for_function("document.querySelectorAll('tr.fresh').length == 0 ||"
                           " document.getAnimations().length == 0")  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def rolled(lab: Lab) -> None:
    """A change of keys to look at."""
    lab.jrc("rollover", "start", "lab", "--yes", "--quorum", "90%")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_no_violation(lab: Lab, opened: Open, scheme: str, width: int) -> None:
    """WCAG 2.2 AA and best practices on every view, contrast included."""
    page = opened(lab, width=width, color_scheme=scheme, bypass_csp=True)
    for view in VIEWS:
        page.goto(page.url.partition("#")[0] + view)
        _settled(page)
        found = Axe().run(page, options=RULES)
        assert found.violations_count == 0, f"{view}: {found.generate_report()}"


def test_dark_and_light_are_two(lab: Lab, opened: Open) -> None:
    """As the system says."""
    grounds = {
        opened(lab, color_scheme=scheme).evaluate(
            "getComputedStyle(document.documentElement).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert len(grounds) == 2


@pytest.mark.parametrize("view", VIEWS)
def test_a_small_screen_scrolls_in_one_direction(lab: Lab, opened: Open, view: str) -> None:
    """At 360 pixels wide tables scroll by themselves, with the keyboard as well (WCAG 1.4.10)."""
    page = opened(lab, view, width=360)
    _settled(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
    for region in page.get_by_role("region").all():
        expect(region).to_have_attribute("tabindex", "0")


def test_nothing_moves_for_whoever_wants_that(lab: Lab, opened: Open) -> None:
    """prefers-reduced-motion."""
    page = opened(lab, "#/joins", reduced_motion="reduce")
    _settled(page)
    page.evaluate(
        "document.querySelectorAll('tbody tr').forEach((row) => row.classList.add('fresh'))"
    )
    assert page.evaluate("document.getAnimations().length") == 0
    lively = opened(lab, "#/joins", reduced_motion="no-preference")
    _settled(lively)
    lively.evaluate(
        "document.querySelectorAll('tbody tr').forEach((row) => row.classList.add('fresh'))"
    )
    assert lively.evaluate("document.getAnimations().length") > 0


def _focused(page: Page) -> str:
    text: str = page.evaluate(
        "((at) => (at.textContent || at.getAttribute('type') || '').trim())(document.activeElement)"
    )
    return text


def _tab_to(page: Page, text: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if _focused(page) == text:
            return
    raise AssertionError(f"the keyboard does not come to {text!r}")


def test_all_of_it_goes_by_keyboard(lab: Lab, opened: Open) -> None:
    """Skip link, views, search, a pledge and back; where the focus is can be seen."""
    page = opened(lab)
    _settled(page)
    page.keyboard.press("Tab")
    assert _focused(page) == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "view"
    assert page.url.endswith("#/")
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    _tab_to(page, "Pledges")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pledges")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("link", name="Pledges")).to_have_attribute("aria-current", "page")
    _tab_to(page, "search")
    page.keyboard.type("room 5")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert _focused(page) == "search"
    _tab_to(page, "0200000000000005")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pledge 0200000000000005")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pledges")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_screen_reader_finds_its_way(lab: Lab, opened: Open) -> None:
    """Landmarks, one heading of the first level, tables with names and heads, a polite voice."""
    page = opened(lab, "#/rollovers?network=lab")
    _settled(page)
    for role in ("banner", "navigation", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    table = page.get_by_role("table", name="Nodes of lab")
    expect(table).to_be_visible()
    expect(table.get_by_role("columnheader", name="Has the keys")).to_be_visible()
    expect(table.get_by_role("rowheader").first).to_be_visible()
    voice = page.locator("#live")
    expect(voice).to_have_attribute("aria-live", "polite")
    expect(voice).to_contain_text("have the new keys")
    assert "Rollovers" in page.title()

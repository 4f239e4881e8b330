"""The page in a browser, against a daemon: it says what the commands say."""

import re

from playwright.sync_api import Page, expect

from jrc.model import Secret
from tests.browser.conftest import DEAD, NODES, Open, Seen
from tests.browser.lab import Lab
from tests.daemon.site import Device

CELL = "tbody tr >> nth={row} >> :is(th, td) >> nth={column}"


def _columns(page: Page) -> list[str]:
    return page.locator("thead th").all_inner_texts()


def _rows(page: Page) -> list[dict[str, str]]:
    """The first table, by the heads of its columns."""
    heads = _columns(page)
    rows = page.locator("table").first.locator("tbody tr")
    return [
        dict(zip(heads, row.locator("th, td").all_inner_texts(), strict=True)) for row in rows.all()
    ]


def test_networks_are_as_the_command_says(lab: Lab, opened: Open) -> None:
    """Key ids, generation, who has joined."""
    page = opened(lab)
    (told,) = lab.told("network", "list")
    expect(page.locator("tbody tr")).to_have_count(1)
    (row,) = _rows(page)
    assert (row["Network"], row["Prefix"], row["Identifier"]) == ("lab", told["prefix"], "cafe")
    assert row["Key ids"] == ", ".join(map(str, told["key_ids"]))
    assert (row["Joined"], row["Pledges"]) == (str(told["joined"]), str(told["pledges"]))
    assert row["Generation"] == str(told["generation"])
    expect(page.locator("#state")).to_contain_text("answers joins")
    assert re.fullmatch(r"\d+ (s|min|h)( \d+ min)?", row["Key age"])


def test_the_link_is_in_no_address_and_works_once(lab: Lab, opened: Open, seen: Seen) -> None:
    """The history of the browser has nothing that opens a session; another browser gets none."""
    link = lab.link()
    page = opened(lab)
    assert "key=" not in page.url
    page.goto(link)
    page.wait_for_url(lambda url: "key=" not in url)
    stranger = opened(lab)
    stranger.evaluate("localStorage.clear()")
    seen.expected += ["status of 409", "status of 401"]
    stranger.goto("about:blank")
    stranger.goto(link)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("This page needs a link")
    expect(stranger.locator("main")).to_contain_text("used before")
    expect(stranger.locator("table")).to_have_count(0)


def test_joins_have_their_reasons_and_remedies(lab: Lab, opened: Open) -> None:
    """The words are those of `jrc pledge explain`; an identifier that nobody has is among them."""
    stranger = Device(bytes.fromhex("00124b00deadbeef"), Secret(bytes(range(16))))
    page = opened(lab, "#/joins")
    expect(page.locator("tbody tr")).to_have_count(NODES)
    lab.send(stranger.pledge())
    first = page.locator("tbody tr").first
    expect(first).to_contain_text("00124b00deadbeef")
    expect(first).to_contain_text("unknown context")
    (told, *_) = lab.told("pledge", "explain", "--latest")
    assert (told["pledge_id"], told["outcome"]) == ("00124b00deadbeef", "unknown_context")
    expect(first).to_contain_text(told["meaning"])
    expect(first).to_contain_text(told["what_to_do"])
    page.get_by_label("Show").select_option("joined")
    expect(page.locator("tbody tr")).to_have_count(NODES)
    picture = page.get_by_role("img")
    expect(picture).to_have_attribute("aria-label", re.compile(rf"{NODES} joined"))
    page.get_by_role("link", name="0200000000000001").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pledge 0200000000000001")
    expect(page.locator("main")).to_contain_text("Nothing in the database keeps it from joining.")


def test_search_finds_by_label_and_by_digits(lab: Lab, opened: Open) -> None:
    """As a person reads them from the device; the address keeps what was asked for."""
    page = opened(lab, "#/pledges")
    expect(page.locator("tbody tr")).to_have_count(NODES)
    search = page.get_by_role("searchbox", name="Identifier or label")
    search.fill("room 7")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("0200000000000007")
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    search.fill("0:00:00:10")
    expect(page.locator("tbody tr")).to_contain_text("room 16")
    search.fill("no such thing")
    expect(page.locator("main")).to_contain_text("No pledge is like that.")
    told = lab.told("pledge", "list", "--search", "room 7")
    assert [each["label"] for each in told] == ["room 7"]


def test_events_come_as_they_happen(lab: Lab, opened: Open, seen: Seen) -> None:
    """With who did it and why; by kind. A filter that can't be says so."""
    seen.expected += ["status of 400"]
    page = opened(lab, "#/events")
    lab.jrc("pledge", "set", "0200000000000003", "--label", "room 3", "--reason", "named anew")
    lab.jrc("network", "set", "lab", "--lease-hours", "1000", "--yes", "--reason", "longer leases")
    expect(page.locator("tbody")).to_contain_text("longer leases")
    page.get_by_label("Kind").fill("pledge.joined")
    expect(page.locator("tbody tr")).to_have_count(NODES)
    page.get_by_label("Kind").fill("pledge.nothing")
    expect(page.get_by_role("alert")).to_contain_text("no event is of the kind")


def test_what_somebody_has_written_is_text(lab: Lab, opened: Open) -> None:
    """Labels and reasons are an operator's, and may be anything."""
    label = "<img src=x onerror=\"document.title='caught'\"> & ${1} </script>"
    lab.jrc("pledge", "set", "0200000000000004", "--label", label, "--reason", label)
    for view in ("#/pledges?search=onerror", "#/pledge?id=0200000000000004", "#/events"):
        page = opened(lab, view)
        expect(page.locator("main")).to_contain_text(label)
        assert page.locator("main img").count() == 0
        assert "caught" not in page.title()
    lab.jrc("pledge", "set", "0200000000000004", "--label", "room 4")


def test_the_browser_itself_refuses_to_make_markup_of_text(
    lab: Lab, opened: Open, seen: Seen
) -> None:
    """Trusted Types and the policy: a slip in the page's code would fail, and not run."""
    page = opened(lab)
    seen.expected += ["TrustedHTML", "Content Security Policy", "violates", "blocked"]
    refused = page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return 'made' }"
        " catch (error) { return error.name } }"
    )
    assert refused == "TypeError"
    page.evaluate(
        "() => { const s = document.createElement('img'); s.src = 'http://localhost:1/x';"
        " document.body.append(s) }"
    )
    assert (
        page.evaluate("fetch('http://localhost:1/x').then(() => 'sent', () => 'refused')")
        == "refused"
    )
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_a_restart_is_waited_for(lab: Lab, opened: Open, seen: Seen) -> None:
    """The page says so, and goes on by itself with the same session."""
    seen.expected += ["ERR_", "status of 503"]
    page = opened(lab)
    assert lab.daemon.stop() == 0
    expect(page.locator("#link")).to_have_text("no connection, trying again")
    lab.daemon = lab.site.start()
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#live")).to_have_text("The registrar is back.")
    expect(page.locator("tbody tr")).to_have_count(1)
    lab.jrc("network", "set", "lab", "--lease-hours", "900", "--yes", "--reason", "after that")
    page.get_by_role("link", name="Events").click()
    expect(page.locator("main")).to_contain_text("after that")


def test_a_session_that_was_ended_shows_nothing_more(lab: Lab, opened: Open, seen: Seen) -> None:
    """The page says how to get another one."""
    seen.expected += ["status of 401", "ERR_INCOMPLETE"]
    page = opened(lab)
    expect(page.locator("tbody tr")).to_have_count(1)
    lab.jrc("page", "--end-sessions")
    page.get_by_role("link", name="Pledges").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This page needs a link")
    expect(page.locator("table")).to_have_count(0)


def test_updates_can_be_paused(lab: Lab, opened: Open) -> None:
    """Whoever reads a row wants it to stay."""
    page = opened(lab, "#/events")
    expect(page.locator("tbody tr").first).to_be_visible()
    pause = page.get_by_role("button", name="Pause updates")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    lab.jrc("network", "set", "lab", "--lease-hours", "800", "--yes", "--reason", "while paused")
    other = opened(lab, "#/events")
    expect(other.locator("tbody")).to_contain_text("while paused")
    expect(page.locator("tbody")).not_to_contain_text("while paused")
    pause.click()
    expect(page.locator("tbody")).to_contain_text("while paused")


def test_the_nodes_of_the_lab_are_there(lab: Lab) -> None:
    """What the other tests stand on."""
    assert lab.told("network", "show", "lab")["joined"] == NODES
    assert DEAD < NODES

"""The pictures in the documents: ``python -m tests.browser.pictures FOLDER``; needs Chromium."""

import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

from jrc.cli.rollover_screen import picture
from jrc.model import Secret
from tests.browser.conftest import CHROMIUM, arguments
from tests.browser.lab import Lab
from tests.browser.palette import smaller
from tests.daemon.site import Device

NODES: Final = 24
DEAD: Final = 2
RATE_BYTES_PER_S: Final = 60
"""So slow that a part of the nodes is told when the picture is taken."""
TOLD: Final = 13
WIDTH: Final = 1240


def main(folder: Path) -> None:
    """Takes all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=arguments())
        with Lab(Path(scratch), NODES, dead=DEAD, rate=RATE_BYTES_PER_S) as lab:
            _furnish(lab)
            page = _opened(browser, lab)
            lab.jrc("rollover", "start", "lab", "--yes", "--reason", "yearly", "--quorum", "90%")
            lab.wait(lambda: _reached(lab) >= TOLD)
            _take(page, "rollovers", folder / "rollover-grid.png", height=900)
            _terminal(lab, folder / "rollover-watch.svg")
            _take(page, "", folder / "page.png", height=560)
            _take(page, "joins", folder / "page-joins.png", height=760)
            _take(
                page,
                f"pledge?id={lab.devices[5].identifier.hex()}",
                folder / "page-pledge.png",
                height=760,
            )
            _take(page, "events", folder / "page-events.png", height=560)
            _search(page, "room 2", folder / "page-pledges.png", height=560)
            dark = _opened(browser, lab, color_scheme="dark")
            _take(dark, "", folder / "page-dark.png", height=560)
        browser.close()


def _furnish(lab: Lab) -> None:
    """A second network, names, nodes, and somebody who knocks at the door."""
    lab.jrc("network", "add", "hall", "--network-id", "beef", "--prefix", "fd00:2::/64")
    lab.join()
    lab.send(Device(bytes.fromhex("00124b0014b5b67e"), Secret(bytes(range(16)))).pledge())
    lab.send(Device(lab.devices[5].identifier, Secret(bytes(range(1, 17)))).pledge(first=1 << 39))


def _opened(browser: Browser, lab: Lab, color_scheme: Literal["dark", "light"] = "light") -> Page:
    page = browser.new_page(
        viewport={"width": WIDTH, "height": 800},
        locale="en-GB",
        timezone_id="UTC",
        color_scheme=color_scheme,
    )
    page.goto(lab.link())
    page.get_by_text("live", exact=True).wait_for()
    return page


def _reached(lab: Lab) -> int:
    counts: dict[str, int] = lab.told("rollover", "status", "lab")["counts"]["6ln"]
    return counts.get("reached", 0)


def _take(page: Page, view: str, file: Path, *, height: int) -> None:
    page.goto(page.url.partition("#")[0] + f"#/{view}")
    page.locator("tbody tr").first.wait_for()
    page.set_viewport_size({"width": WIDTH, "height": height})
    _keep(page, file)


def _search(page: Page, text: str, file: Path, *, height: int) -> None:
    page.goto(page.url.partition("#")[0] + "#/pledges")
    page.get_by_role("searchbox", name="Identifier or label").fill(text)
    page.locator("tbody tr").filter(has_not_text=text).first.wait_for(state="detached")
    page.set_viewport_size({"width": WIDTH, "height": height})
    _keep(page, file)


def _keep(page: Page, file: Path) -> None:
    page.wait_for_function("document.getAnimations().length == 0")
    file.write_bytes(smaller(page.screenshot(animations="disabled")))


def _terminal(lab: Lab, file: Path) -> None:
    """What ``jrc rollover watch`` shows, as it is drawn there."""
    status: dict[str, Any] = lab.told("rollover", "status", "lab")
    console = Console(
        record=True,
        width=104,
        height=24,
        file=io.StringIO(),
        force_terminal=True,
        legacy_windows=False,
    )
    console.print(picture(console, status, status["nodes"]))
    drawn = console.export_svg(title="jrc rollover watch lab", unique_id="watch")
    # Rich has a browser fetch its font from another host.
    file.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Chromium, and pages in it that note whatever they must not do."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from tests.browser.lab import Lab

CHROMIUM = os.environ.get("JRC_TEST_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium"))), None
)
WITHIN_MS = 20_000
expect.set_options(timeout=WITHIN_MS)
NODES = 24
DEAD = 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here are of the suite ``browser``; without Chromium they say so."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(
                    pytest.mark.skip(reason="no Chromium: apt-get install chromium-headless-shell")
                )


def arguments() -> list[str]:
    """What Chromium is started with: as root it has no sandbox."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser of this host."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=arguments())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A registrar with nodes that have joined; its tests leave it as they find it."""
    with Lab(tmp_path_factory.mktemp("lab"), NODES, dead=DEAD) as running:
        running.join()
        yield running


@dataclass
class Seen:
    """What pages have asked for, and what the browser has said about them."""

    hosts: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note what this page does."""
        page.on("request", self._request)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self._console)

    def _request(self, request: Request) -> None:
        self.hosts.add(urlsplit(request.url).hostname or "")
        self.methods.add(f"{request.method} {urlsplit(request.url).path}"[:24])

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def unexpected(self) -> list[str]:
        """Faults that the test has not asked for."""
        return [each for each in self.faults if not any(word in each for word in self.expected)]


Open = Callable[..., Page]


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Nothing leaves this host, nothing is changed, and the browser complains of nothing."""
    found = Seen()
    yield found
    assert found.hosts <= {"127.0.0.1", "localhost"}
    assert {each for each in found.methods if not each.startswith("GET ")} <= {"POST /page/session"}
    assert found.unexpected() == []


@pytest.fixture
def opened(chromium: Browser, seen: Seen) -> Iterator[Callable[..., Page]]:
    """Opens pages of a lab: ``opened(lab, "#/joins", width=360)``; a session each."""
    contexts: list[BrowserContext] = []

    def open_page(lab: Lab, view: str = "#/", *, width: int = 1280, **options: object) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            timezone_id="UTC",
            locale="en-GB",
            **options,  # type: ignore[arg-type]
        )
        contexts.append(context)
        context.set_default_timeout(WITHIN_MS)
        page = context.new_page()
        seen.watch(page)
        page.goto(lab.link())
        page.get_by_text("live", exact=True).wait_for()
        if view != "#/":
            page.goto(page.url.partition("#")[0] + view)
        return page

    yield open_page
    for context in contexts:
        context.close()

"""The page of a running registrar: the way to it, and what pages may cost."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from jrc.admin.page.feed import MAX_LISTENERS
from tests.daemon.site import PATIENCE_S, Daemon, Site
from tests.daemon.wire import Wire

JOINS = 40


@pytest.fixture(scope="module")
def paged(template: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a page on a port of its own."""
    site = template.copy(tmp_path_factory.mktemp("paged") / "site")
    with site.config.open("a") as config:
        config.write('[page]\nlisten = "127.0.0.1:0"\n')
    with site.start() as running:
        yield running
        assert running.stop() == 0


class Session:
    """What a browser has that has opened the link of ``jrc page``."""

    def __init__(self, daemon: Daemon) -> None:
        link = json.loads(daemon.site.run("page", "--json").stdout)
        self.origin: str = link["origin"]
        url, _, key = link["url"].partition("/#key=")
        assert url == self.origin
        answer = httpx.post(f"{self.origin}/page/session", json={"key": key}, trust_env=False)
        self.headers = {"Authorization": f"Bearer {answer.json()['session']}"}

    def get(self, path: str) -> httpx.Response:
        """What the page is told."""
        url = f"{self.origin}/page{path}"
        return httpx.get(url, headers=self.headers, timeout=PATIENCE_S, trust_env=False)

    def deaf(self, path: str) -> socket.socket:
        """A connection that asks and reads nothing."""
        host, _, port = self.origin.removeprefix("http://").rpartition(":")
        asked = socket.create_connection((host, int(port)), PATIENCE_S)
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        lines = [f"GET /page{path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        asked.sendall("\r\n".join([*lines, "", ""]).encode())
        return asked


def test_the_page_says_what_the_commands_say(paged: Daemon) -> None:
    """It is the same JSON."""
    session = Session(paged)
    for path, words in (("networks", ("network", "list")), ("pledges", ("pledge", "list"))):
        told = session.get(f"/v1/{path}").json()[path]
        assert told == json.loads(paged.site.run(*words, "--json").stdout)
    assert session.get("/v1/status").json()["version"] == paged.api("GET", "/v1/status")["version"]


def test_jrc_page_and_status_say_where_it_is(paged: Daemon) -> None:
    """With the way there from another machine."""
    origin = Session(paged).origin
    said = paged.site.run("page").stdout
    assert said.startswith(f"{origin}/#key=")
    place = origin.removeprefix("http://")
    assert f"ssh -N -L {place.rpartition(':')[2]}:{place} " in said
    assert f"{origin}, 0 open pages" in paged.site.run("status").stdout


def test_without_a_port_the_page_is_on_the_admin_socket(template: Site, tmp_path: Path) -> None:
    """Which ssh forwards as well."""
    site = template.copy(tmp_path / "site")
    with site.start() as daemon:
        said = site.run("page").stdout
        assert f"ssh -N -L 9632:{site.folder / 'admin.sock'} " in said
        assert "on the admin socket alone" in said
        transport = httpx.HTTPTransport(uds=str(site.folder / "admin.sock"))
        with httpx.Client(transport=transport, base_url="http://localhost:9632") as client:
            assert client.get("/").headers["content-type"].startswith("text/html")
            assert client.get("/page/v1/networks").status_code == 401
        assert daemon.stop() == 0


def test_joins_go_on_beside_pages_that_read_nothing(paged: Daemon) -> None:
    """As many as there may be, and answers that nobody takes: no join waits for one."""
    session = Session(paged)
    devices = paged.site.new_devices(JOINS)
    paged.site.import_devices(devices)
    with ExitStack() as stack:
        for _ in range(MAX_LISTENERS):
            stack.enter_context(session.deaf("/feed"))
        for _ in range(MAX_LISTENERS):
            stack.enter_context(session.deaf("/v1/pledges"))
        with Wire(paged.address) as wire:
            for device in devices:
                wire.join(device.pledge())
        told = paged.api("GET", "/v1/status")["page"]
        assert isinstance(told, dict)
        assert told["listeners"] == MAX_LISTENERS
        assert session.get("/feed").status_code == 503
        metrics = paged.metrics()
        assert metrics["jrc_page_listeners"] == MAX_LISTENERS
        assert metrics["jrc_page_reading_seconds_total"] > 0


def test_a_daemon_with_open_pages_ends_in_order(template: Site, tmp_path: Path) -> None:
    """And their sessions are good at the next start; `--end-sessions` ends them for all times."""
    site = template.copy(tmp_path / "site")
    with site.config.open("a") as config:
        config.write('[page]\nlisten = "127.0.0.1:0"\n')
    with site.start() as daemon, ExitStack() as stack:
        session = Session(daemon)
        for path in ("/feed", *["/v1/status"] * 8):
            stack.enter_context(session.deaf(path))
        assert daemon.stop() == 0
        assert not [event for event in daemon.events() if event["level"] == "error"]
    with site.start() as daemon:
        session.origin = Session(daemon).origin
        assert session.get("/v1/networks").status_code == 200
        said = site.run("page", "--end-sessions").stderr
        assert "2 sessions ended" in said
        assert session.get("/v1/networks").status_code == 401
        lines = {event["event"]: event for event in daemon.events()}
        wanted = {"listening", "link_made", "session_opened", "sessions_ended"}
        assert {f"page_{each}" for each in wanted} <= lines.keys()
        assert "uid=" in str(lines["page_link_made"]["actor"])


def test_a_port_that_is_taken_is_said_at_the_start(template: Site, tmp_path: Path) -> None:
    """By the name of its key."""
    site = template.copy(tmp_path / "site")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with site.config.open("a") as config:
            config.write(f'[page]\nlisten = "127.0.0.1:{port}"\n')
        done = site.attempt("run")
    assert done.returncode == 1
    assert f"page.listen: 127.0.0.1 port {port} can't be used" in done.stderr

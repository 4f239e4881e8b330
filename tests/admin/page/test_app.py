"""The page over HTTP: who is let in, what may be read, and what stands in every answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from jrc.admin.api import build_api, operations_of
from jrc.admin.called_as import host_of
from jrc.admin.page.app import LINKS, READABLE, PageParts, build_page, build_socket
from jrc.admin.page.feed import Feed
from jrc.admin.page.files import page_files
from jrc.admin.page.guards import HEADERS, Viewer
from jrc.admin.page.minutes import JoinMinutes
from jrc.admin.page.reading import Pace
from jrc.admin.page.sessions import Sessions
from jrc.admin.peers import Peer, as_this_process
from jrc.policy.scopes import Scope, held_with
from tests.admin.registrar import Registrar

MAY_BE_READ = {
    "/v1/status", "/v1/networks", "/v1/networks/{name}", "/v1/windows", "/v1/rollovers",
    "/v1/rollovers/{network}", "/v1/pledges", "/v1/pledges/{pledge_id}",
    "/v1/pledges/{pledge_id}/attempts", "/v1/attempts", "/v1/events",
}  # fmt: skip
"""What docs/page.md promises: no route for keys, backups or exports is among them."""
NOW_MS = 1_800_000_000_000
ORIGIN = "http://127.0.0.1:9632"
Client = httpx.AsyncClient


class Page:
    """A registrar with its page, on a port and on the admin socket."""

    def __init__(self, registrar: Registrar, folder: Path) -> None:
        self.registrar = registrar
        self.sessions = Sessions(folder / "page.sessions", lambda: NOW_MS)
        self.dismissed = 0
        self.pace = Pace(at_once_s=1e6)
        feed = Feed(dict, 0)
        feed.dismiss = self._count  # type: ignore[method-assign]
        parts = PageParts(
            services=registrar.services,
            sessions=self.sessions,
            feed=feed,
            minutes=JoinMinutes(),
            pace=self.pace,
            origin=lambda: ORIGIN,
        )
        self.port = build_page(parts)
        self.behind = build_socket(parts, build_api(registrar.services))
        self.socket = as_this_process(self.behind)

    def _count(self) -> None:
        self.dismissed += 1

    def ask(
        self, app: ASGIApp, work: Callable[[Client], Awaitable[httpx.Response]]
    ) -> httpx.Response:
        """The answer to what ``work`` asks."""

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with Client(transport=transport, base_url=ORIGIN) as client:
                return await work(client)

        return asyncio.run(run())

    def get(self, path: str, **headers: str) -> httpx.Response:
        """What the port answers without a session."""
        return self.ask(self.port, lambda client: client.get(path, headers=headers))

    def read(self, path: str, method: str = "GET") -> httpx.Response:
        """What the port answers somebody who has a session."""
        session = self.sessions.open(self.sessions.new_link().key)
        headers = {"Authorization": f"Bearer {session}"}
        return self.ask(self.port, lambda client: client.request(method, path, headers=headers))


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with Registrar(tmp_path) as registrar:
        registrar.add_lab()
        yield Page(registrar, tmp_path)


def test_without_a_session_nothing_is_told_but_the_files_of_the_page(page: Page) -> None:
    """Every user of this host can reach the port."""
    assert page.get("/").status_code == 200
    for name in page_files():
        assert page.get(f"/page/static/{name}").status_code == 200
    told = ["status", "networks", "pledges", "events", "attempts", "rollovers/lab", "nothing"]
    for path in ("/page/minutes", *(f"/page/v1/{each}" for each in told), "/page/feed"):
        for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": "Basic YTpi"}):
            answer = page.get(path, **headers)
            assert answer.status_code == 401, path
            assert "jrc page" in answer.json()["hint"]


def test_a_link_of_the_socket_opens_the_port(page: Page) -> None:
    """Once; what it says is what the admin API says."""
    link = page.ask(page.socket, lambda client: client.post(LINKS, json={})).json()
    assert link["origin"] == ORIGIN
    body = {"key": link["key"]}
    opened = page.ask(page.port, lambda client: client.post("/page/session", json=body))
    headers = {"Authorization": f"Bearer {opened.json()['session']}"}
    shown = page.get("/page/v1/networks", **headers).json()
    assert shown == page.registrar.call("GET", "/v1/networks").json()
    again = page.ask(page.port, lambda client: client.post("/page/session", json=body))
    assert (again.status_code, "session" in again.json()) == (409, False)


def test_links_are_made_on_the_socket_alone(page: Page) -> None:
    """By whoever may read there."""
    asked = page.ask(page.port, lambda client: client.post(LINKS, json={}))
    assert asked.status_code == 401
    assert page.read(LINKS, "POST").status_code == 404


def test_ending_all_sessions_shuts_the_page(page: Page) -> None:
    """As `jrc page --end-sessions` does."""
    session = page.sessions.open(page.sessions.new_link().key)
    ended = page.ask(page.socket, lambda client: client.delete(LINKS))
    assert ended.json() == {"ended": 1}
    assert page.get("/page/v1/status", Authorization=f"Bearer {session}").status_code == 401


def test_what_the_page_may_read_is_there_and_nothing_else(page: Page) -> None:
    """Of the admin API it has GET of a fixed list; all else of it is not found."""
    for each in operations_of(page.registrar.services):
        path = each.path.replace("{name}", "lab").replace("{network}", "lab")
        path = path.replace("{pledge_id}", "00124b0014b5b67e").replace("{id}", "1")
        status = page.read(f"/page{path}", each.method).status_code
        if each.method == "GET" and each.path in MAY_BE_READ:
            assert each.needs is Scope.READ
            assert status in (200, 422), (path, status)
        else:
            assert status in (404, 405), (each.method, path, status)


def test_a_page_that_is_looked_at_again_while_reads_rest_shows_what_was_found(page: Page) -> None:
    """A search among a million pledges rests for a minute; who has no session gets nothing."""
    found = page.read("/page/v1/networks")
    vars(page.pace).update(_at_once_s=0.0, _debt_s=60.0)
    again = page.read("/page/v1/networks")
    assert page.get("/page/v1/networks").status_code == 401
    assert (found.content, "age" in found.headers) == (again.content, False)
    assert "age" in again.headers


def test_everything_that_is_readable_is_a_route_of_the_api(page: Page) -> None:
    """A route that is renamed there would be missing here."""
    known = {each.path for each in operations_of(page.registrar.services)}
    assert MAY_BE_READ == READABLE <= known


def test_nothing_of_the_page_writes(page: Page) -> None:
    """Whatever is asked of it."""
    before = page.registrar.services.writes
    for each in operations_of(page.registrar.services):
        page.read(f"/page{each.path}", each.method)
    assert page.registrar.services.writes == before


@pytest.mark.parametrize("path", ["/", "/page/static/app.js", "/page/v1/status", "/nothing"])
def test_every_answer_tells_the_browser_to_trust_nobody(page: Page, path: str) -> None:
    """No inline script, no frame, no foreign request; what the registrar says is in no cache."""
    answer = page.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    is_file = path in ("/", "/page/static/app.js")
    assert answer.headers["Cache-Control"] == ("no-cache" if is_file else "no-store")
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert "set-cookie" not in answer.headers
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none';")
    for word in ("base-uri", "form-action", "frame-ancestors", "trusted-types"):
        assert f" {word} 'none'" in policy


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9632", "127.0.0.1.evil.example",
                                  "", "localhost.evil.example", "10.0.0.1:9632"])  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/page/v1/status", "/page/session"])
def test_a_name_that_somebody_has_bound_to_loopback_gets_nothing(
    page: Page, host: str, path: str
) -> None:
    """DNS rebinding: the browser believes that it talks to that name."""
    answer = page.get(path, Host=host)
    assert answer.status_code == 421
    assert page.ask(page.socket, lambda c: c.get(path, headers={"Host": host})).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:9632", "[::1]:9632",
                                  "LOCALHOST:1"])  # fmt: skip
def test_a_tunnel_may_have_any_port(page: Page, host: str) -> None:
    """`ssh -L` begins where there is room."""
    assert page.get("/", Host=host).status_code == 200


def test_a_port_is_no_part_of_a_hosts_name() -> None:
    """Also where the name is an IPv6 address."""
    assert [host_of(text) for text in ("a:1", "[::1]:1", "[::1]", "a", "a:b")] == [
        "a", "[::1]", "[::1]", "a", "a:b",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site"])
@pytest.mark.parametrize("path", ["/v1/networks", LINKS, "/v1/pledges"])
def test_no_browser_gets_to_the_admin_api_through_a_forwarded_socket(
    page: Page, name: str, path: str
) -> None:
    """Any page that it shows could send a POST there."""
    for method in ("GET", "POST", "DELETE"):
        answer = page.ask(
            page.socket,
            lambda client, method=method: client.request(  # type: ignore[misc]
                method, path, headers={name: "http://evil.example"}
            ),
        )
        assert answer.status_code == 403
    assert page.sessions.open("") is None


def test_the_socket_has_the_api_for_programs_and_the_page_for_browsers(page: Page) -> None:
    """A forwarded socket shows the page; it needs a session all the same."""
    assert page.ask(page.socket, lambda client: client.get("/v1/networks")).status_code == 200
    shown = page.ask(page.socket, lambda client: client.get("/"))
    assert shown.headers["content-type"].startswith("text/html")
    told = page.ask(page.socket, lambda client: client.get("/page/v1/networks"))
    assert told.status_code == 401


def test_a_browser_that_has_a_file_is_not_sent_it_again(page: Page) -> None:
    """And a request names one of the page's files, nothing on the disk."""
    first = page.get("/page/static/page.css")
    again = page.get("/page/static/page.css", **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("..%2fapp.py", "%2e%2e%2fapp.py", "app.py", "%00", "../../app.py"):
        assert page.get(f"/page/static/{name}").status_code in (401, 404)


@pytest.mark.parametrize("host", ["evil.example:9632", "127.0.0.1.evil.example", "10.0.0.1:9632",
                                  "[2001:db8::1]:9632"])  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/networks", "/v1/events", LINKS])
def test_a_name_bound_to_a_forwarded_socket_reads_nothing_of_the_api(
    page: Page, host: str, path: str
) -> None:
    """DNS rebinding: a browser sends neither header with a GET to its own host."""
    for method in ("GET", "POST"):
        answer = page.ask(
            page.socket,
            lambda client, method=method: client.request(  # type: ignore[misc]
                method, path, headers={"Host": host}
            ),
        )
        assert answer.status_code == 403
    assert page.sessions.open("") is None


@pytest.mark.parametrize("host", ["jrc", "localhost", "127.0.0.1:9632", "[::1]:1", "anything", ""])
def test_a_program_on_the_socket_may_call_the_host_by_any_word(page: Page, host: str) -> None:
    """Nobody can buy a name without a dot."""
    answer = page.ask(page.socket, lambda c: c.get("/v1/networks", headers={"Host": host}))
    assert answer.status_code == 200


def test_a_client_that_goes_away_in_the_middle_of_a_body_is_no_fault(page: Page) -> None:
    """Anybody on the host can do that: the log has nothing of it."""
    sent: list[str] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, object]) -> None:
        sent.append(str(message["type"]))

    scope: Connection = {
        "type": "http", "method": "POST", "path": "/page/session", "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-length", b"9")],
    }  # fmt: skip

    async def run() -> None:
        await page.port(scope, receive, send)

    asyncio.run(run())
    assert sent[0] == "http.response.start"


def test_ending_all_sessions_lets_go_of_the_pages_that_listen(page: Page) -> None:
    """They come again, and are asked for a session that is none."""
    before = page.dismissed
    page.ask(page.socket, lambda client: client.delete(LINKS))
    assert page.dismissed == before + 1


@pytest.mark.parametrize(
    ("method", "scope", "status"),
    [("POST", Scope.IMPORT, 403), ("POST", Scope.READ, 200), ("DELETE", Scope.READ, 403),
     ("DELETE", Scope.OPERATE, 200)],
)  # fmt: skip
def test_who_may_read_gets_a_link_and_who_operates_ends_sessions(
    page: Page, method: str, scope: Scope, status: int
) -> None:
    """The groups of the config file hold on the socket's page as well."""
    peer = Peer(1, 1000, 1000, scopes=held_with(scope))

    async def called(connection: Connection, receive: Receive, send: Send) -> None:
        await page.behind({**connection, "state": {"peer": peer}}, receive, send)

    assert page.ask(called, lambda c: c.request(method, LINKS)).status_code == status


def test_what_the_page_reads_takes_its_turn_and_its_viewer_may_read_alone(page: Page) -> None:
    """Two walls behind the list of routes: services that can't write, a caller who may not."""
    before = page.pace.spent_s
    assert page.read("/page/v1/networks").status_code == 200
    assert page.pace.spent_s > before
    assert Viewer().scopes == {Scope.READ}

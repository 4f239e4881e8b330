"""What comes in over TCP: with a token that counts, or a 401 that says nothing of why."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from jrc.admin import gate
from jrc.admin.api import build_api
from jrc.admin.api_metrics import NO_ROUTE, ApiCounts, Counted
from jrc.admin.gate import Gate
from jrc.admin.refusals import MAX_REFUSED, WINDOW_S
from jrc.errors import Cause, StateError, StoreError
from jrc.service.tokens import Doubt, good_hashes
from tests.admin import conforming
from tests.admin.registrar import Registrar

UNAUTHORIZED, FORBIDDEN, TOO_MANY = 401, 403, 429
STRANGER = "jrc_" + "A" * 43


class Site:
    """A registrar whose API is behind a gate; ``now_s`` is the gate's clock."""

    def __init__(self, registrar: Registrar) -> None:
        self.registrar = registrar
        self.counts = ApiCounts()
        self.now_s = 1000.0
        self.gate = Gate(
            build_api(registrar.services), registrar.services, self.counts, lambda: self.now_s
        )
        self.app = Counted(self.gate, self.counts, "tcp")

    def add(self, name: str = "ci", scope: str = "read") -> str:
        body = {"name": name, "scope": scope}
        token: str = self.registrar.call("POST", "/v1/tokens", json=body).json()["token"]
        return token

    def ask(
        self,
        path: str = "/v1/networks",
        token: str | None = None,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        client: str = "192.0.2.1",
        **more: object,
    ) -> httpx.Response:
        given = dict(headers or {}) | (
            {} if token is None else {"authorization": f"Bearer {token}"}
        )

        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(client, 1))
            hooks = {"response": [conforming.check]}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://jrc", event_hooks=hooks
            ) as asking:
                return await asking.request(method, path, headers=given, **more)  # type: ignore[arg-type]

        return asyncio.run(work())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Registrar(tmp_path) as made:
        made.add_lab()
        yield Site(made)


def test_a_token_opens_what_its_scope_does_and_is_who_did_it(site: Site) -> None:
    """The audit log names it."""
    token = site.add("alice", "operate")
    body = {"lease_hours": 9, "agreed": True, "reason": "tidy"}
    done = site.ask("/v1/networks/lab", token, method="PATCH", json=body)
    assert done.status_code == 200
    last = site.registrar.call("GET", "/v1/events", params={"limit": 1}).json()["events"][-1]
    assert (last["actor"], last["reason"]) == ("token=alice", "tidy")
    refused = site.ask("/v1/tokens", token)
    assert (refused.status_code, refused.json()["exit_code"]) == (FORBIDDEN, 6)
    assert done.headers["cache-control"] == "no-store"


def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(site: Site) -> None:
    """None, one of another form, an unknown one, a revoked one; at any path."""
    revoked = site.add("gone")
    site.registrar.call("DELETE", "/v1/tokens/gone", json={}).raise_for_status()
    answers = [
        site.ask(client="192.0.2.2"),
        site.ask(token="x", client="192.0.2.2"),
        site.ask(token=STRANGER, client="192.0.2.2"),
        site.ask(token=revoked, client="192.0.2.2"),
        site.ask(headers={"authorization": "Basic eDp5"}, client="192.0.2.2"),
        site.ask("/v1/nothing", client="192.0.2.2"),
        site.ask("/v1/openapi.json", client="192.0.2.2"),
    ]
    assert {each.status_code for each in answers} == {UNAUTHORIZED}
    assert len({each.text for each in answers}) == 1
    assert len({tuple(sorted(each.headers.items())) for each in answers}) == 1
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="jrc"'
    assert site.counts.refused == {
        Doubt.MISSING: 4, Doubt.MALFORMED: 1, Doubt.UNKNOWN: 1, Doubt.REVOKED: 1
    }  # fmt: skip


def test_two_headers_are_as_none(site: Site) -> None:
    """What stands between may read the other one."""
    token = site.add()

    async def work() -> httpx.Response:
        transport = httpx.ASGITransport(site.app)
        headers = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {STRANGER}")]
        async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
            return await client.get("/v1/networks", headers=headers)

    assert asyncio.run(work()).status_code == UNAUTHORIZED


def test_a_revoked_token_counts_no_more_with_the_next_request(site: Site) -> None:
    """Nothing of it is remembered here that would count."""
    token = site.add()
    assert site.ask(token=token).status_code == 200
    site.registrar.call("DELETE", "/v1/tokens/ci", json={}).raise_for_status()
    found = [site.ask(token=token).status_code for _ in range(MAX_REFUSED + 1)]
    assert found == [UNAUTHORIZED] * MAX_REFUSED + [TOO_MANY]


def test_who_tries_tokens_is_looked_up_no_more_for_a_while(site: Site) -> None:
    """One that has counted goes on to, from the same address, and others are not touched."""
    good, new = site.add(), site.add("new")
    assert site.ask(token=good).status_code == 200
    with capture_logs() as lines:
        for _ in range(MAX_REFUSED):
            assert site.ask(token=STRANGER).status_code == UNAUTHORIZED
    assert [(line["event"], line["source"]) for line in lines] == [
        ("api_tokens_refused", "192.0.2.1")
    ]
    limited = site.ask(token=new)
    assert (limited.status_code, limited.headers["retry-after"]) == (TOO_MANY, "60")
    assert site.ask(token=good).status_code == 200
    assert site.ask(token=new, client="192.0.2.2").status_code == 200
    site.now_s += WINDOW_S
    assert site.ask(token=STRANGER).status_code == UNAUTHORIZED


def test_no_token_is_in_a_log_or_an_answer(site: Site) -> None:
    """Good or bad, in whatever place it came."""
    token = site.add("alice", "operate")
    with capture_logs() as lines:
        answers = [
            site.ask(token=token, params={"colour": token}),
            site.ask(token=STRANGER),
            site.ask("/v1/pledges", token, method="POST", content=token.encode()),
            site.ask(f"/v1/networks/{token[:20]}", token),
        ]
    assert token[4:] not in repr(lines)
    assert all(token[4:] not in answer.text for answer in answers)


def test_the_last_use_is_noted_and_a_full_disk_hinders_nobody(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be written is no reason to turn somebody away who only looks."""
    token = site.add()

    async def full(_work: object) -> object:
        raise StoreError("disk full", Cause.DISK_FULL)

    with monkeypatch.context() as patch:
        patch.setattr(site.registrar.services, "run_write", full)
        assert site.ask(token=token).status_code == 200
    before = site.registrar.services.writes
    assert [site.ask(token=token).status_code for _ in range(3)] == [200] * 3
    assert site.registrar.services.writes == before + 1


@pytest.mark.parametrize(
    ("error", "status"), [(StoreError("gone", Cause.SERVER), 422), (StateError("damaged"), 500)]
)
def test_a_database_that_can_not_be_read_lets_nobody_in(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    """With the sentence that says so."""
    token = site.add()

    async def broken(_work: object) -> object:
        raise error

    monkeypatch.setattr(site.registrar.services, "run_read", broken)
    assert site.ask(token=token).status_code == status


def test_so_many_requests_at_a_time_and_no_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes beyond is told to come again."""
    monkeypatch.setattr(gate, "MAX_REQUESTS", 0)
    answer = site.ask(token=site.add())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_requests_are_counted_by_route_and_not_by_what_strangers_write(site: Site) -> None:
    """Labels are words of the program, so that there are no more series than routes."""
    token = site.add("alice", "operate")
    site.ask("/v1/networks/lab", token)
    site.ask("/v1/networks/hall", token)
    site.ask("/v1/whatever", token)
    site.ask("/v1/networks/lab", token, method="PUT")
    site.ask("/v1/whatever")
    assert site.counts.requests == {
        ("tcp", "GET", "/v1/networks/{name}", "200"): 1,
        ("tcp", "GET", "/v1/networks/{name}", "422"): 1,
        ("tcp", NO_ROUTE, NO_ROUTE, "404"): 1,
        ("tcp", NO_ROUTE, NO_ROUTE, "405"): 1,
        ("tcp", NO_ROUTE, NO_ROUTE, "401"): 1,
    }


def test_who_does_not_read_a_refusal_holds_nobodys_place(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests without a token, one behind the other, until nothing more can be sent."""
    monkeypatch.setattr(gate, "TAKEN_WITHIN_S", 0.01)
    hung_up: list[bool] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect" if hung_up else "http.request"}

    async def send(_message: object) -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        scope = {
            "type": "http", "method": "GET", "path": "/v1/networks", "headers": [],
            "query_string": b"", "client": ("192.0.2.1", 1),
            "state": {"hang_up": lambda: hung_up.append(True)},
        }  # fmt: skip
        async with asyncio.timeout(30):
            await site.app(scope, receive, send)

    asyncio.run(work())
    assert hung_up == [True]


def test_a_place_is_free_again_when_its_request_has_ended(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it ended."""
    monkeypatch.setattr(gate, "MAX_REQUESTS", 1)
    token = site.add()
    found = [site.ask(token=each).status_code for each in (token, STRANGER, token)]
    assert found == [200, UNAUTHORIZED, 200]


def test_who_tries_tokens_from_everywhere_costs_a_line_a_minute(site: Site) -> None:
    """And a bounded memory."""
    with capture_logs() as lines:
        for number in range(3):
            for _ in range(MAX_REFUSED):
                site.ask(token=STRANGER, client=f"192.0.2.{number}")
    assert len(lines) == 1


def test_so_many_tokens_are_known_and_the_oldest_is_forgotten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked up like any other then."""
    monkeypatch.setattr(gate, "MAX_KNOWN", 1)
    first, second = site.add("first"), site.add("second")
    assert [site.ask(token=each).status_code for each in (first, second)] == [200, 200]
    for _ in range(MAX_REFUSED):
        site.ask(token=STRANGER)
    found = [site.ask(token=each).status_code for each in (first, second)]
    assert found == [TOO_MANY, 200]


@pytest.mark.parametrize(
    ("given", "life"),
    [
        ({}, timedelta(days=90)),
        ({"expires_in": "1d"}, timedelta(days=1)),
        ({"expires_in": "never"}, None),
    ],
)
def test_a_token_ends_unless_it_is_said_to_last(
    site: Site, given: dict[str, str], life: timedelta | None
) -> None:
    """Without a word after ninety days, as `jrc token add` has it."""
    body = {"name": "x", "scope": "read", **given}
    site.registrar.call("POST", "/v1/tokens", json=body).raise_for_status()
    (listed,) = site.registrar.call("GET", "/v1/tokens").json()["tokens"]
    begins, ends = listed["created"], listed["expires"]
    found = ends and datetime.fromisoformat(ends) - datetime.fromisoformat(begins)
    assert life == found


def test_a_token_that_administrates_makes_and_ends_others_in_its_own_name(site: Site) -> None:
    """For as long as was asked for."""
    boss = site.add("boss", "admin")
    body = {"name": "x", "scope": "read", "expires_in": "1d"}
    assert site.ask("/v1/tokens", boss, method="POST", json=body).status_code == 200
    listed = site.ask("/v1/tokens", boss).json()["tokens"][-1]
    life = datetime.fromisoformat(listed["expires"]) - datetime.fromisoformat(listed["created"])
    assert (listed["scope"], life.days) == ("read", 1)
    assert site.ask("/v1/tokens/x", boss, method="DELETE", json={}).status_code == 200
    events = site.registrar.call("GET", "/v1/events", params={"limit": 2}).json()["events"]
    assert [(each["kind"], each["actor"]) for each in events] == [
        ("token.added", "token=boss"), ("token.revoked", "token=boss")
    ]  # fmt: skip


def test_tokens_of_the_database_are_looked_up_after_a_new_start_as_well(site: Site) -> None:
    """Whoever shares an address with somebody who tries tokens need not have come before."""
    token = site.add()
    for _ in range(MAX_REFUSED):
        site.ask(token=STRANGER)
    assert site.ask(token=token).status_code == TOO_MANY
    site.gate.know(asyncio.run(site.registrar.services.run_read(good_hashes)))
    assert site.ask(token=token).status_code == 200
    assert site.ask(token=STRANGER).status_code == TOO_MANY

"""The audit log as it grows, over the API: what comes when, and what it may cost."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jrc.admin.events import FOLLOWED_PAGE, MAX_FOLLOWERS
from jrc.errors import ExitCode
from jrc.model import Event
from jrc.service.registry import Registry
from tests.admin.registrar import Registrar

PATH = "/v1/events/following"


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with Registrar(tmp_path) as made:
        made.add_lab()
        yield made


def _record(registrar: Registrar, count: int, network: str = "lab") -> None:
    """So many events in one transaction."""

    async def record() -> None:
        def work(tx: Registry) -> None:
            for number in range(count):
                tx.record(Event("network.changed", "me", None, network, str(number), {}))

        await registrar.services.run_write(work)

    asyncio.run(record())


def _numbers(page: httpx.Response) -> list[int]:
    return [event["number"] for event in page.json()["events"]]


def test_without_a_number_the_newest_come_at_once(registrar: Registrar) -> None:
    """And the number to go on from."""
    _record(registrar, 5)
    page = registrar.call("GET", PATH, params={"limit": 2})
    newest = registrar.services.newest_event
    assert (_numbers(page), page.json()["next"]) == ([newest - 1, newest], newest)


def test_many_new_ones_come_page_by_page_without_a_gap(registrar: Registrar) -> None:
    """A page is bounded, and `next` of a full one is its last number."""
    start = registrar.services.newest_event
    _record(registrar, FOLLOWED_PAGE + 3)
    first = registrar.call("GET", PATH, params={"after": start})
    assert len(_numbers(first)) == FOLLOWED_PAGE
    second = registrar.call("GET", PATH, params={"after": first.json()["next"], "wait": 5})
    assert _numbers(first) + _numbers(second) == list(range(start + 1, start + FOLLOWED_PAGE + 4))
    assert second.json()["next"] == registrar.services.newest_event


def test_what_passes_by_is_not_looked_at_again(registrar: Registrar) -> None:
    """`next` goes past entries of other networks."""
    start = registrar.services.newest_event
    _record(registrar, 7, "hall")
    page = registrar.call("GET", PATH, params={"after": start, "network": "lab", "wait": 5})
    assert page.json() == {"events": [], "next": start + 7}


def test_a_question_waits_for_the_next_event(registrar: Registrar) -> None:
    """It is answered when one is written, long before its time is over."""

    async def ask(client: httpx.AsyncClient) -> tuple[bool, httpx.Response]:
        after = registrar.services.newest_event
        asked = asyncio.create_task(client.get(PATH, params={"after": after, "wait": 60}))
        await asyncio.sleep(0)
        waited = not asked.done()
        await client.patch("/v1/networks/lab", json={"lease_hours": 100})
        return waited, await asyncio.wait_for(asked, 10)

    waited, page = registrar.run(ask)
    assert (waited, len(_numbers(page))) == (True, 1)


def test_a_log_with_fewer_entries_is_noticed(registrar: Registrar) -> None:
    """Another database: `next` is what this one has."""
    page = registrar.call("GET", PATH, params={"after": 10_000, "wait": 60})
    assert page.json() == {"events": [], "next": registrar.services.newest_event}


def test_no_more_than_so_many_may_follow(registrar: Registrar) -> None:
    """The socket is for other commands, too; who leaves makes room."""

    async def crowd(client: httpx.AsyncClient) -> list[httpx.Response]:
        query = {"after": registrar.services.newest_event, "wait": 1}
        crowd = (client.get(PATH, params=query) for _ in range(MAX_FOLLOWERS + 1))
        found = await asyncio.gather(*crowd)
        (await client.get(PATH, params={**query, "wait": 0})).raise_for_status()
        return [answer for answer in found if answer.is_error]

    (refused,) = registrar.run(crowd)
    body = refused.json()
    assert body["exit_code"] == ExitCode.REFUSED
    assert f"{MAX_FOLLOWERS} commands follow the audit log already" in body["error"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"after": "x"}, "after must be a whole number"),
        ({"after": "0", "wait": "61"}, "wait must be 0 to 60 s"),
        ({"after": "0", "wait": "-1"}, "wait must be a whole number"),
        ({"limit": "0"}, "limit must be 1 to 1000"),
        ({"after": "0", "limit": "201"}, "limit must be 1 to 200"),
        ({"since": "noon"}, "'since' is not a known parameter"),
    ],
)
def test_wrong_parameters_are_named(registrar: Registrar, query: dict[str, str], said: str) -> None:
    """In one sentence, as usage."""
    answer = registrar.call("GET", PATH, params=query)
    assert (answer.status_code, said in answer.json()["error"]) == (400, True), answer.json()

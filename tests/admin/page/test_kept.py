"""Answers that pages get again while reads rest."""

import asyncio

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from jrc.admin.page.kept import (
    MAX_AGE_S,
    MAX_KEPT,
    MAX_KEPT_BYTES,
    SHORT_REST_S,
    KeptAnswers,
)


class Place:
    """What counts how often it is asked; ``rest_s`` and ``now_s`` are moved by hand."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.rest_s = 0.0
        self.now_s = 100.0
        routes = [
            Route("/count", self._count),
            Route("/long", lambda _request: PlainTextResponse("x" * (MAX_KEPT_BYTES + 1))),
            Route("/missing", lambda _request: PlainTextResponse("no", status_code=404)),
            Route("/pieces", self._pieces),
        ]
        app = Starlette(routes=routes)
        self.app = KeptAnswers(app, lambda: self.rest_s, lambda: self.now_s)
        self.kept: dict[object, object] = vars(self.app)["_kept"]

    def _count(self, request: Request) -> Response:
        self.asked.append(request.url.query)
        return JSONResponse(len(self.asked))

    def _pieces(self, _request: Request) -> Response:
        return StreamingResponse(iter(["one ", "two"]))

    def get(self, path: str) -> httpx.Response:
        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
                return await client.get(path)

        return asyncio.run(work())


def test_the_same_question_gets_the_same_answer_while_reads_rest() -> None:
    """With its age; another one waits for its turn, and afterwards all is asked anew."""
    place = Place()
    place.get("/count?a=1")
    place.rest_s = SHORT_REST_S + 0.1
    place.now_s += 9.5
    again = place.get("/count?a=1")
    assert (again.json(), again.headers["age"], again.status_code) == (1, "9", 200)
    assert again.headers["content-type"] == "application/json"
    assert place.get("/count?a=2").json() == 2
    place.rest_s = SHORT_REST_S
    anew = place.get("/count?a=1")
    assert (anew.json(), "age" in anew.headers) == (3, False)
    assert place.asked == ["a=1", "a=2", "a=1"]


def test_an_answer_is_not_given_again_when_it_is_old() -> None:
    """However long others have reads rest: who watches a change waits for its turn then."""
    place = Place()
    place.get("/count")
    place.rest_s = 600
    place.now_s += MAX_AGE_S
    assert place.get("/count").json() == 1
    place.now_s += 1
    assert place.get("/count").json() == 2


def test_what_is_no_answer_or_too_long_is_not_kept() -> None:
    """A mistake may be over, and memory is bounded."""
    place = Place()
    for path in ("/missing", "/long"):
        place.get(path)
    assert place.kept == {}
    place.get("/pieces")
    place.rest_s = 60
    assert place.get("/pieces").text == "one two"


def test_the_answer_that_was_longest_not_asked_for_goes() -> None:
    """However many questions a page makes up."""
    place = Place()
    place.rest_s = 60

    def answers(number: int) -> object:
        return place.get(f"/count?{number}").json()

    for number in range(MAX_KEPT):
        answers(number)
    assert answers(0) == 1
    assert answers(MAX_KEPT) == MAX_KEPT + 1
    assert len(place.kept) == MAX_KEPT
    assert answers(0) == 1
    assert answers(1) == MAX_KEPT + 2

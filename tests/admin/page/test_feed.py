"""Server-sent events: what is told, and what a listener can cost."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from jrc.admin.page.feed import MAX_LISTENERS, Feed

WITHIN_S = 30
LOOK_S = 0.005
Message = MutableMapping[str, Any]


class Listener:
    """A client of a feed, as an ASGI server has it."""

    def __init__(self, feed: Feed) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.hung_up = False
        self.takes = asyncio.Event()
        self.takes.set()
        scope = {"type": "http", "state": {"hang_up": self._hang_up}}
        self.task = asyncio.create_task(feed(scope, self._receive, self._send))

    def _hang_up(self) -> None:
        self.hung_up = True
        self.gone.set()

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.takes.wait()
        self.messages.put_nowait(message)

    async def start(self) -> Message:
        """The head of the answer."""
        message = await self.messages.get()
        assert message["type"] == "http.response.start"
        return message

    async def text(self, wanted: str) -> str:
        """The next piece with this in it."""
        while True:
            body: bytes = (await self.messages.get())["body"]
            if wanted in body.decode():
                return body.decode()

    async def revisions(self) -> dict[str, int]:
        """What the next event says."""
        lines = (await self.text("event: changed")).splitlines()
        (data,) = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        found: dict[str, int] = json.loads(data)
        return found


def _run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(WITHIN_S):
            await work()

    asyncio.run(bounded())


def test_a_listener_is_told_at_once_and_whenever_something_changes() -> None:
    """By numbers that go up, for what has changed alone."""

    async def work() -> None:
        stamps = {"joins": 1, "events": 1}
        listener = Listener(Feed(lambda: dict(stamps), 100, look_every_s=LOOK_S))
        head = await listener.start()
        assert (b"content-type", b"text/event-stream; charset=utf-8") in head["headers"]
        assert await listener.revisions() == {"joins": 100, "events": 100}
        stamps["joins"] = 5
        assert await listener.revisions() == {"joins": 101, "events": 100}
        stamps["events"] = 2
        assert await listener.revisions() == {"joins": 101, "events": 101}
        listener.gone.set()
        await listener.task

    _run(work)


def test_numbers_differ_after_a_restart() -> None:
    """A page that comes back asks for everything anew, whatever it was told before."""

    async def work() -> None:
        before = Feed(lambda: {"joins": 1}, 1_800_000_000_000).revisions()
        after = Feed(lambda: {"joins": 1}, 1_800_000_003_000).revisions()
        assert before != after

    _run(work)


def test_one_that_reads_slowly_is_told_the_last_state_alone() -> None:
    """Nothing is kept for it in between."""

    async def work() -> None:
        stamps = {"joins": 0}
        feed = Feed(lambda: dict(stamps), 0, look_every_s=LOOK_S)
        slow, quick = Listener(feed), Listener(feed)
        await slow.start()
        await slow.revisions()
        await quick.start()
        await quick.revisions()
        slow.takes.clear()
        for number in range(1, 20):
            stamps["joins"] = number
            assert (await quick.revisions())["joins"] == number
        slow.takes.set()
        found = [await slow.revisions()]
        while found[-1]["joins"] < 19:
            found.append(await slow.revisions())
        assert len(found) <= 2
        for each in (slow, quick):
            each.gone.set()
            await each.task

    _run(work)


def test_one_that_takes_nothing_is_hung_up_on() -> None:
    """Its place is for somebody who listens."""

    async def work() -> None:
        feed = Feed(lambda: {"joins": 1}, 0, look_every_s=LOOK_S, stall_s=0.02)
        stuck = Listener(feed)
        stuck.takes.clear()
        await stuck.task
        assert stuck.hung_up
        assert feed.listeners == 0

    _run(work)


def test_quiet_is_broken_by_a_comment() -> None:
    """By which a page knows that the connection lives."""

    async def work() -> None:
        listener = Listener(Feed(lambda: {"joins": 1}, 0, look_every_s=LOOK_S, beat_s=0.02))
        await listener.start()
        await listener.revisions()
        assert (await listener.text(":")).startswith(": ")
        listener.gone.set()
        await listener.task

    _run(work)


def test_so_many_listen_and_no_more() -> None:
    """The next one is told so; when one has gone there is room again."""

    async def work() -> None:
        feed = Feed(lambda: {"joins": 1}, 0, look_every_s=LOOK_S)
        listeners = [Listener(feed) for _ in range(MAX_LISTENERS)]
        for each in listeners:
            await each.start()
        refused = Listener(feed)
        assert (await refused.start())["status"] == 503
        await refused.task
        listeners[0].gone.set()
        await listeners[0].task
        one_more = Listener(feed)
        assert (await one_more.start())["status"] == 200
        feed.end()
        await asyncio.gather(one_more.task, *(each.task for each in listeners))

    _run(work)


def test_the_end_of_the_daemon_ends_every_stream_in_order() -> None:
    """So that it need not wait for them; who comes then is sent away."""

    async def work() -> None:
        feed = Feed(lambda: {"joins": 1}, 0)
        listener = Listener(feed)
        await listener.start()
        await listener.revisions()
        feed.end()
        await listener.task
        last = [listener.messages.get_nowait() for _ in range(listener.messages.qsize())][-1]
        assert (last["body"], last.get("more_body", False)) == (b"", False)
        late = Listener(feed)
        assert (await late.start())["status"] == 503

    _run(work)


def test_who_is_dismissed_may_come_again() -> None:
    """With a session that is good: that is looked at when somebody comes."""

    async def work() -> None:
        feed = Feed(lambda: {"joins": 1}, 0, look_every_s=LOOK_S)
        listener = Listener(feed)
        await listener.start()
        await listener.revisions()
        feed.dismiss()
        await listener.task
        last = [listener.messages.get_nowait() for _ in range(listener.messages.qsize())][-1]
        assert (last["body"], last.get("more_body", False)) == (b"", False)
        again = Listener(feed)
        assert (await again.start())["status"] == 200
        again.gone.set()
        await again.task

    _run(work)

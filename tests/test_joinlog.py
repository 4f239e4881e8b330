"""A line a join, within bounds, and none with a key in it."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from jrc import joinlog, log
from jrc.errors import Reason
from jrc.joinlog import BURST_LINES, LINES_PER_S, MAX_WAITING_LINES, JoinLog
from jrc.journal import Entry
from jrc.policy.leases import Lease
from jrc.service.join import Ask, Outcome
from jrc.service.join_ports import Standing
from tests.test_journal import fields

PLEDGE = bytes.fromhex("00124b0014b5b67e")
PEER = bytes.fromhex("fd00") + bytes(13) + b"\x01"
NS_PER_S = 1_000_000_000
MS = 1_000_000
Made = Callable[[], Iterable[str]]


class Way:
    """As ``ports.Way``."""

    def peer_address(self) -> bytes:
        return PEER

    def forwarded_for(self) -> None:
        return None


class Clock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self) -> None:
        self.ns = 5 * NS_PER_S

    def __call__(self) -> int:
        return self.ns


class Written:
    """What a writing thread would do, at once."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.lines: list[str] = []
        self.has_room = has_room

    def put(self, made: Made) -> bool:
        if self.has_room:
            self.lines += made()
        return self.has_room


def outcome(reason: Reason | None = None, network: str = "lab", state: object = True) -> Outcome:
    """One of a pledge that holds the short identifier 0x0102."""
    lease = Lease(
        value=0x0102, domain_id=1, pledge_id=1, first_generation=1, last_generation=1,
        lease_until_ms=0,
    )  # fmt: skip
    known = type("Known", (), {"pledge": type("P", (), {"identifier": type("I", (), {})()})()})()
    known.pledge.identifier.value = PLEDGE
    ask = Ask(known, 1, b"", None, None, Way(), 5 * NS_PER_S - 3 * MS)  # type: ignore[arg-type]
    return Outcome(ask, state or None, Standing((lease,)), reason, network)  # type: ignore[arg-type]


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def joins(written: Written, clock: Clock) -> JoinLog:
    return JoinLog(written.put, joinlog.as_json, is_on=True, now_ns=clock, wall_s=lambda: 1.5)


def test_a_join_is_one_line_with_pledge_network_outcome_and_time(
    joins: JoinLog, written: Written
) -> None:
    """In JSON as all lines are."""
    joins.note([outcome()])
    (line,) = written.lines
    assert isinstance(line, str)
    assert {
        "pledge": PLEDGE.hex(),
        "network": "lab",
        "outcome": "joined",
        "short_id": "0102",
        "took_ms": 3.0,
        "peer": "fd00::1",
        "event": "join",
        "level": "info",
        "timestamp": "1970-01-01T00:00:01.500000Z",
    } == json.loads(line)


def test_a_provisioned_identifier_stands_whole(joins: JoinLog, written: Written) -> None:
    """Whatever its length: `journalctl JRC_PLEDGE=` finds what is equal."""
    long = outcome()
    vars(long.ask.known.pledge.identifier)["value"] = bytes(range(60))
    joins.note([long])
    assert bytes(range(60)).hex() == json.loads(written.lines[0])["pledge"]


def test_a_refused_join_has_its_reason(joins: JoinLog, written: Written) -> None:
    """The code that `jrc pledge explain` gives; who was not admitted has no short identifier."""
    joins.note([outcome(Reason.WINDOW_CLOSED), outcome(Reason.AWAITING_APPROVAL, "", None)])
    refused, silent = (json.loads(str(line)) for line in written.lines)
    assert (refused["outcome"], refused["network"]) == ("window_closed", "lab")
    assert (silent["outcome"], silent["network"]) == ("awaiting_approval", None)
    assert refused["short_id"] is silent["short_id"] is None


def test_a_network_with_any_name_makes_valid_json(joins: JoinLog, written: Written) -> None:
    """Whatever a later version lets be a name."""
    joins.note([outcome(network='a"\n\\ü')])
    assert 'a"\n\\ü' == json.loads(str(written.lines[0]))["network"]


def test_an_entry_of_the_journal_has_each_as_a_field(joins: JoinLog, written: Written) -> None:
    """`journalctl JRC_PLEDGE=... JRC_OUTCOME=joined`."""
    joins.form = joinlog.as_entry
    joins.note([outcome()])
    entry = written.lines[0]
    assert isinstance(entry, Entry)
    assert {
        "MESSAGE": "join of 00124b0014b5b67e: lab joined, 3.00 ms, from fd00::1",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "jrc",
        "JRC_EVENT": "join",
        "JRC_PLEDGE": PLEDGE.hex(),
        "JRC_NETWORK": "lab",
        "JRC_OUTCOME": "joined",
        "JRC_SHORT_ID": "0102",
        "JRC_TOOK_MS": "3.00",
        "JRC_PEER": "fd00::1",
    } == fields(entry.data)


def test_a_person_reads_the_same(joins: JoinLog, written: Written) -> None:
    """On a terminal, rendered as other lines are."""
    joins.form = joinlog.on_console(log.console(colors=False))
    joins.note([outcome()])
    line = str(written.lines[0])
    assert line.startswith("1970-01-01T00:00:01.500000Z [info     ] join ")
    assert {"outcome=joined", f"pledge={PLEDGE.hex()}", "network=lab"} <= set(line.split())


def test_a_storm_has_as_many_lines_as_a_reader_bears(
    joins: JoinLog, written: Written, clock: Clock
) -> None:
    """The others are counted, and the count is said."""
    for _ in range(100):
        joins.note([outcome()] * 64)
    assert BURST_LINES == len(written.lines)
    clock.ns += 2 * NS_PER_S
    joins.note([outcome()] * 1000)
    assert BURST_LINES + 2 * LINES_PER_S == len(written.lines)
    with capture_logs() as said:
        asyncio.run(joins.summarise())
        asyncio.run(joins.summarise())
    left_out = 100 * 64 + 1000 - len(written.lines)
    (line,) = said
    assert ("joins_without_a_line", left_out) == (line["event"], line["count"])


def test_what_was_saved_up_has_an_end(joins: JoinLog, written: Written, clock: Clock) -> None:
    """A quiet week allows no more at once than a quiet minute."""
    clock.ns += 7 * 86_400 * NS_PER_S
    joins.note([outcome()] * 10_000)
    assert BURST_LINES == len(written.lines)


def test_lines_that_find_no_room_are_counted(clock: Clock) -> None:
    """Nobody reads the log, and joins go on."""
    joins = JoinLog(Written(has_room=False).put, joinlog.as_json, is_on=True, now_ns=clock)
    joins.note([outcome()] * 3)
    with capture_logs() as said:
        asyncio.run(joins.summarise())
    assert [3] == [line["count"] for line in said]


def test_lines_that_nobody_reads_keep_so_much_in_memory(clock: Clock) -> None:
    """A log that stands still for an hour, and what waits is made once it goes on."""
    waiting: list[Made] = []

    def put(made: Made) -> bool:
        waiting.append(made)
        return True

    joins = JoinLog(put, joinlog.as_json, is_on=True, now_ns=clock)
    for _ in range(3600):
        clock.ns += NS_PER_S
        joins.note([outcome()] * LINES_PER_S)
    assert MAX_WAITING_LINES == sum(len(list(made())) for made in waiting)
    waiting.clear()
    joins.note([outcome()] * 10)
    assert [10] == [len(list(made())) for made in waiting]


def test_at_a_higher_level_there_is_none(joins: JoinLog, written: Written) -> None:
    """log.level = "warning" asks for warnings alone."""
    joins.is_on = False
    joins.note([outcome()])
    with capture_logs() as said:
        asyncio.run(joins.summarise())
    assert ([], []) == (written.lines, said)


@pytest.fixture(autouse=True)
def _untouched_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()

"""Keys go down a port: each device has one that the registrar knows, or none at all.

The host's side is run against the C receiver of ``deploy/examples/serial``.
"""

import ctypes
from itertools import product

import pytest

from jrc.errors import StateError
from jrc.model import PledgeId
from jrc.provision.backchannel import TABLE, Course, Happening, step
from jrc.provision.backlines import MAX_LINE_BYTES, said_in
from jrc.provision.bench import ANSWER_WITHIN_S, RETRY_AFTER_S, Compare
from jrc.provision.bench_plan import Answer
from jrc.provision.device import Device
from jrc.provision.generate import generate
from jrc.provision.source import KeySource
from tests.provision.benches import Desk, Held, identifier
from tests.provision.receiver import as_sent, stored

FIRST = identifier(1)
_ENTERS = {course for (course, _), move in TABLE.items() if move.do == "enter"}
CANT_BE = {
    (course, happening)
    for happening, where in {
        Happening.ENTERED: {Course.ENTERING},
        Happening.ENTERED_LATE: {Course.ENTERING},
        Happening.NOT_ENTERED: {Course.ENTERING},
        Happening.MATCHED: {Course.COMPARING},
        Happening.NOT_MATCHED: {Course.COMPARING},
        Happening.SILENT: {Course.SENT, Course.GREETED, Course.READY},
        Happening.STILL_SILENT: {Course.SENT, Course.GREETED, Course.READY},
        Happening.OFFERED_AGAIN: {*_ENTERS},
    }.items()
    for course in set(Course) - where
}
"""Answers come to who has asked, and none is late who was sent nothing."""


@pytest.fixture
def desk(code: ctypes.CDLL) -> Desk:
    return Desk(code)


def test_the_table_has_each_happening_that_can_be() -> None:
    """What it lacks raises, and is what can't be."""
    assert set(product(Course, Happening)) - set(TABLE) == CANT_BE
    with pytest.raises(StateError, match="entered came to a device that is done"):
        step(Course.DONE, Happening.ENTERED)


def test_whatever_happens_no_key_is_sent_that_the_registrar_does_not_have() -> None:
    """Only from where it was entered does a send follow."""
    entered = {Course.READY, Course.SENT, Course.UNANSWERED}
    sends = {course for (course, _), move in TABLE.items() if move.do == "send"}
    assert entered | {Course.ENTERING} == sends
    into = {course for (course, _), move in TABLE.items() if move.to in entered} - entered
    assert {Course.ENTERING} == into
    assert [Happening.ENTERED, Happening.ENTERED_LATE] == [
        happening
        for (course, happening), move in TABLE.items()
        if course is Course.ENTERING and move.to in entered
    ]


@pytest.mark.parametrize("derived", [False, True])
def test_a_device_gets_a_key_that_the_registrar_has(code: ctypes.CDLL, derived: bool) -> None:
    """RFC 9031 §3, App. B: in force for a device that is new; the check value is the same."""
    desk = Desk(code, derived=derived)
    board = desk.plug("a", 1)
    desk.settle()
    assert board.flash is not None
    made = stored(board.flash, FIRST)
    assert derived == made.is_derived
    assert Held(made.key_check) == desk.registrar.held[FIRST]
    assert ["greeted", "entering", "sent", "done"] == [news.course.value for news in desk.told]
    assert (made.key_check, True) == (desk.told[-1].check, desk.told[-1].is_new)


def test_a_key_is_entered_before_it_is_sent(desk: Desk) -> None:
    """A host that dies in between leaves a device without a key, and the next one goes on."""
    board = desk.plug("a", 1)
    desk.meet()
    assert ([], 1) == (desk.down, len(desk.questions))
    desk.registrar_turn()
    assert 1 == len(desk.down)
    desk.start_host()
    assert board.flash is None
    first = desk.registrar.held[FIRST].current
    desk.reset("a")
    desk.settle()
    assert Held(first, board.check) == desk.registrar.held[FIRST]
    assert "done" == desk.courses()[FIRST]


def test_a_host_that_died_before_the_word_finds_the_device_done(desk: Desk) -> None:
    """By its check value alone; nothing is made or sent."""
    board = desk.plug("a", 1)
    for turn in (desk.meet, desk.registrar_turn, desk.device_turn):
        turn()
    desk.start_host()
    desk.reset("a")
    desk.settle()
    (news,) = desk.bench.news()
    assert ("done", board.check, False) == (news.course, news.check, news.is_new)
    desk.reset("a")
    desk.host_turn()
    assert [] == desk.questions
    assert 1 == len(desk.registrar.given)


@pytest.mark.parametrize("moment", ["before storing", "after storing", "after printing"])
def test_a_device_that_is_reset_in_the_middle_has_its_key_or_none(desk: Desk, moment: str) -> None:
    """And gets the same key with its next offer, for nobody has another one."""
    board = desk.plug("a", 1)
    board.dies = moment
    desk.settle()
    assert Held(board.check or "") == desk.registrar.held[FIRST]
    assert "done" == desk.courses()[FIRST]
    assert 1 == len(desk.registrar.given) == len(board.writes)


def test_a_device_with_a_key_keeps_it(desk: Desk) -> None:
    """It refuses another with the check value of its own, and the registrar is asked for that."""
    board = desk.plug("a", 1)
    desk.settle()
    check = board.check
    board.feed(as_sent(_made(FIRST), "00000001"))
    said = said_in(board.fetch().decode().strip())
    assert ("refused", check, "key") == (said.word, said.check, said.why)  # type: ignore[union-attr]
    assert 1 == len(board.writes)


def test_a_device_with_a_key_that_nobody_knows_is_named(desk: Desk) -> None:
    """With what to do; it is not sent another."""
    board = desk.plug("a", 1)
    desk.settle()
    desk.registrar.held.clear()
    desk.start_host()
    desk.reset("a")
    desk.settle()
    (news,) = desk.bench.news()
    assert ("problem", "it has another key", "erase its flash") == (
        news.course, news.why, news.remedy,
    )  # fmt: skip
    board.flash = None
    board.writes.clear()
    desk.wait(RETRY_AFTER_S)
    desk.settle()
    assert "done" == desk.courses()[FIRST]


def test_an_erased_device_gets_a_key_that_waits_beside_the_one_in_force(desk: Desk) -> None:
    """In a run of its own: the former goes on until the first join under the new one."""
    board = desk.plug("a", 1)
    desk.settle()
    first = board.check
    board.flash = None
    desk.start_host()
    desk.reset("a")
    desk.settle()
    assert Held(first or "", board.check) == desk.registrar.held[FIRST]


def test_a_device_that_loses_what_it_acknowledged_gets_no_other_in_this_run(desk: Desk) -> None:
    """Its flash is broken, or it is another board with the same identifier."""
    board = desk.plug("a", 1)
    desk.settle()
    board.flash = None
    desk.reset("a")
    desk.settle()
    assert board.flash is None
    assert "given up" == desk.courses()[FIRST]
    assert "has none now" in desk.told[-1].why


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_word_that_is_lost_is_asked_for(desk: Desk, direction: str) -> None:
    """`who` brings a hello, and that says how things stand."""
    board = desk.plug("a", 1)
    desk.meet()
    desk.registrar_turn()
    if direction == "down":
        desk.down.clear()
    desk.device_turn()
    desk.up.clear()
    desk.now_s += ANSWER_WITHIN_S
    assert desk.bench.due_s() == desk.now_s
    desk.do(desk.bench.late(desk.now_s))
    assert b"\r\njrc1 who crc=cc7a0257\r\n" == desk.down[0].data.reveal()
    desk.settle()
    assert "done" == desk.courses()[FIRST]
    assert Held(board.check or "") == desk.registrar.held[FIRST]
    assert desk.bench.due_s() is None


def test_a_refusal_of_the_registrar_is_named_and_tried_again_after_a_while(desk: Desk) -> None:
    """Not with each offer: a revoked device would fill the audit log."""
    desk.registrar.refuses = Answer("it is revoked", "jrc pledge restore")
    board = desk.plug("a", 1)
    desk.settle()
    assert ("problem", "it is revoked") == (desk.told[-1].course, desk.told[-1].why)
    desk.registrar.refuses = None
    desk.wait(RETRY_AFTER_S - 1)
    desk.settle()
    assert board.flash is None
    desk.wait(1)
    desk.settle()
    assert board.check == desk.registrar.held[FIRST].current


def test_a_flash_that_takes_no_key_is_named(desk: Desk) -> None:
    """One time is enough: it might never end."""
    board = desk.plug("a", 1)
    board.refuses_to_store = True
    desk.settle()
    assert ("given up", "its flash did not take its key") == (
        desk.told[-1].course, desk.told[-1].why,
    )  # fmt: skip
    desk.wait(60)
    desk.settle()
    assert 1 == len(desk.registrar.given)


def test_the_same_hello_twice_is_one_offer(desk: Desk) -> None:
    """A line that comes twice says nothing new, also after the device has its key."""
    desk.plug("a", 1)
    desk.up *= 2
    desk.host_turn()
    assert 1 == len(desk.down)
    desk.device_turn()
    hello = desk.up[-1]
    desk.up *= 2
    desk.settle()
    desk.up.append(hello)
    desk.settle()
    assert "done" == desk.courses()[FIRST]
    assert 1 == len(desk.registrar.given)


def test_a_late_key_is_refused(desk: Desk) -> None:
    """It answers an offer that is no longer the last: the host that sent it may be dead."""
    board = desk.plug("a", 1)
    desk.meet()
    desk.registrar_turn()
    board.offer()
    desk.device_turn()
    assert board.flash is None
    desk.settle()
    assert Held(board.check or "") == desk.registrar.held[FIRST]


def test_a_key_of_another_device_is_refused(desk: Desk) -> None:
    """Boards that were swapped while a line was on its way."""
    board = desk.plug("a", 1)
    board.feed(as_sent(_made(identifier(2)), "00000001"))
    said = said_in(board.fetch().decode().strip())
    assert "other" == said.why  # type: ignore[union-attr]
    assert board.flash is None


def test_the_receiver_forgets_what_it_was_sent(desk: Desk) -> None:
    """Its line buffer is wiped."""
    board = desk.plug("a", 1)
    desk.settle()
    assert board.flash is not None
    psk = stored(board.flash, FIRST).psk
    assert psk is not None
    assert not board.remembers(psk.reveal())
    assert not board.remembers(psk.reveal().hex().encode())


def test_no_key_is_shown_by_what_goes_about_in_the_host(desk: Desk) -> None:
    """As values are printed and logged."""
    desk.plug("a", 1)
    desk.meet()
    shown = repr(desk.questions)
    desk.registrar_turn()
    shown += repr(desk.down) + repr(desk.told) + repr(desk.bench.news())
    (made,) = desk.registrar.given
    assert made.psk is not None
    assert made.psk.reveal().hex() in desk.down[0].data.reveal().decode()
    assert made.psk.reveal().hex() not in shown
    assert repr(made.psk.reveal())[2:-1] not in shown


def test_an_offer_is_answered_once(desk: Desk) -> None:
    """What was refused voids it: the next line has to answer a new one."""
    board = desk.plug("a", 1)
    board.feed(as_sent(_made(identifier(2)), "00000001"))
    board.fetch()
    board.feed(as_sent(_made(FIRST), "00000001"))
    said = said_in(board.fetch().decode().strip())
    assert ("late", None) == (said.why, board.flash)  # type: ignore[union-attr]


def test_a_flash_that_gives_back_something_else_is_noticed(desk: Desk) -> None:
    """What counts is what is read back."""
    board = desk.plug("a", 1)
    board.spoils = True
    desk.meet()
    desk.registrar_turn()
    desk.device_turn()
    said = said_in(desk.up[-1][1].decode().strip())
    assert ("refused", "storage") == (said.word, said.why)  # type: ignore[union-attr]
    assert said.check != desk.registrar.held[FIRST].current  # type: ignore[union-attr]


def test_a_line_that_is_too_long_is_skipped(desk: Desk) -> None:
    """To its end, whatever is in it; the next one counts."""
    board = desk.plug("a", 1)
    board.feed(b"x" * (MAX_LINE_BYTES - 100) + as_sent(_made(FIRST), "00000001").strip() + b"\r\n")
    assert board.flash is None
    assert not board.remembers(b"xxxx"), "it may have a key"
    desk.settle()
    assert board.check == desk.registrar.held[FIRST].current


def test_a_device_word_counts_between_other_things_on_its_line(desk: Desk) -> None:
    """After a line that a reset cut off, and before what a log adds."""
    desk.plug("a", 1)
    ((port, printed),) = desk.up
    words = b"[INFO ] joi\x1b[0mjrc1 hello id=02" + printed.strip() + b" (main src/main.rs:7)\r\n"
    desk.up = [(port, b"\xff\xfe" + words)]
    desk.settle()
    assert "done" == desk.courses()[FIRST]


def test_a_compare_names_no_more_than_the_check_value(desk: Desk) -> None:
    """The host can't know the key, and the registrar is told none."""
    board = desk.plug("a", 1)
    desk.settle()
    desk.start_host()
    desk.reset("a")
    desk.host_turn()
    assert [Compare(FIRST, board.check or "")] == desk.questions
    assert [] == desk.down


def _made(name: PledgeId) -> Device:
    (made,) = generate([name], KeySource())
    return made

"""What is read off a console: pairs of an id and an identity, of one board each."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.provision.console import TABLE, Marked, Sign, State
from jrc.provision.console_lines import MAX_LINE_BYTES, Lines
from jrc.provision.console_patterns import SHIPPED, pattern
from jrc.provision.console_stream import MAX_SOURCES, Waiting
from tests.provision.seen import (
    SPLIT,
    Pair,
    alone,
    pairs,
    problems,
    recorded,
    said,
    starts,
    stream,
)

ESP = Pair("540f572ac81e", "b6a4932b")
NRF = Pair("806a150875d60102", "f3e76059")
DECT = Pair("bcbdbd7a150875d6", "bd23fc19")
RIOT = Pair("00124b0014b5573e", "a163a26c")
SECOND = Pair("540f572ad07b", "1ac00f77")
RECORDINGS = {
    "ariel-os.log": [ESP, ESP],
    "ariel-os-defmt.log": [NRF],
    "ariel-os-defmt-oneline.log": [DECT],
    "riot.log": [RIOT],
}
X = "b9943adbc95be73fd6db7b700a2f9b20b311ed0691317cb418da61e14e03db07"
OTHER_X = "0d8974367b524d718177a574358fa8d49fadd6b0628c5725a9031dd0bd23fc19"
BOOT = "main(): This is RIOT! (Version: 2026.01)\n"
A, B = "Long HWaddr: 00:12:4B:00:00:00:00:0A\n", "Long HWaddr: 00:12:4B:00:00:00:00:0B\n"
NAME_A, NAME_B = "00124b000000000a", "00124b000000000b"


def identity(x: str = X) -> str:
    return f"CoAP server identity: {{8:{{1:{{1:2, 2:h'', -1:1, -2:h'{x}'}}}}}}\n"


@pytest.mark.parametrize("name", RECORDINGS)
def test_each_recording_gives_its_device_with_its_identity(name: str) -> None:
    """Whatever the logger puts round the two lines."""
    events = said(recorded(name))
    assert RECORDINGS[name] == pairs(events)
    assert problems(events) == []
    assert starts(events) > 0


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda each: each.name)
def test_a_pattern_that_ships_finds_no_wrong_pair_in_the_recordings_of_others(
    name: str, shipped: object
) -> None:
    """With one pattern alone, a console gives its pairs or none."""
    console = stream(patterns=[each for each in SHIPPED if each is shipped])
    assert set(pairs(console.feed(recorded(name)) + console.end())) <= set(RECORDINGS[name])


def test_two_interleaved_recordings_give_two_devices() -> None:
    """The word before each line says whose it is, though one board is reset within a line."""
    events = said(recorded("two-boards.log"), SPLIT)
    assert {ESP, SECOND} == set(pairs(events))
    assert problems(events) == []
    assert {"board-1", "board-2"} == {each.source for each in events}


def test_two_boards_without_a_word_of_who_is_who_give_no_pair() -> None:
    """Of what comes mixed up, nothing is stored, and the line is named."""
    plain = recorded("two-boards.log").replace(b"[board-1] ", b"").replace(b"[board-2] ", b"")
    events = said(plain)
    assert pairs(events) == []
    assert [each.line for each in problems(events)] == [11]


@pytest.mark.parametrize("order", [A + identity(), identity() + A])
def test_id_and_identity_of_one_start_are_a_pair_in_either_order(order: str) -> None:
    """RIOT's banner tells a start, so that either may come first."""
    assert [Pair(NAME_A, X[-8:])] == pairs(said((BOOT + order).encode()))


@pytest.mark.parametrize(
    "text",
    [BOOT + A + BOOT + identity(), BOOT + identity() + BOOT + A],
    ids=["id first", "identity first"],
)
def test_nothing_is_paired_across_a_start(text: str) -> None:
    """A board that was swapped before it had said both leaves nothing to the next one."""
    assert pairs(said(text.encode())) == []


def test_an_ariel_board_that_starts_without_a_word_takes_no_identity_of_the_board_before() -> None:
    """Its first line is the one with its id."""
    first, second = "Device ID: [0a, 0b, 0c, 0d, 0e, 0f]\n", "Device ID: [1a, 1b, 1c, 1d, 1e, 1f]\n"
    events = said((first + second + identity()).encode())
    assert [Pair("1a1b1c1d1e1f", X[-8:])] == pairs(events)
    assert ["0a0b0c0d0e0f"] == alone(events)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (BOOT + A + B + identity(), 3, (NAME_A, NAME_B)),
        (BOOT + A + identity() + identity(OTHER_X), 4, ("two identities", NAME_A)),
        (BOOT + A + identity().replace(X, X[:40]), 3, ("no identity",)),
        (BOOT + A + "CoAP server identity: {1:4,-1:h'00112233'}\n", 3, ("symmetric",)),
    ],
    ids=["two ids", "two identities", "cut", "a secret"],
)
def test_what_is_not_clear_is_named_and_nothing_of_that_start_is_given(
    text: str, line: int, words: tuple[str, ...]
) -> None:
    """Until the next start, where all is well again; the line itself is never quoted."""
    events = said((text + A + identity() + BOOT + B + identity()).encode())
    (problem,) = problems(events)
    assert problem.line == line
    assert all(word in problem.what for word in words)
    assert "00112233" not in problem.what
    assert [Pair(NAME_B, X[-8:])] == pairs(events)


def test_what_is_said_twice_is_given_once() -> None:
    """A shell prints an id each time it is asked."""
    assert [Pair(NAME_A, X[-8:])] == pairs(said((BOOT + A + A + identity() + A).encode()))


def test_a_pair_is_given_when_it_is_settled() -> None:
    """Not at once: what speaks against it may be a line away."""
    console = stream()
    before = console.feed((BOOT + A + identity()).encode())
    assert pairs(before) == []
    assert console.waiting == [Waiting("", 3)]
    assert [Pair(NAME_A, X[-8:])] == pairs(console.settle(""))
    assert pairs(console.settle("")) == []


@pytest.mark.parametrize("cut", range(1, len(A) - 1))
def test_a_line_that_a_reset_cuts_gives_no_id(cut: int) -> None:
    """The banner follows without an end of the line, wherever the reset was."""
    events = said((BOOT + A[:cut] + BOOT + identity()).encode())
    assert pairs(events) == []
    assert ["None"] == alone(events)


@pytest.mark.parametrize("form", ["[0a, 0b, 0c, 0d, 0e, 0f]", "0a0b0c0d0e0f", "0A:0B:0C:0D:0E:0F"])
def test_the_forms_of_an_id_are_one_id(form: str) -> None:
    """Loggers differ."""
    events = said(f"Device ID: {form}\n{identity()}".encode())
    assert [Pair("0a0b0c0d0e0f", X[-8:])] == pairs(events)


@pytest.mark.parametrize(
    "before",
    ["", "[INFO ] ", "INFO ", "0.01 INFO  ", "INFO - ", "[2026-11-22 INFO] ", "> ", "DEBUG "],
)
def test_an_id_is_found_behind_what_loggers_write(before: str) -> None:
    """Whichever logger it is."""
    events = said(f"{before}Device ID: [0a, 0b, 0c, 0d]\n{identity()}".encode())
    assert [Pair("0a0b0c0d", X[-8:])] == pairs(events)


@pytest.mark.parametrize("before", ["USB ", "usb-serial: found USB ", "Get", "x_", "Vendor and "])
def test_the_id_of_another_thing_is_none(before: str) -> None:
    """It ends a start, as a line of that kind may, and is paired with nothing."""
    events = said(f"{before}Device ID: 0451:16a8\n{identity()}".encode())
    assert pairs(events) == []
    assert problems(events) == []


@pytest.mark.parametrize("form", ["[128, 106, 21]", "[0a, 0b, 0", "0a0b0", "none", "[]"])
def test_an_id_in_another_form_is_a_problem_and_no_id(form: str) -> None:
    """Bytes in decimal could be taken for hex."""
    events = said(f"Device ID: {form}\n{identity()}".encode())
    assert pairs(events) == []
    assert len(problems(events)) == 1


def test_a_vanished_port_ends_what_was_half_read() -> None:
    """Half a line and half a pair are forgotten; a whole pair is given."""
    console = stream()
    console.feed((BOOT + A).encode())
    assert [NAME_A] == alone(console.end())
    console.feed((BOOT + identity() + A[:20]).encode())
    assert ["None"] == alone(console.end())
    assert pairs(console.feed((A[20:] + identity()).encode()) + console.end()) == []


def test_a_line_without_an_end_takes_no_memory_and_may_hide_a_start() -> None:
    """What came before it is never paired with what comes after it."""
    lines = Lines()
    for _ in range(100):
        assert lines.feed(b"x" * MAX_LINE_BYTES) == []
    assert lines._begun == b""
    long = "x" * (MAX_LINE_BYTES + 1) + "\n"
    assert pairs(said((BOOT + A + long + identity()).encode())) == []


def test_boards_on_one_port_are_bounded() -> None:
    """A logger that numbers its lines is no fleet."""
    console = stream(SPLIT)
    for number in range(2 * MAX_SOURCES):
        console.feed(f"[s-{number}] {BOOT}".encode())
    assert len(console._consoles) == MAX_SOURCES


def test_a_boards_name_can_drive_no_terminal_and_is_no_path() -> None:
    """It is shown, and stored as the place where a device was seen."""
    name = "../\x9b31m\u202eboard" + "x" * 99
    events = stream(r"^\[(?P<source>[^]]*)\] ").feed(f"[{name}] {BOOT}".encode())
    (source,) = {each.source for each in events}
    assert re.fullmatch(r"[\w.-]{1,32}", source, re.ASCII)


def test_marked_lines_are_for_others_and_are_looked_at_no_further() -> None:
    """From the mark on; a start before it counts."""
    console = stream(marks=["jrc1 "])
    events = console.feed(f"0.01 INFO jrc1 hello {A}".encode())
    assert [Marked(1, f"jrc1 hello {A.strip()}")] == [each.event for each in events]
    assert console.end() == []


def test_patterns_of_ones_own_are_kept_to() -> None:
    """As the config has them."""
    own = pattern(
        "acme", boot=r"ACME \d", device_id=r"EUI=(?P<value>\w{16})", identity=r"c=(?P<value>.*)"
    )
    text = f"ACME 1\nEUI=0011223344556677\nc={identity().partition(': ')[2]}"
    console = stream(patterns=[own])
    assert [Pair("0011223344556677", X[-8:])] == pairs(console.feed(text.encode()) + console.end())


def test_each_state_answers_each_sign_that_can_come() -> None:
    """What the table lacks can't come: a value that is not there can't be another one."""
    for state, row in TABLE.items():
        missing = set(Sign) - set(row)
        if state in (State.NOTHING, State.DEVICE, State.IDENTITY):
            assert missing <= {
                Sign.OTHER_DEVICE, Sign.OTHER_IDENTITY, Sign.DEVICE, Sign.IDENTITY
            }  # fmt: skip
        else:
            assert missing <= {Sign.DEVICE, Sign.IDENTITY}


RECORDED = st.sampled_from(sorted({*RECORDINGS, "two-boards.log"}))


@given(name=RECORDED, data=st.data(), split=st.sampled_from([None, SPLIT]))
def test_pieces_make_no_difference(name: str, data: st.DataObject, split: str | None) -> None:
    """A console says the same however its bytes are cut."""
    whole = recorded(name)
    console = stream(split)
    events = []
    rest = whole
    while rest:
        size = data.draw(st.integers(1, 400))
        events += console.feed(rest[:size])
        rest = rest[size:]
    assert said(whole, split) == events + console.end()


@given(order=st.lists(st.sampled_from(("ariel-os.log", "riot.log", "ariel-os-defmt.log"))))
def test_boards_with_a_word_before_each_line_are_told_apart_in_any_order(order: list[str]) -> None:
    """Each gives what it gives alone."""
    left = {name: recorded(name).decode().splitlines() for name in set(order)}
    turns = [*order, *(name for name, lines in sorted(left.items()) for _ in lines)]
    mixed = [f"[{name.split('.')[0]}] {left[name].pop(0)}\n" for name in turns if left[name]]
    events = said("".join(mixed).encode(), SPLIT)
    for name in left:
        mine = [each for each in events if each.source == name.split(".")[0]]
        assert RECORDINGS[name] == pairs(mine)


NOISE = ("noise\n", "\r\n", "\x1b[32mgreen\x1b[0m\n", "Device's first EUI-48 address: 0a:0b\n")
SAID = {A: NAME_A, B: NAME_B, identity(): X[-8:], identity(OTHER_X): OTHER_X[-8:]}


def expected(texts: list[str]) -> list[Pair]:
    """Of each start, the pair if there is one id and one identity."""
    found = []
    for board in "".join(texts).split(BOOT):
        ids = [SAID[each] for each in (A, B) if each in board]
        keys = [SAID[each] for each in (identity(), identity(OTHER_X)) if each in board]
        if len(ids) == len(keys) == 1:
            found.append(Pair(ids[0], keys[0]))
    return found


@given(texts=st.lists(st.sampled_from((BOOT, A, B, identity(), identity(OTHER_X), *NOISE))))
def test_each_start_gives_its_pair_if_it_has_one_whatever_comes(texts: list[str]) -> None:
    """One id and one identity; more of either is nothing."""
    assert expected(texts) == pairs(said("".join(texts).encode()))

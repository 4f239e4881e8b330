"""Ports: boards that are swapped, silent or in several places, and consoles that echo."""

import ctypes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jrc.provision import bench
from jrc.provision.backlines import who_line
from jrc.provision.bench import ANSWER_WITHIN_S, MAX_QUESTIONS
from tests.provision.benches import Desk, Held, identifier

FIRST = identifier(1)


@pytest.fixture
def desk(code: ctypes.CDLL) -> Desk:
    return Desk(code)


def test_a_device_that_stays_silent_is_named_and_goes_on_when_it_is_back(desk: Desk) -> None:
    """With the same key, which it may have."""
    desk.plug("a", 1)
    desk.meet()
    desk.registrar_turn()
    board = desk.ports.pop("a")
    desk.settle()
    for _ in range(MAX_QUESTIONS + 1):
        desk.wait(ANSWER_WITHIN_S)
        desk.settle()
    assert "unanswered" == desk.courses()[FIRST]
    assert desk.bench.due_s() is None
    desk.plug("a", 1)
    desk.settle()
    assert "done" == desk.courses()[FIRST]
    assert Held(board.check or "") == desk.registrar.held[FIRST]


def test_what_was_sent_down_a_port_is_never_sent_down_another(desk: Desk) -> None:
    """Two boards with one identifier never share a key."""
    desk.plug("a", 1)
    desk.meet()
    desk.registrar_turn()
    desk.down.clear()
    desk.plug("b", 1)
    desk.settle()
    assert 2 == len(desk.registrar.given) == len({made.key_check for made in desk.registrar.given})
    assert "done" == desk.courses()[FIRST]


def test_devices_may_be_on_one_port_and_swapped(desk: Desk) -> None:
    """The one that went in the middle is named, and gets its key when it is back."""
    desk.plug("a", 1)
    desk.meet()
    desk.plug("a", 2)
    desk.settle()
    assert {"ready", "done"} == set(desk.courses().values())
    assert "ready" == desk.courses()[FIRST], "its key was sent to nobody else"
    desk.plug("a", 1)
    desk.settle()
    assert {"done"} == set(desk.courses().values())
    assert 2 == len(desk.registrar.given)


def test_a_console_that_repeats_what_it_is_sent_is_named(desk: Desk) -> None:
    """Its key stood on it, and nothing the device says makes up for that."""
    desk.plug("a", 1)
    desk.meet()
    desk.registrar_turn()
    sent = desk.down[0].data.reveal()
    desk.up.append(("a", sent))
    desk.device_turn()
    desk.host_turn()
    desk.settle()
    assert "exposed" == desk.courses()[FIRST]
    assert "switch the echo off" in desk.told[-1].remedy


@pytest.mark.parametrize("turns", [1, 2])
def test_a_console_that_echoes_gets_no_key(desk: Desk, turns: int) -> None:
    """It is asked who it is first, and that line comes back; maybe after another offer."""
    board = desk.plug("a", 1)
    desk.host_turn()
    echo = desk.down[0].data.reveal()
    if turns == 2:
        board.offer()
        desk.collect()
        desk.host_turn()
    desk.up.append(("a", echo))
    desk.host_turn()
    desk.registrar_turn()
    assert ("given up", True) == (desk.courses()[FIRST], "was sent no key" in desk.told[-1].why)
    desk.settle()
    desk.wait(60)
    desk.settle()
    assert b"jrc1 key" not in b"".join(each.data.reveal() for each in desk.down)
    assert board.flash is None


def test_a_run_is_for_so_many_devices(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A console that names identifiers without end gets no key for each."""
    monkeypatch.setattr(bench, "MAX_DEVICES", 1)
    desk.plug("a", 1)
    desk.settle()
    desk.plug("a", 2)
    desk.settle()
    assert ({FIRST: "done"}, 1) == (desk.courses(), desk.bench.left_out["a"])
    desk.plug("a", 1)
    desk.settle()
    assert 1 == len(desk.registrar.given)


def test_an_echo_is_of_who_spoke_last_on_a_port(desk: Desk) -> None:
    """Not of one that was there before, and is done."""
    desk.plug("a", 1)
    desk.settle()
    desk.bench.opened("a")
    assert [] == desk.bench.heard("a", who_line(), 0.0)
    desk.plug("a", 2)
    desk.host_turn()
    desk.up.append(("a", desk.down[0].data.reveal()))
    desk.settle()
    assert {"done", "given up"} == set(desk.courses().values())


def test_a_board_that_went_before_it_was_given_a_key_is_forgotten(desk: Desk) -> None:
    """It is asked for some time; when it is back, it begins anew."""
    desk.plug("a", 1)
    desk.host_turn()
    del desk.ports["a"]
    for _ in range(MAX_QUESTIONS + 1):
        desk.settle()
        desk.wait(ANSWER_WITHIN_S)
    assert ("unheard", None) == (desk.courses()[FIRST], desk.bench.due_s())
    desk.plug("a", 1)
    desk.settle()
    assert "done" == desk.courses()[FIRST]


@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(cuts=st.lists(st.integers(1, 60), min_size=1))
def test_any_pieces_say_the_same(code: ctypes.CDLL, cuts: list[int]) -> None:
    """In both directions."""
    desk = Desk(code)
    board = desk.plug("a", 1)
    ((port, printed),) = desk.up
    desk.up = [(port, piece) for piece in _pieces(printed, cuts)]
    desk.meet()
    desk.registrar_turn()
    (sent,) = desk.down
    for piece in _pieces(sent.data.reveal(), cuts):
        board.feed(piece)
    assert Held(board.check or "") == desk.registrar.held[FIRST]


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    found = []
    for cut in cuts:
        found.append(data[:cut])
        data = data[cut:]
    return [*found, data]

"""What is on its way to the registrar, which may be away."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest

from jrc.cli import watch_outbox
from jrc.cli.client import Api
from jrc.cli.identity_sending import AT_ONCE
from jrc.cli.watch_outbox import Outbox, Sighting, Stored
from jrc.cojp.credential import parse
from jrc.errors import ExitCode, OperatorError, StateError
from jrc.model import PledgeId
from tests.provision.board import credential, device_id

WITHIN_S = 30.0


class Registrar(Api):
    """Takes identities, if it is there; ``lost`` answers are those after which it has gone."""

    def __init__(self, *, is_there: bool = True, lost: int = 0) -> None:
        self.is_there = is_there
        self.lost = lost
        self.unread = ""
        self.has: list[str] = []
        self.batches: list[int] = []

    @contextmanager
    def connect(self) -> Iterator[Api]:
        if not self.is_there:
            raise OperatorError("it is away", exit_code=ExitCode.UNREACHABLE)
        yield self

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        assert path == "/v1/identities/batch"
        given = body["identities"]
        assert isinstance(given, list)
        if self.unread in [each["pledge_id"] for each in given]:
            raise OperatorError("not read", exit_code=ExitCode.USAGE)
        self.batches.append(len(given))
        self.has += [each["pledge_id"] for each in given]
        if self.lost:
            self.lost -= 1
            raise OperatorError("broken off", exit_code=ExitCode.UNREACHABLE)
        return {"identities": [{"outcome": "new", "error": None, "hint": None} for _ in given]}


class Meddled(Registrar):
    """Something happens once while it stores."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        once, self.meanwhile = self.meanwhile, lambda: None
        once()
        return super().post(path, body)


class Desk:
    """An outbox with what it has told; ``until`` waits as the command does."""

    def __init__(self, registrar: Registrar) -> None:
        self.told: list[Stored] = []
        self._woken = Event()
        self.outbox = Outbox(registrar.connect, self.told.append, self._woken.set, "why")
        self.outbox.start()

    def until(self, number: int) -> None:
        ends_s = monotonic() + WITHIN_S
        while len(self.told) < number and monotonic() < ends_s:
            self._woken.wait(0.1)
            self._woken.clear()
            self.outbox.finished()
        assert len(self.told) == number


def sighting(number: int, key: int | None = None) -> Sighting:
    found = parse(credential(number if key is None else key))
    return Sighting(PledgeId.from_hex(device_id(number)), found, "ttyACM0")


@pytest.fixture(autouse=True)
def _hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_outbox, "RETRY_S", 0.01)


def test_what_was_seen_is_kept_while_the_registrar_is_away() -> None:
    """Of a device, what it showed last; all of it is sent when the registrar is back."""
    registrar = Registrar(is_there=False)
    desk = Desk(registrar)
    for each in (sighting(1), sighting(2), sighting(1, key=3)):
        assert desk.outbox.put(each)
    ends_s = monotonic() + WITHIN_S
    while not desk.outbox.away and monotonic() < ends_s:
        sleep(0.01)
    assert desk.outbox.away == "it is away"
    assert desk.outbox.waiting == 2
    registrar.is_there = True
    desk.until(2)
    assert (desk.outbox.away, desk.outbox.waiting) == ("", 0)
    assert [sighting(1, key=3), sighting(2)] == [each.sighting for each in desk.told]
    desk.outbox.stop(WITHIN_S)
    assert desk.outbox.left() == []


def test_an_answer_that_is_lost_is_asked_for_again() -> None:
    """The registrar says then that it knows them, and each is told of once."""
    registrar = Registrar(lost=1)
    desk = Desk(registrar)
    desk.outbox.put(sighting(1))
    desk.until(1)
    assert [device_id(1)] * 2 == registrar.has
    desk.outbox.stop(WITHIN_S)
    assert desk.outbox.left() == []
    assert len(desk.told) == 1


def test_what_was_not_stored_at_the_end_is_given_back() -> None:
    """A registrar that stays away does not keep the command."""
    desk = Desk(Registrar(is_there=False))
    desk.outbox.put(sighting(1))
    desk.outbox.stop(WITHIN_S)
    assert [sighting(1)] == desk.outbox.left()


def test_more_than_there_is_room_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that waits already may always say something new."""
    monkeypatch.setattr(watch_outbox, "MAX_KEPT", 2)
    desk = Desk(Registrar(is_there=False))
    assert [True, True, False, True] == [desk.outbox.put(sighting(n)) for n in (1, 2, 3, 1)]
    desk.outbox.stop(WITHIN_S)


def test_many_go_in_batches_that_the_api_takes() -> None:
    """None is left behind between two of them."""
    registrar = Registrar(is_there=False)
    desk = Desk(registrar)
    for number in range(2 * AT_ONCE + 1):
        desk.outbox.put(sighting(number, key=number % 7))
    registrar.is_there = True
    desk.until(2 * AT_ONCE + 1)
    assert [200, 200, 1] == registrar.batches
    desk.outbox.stop(WITHIN_S)


def test_one_that_the_registrar_can_not_read_hinders_no_other() -> None:
    """It is refused by itself; the others are stored."""
    registrar = Registrar()
    registrar.unread = device_id(2)
    desk = Desk(registrar)
    for number in (1, 2, 3):
        desk.outbox.put(sighting(number))
    desk.until(3)
    assert ["new", "refused", "new"] == [each.outcome for each in desk.told]
    assert [device_id(1), device_id(3)] == registrar.has
    desk.outbox.stop(WITHIN_S)
    assert desk.outbox.left() == []


def test_a_newer_identity_that_comes_while_the_older_one_is_stored_is_stored_too() -> None:
    """The board was flashed anew in that moment."""
    registrar = Meddled()
    desk = Desk(registrar)
    registrar.meanwhile = lambda: desk.outbox.put(sighting(1, key=2))
    desk.outbox.put(sighting(1))
    desk.until(2)
    keys = [each.sighting.credential for each in desk.told]
    assert [sighting(1).credential, sighting(1, key=2).credential] == keys
    desk.outbox.stop(WITHIN_S)
    assert desk.outbox.left() == []


def test_other_errands_hold_nothing_back() -> None:
    """Whatever comes first goes first, and what it gives is done by the thread of the command."""
    desk, done = Desk(Registrar()), list[str]()
    desk.outbox.ask(lambda _api: lambda: done.append("errand"))
    desk.outbox.put(sighting(1))
    desk.until(1)
    assert done == ["errand"]
    desk.outbox.stop(WITHIN_S)


def test_a_database_that_is_damaged_is_told_as_by_any_command() -> None:
    """No retry mends it."""
    desk = Desk(Registrar())

    def finds_damage(_api: Api) -> Any:
        raise StateError("a row does not authenticate")

    desk.outbox.ask(finds_damage)
    with pytest.raises(StateError, match="authenticate"):
        desk.until(1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_broke_down_is_noticed() -> None:
    """The command must not go on as if all were stored."""
    desk = Desk(Registrar())

    def breaks(_api: Api) -> Any:
        raise ZeroDivisionError

    desk.outbox.ask(breaks)
    with pytest.raises(StateError, match="by itself"):
        desk.until(1)

"""Joins, backups, old copies put back and recovered, in any order: nothing is ever said twice."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jrc.cojp import message, oscore
from jrc.cojp.constants import OptionNumber
from jrc.lab.pledge import Joined, Outcome, Recovering, SimulatedPledge
from jrc.model import Secret
from jrc.service.recover import Step, quarantine, recover_step
from jrc.store.database import Database
from tests.desk import ACTOR, KEK, ON_SERVER, Desk
from tests.joining import Hall, hall_at

PLEDGES = 3
STEPS = st.one_of(
    st.tuples(st.just("join"), st.integers(0, PLEDGES - 1)),
    st.tuples(st.just("save"), st.just(0)),
    st.tuples(st.just("put_back"), st.integers(0, 9)),
    st.tuples(st.just("replay"), st.integers(0, 99)),
)

Said = tuple[bytes, bytes, bytes]
"""What fixes key and nonce of an answer: kid context and Partial IV of the request, and R2."""


class Yard:
    """A registrar, its devices, and a witness who keeps all that was ever said."""

    def __init__(self, folder: Path, undo: ExitStack) -> None:
        self._folder = folder
        self._halls = ExitStack()
        self.desk = Desk(folder)
        self.desk.network()
        made = [self.desk.pledge(number) for number in range(PLEDGES)]
        self.pledges = [SimulatedPledge(name.value, Secret(psk), b"\xca\xfe") for name, psk in made]
        self.copies: list[Path] = []
        self.requests: list[bytes] = []
        self.said: dict[Said, bytes] = {}
        self.holders: dict[tuple[bytes, bytes], bytes] = {}
        self.hall = self._made_hall()
        undo.callback(self._close)
        self.save()

    def _made_hall(self) -> Hall:
        return self._halls.enter_context(hall_at(self.desk))

    def _close(self) -> None:
        self._halls.close()
        self.desk.close()

    def join(self, number: int) -> None:
        """One device asks until it has joined, or gets no answer."""
        pledge = self.pledges[number]
        outcome = self._exchange(pledge)
        if isinstance(outcome, Recovering):
            outcome = self._exchange(pledge)
        if isinstance(outcome, Joined):
            told = outcome.configuration
            assert told.short_id is not None
            held = told.keys[0].value.reveal(), told.short_id
            assert self.holders.setdefault(held, pledge.identifier) == pledge.identifier

    def _exchange(self, pledge: SimulatedPledge) -> Outcome | None:
        request = pledge.request()
        self.requests.append(request)
        answer = self._ask(request)
        return None if answer is None else pledge.receive(answer)

    def replay(self, number: int) -> None:
        """Somebody who has listened sends a request again."""
        if self.requests:
            self._ask(self.requests[number % len(self.requests)])

    def _ask(self, request: bytes) -> bytes | None:
        answer = self.hall.ask(request)
        self.desk.now_ms += 1000
        if answer is not None:
            asked, given = _option(request), _option(answer)
            said = asked.kid_context or b"", asked.piv or b"", given.kid_context or b""
            ciphertext = message.decode(answer).payload
            assert self.said.setdefault(said, ciphertext) == ciphertext
        return answer

    def save(self) -> None:
        """A copy of the database as it is."""
        self._close()
        copy = self._folder / f"copy{len(self.copies)}"
        shutil.copy(self.desk.path, copy)
        self.copies.append(copy)
        self._open()

    def put_back(self, number: int) -> None:
        """An old copy: it is silent, and then recovered."""
        self._close()
        shutil.copy(self.copies[number % len(self.copies)], self.desk.path)
        self._open()
        self.desk.write(lambda tx: quarantine(tx, "an old copy", actor="jrc"))
        for request in self.requests[-3:]:
            assert self.hall.ask(request) is None
        while self._step() is not Step.OPEN:
            assert self.hall.ask(self.pledges[0].request()) is None
        self._halls.close()
        self.hall = self._made_hall()

    def _step(self) -> Step:
        return self.desk.write(lambda tx: recover_step(tx, actor=ACTOR)).step

    def _open(self) -> None:
        self.desk.database = Database.open(self.desk.url, KEK)
        self.hall = self._made_hall()


def _option(datagram: bytes) -> oscore.OscoreOption:
    options = message.decode(datagram).options
    (value,) = message.option_values(options, OptionNumber.OSCORE)
    return oscore.decode_option(value)


@pytest.mark.skipif(ON_SERVER, reason="copies files of SQLite")
@settings(max_examples=10, deadline=None)
@given(steps=st.lists(STEPS, max_size=14))
def test_e08_b05_no_nonce_and_no_short_identifier_comes_twice_whatever_copy_is_put_back(
    steps: list[tuple[str, int]],
) -> None:
    """RFC 8613 §7.5, RFC 9031 §8.3.3, §8.4.4.1: by a witness who forgets nothing."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as undo:
        yard = Yard(Path(folder), undo)
        for name, number in [("join", 0), *steps, ("put_back", 0), ("join", 0)]:
            if name == "save":
                yard.save()
            else:
                getattr(yard, name)(number)


@pytest.mark.skipif(ON_SERVER, reason="copies files of SQLite")
def test_e08_all_devices_come_back_to_a_recovered_copy() -> None:
    """RFC 8613 App. B.2: those that joined before the copy, after it, and never."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as undo:
        yard = Yard(Path(folder), undo)
        yard.join(0)
        yard.save()
        yard.join(1)
        yard.put_back(1)
        for number in range(PLEDGES):
            yard.join(number)
        assert 5 == len(yard.holders)
        assert 2 == len({key for key, _ in yard.holders})

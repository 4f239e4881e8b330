"""Row N3: whatever is asked, lost, replayed and restored, a nonce protects one answer."""

import os
import random
from collections.abc import Iterator

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jrc.cojp import message, oscore
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import PeerError
from tests.desk import Desk
from tests.joining import Hall, next_generation
from tests.service.recoveries import Peer, enroll, lose, option_of

EXAMPLES = int(os.environ.get("JRC_RECOVERY_EXAMPLES", "8"))
_TABLES = ("recovery_run", "context_kid", "context_state", "context")
_DONE = ("ask", "ask", "ask", "ask and lose", "copy", "copy", "copies", "restart", "keep")
_HAPPENS = ("restore", "forget the run", "begin with the identifier")
_STEPS = st.lists(st.sampled_from(_DONE + _HAPPENS), min_size=4, max_size=30)


class Witness:
    """Knows the PSK and everything that was ever said; it is told nothing by the registrar."""

    def __init__(self, pledge: Peer) -> None:
        self.psk = pledge._psk.reveal()
        self.answers: dict[tuple[bytes, bytes], bytes] = {}

    def saw(self, request: bytes, answer: bytes) -> None:
        """An answer; it fails where its nonce has protected something else before."""
        asked, told = option_of(request), option_of(answer)
        assert told.piv is None, "a number of the registrar's own"
        piv, protected = asked.piv or b"", message.decode(answer).payload
        second = b"" if told.kid_context is None else cbor2.loads(told.kid_context)
        names = [second + each for each in readings(asked.kid_context or b"")]
        (named,) = [each for each in names if self.opens(each, piv, told, protected)]
        before = self.answers.setdefault((named, piv), protected)
        assert before == protected, f"two answers under {named.hex()} {piv.hex()}"

    def opens(self, named: bytes, piv: bytes, told: oscore.OscoreOption, protected: bytes) -> bool:
        """Whether an answer was protected in the context of this name."""
        context = derive_for_jrc(self.psk, named).mirrored()
        try:
            oscore.unprotect_response(context, b"", piv, told, protected)
        except PeerError:
            return False
        return True


def readings(kid_context: bytes) -> Iterator[bytes]:
    """What a kid context may stand for: itself, or the content of a byte string that is all of it.

    One in 256 of those that are drawn can be read both ways.
    """
    yield kid_context
    for head in (1, 2):
        if kid_context == cbor2.dumps(kid_context[head:]):
            yield kid_context[head:]


class Story:
    """One pledge, one registrar, and what becomes of them; ``is_careless`` restores too little."""

    def __init__(self, hall: Hall, number: int, *, is_careless: bool = False) -> None:
        self.hall = Hall(hall.desk)
        self.pledge = enroll(self.hall, number)
        self.first = self.pledge.context
        self.witness = Witness(self.pledge)
        self.requests: list[bytes] = []
        self.kept = self.rows()
        self.is_careless = is_careless
        self.chance = random.Random(number)

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        return {table: self.hall.desk.sql(f"SELECT * FROM {table}") for table in _TABLES}

    def said(self, request: bytes) -> bytes | None:
        answer = self.hall.ask(request)
        if answer is not None:
            self.witness.saw(request, answer)
        return answer

    def do(self, step: str) -> None:
        """One step by its name."""
        getattr(self, step.replace(" ", "_"))()

    def ask(self) -> None:
        self.requests.append(self.pledge.request())
        answer = self.said(self.requests[-1])
        if answer is not None:
            assert self.pledge.receive(answer) is not None

    def ask_and_lose(self) -> None:
        self.requests.append(self.pledge.request())
        self.said(self.requests[-1])

    def copy(self) -> None:
        if self.requests:
            self.said(self.chance.choice(self.requests))

    def copies(self) -> None:
        for request in self.requests:
            self.said(request)

    def restart(self) -> None:
        other = Hall(self.hall.desk)
        self.hall.close()
        self.hall = other

    def keep(self) -> None:
        self.kept = self.rows()

    def restore(self) -> None:
        """An old copy of the database, with what a recovery does to it (rows E8, N14)."""
        for table in _TABLES:
            self.hall.desk.sql(f"DELETE FROM {table}")
        for table in reversed(_TABLES):
            for row in self.kept[table]:
                insert(self.hall.desk, table, row)
        if not self.is_careless:
            lose(self.hall)
        next_generation(self.hall.desk, retire=True)
        self.restart()

    def forget_the_run(self) -> None:
        self.pledge._offered = None

    def begin_with_the_identifier(self) -> None:
        """A device that keeps its numbers, and not what a run gave it."""
        self.pledge.context, self.pledge._offered = self.first, None


def insert(desk: Desk, table: str, row: tuple[object, ...]) -> None:
    def write(tx):  # type: ignore[no-untyped-def]
        marks = ", ".join("?" * len(row))
        tx._transaction.connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", row)

    desk.write(write)


@pytest.fixture
def numbers() -> list[int]:
    """How many pledges there were."""
    return [0]


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_b07_n03_a_nonce_protects_one_answer_whatever_happens(
    hall: Hall, numbers: list[int], steps: list[str]
) -> None:
    """RFC 8613 §5.2, §7.5, App. B.2; at the end the device joins, if it begins anew."""
    numbers[0] += 1
    story = Story(hall, numbers[0])
    for step in ["ask", *steps]:
        story.do(step)
    story.restore()
    story.begin_with_the_identifier()
    for _ in range(2):
        story.ask()
    assert story.pledge.context is not story.first
    story.ask()
    story.hall.close()


def test_b07_the_witness_sees_a_registrar_that_goes_on_with_an_old_copy(hall: Hall) -> None:
    """Row N14: with the old window, a replay is answered with new keys under the old nonce."""
    story = Story(hall, 1, is_careless=True)
    story.ask()
    story.restore()
    with pytest.raises(AssertionError, match="two answers under"):
        story.copies()
    story.hall.close()

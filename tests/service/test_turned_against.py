"""No bound can be used up by one who wants to keep a pledge out: each thought of it is a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.errors import Reason
from jrc.service.attempts import PLEDGES, STRANGERS
from jrc.service.copies import MAX_COPY_RESENDS, MAX_SPARE_PER_S
from tests.daemon.wire import OddPledge
from tests.desk import Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at
from tests.service import fakes

FORGERIES = 2 * PLEDGES
HONEST = fakes.Path(bytes(15) + b"\x01")


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    """A registrar with network lab."""
    desk = Desk(tmp_path)
    desk.network()
    with hall_at(desk) as hall:
        yield hall
    desk.close()


def attacker(number: int) -> fakes.Path:
    """One of as many addresses as an attacker has."""
    return fakes.Path(b"\x20\x01" + number.to_bytes(14))


def forged(request: bytes, number: int) -> bytes:
    """With another tag."""
    return request[:-4] + number.to_bytes(4)


def answers_to(hall: Hall, request: bytes, way: fakes.Path) -> int:
    """How many answers one datagram gets."""
    before = len(hall.outbox.sent)
    hall.take(request, way=way)
    return len(hall.outbox.sent) - before


@pytest.mark.parametrize("addresses", [2, 10])
def test_c11_who_is_faster_with_each_request_keeps_no_pledge_from_its_answers(
    hall: Hall, addresses: int
) -> None:
    """He asks first, from several addresses and in the proxy's name, attempt after attempt."""
    pledge = hall.enroll()
    for _ in range(20):
        request = pledge.request(JOIN)
        hall.ask(request, attacker(0))
        for number in range(1, addresses):
            hall.take(request, way=attacker(number))
        for _ in range(MAX_COPY_RESENDS):
            hall.take(request, way=HONEST)
        assert [1] * 5 == [answers_to(hall, request, HONEST) for _ in range(5)]


def test_c11_a_flood_of_copies_costs_others_nothing_and_the_registrar_a_budget(hall: Hall) -> None:
    """What goes beyond the shares of a request is bounded; other requests have theirs."""
    pledge, other = hall.enroll(1), hall.enroll(2)
    request, first = pledge.request(JOIN), other.request(JOIN)
    hall.ask(request, HONEST)
    hall.ask(first, HONEST)
    answers = sum(answers_to(hall, request, attacker(number % 99)) for number in range(2000))
    assert MAX_SPARE_PER_S + MAX_COPY_RESENDS == answers
    assert 1 == answers_to(hall, first, HONEST)
    hall.join(pledge)


def test_b06_forgeries_in_a_pledges_name_leave_its_request_as_good_as_before(hall: Hall) -> None:
    """RFC 8613 §7.4: no count of failures, no limit by identity, no window that they move."""
    pledge, other = hall.enroll(1), hall.enroll(2)
    hall.join(pledge)
    liar = OddPledge(pledge_id(1).value, bytes(16), number=2**39)
    request = liar.request(JOIN)
    for number in range(FORGERIES):
        hall.take(forged(request, number), way=attacker(number))
    assert FORGERIES == hall.metrics.drops[Reason.BAD_TAG]
    assert [] == list(hall.asks)
    hall.join(pledge)
    hall.join(other)


def test_strangers_push_nobody_out_of_what_is_remembered(hall: Hall) -> None:
    """Neither contexts nor the attempts of pledges: theirs are kept apart, and are fewer."""
    pledge = hall.enroll()
    hall.join(pledge)
    cached = len(hall.contexts)
    request = OddPledge(bytes(8), bytes(16)).request(JOIN)
    for number in range(FORGERIES):
        hall.take(request.replace(bytes(8), number.to_bytes(8, "little"), 1), way=attacker(1))
    assert cached == len(hall.contexts)
    assert ["joined"] == [each.outcome for each in hall.attempts.of(pledge_id(1).value)]
    assert len(hall.attempts.unknown()) <= STRANGERS
    hall.join(pledge)


def test_one_pledge_takes_one_place_among_those_that_wait(hall: Hall) -> None:
    """What it sends besides is dropped until its first is on disk; others go on."""
    greedy, other = hall.enroll(1), hall.enroll(2)
    for _ in range(100):
        hall.take(greedy.request(JOIN))
    assert (1, 99) == (hall.intake.in_flight, hall.metrics.drops[Reason.IN_FLIGHT])
    hall.take(other.request(JOIN))
    assert 2 == hall.intake.in_flight
    hall.commit()
    assert 0 == hall.intake.in_flight
    hall.join(greedy)


def test_a_flood_from_one_address_costs_others_behind_it_nothing(hall: Hall) -> None:
    """A Join Proxy's address can be forged: nothing is limited by where it comes from."""
    request = OddPledge(bytes(8), bytes(16)).request(JOIN)
    for number in range(FORGERIES):
        hall.take(forged(request, number), way=HONEST)
    for number in (1, 2, 3):
        answer = hall.ask(hall.enroll(number).request(JOIN), HONEST)
        assert answer is not None

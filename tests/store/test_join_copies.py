"""Which copies of a request get the answer on disk again (row C11)."""

from collections.abc import Callable

import pytest

from jrc.errors import Reason
from jrc.service.enroll import remove_pledge
from jrc.service.revoking import revoke_pledge
from tests.joining import JOIN, Hall, ciphertext, give_back, hall_at, next_generation
from tests.service.door import copy
from tests.service.fakes import Path


def test_b08_c11_a_copy_gets_the_bytes_of_the_row(hall: Hall) -> None:
    """Also from a process that has just started."""
    pledge = hall.enroll()
    request = pledge.request(JOIN)
    answer = hall.ask(request)
    assert answer is not None
    commits = hall.desk.database.instance.commit_number
    with hall_at(hall.desk) as other:
        again = other.ask(copy(request), Path(bytes(16)))
        assert again is not None
        assert ciphertext(answer) == ciphertext(again)
    assert commits == hall.desk.database.instance.commit_number


def revoked(hall: Hall) -> None:
    hall.act(revoke_pledge)


def removed(hall: Hall) -> None:
    hall.act(remove_pledge)


def rekeyed(hall: Hall) -> None:
    next_generation(hall.desk, retire=False)


def retired(hall: Hall) -> None:
    next_generation(hall.desk, retire=True)


def released(hall: Hall) -> None:
    hall.desk.write(give_back)


def moved_on(hall: Hall) -> None:
    pledge = hall.enrolled  # type: ignore[attr-defined]
    with hall_at(hall.desk) as other:
        other.join(pledge)


@pytest.mark.parametrize("change", [revoked, removed, rekeyed, retired, released, moved_on])
def test_c11_the_row_says_whether_a_copy_is_answered(
    hall: Hall, change: Callable[[Hall], None]
) -> None:
    """Whatever another process has done counts at once, with a warm cache too."""
    pledge = hall.enroll()
    hall.enrolled = pledge  # type: ignore[attr-defined]
    request = pledge.request(JOIN)
    assert hall.ask(request) is not None
    assert hall.ask(copy(request)) is not None
    change(hall)
    assert hall.ask(copy(request)) is None
    assert 1 == hall.metrics.drops[Reason.COPY_REFUSED]


def test_c11_a_refusal_is_repeated_after_a_change_of_keys(hall: Hall) -> None:
    """There are none in it."""
    request = hall.enroll().request(bytes.fromhex("a10542beef"))
    answer = hall.ask(request)
    assert answer is not None
    rekeyed(hall)
    again = hall.ask(copy(request))
    assert again is not None
    assert ciphertext(answer) == ciphertext(again)

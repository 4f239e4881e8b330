"""Networks that let no join traffic in while no window is open."""

import pytest

from jrc.cojp.objects import Configuration
from jrc.model import Admission
from jrc.service.pushing import LOOK_MS
from jrc.service.windows import OpenWindow, close_window, end_windows, open_window
from tests.desk import ACTOR
from tests.joining import hall_at
from tests.pushing import AS_6LBR, Bureau, asks_for_a_turn


@pytest.fixture
def quiet(bureau: Bureau) -> Bureau:
    """A network that lets nobody in outside of windows, not even near."""
    bureau.join(1)
    bureau.set(admission=Admission.WINDOW, quiet_outside_windows=True, join_rate_bytes_per_s=90)
    return bureau


def _open(bureau: Bureau, most: int = 5) -> None:
    window = OpenWindow(network="lab", for_s=60, max_pledges=most)
    bureau.desk.write(lambda tx: open_window(tx, window, actor=ACTOR))


def _rate(found: dict[int, Configuration]) -> int | None:
    return found[1].join_rate_bytes_per_s


def test_g02_the_rate_is_zero_while_no_window_is_open(quiet: Bureau) -> None:
    """And the network's while one is, opened, closed or run out."""
    assert 0 == _rate(quiet.told())
    _open(quiet)
    assert 90 == _rate(quiet.told())
    quiet.desk.write(lambda tx: close_window(tx, "lab", actor=ACTOR))
    assert 0 == _rate(quiet.told())
    _open(quiet)
    assert 90 == _rate(quiet.told())
    quiet.desk.now_ms += 60_000
    quiet.desk.write(lambda tx: end_windows(tx, [2]))
    assert 0 == _rate(quiet.told())


def test_g02_a_window_that_is_full_makes_it_quiet_again(quiet: Bureau) -> None:
    """Nothing but the join itself says so."""
    with hall_at(quiet.desk) as hall:
        quiet.pledges[2] = hall.enroll(2, networks=("lab",))
        _open(quiet, most=1)
        quiet.told()
        joined = quiet.join_in(hall, 2)
    assert 90 == joined.join_rate_bytes_per_s
    quiet.desk.now_ms += LOOK_MS
    assert asks_for_a_turn(quiet)
    found = quiet.told()
    assert [0, 0] == [found[number].join_rate_bytes_per_s for number in (1, 2)]
    (again,) = quiet.join(1)
    assert 0 == again.join_rate_bytes_per_s


def test_a_6lbr_is_told_as_well(quiet: Bureau) -> None:
    """It is a Join Proxy like any other (RFC 9031 §6)."""
    quiet.told()
    _open(quiet)
    with hall_at(quiet.desk) as hall:
        router = hall.enroll(9, networks=("lab",), role=1)
        assert 90 == hall.join(router, AS_6LBR).join_rate_bytes_per_s
    quiet.desk.write(lambda tx: close_window(tx, "lab", actor=ACTOR))
    assert 0 == quiet.told()[9].join_rate_bytes_per_s

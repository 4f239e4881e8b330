"""How much goes into a transaction of an import."""

from jrc.admin.pace import AIM_MS, Pace


def test_it_follows_the_work_and_not_the_disk() -> None:
    """Twice the wanted time halves it at once; growth is slow; a slow commit changes nothing."""
    pace = Pace(400, 100, 2000)
    pace.took(400, 2 * AIM_MS, 500.0)
    assert (pace.size, pace.longest_ms) == (200, 2 * AIM_MS + 500.0)
    pace.took(200, AIM_MS / 4, 1.0)
    assert pace.size == 251
    pace.took(251, AIM_MS, 1000.0)
    assert pace.size == 251


def test_it_stays_within_its_bounds() -> None:
    """Neither nothing nor everything in one transaction."""
    pace = Pace(150, 100, 200)
    pace.took(150, 1000 * AIM_MS, 0.0)
    assert pace.size == 100
    for _ in range(9):
        pace.took(pace.size, 0.0, 0.0)
    assert pace.size == 200

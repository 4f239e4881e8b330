"""The host's clock: when it counts, and what counts in its place."""

from pathlib import Path

import pytest

from jrc import clock
from jrc.clock import LEAP_MS, LOOK_EVERY_MS, OFF_MS, HostClock

NOW_MS = 1_796_000_000_000
BOOT_MS = 5_000_000
S, HOUR, DAY = 1000, 3_600_000, 86_400_000
YEAR = 365 * DAY


class Host:
    """A host whose clock can be set; ``pass_ms`` lets time go by."""

    def __init__(self, wall_ms: int = NOW_MS, seen_ms: int | None = NOW_MS, **how: bool) -> None:
        self.wall_ms, self.boot_ms = wall_ms, BOOT_MS
        self.synchronised = False
        self.looks = 0
        self.clock = HostClock(lambda: self.wall_ms, lambda: self.boot_ms, self._look)
        if seen_ms is not None:
            self.clock.begin(seen_ms, **how)

    def _look(self) -> bool:
        self.looks += 1
        return self.synchronised

    def pass_ms(self, ms: int) -> None:
        self.wall_ms += ms
        self.boot_ms += ms

    @property
    def now_ms(self) -> int:
        return self.clock.now_ms()

    def counts(self) -> bool:
        """Whether its clock does, without a doubt."""
        return self.now_ms == self.wall_ms and self.clock.doubt is None


@pytest.mark.parametrize("jump_ms", [-10 * YEAR, -DAY, -S, 0, S, HOUR])
def test_a_step_back_or_a_short_one_forward_is_taken_as_it_is(jump_ms: int) -> None:
    """RFC 8613 App. B.1.1: what must not go back looks at the latest time of the database."""
    host = Host()
    host.pass_ms(DAY)
    host.wall_ms += jump_ms
    assert host.counts()
    assert host.looks == 0


@pytest.mark.parametrize("jump_ms", [2 * HOUR, 400 * DAY, 50 * YEAR])
def test_a_leap_forward_is_doubted_until_somebody_vouches_for_it(jump_ms: int) -> None:
    """Time goes on from where it was, so that nothing is written down that can't be taken back."""
    host = Host()
    host.pass_ms(DAY)
    before_ms = host.now_ms
    host.wall_ms += jump_ms
    host.pass_ms(HOUR)
    assert before_ms + HOUR <= host.now_ms <= before_ms + HOUR + S
    assert host.clock.doubt is not None
    host.synchronised = True
    host.pass_ms(LOOK_EVERY_MS)
    assert host.counts()


def test_a_leap_that_a_time_service_has_made_counts_at_once() -> None:
    """A board without a clock starts in 1970, and is set by NTP while the registrar runs."""
    host = Host(wall_ms=0)
    assert 0 == host.now_ms
    host.pass_ms(HOUR)
    host.synchronised = True
    host.wall_ms = NOW_MS + 30 * DAY
    assert host.counts()


def test_a_clock_that_was_set_wrong_and_right_again_leaves_no_doubt() -> None:
    """Without any time service: the operator's two commands."""
    host = Host()
    host.wall_ms += YEAR
    assert host.now_ms < NOW_MS + 2 * S
    host.wall_ms -= YEAR
    assert host.counts()
    host.wall_ms -= DAY
    assert host.wall_ms == host.now_ms
    host.wall_ms += DAY
    assert host.counts()
    assert host.looks == 1


def test_a_registrar_that_was_off_for_long_doubts_its_clock() -> None:
    """An empty battery may say 2099: the latest time of the database is where it goes on."""
    short, long = Host(NOW_MS + OFF_MS), Host(NOW_MS + OFF_MS + 1)
    assert short.counts()
    assert NOW_MS == long.now_ms
    assert long.clock.doubt is not None


def test_a_board_without_a_clock_waits_for_a_time_service() -> None:
    """``clock.wait_for_synchronisation``: leases and updates stand still, joins go on."""
    host = Host(NOW_MS + DAY, wait_for_synchronisation=True)
    host.pass_ms(HOUR)
    assert NOW_MS + HOUR == host.now_ms
    assert "not synchronised" in str(host.clock.doubt)
    host.synchronised = True
    host.pass_ms(LOOK_EVERY_MS)
    assert host.counts()
    host.synchronised = False
    assert host.wall_ms == host.now_ms


def test_a_board_that_starts_in_the_past_is_not_put_forward() -> None:
    """What lies behind the database's latest time keeps updates back by itself."""
    host = Host(NOW_MS - YEAR, wait_for_synchronisation=True)
    assert NOW_MS - YEAR == host.now_ms
    assert host.clock.doubt is not None


def test_small_steps_add_up_and_are_followed() -> None:
    """A time service that sets the clock again and again is no leap."""
    host = Host()
    for _ in range(100):
        host.pass_ms(HOUR)
        host.wall_ms += LEAP_MS // 2
        assert host.counts()


def test_whether_it_is_set_is_asked_once_a_second() -> None:
    """Each look is a system call, and each join asks for the time."""
    host = Host()
    host.wall_ms += YEAR
    for _ in range(50):
        assert host.now_ms < NOW_MS + 2 * S
    assert host.looks == 1
    host.pass_ms(LOOK_EVERY_MS)
    assert host.now_ms < NOW_MS + 4 * S
    assert host.looks == 2


def test_the_kernels_word_or_the_time_services_file_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """adjtimex(2); a container may have neither."""

    def mute() -> clock.Synchronisation:
        raise OSError("not allowed")

    monkeypatch.setattr(clock, "synchronisation", mute)
    monkeypatch.setattr(clock, "SYNCHRONISED_FILE", Path("/"))
    assert clock.is_synchronised()
    monkeypatch.setattr(clock, "SYNCHRONISED_FILE", Path("/nowhere"))
    assert not clock.is_synchronised()
    monkeypatch.setattr(clock, "synchronisation", lambda: clock.Synchronisation(True, 0.01))
    assert clock.is_synchronised()

"""Thirty days of leases in accelerated time, on a host whose clock jumps (RFC 9031 §8.4.4)."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from jrc.clock import HostClock
from jrc.cojp.codec import decode_configuration
from jrc.cojp.objects import Configuration
from jrc.service.revoking import revoke_pledges
from jrc.service.update_ports import PreparedUpdate, UpdateOutcome
from tests.desk import ACTOR, NOW_MS, pledge_id
from tests.pushing import HOUR_MS, Bureau, answered, unanswered

NODES = int(os.environ.get("JRC_TEST_LEASE_NODES", "20"))
"""200 in the long form, which takes about a minute."""
DAYS = 30
LEASE_HOURS = 48
STEP_MS = HOUR_MS
SLEEPERS = 5
"""One in so many sleeps a quarter of the time."""
AWAKE = 0.75
LOSS = 0.1
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS

JUMPS = {
    2: -10 * YEAR_MS, 5: -DAY_MS, 8: -1000, 11: 1000, 14: HOUR_MS, 17: 400 * DAY_MS,
    20: 50 * YEAR_MS, 23: -HOUR_MS, 26: 10 * YEAR_MS,
}  # fmt: skip
"""By how much the clock jumps on which day; hours later somebody sets it right."""
RIGHT_AFTER_MS = 4 * HOUR_MS


class Site:
    """A registrar whose clock can be set, and nodes that count by themselves."""

    def __init__(self, folder: Path) -> None:
        self.true_ms, self.wrong_ms = NOW_MS, 0
        self.bureau = Bureau(folder)
        self.bureau.desk.network(lease_hours=LEASE_HOURS)
        self.clock = HostClock(
            lambda: self.true_ms + self.wrong_ms, lambda: self.true_ms - NOW_MS, lambda: False
        )
        self.clock.begin(NOW_MS)
        self.chance = Random(9031)
        self.ends_ms: dict[int, int] = {}
        self.holders: dict[int, int] = {}
        self.outcomes: list[UpdateOutcome] = []
        self.renewals = 0
        self.count = 0
        self.late: list[int] = []

    def join(self) -> int:
        """One more node."""
        self.count += 1
        (config,) = self.bureau.join(self.count)
        self.hear(self.count, config)
        return self.count

    def leave(self, number: int) -> None:
        """A node is revoked, without new keys: its identifier stays burned."""
        names = [pledge_id(number)]
        self.bureau.desk.write(lambda tx: revoke_pledges(tx, names, actor=ACTOR, rekey=False))
        del self.ends_ms[number]

    def hear(self, number: int, config: Configuration) -> None:
        """What a node is told, with the hours it may use its identifier for."""
        leased = config.short_identifier
        if leased is None:
            return
        assert leased.lease_hours == LEASE_HOURS
        value = int.from_bytes(leased.identifier)
        assert self.holders.setdefault(value, number) == number
        self.ends_ms[number] = self.true_ms + LEASE_HOURS * HOUR_MS

    def _is_awake(self, number: int) -> bool:
        return number % SLEEPERS != 0 or self.chance.random() < AWAKE

    def _sent(self, update: PreparedUpdate) -> UpdateOutcome:
        number = self.bureau.number_of(update)
        if not self._is_awake(number) or self.chance.random() < LOSS:
            return unanswered(update)
        self.renewals += 1
        self.hear(number, decode_configuration(update.payload))
        return answered(update) if self.chance.random() >= LOSS else unanswered(update)

    def step(self) -> None:
        """An hour."""
        self.true_ms += STEP_MS
        self.bureau.desk.now_ms = self.clock.now_ms()
        turned = self.bureau.turn(*self.outcomes, room=0 if self.clock.doubt else 64)
        self.outcomes = [self._sent(update) for update in turned.updates]
        self.late += [n for n, end_ms in self.ends_ms.items() if end_ms <= self.true_ms]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A network with leases of 48 hours."""
    site = Site(tmp_path)
    yield site
    site.bureau.desk.close()


def test_f03_no_lease_ends_early_and_no_identifier_is_given_twice(site: Site) -> None:
    """RFC 9031 §8.4.4.1: whatever the clock does, and as nodes come and go, sleep and miss."""
    for _ in range(NODES):
        site.join()
    began_ms = site.true_ms
    for step in range(DAYS * DAY_MS // STEP_MS):
        day, at_ms = divmod(step * STEP_MS, DAY_MS)
        if at_ms == 0:
            site.wrong_ms += JUMPS.get(day, 0)
            site.bureau.desk.now_ms = site.clock.now_ms()
            site.leave(min(site.ends_ms))
            site.join()
        if at_ms == RIGHT_AFTER_MS:
            site.wrong_ms = 0
        site.step()
    assert began_ms + DAYS * DAY_MS == site.true_ms
    assert [] == site.late
    assert NODES + DAYS == len(site.holders)
    assert site.renewals >= NODES * DAYS * DAY_MS // (LEASE_HOURS * HOUR_MS)
    seen_ms = site.bureau.desk.database.instance.clock_high_water_ms
    assert seen_ms <= site.true_ms + HOUR_MS

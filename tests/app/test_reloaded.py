"""Each setting that SIGHUP brings does something in a daemon that runs.

Others are elsewhere: `events.*` in `test_event_keeper.py`, `proxy.*` in `test_proxy.py`, and
`lab.allow_weak_keys` in `tests/daemon/test_logged.py`. Those of `[handover]` are read by commands.
"""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from jrc.app.backups import Backups
from jrc.app.logs import Logs
from jrc.app.reloading import Taking
from jrc.config import Backup, Log, Settings
from jrc.policy.rollover import Phase
from jrc.service.rollover_records import OnBorderRouterJoin
from jrc.store.backup.keyfile import BackupKey
from jrc.store.backup.seal import new_identity
from tests.app.test_backups import Office as BackupOffice
from tests.app.test_backups import files, look
from tests.app.test_rollover_keeper import Office
from tests.desk import Desk
from tests.joining import hall_at
from tests.rolling import FAST, Rig, experiment
from tests.rollovers import AS_6LBR
from tests.store.backups import Backup as Made

FIRST_S = 2.0
"""No node is told a second time within this."""


class Idle:
    """A part that is given settings and does nothing with them."""

    def use(self, section: object) -> None:
        """As the others."""


def take(desk: Desk, settings: Settings, **parts: object) -> None:
    """What SIGHUP does, with these parts of the daemon."""
    opened = SimpleNamespace(settings=None, database=desk.database)
    names = ("logs", "updates", "rollovers", "events", "backups", "proxy")
    Taking(cast(Any, opened), *(cast(Any, parts.get(name, Idle())) for name in names))(settings)


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


@pytest.fixture
def log_as_before() -> Iterator[None]:
    """The log of the other tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("log_as_before")
def test_the_log_has_another_level_and_another_form(desk: Desk) -> None:
    """The lines after it, of the same process."""
    stream = io.StringIO()
    logs = Logs(Log(level="warning", format="json"), stream)
    structlog.get_logger("jrc").info("first")
    take(desk, settings(log={"level": "info", "format": "json"}), logs=logs)
    structlog.get_logger("jrc").info("second")
    take(desk, settings(log={"level": "info", "format": "console"}), logs=logs)
    structlog.get_logger("jrc").info("third")
    second, third = stream.getvalue().splitlines()
    assert "second" == json.loads(second)["event"]
    assert "third" in third
    assert not third.startswith("{")


def told(tmp_path: Path, **taken: object) -> int:
    """Datagrams until nobody has had a second one, of a rollover in which nobody answers.

    With the settings that the daemon has begun with, or with ``taken`` in their place.
    """
    found = []

    async def work(rig: Rig) -> None:
        for node in rig.nodes:
            rig.place(node).is_dead = True
        if taken:
            wanted = settings(rollover={**FAST.model_dump(), **taken})
            take(rig.desk, wanted, updates=rig.registrar.updates)
        await rig.roll()
        await rig.rest(FIRST_S)
        found.append(rig.registrar.updates.counts().datagrams)

    experiment(tmp_path, work)
    return found[0]


def test_updates_leave_at_the_pace_of_the_start(tmp_path: Path) -> None:
    """What the two below are held against: twelve nodes, of which the 6LBR has its turn later."""
    assert 11 == told(tmp_path)


def test_as_many_updates_are_under_way_as_the_file_says_now(tmp_path: Path) -> None:
    """`rollover.in_flight`."""
    assert 3 == told(tmp_path, in_flight=3)


def test_updates_leave_at_the_rate_that_the_file_says_now(tmp_path: Path) -> None:
    """`rollover.rate_bytes_per_s`: at one byte a second, the second one waits for a minute."""
    assert 1 == told(tmp_path, rate_bytes_per_s=1)


def test_a_rollover_that_begins_by_itself_has_the_settings_of_now(desk: Desk) -> None:
    """`rollover.every_days`, `quorum` and `deadline_s`."""
    desk.network("lab", b"\xca\xfe")
    office = Office(desk)
    desk.now_ms += 3 * 86_400_000
    office.look(3)
    assert {} == office.phases()
    wanted = settings(rollover={"every_days": 2, "quorum": 0.95, "deadline_s": 99})
    take(desk, wanted, rollovers=office.keeper)
    office.look(3)
    assert [(950, 99)] == desk.sql("SELECT quorum, deadline_s FROM rollover")


def test_a_guard_time_that_runs_is_as_long_as_the_file_says_now(desk: Desk) -> None:
    """`rollover.guard_time_s` (RFC 9031 §8.5)."""
    desk.network("lab", b"\xca\xfe")
    office = Office(desk)
    office.plan("lab")
    desk.now_ms += 60_000
    office.look(5)
    assert {1: Phase.GUARDING} == office.phases()
    take(desk, settings(rollover={"guard_time_s": 40}), rollovers=office.keeper)
    office.look(20)
    assert {1: Phase.GUARDING} == office.phases()
    office.look(30)
    assert {1: Phase.DONE} == office.phases()


@pytest.mark.parametrize(
    ("word", "wanted"), [(OnBorderRouterJoin.ROLLOVER, 1), (OnBorderRouterJoin.KEEP, 0)]
)
def test_a_6lbr_that_joins_again_is_met_as_the_file_says_now(
    desk: Desk, word: OnBorderRouterJoin, wanted: int
) -> None:
    """`rollover.on_6lbr_join` (row E7)."""
    desk.network()
    with hall_at(desk) as hall:
        router = hall.enroll(9, role=1)
        hall.join(router, AS_6LBR)
        hall.join(hall.enroll(1))
        take(desk, settings(rollover={"on_6lbr_join": str(word)}))
        hall.join(router, AS_6LBR)
    assert [(wanted,)] == desk.sql("SELECT count(*) FROM wanted_rollover")


def test_backups_are_made_kept_and_sealed_as_the_file_says_now(desk: Desk, tmp_path: Path) -> None:
    """`backup.every_h`, `keep`, `key_file` and `recipients`."""
    desk.network()
    office, folder = BackupOffice(desk), tmp_path / "b"
    folder.mkdir()
    before = Backup(directory=folder, every_h=24, keep=9, recipients=(new_identity()[1],))
    keeper = Backups(before, office, office, office.every, lambda: office.monotonic_s)  # type: ignore[arg-type]
    keeper._rest = lambda _seconds: None  # type: ignore[assignment,method-assign]
    look(keeper)
    office.passes(2)
    look(keeper)
    (old,) = files(folder)
    one, one_recipient = new_identity()
    other, other_recipient = new_identity()
    key = tmp_path / "backup.key"
    key.write_bytes(BackupKey(other_recipient, SEALED).encoded())
    key.chmod(0o600)
    section = {"directory": str(folder), "every_h": 1, "keep": 1, "key_file": str(key)}
    take(desk, settings(backup={**section, "recipients": [one_recipient]}), backups=keeper)
    look(keeper)
    (new,) = files(folder)
    assert old != new
    for identity in (one, other):
        assert SEALED == Made(folder / new, identity).examined().header.sealed_identity


SEALED = b"-----BEGIN AGE ENCRYPTED FILE-----\nc2VhbGVk\n-----END AGE ENCRYPTED FILE-----\n"

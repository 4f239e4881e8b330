"""Scheduled backups: made while joins are answered, read back, and the oldest dropped."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import structlog

from jrc.admin.backup_metrics import BackupFigures
from jrc.admin.services import Transactions
from jrc.app.part import Every
from jrc.config import Backup
from jrc.errors import JrcError, OperatorError
from jrc.model import Condition, Secret
from jrc.opened import ACTOR, Opened
from jrc.service.backups import BackupWish, needs_note, note_backup, note_made
from jrc.service.wording import utc_text
from jrc.store.backup.container import Header
from jrc.store.backup.dump import BESIDE_JOINS, Pace, sealed_dump
from jrc.store.backup.keyfile import read_backup_key
from jrc.store.backup.output import write_backup
from jrc.store.backup.seal import new_identity
from jrc.store.backup.shelf import Shelf

LOOK_EVERY_S = 30.0
RETRY_S = 600.0
"""After a failure; a disk that is full stays so for a while."""
REASON = "scheduled"

_log = structlog.get_logger("jrc")


class Backups:
    """As ``app.part.Part``; ``every`` repeats work for as long as the daemon runs.

    When the next one is due is told by the newest file: one that was missed while the daemon was
    down is made at its start.
    """

    name = "backups"

    def __init__(
        self,
        settings: Backup,
        opened: Opened,
        transactions: Transactions,
        every: Every,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        assert settings.directory is not None, "there is nothing to do without"
        self._settings = settings
        self._shelf = Shelf(settings.directory)
        self._opened = opened
        self._transactions = transactions
        self._every = every
        self._monotonic_s = monotonic_s
        self._tried_s = -RETRY_S
        self._made_s: float | None = None
        self._is_ending = threading.Event()
        self._thread = ThreadPoolExecutor(1, "jrc-backup")
        self._newest_ms: int | None = None
        self._size_bytes: int | None = None
        self._failures = 0
        self._error: str | None = None

    async def start(self) -> None:
        """As ``Part.start``."""
        self._every(LOOK_EVERY_S, self.look)

    async def stop(self) -> None:
        """As ``Part.stop``; one under way is broken off, and nothing is left of it."""
        self._is_ending.set()
        await asyncio.to_thread(self._thread.shutdown)

    def changed(self) -> None:
        """As ``Part.changed``: the next backup has it."""

    def use(self, settings: Backup) -> None:
        """These from the next look on; a backup that failed is tried again then."""
        self._settings = settings
        self._error = None

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``."""
        return {
            "directory": str(self._settings.directory),
            "every_h": self._settings.every_h,
            "newest": utc_text(self._newest_ms),
            "size_bytes": self._size_bytes,
            "failures": self._failures,
            "error": self._error,
        }

    def figures(self) -> BackupFigures:
        """What the metrics show."""
        return BackupFigures(self._newest_ms, self._size_bytes, self._failures)

    async def look(self) -> None:
        """Make a backup, if one is due."""
        if self._monotonic_s() - self._tried_s < RETRY_S and self._error is not None:
            return
        try:
            if await asyncio.to_thread(self._is_due):
                await self._make()
            self._error = None
        except (JrcError, OSError) as error:
            self._tried_s = self._monotonic_s()
            self._failures += 1
            self._error = str(error)
            if not self._is_ending.is_set():
                hint = error.hint if isinstance(error, OperatorError) else ""
                _log.error("backup_failed", error=str(error), hint=hint)

    def _is_due(self) -> bool:
        self._newest_ms = self._shelf.newest_ms()
        if self._newest_ms is None:
            return True
        period_s = self._settings.every_h * 3600
        if self._size_bytes is None:
            self._size_bytes = self._shelf.place(self._newest_ms).stat().st_size
        age_s = (self._opened.clock.now_ms() - self._newest_ms) / 1000
        if age_s >= 0:
            return age_s >= period_s
        # The clock was set back: what counts is when this process has made one.
        return self._made_s is None or self._monotonic_s() - self._made_s >= period_s

    async def _make(self) -> None:
        if not await self._transactions.run_read(needs_note):
            return
        begun_s = self._monotonic_s()
        header, identity, wish = await asyncio.to_thread(self._wished)
        note = partial(note_backup, wish=wish, actor=ACTOR, reason=REASON)
        await self._transactions.run_write(note)
        now_ms = self._opened.clock.now_ms()
        path = self._shelf.place(now_ms)
        job = partial(self._write, path, header, identity, wish, now_ms)
        await asyncio.get_running_loop().run_in_executor(self._thread, job)
        self._made_s = self._monotonic_s()
        await self._transactions.run_write(partial(note_made, actor=ACTOR, reason=REASON))
        seconds = round(self._made_s - begun_s, 1)
        _log.info("backup_made", file=str(path), size_bytes=self._size_bytes, seconds=seconds)

    def _wished(self) -> tuple[Header, Secret, BackupWish]:
        """For whom it is sealed: those of the settings, and this process, which reads it back."""
        identity, recipient = new_identity()
        recipients, sealed = (recipient, *self._settings.recipients), b""
        if self._settings.key_file is not None:
            key = read_backup_key(self._settings.key_file)
            recipients, sealed = (*recipients, key.recipient), key.sealed_identity
        header = Header(sealed)
        return header, identity, BackupWish(recipients, header.digest)

    def _write(
        self, path: Path, header: Header, identity: Secret, wish: BackupWish, now_ms: int
    ) -> None:
        pace = Pace(BESIDE_JOINS, self._rest)
        database = self._opened.database
        write_backup(
            path,
            header,
            identity,
            lambda take: sealed_dump(database, take, wish, now_ms, pace),
            pace=pace,
        )
        self._newest_ms, self._size_bytes = now_ms, path.stat().st_size
        # Those of before may hold revocations and pledges that a quarantined database lacks.
        is_open = database.instance.condition == Condition.OPEN
        for dropped in self._shelf.drop_all_but(self._settings.keep) if is_open else ():
            _log.info("backup_dropped", file=str(dropped))

    def _rest(self, seconds: float) -> None:
        if self._is_ending.wait(seconds):
            raise OperatorError("the daemon ends, and the backup under way with it")

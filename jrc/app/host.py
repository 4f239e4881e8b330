"""What of the host bears on the registrar, as the metrics have it."""

import os
from pathlib import Path
from typing import NamedTuple

from jrc.admin.host_metrics import HostFigures
from jrc.app.database_size import DatabaseSize
from jrc.app.troubles import Troubles
from jrc.coap.endpoint import Endpoint
from jrc.logwriter import LogWriter


class Room(NamedTuple):
    """Bytes of a file system: what this user may still write there, and all; None if not told."""

    free: int | None
    size: int | None


def host_figures(
    troubles: Troubles,
    endpoint: Endpoint,
    log: LogWriter | None,
    folder: Path,
    database: Path | DatabaseSize,
) -> HostFigures:
    """As of now; ``folder`` is where the state is, ``database`` its file or what a server said."""
    size, wal_size = _database_sizes(database)
    queues, room = endpoint.queues(), _room(folder)
    return HostFigures(
        troubles=[each.cause for each in troubles.standing()],
        begun=troubles.begun(),
        datagrams_lost=queues.lost,
        queued_bytes=queues.used_bytes,
        queue_bytes=queues.size_bytes,
        log_lines_lost=0 if log is None else log.lost,
        free_bytes=room.free,
        disk_bytes=room.size,
        database_bytes=size,
        wal_bytes=wal_size,
    )


def _database_sizes(database: Path | DatabaseSize) -> tuple[int | None, int | None]:
    """Of the database, and of the log beside it; a server keeps one log for all of its own."""
    if isinstance(database, DatabaseSize):
        return database.size_bytes, None
    return _size(database), _size(database.with_name(f"{database.name}-wal"))


def _room(folder: Path) -> Room:
    try:
        found = os.statvfs(folder)
    except OSError:
        return Room(None, None)
    return Room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


def _size(file: Path) -> int | None:
    """None for one that is not there, or not to be looked at."""
    try:
        return file.stat().st_size
    except OSError:
        return None

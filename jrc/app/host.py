"""What of the host bears on the registrar, as the metrics have it."""

import os
from pathlib import Path

from jrc.admin.host_metrics import HostFigures
from jrc.app.troubles import Troubles
from jrc.coap.endpoint import Endpoint
from jrc.logwriter import LogWriter


def host_figures(
    troubles: Troubles, endpoint: Endpoint, log: LogWriter | None, folder: Path
) -> HostFigures:
    """As of now; ``folder`` is where the database is."""
    return HostFigures(
        troubles=[each.cause for each in troubles.standing()],
        begun=troubles.begun(),
        datagrams_lost=endpoint.lost(),
        log_lines_lost=0 if log is None else log.lost,
        free_bytes=_free_bytes(folder),
    )


def _free_bytes(folder: Path) -> int | None:
    """What this user may still write there; None where the file system does not say."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize

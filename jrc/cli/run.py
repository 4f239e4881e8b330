"""``jrc run``: the daemon in the foreground. Nothing here needs typer, rich or httpx."""

import os
import sys

from jrc import config as settings_files


def run(config: str | None) -> int:
    """Runs the daemon until SIGTERM or SIGINT.

    Raises:
        OperatorError: the settings or the database are not in order.
    """
    settings = settings_files.load(settings_files.find(config, os.environ))
    # structlog takes rich for its tracebacks where it finds it; the daemon's are plain.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from jrc.app.run import run_daemon

    return run_daemon(settings)

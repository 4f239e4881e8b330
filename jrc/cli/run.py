"""``jrc run``: the daemon in the foreground. Nothing here needs typer, rich or httpx."""

import os
import sys

from jrc import config as settings_files


def run(config: str | None) -> int:
    """Runs the daemon until SIGTERM or SIGINT.

    Raises:
        OperatorError: the settings or the database are not in order.
    """
    # As it is found now: whoever reads it again may have another folder to start from.
    path = settings_files.find(config, os.environ).absolute()
    settings = settings_files.load(path)
    # structlog takes rich for its tracebacks where it finds it; the daemon's are plain.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from jrc.app.run import run_daemon

    return run_daemon(settings, lambda: settings_files.load(path))

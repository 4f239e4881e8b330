"""``jrc run``: the daemon in the foreground. Nothing here needs typer, rich or httpx."""

import os

from jrc import config as settings_files


def run(config: str | None) -> int:
    """Runs the daemon until SIGTERM or SIGINT.

    Raises:
        OperatorError: the settings or the database are not in order.
    """
    settings = settings_files.load(settings_files.find(config, os.environ))
    from jrc.app import run_daemon

    return run_daemon(settings)

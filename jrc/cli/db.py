"""``jrc db``: the database's schema."""

import time
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from jrc.cli import output
from jrc.cli.client import refuse_other_owner
from jrc.cli.options import AsJson, common
from jrc.cli.served import refuse_unserved
from jrc.config import Settings

if TYPE_CHECKING:
    from jrc.store.migrate import UpgradeReport

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.callback()
def db() -> None:
    """The database's schema."""


@app.command()
def upgrade(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database to this version's schema. The file is copied first; no daemon may run.

    \b
    Example:
      systemctl stop jrc && sudo -u jrc jrc db upgrade && systemctl start jrc
    """
    settings = common(context).settings()
    refuse_unserved(settings)
    refuse_other_owner(settings)
    report = _upgrade(settings)
    if as_json:
        output.document(
            {**asdict(report), "copy": None if report.copy is None else str(report.copy)}
        )
    elif report.copy is not None:
        output.line(f"upgraded from {report.before} to {report.after}")
        output.line(f"the database as it was: {report.copy}")
    elif report.before == report.after:
        output.line(f"the schema is {report.after} already; nothing was changed")
    else:
        output.line(f"upgraded from {report.before} to {report.after}")


def _upgrade(settings: Settings) -> "UpgradeReport":
    """Under the lock, so that no daemon works on the database meanwhile."""
    from jrc.store.lock import StateLock
    from jrc.store.migrate import upgrade as migrate

    file = settings.database.file
    with nullcontext() if file is None else StateLock(file):
        return migrate(settings.database.url, time.time_ns() // 1_000_000)

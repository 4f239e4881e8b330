"""``jrc db``: the database's schema."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from jrc.cli import output
from jrc.cli.asking import confirm
from jrc.cli.client import refuse_other_owner
from jrc.cli.options import AsJson, Reason, Yes, common
from jrc.cli.reporting import say
from jrc.config import Settings
from jrc.errors import JrcError

if TYPE_CHECKING:
    from jrc.store.migrate import UpgradeReport

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.callback()
def db() -> None:
    """The database's schema."""


@app.command()
def upgrade(context: typer.Context, reason: Reason = "", as_json: AsJson = False) -> None:
    """Bring the database to this version's schema. The file is copied first; no daemon may run.

    An event says so, where the key file is there to open the database with.

    \b
    Example:
      systemctl stop jrc && sudo -u jrc jrc db upgrade && systemctl start jrc
    """
    settings = common(context).settings()
    refuse_other_owner(settings)
    report = _upgrade(settings)
    if report.before != report.after:
        _record(settings, report, reason)
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


@app.command("accept-server")
def accept_server(
    context: typer.Context, reason: Reason = "", yes: Yes = False, as_json: AsJson = False
) -> None:
    """Say that a PostgreSQL server took the place of another and nothing was lost.

    After a planned switchover or an upgrade of the server, with every registrar stopped before;
    without it the next start quarantines the database. After a failover: `jrc recover`.

    \b
    Example:
      jrc db accept-server --reason "upgraded to PostgreSQL 17"
    """
    from jrc.admin.peers import this_process
    from jrc.opened import accept_server

    settings = common(context).settings()
    refuse_other_owner(settings)
    plan = {"needs_yes": True, "sentences": [_ACCEPTING], "count": 0, "pledges": []}
    confirm(plan, yes=yes)
    before, now = accept_server(
        settings, time.time_ns() // 1_000_000, actor=this_process().actor, reason=reason
    )
    if as_json:
        output.document({"before": before, "after": now})
    elif before == now:
        output.line(f"the database is on server and timeline {now} as before; nothing was changed")
    else:
        output.line(f"the database is on server and timeline {now} now, before on {before}")
        output.line("start the registrars again")


_ACCEPTING = (
    "If a transaction was lost between the two servers, requests will be answered twice under one"
    " nonce. Go on only if every registrar was stopped before the change, and all was copied."
)


def _upgrade(settings: Settings) -> "UpgradeReport":
    """Under the lock, so that no daemon works on the database meanwhile."""
    from jrc.store.lock import StateLock
    from jrc.store.migrate import upgrade as migrate

    with StateLock(settings.database.file or settings.instance_file):
        return migrate(settings.database.url, time.time_ns() // 1_000_000)


def _record(settings: Settings, report: "UpgradeReport", reason: str) -> None:
    """Let the audit log tell of an upgrade; opened as usual, so that an old copy shows as one."""
    from jrc.admin.peers import this_process
    from jrc.clock import SystemClock
    from jrc.model import Event
    from jrc.opened import Opened

    detail = {"schema": [report.before, report.after]}
    event = Event("database.upgraded", this_process().actor, reason=reason, detail=detail)
    try:
        opened = Opened.open(settings, SystemClock())
        try:
            opened.write(lambda tx: tx.record(event))
        finally:
            opened.close()
    except JrcError as error:
        say(f"the database was upgraded; the audit log does not tell of it: {error}")

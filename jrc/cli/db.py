"""``jrc db``: the database's schema."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from jrc.cli import output
from jrc.cli.asking import Plan, confirm, plan_of
from jrc.cli.options import AsJson, Reason, Yes, common
from jrc.cli.reporting import say
from jrc.cli.users import refuse_other_owner
from jrc.config import Settings
from jrc.errors import ExitCode, JrcError, OperatorError

if TYPE_CHECKING:
    from jrc.opened import Opened
    from jrc.store.migrate import UpgradeReport
    from jrc.store.vouching import Doubtful

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
      systemctl stop jrc.socket jrc && jrc-offline db upgrade && systemctl start jrc
    """
    settings = _own(context)
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

    settings = _own(context)
    if settings.database.file is not None:
        raise OperatorError(
            "the database is a file, and on no server",
            "`jrc db accept-copy` is for files that you copied",
            exit_code=ExitCode.REFUSED,
        )
    confirm(plan_of(_ACCEPTING), yes=yes)
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


@app.command("accept-copy")
def accept_copy(
    context: typer.Context, reason: Reason = "", yes: Yes = False, as_json: AsJson = False
) -> None:
    """Say that the registrar's files were copied by you, and are the newest there are.

    After a move to another disk or folder with nothing running, or where a deleted instance file
    was put back. Without it the database stays quarantined; no daemon may run. After a copy of an
    earlier day was put back: `jrc recover`.

    \b
    Example:
      jrc db accept-copy --reason "moved to the new disk"
    """
    from jrc.admin.peers import this_process
    from jrc.service.recover import accept_copy

    settings = _own(context)
    confirm(plan_of(_ACCEPTING_COPY), yes=yes)
    with _opened(settings) as opened:
        opened.write(lambda tx: accept_copy(tx, actor=this_process().actor, reason=reason))
    if as_json:
        output.document({"condition": "open"})
    else:
        output.line("the database is open, and goes on where it was")
        output.line("next: start the registrar again")


@app.command("accept-rows")
def accept_rows(
    context: typer.Context, reason: Reason = "", yes: Yes = False, as_json: AsJson = False
) -> None:
    """Vouch for damaged rows of networks and key domains, which hinder a recovery. Shows them.

    For a quarantined database; no daemon may run. What a row says is taken as it is: look whether
    that is what it should be, and mend the rest with `jrc network set` after the recovery.

    \b
    Example:
      jrc db accept-rows --reason "the network is as in our notes"
    """
    found = _vouched(_own(context), reason, yes=yes)
    good = [each.name for each in found if each.nonsense is None]
    bad = {each.name: each.nonsense for each in found if each.nonsense is not None}
    if as_json:
        output.document({"accepted": good, "refused": bad})
    else:
        output.line(f"accepted: {', '.join(good)}" if good else "nothing was changed")
        output.line("next: `jrc recover --dry-run`")
    if bad:
        raise OperatorError(
            "; ".join(f"{name} can't be used: {why}" for name, why in bad.items()),
            "recover from another backup (docs/recovery.md)",
        )


def _vouched(settings: Settings, reason: str, *, yes: bool) -> "Sequence[Doubtful]":
    """The damaged rows, of which those that make sense were vouched for after a yes."""
    from jrc.admin.peers import this_process
    from jrc.store.vouching import doubtful, vouch

    with _opened(settings) as opened:
        now_ms = opened.clock.now_ms()
        with opened.database.read(now_ms) as tx:
            found = doubtful(tx.connection, tx.mac)
        if found:
            confirm(_plan_of_rows(found), yes=yes)
            actor = this_process().actor
            opened.database.write(lambda tx: vouch(tx, actor, reason), now_ms)
    return found


def _plan_of_rows(found: "Sequence[Doubtful]") -> Plan:
    sentences = ["These rows do not authenticate. Go on only if they say what they should:"]
    for each in found:
        told = ", ".join(f"{name} {value}" for name, value in each.shown.items())
        sentences.append(f"{each.name}: {each.nonsense or told}")
    return plan_of(*sentences)


_ACCEPTING_COPY = (
    "If anybody was answered after the files were copied, from the originals or from another copy,"
    " requests will be answered twice under one nonce. Go on only if no registrar has run since,"
    " and none will run from the originals."
)
_ACCEPTING = (
    "If a transaction was lost between the two servers, requests will be answered twice under one"
    " nonce. Go on only if every registrar was stopped before the change, and all was copied."
)


def _own(context: typer.Context) -> Settings:
    """The settings, if the registrar's files are this user's."""
    settings = common(context).settings()
    refuse_other_owner(settings)
    return settings


def _opened(settings: Settings) -> "AbstractContextManager[Opened]":
    """The database, while no daemon has it."""
    from jrc.clock import SystemClock
    from jrc.opened import Opened

    return closing(Opened.open(settings, SystemClock()))


def _upgrade(settings: Settings) -> "UpgradeReport":
    """Under the lock, so that no daemon works on the database meanwhile."""
    from jrc.store.lock import StateLock
    from jrc.store.logfile import check_file
    from jrc.store.migrate import upgrade as migrate

    file = settings.database.file
    with StateLock.of(file, settings.instance_file):
        if file is not None:
            check_file(settings.instance_file, file)
        return migrate(settings.database.url, time.time_ns() // 1_000_000)


def _record(settings: Settings, report: "UpgradeReport", reason: str) -> None:
    """Let the audit log tell of an upgrade; opened as usual, so that an old copy shows as one."""
    from jrc.admin.peers import this_process
    from jrc.model import Event

    detail = {"schema": [report.before, report.after]}
    event = Event("database.upgraded", this_process().actor, reason=reason, detail=detail)
    try:
        with _opened(settings) as opened:
            opened.write(lambda tx: tx.record(event))
    except JrcError as error:
        say(f"the database was upgraded; the audit log does not tell of it: {error}")

"""``jrc run``, ``jrc status``, ``jrc check-config``."""

from collections.abc import Mapping

import typer

from jrc.cli import output
from jrc.cli.client import connect, daemon_answers, not_running
from jrc.cli.options import AsJson, Common, common
from jrc.cli.run import run as run_daemon
from jrc.errors import ExitCode, JrcError, OperatorError

_STATUS = {
    "version": "version",
    "pid": "process",
    "ready": "answers joins",
    "why": "because",
    "uptime_s": "up for",
    "listening": "listening on",
    "metrics": "metrics on",
    "database": "database",
    "schema": "schema",
    "epoch": "epoch",
    "networks": "networks",
    "pledges": "pledges",
    "short_ids_low": "short identifiers run low in",
    "joins_total": "joins",
    "joins_last_minute": "joins, last minute",
    "answers_resent": "answers sent again",
    "datagrams_received": "datagrams",
    "datagrams_dropped": "dropped",
}


def register(app: typer.Typer) -> None:
    """Adds the commands to the root."""
    app.command()(run)
    app.command()(status)
    app.command("check-config")(check_config)


def run(context: typer.Context) -> None:
    """Answer joins, in the foreground, until SIGTERM or Ctrl-C.

    \b
    Example:
      jrc --config /etc/jrc/config.toml run
    """
    raise typer.Exit(run_daemon(common(context).config))


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what the daemon does. Exit code 3: it does not run; 5: it answers no joins.

    Where it does not run, what is in the database is shown.

    \b
    Examples:
      jrc status
      jrc status --json
    """
    asked = common(context)
    if not daemon_answers(asked.settings().admin.socket):
        _show_stopped(asked, as_json=as_json)
        raise not_running(asked)
    with connect(asked) as api:
        found = api.get("/v1/status")
    _show(found, as_json=as_json)
    if not found.get("ready", True):
        raise typer.Exit(ExitCode.UNFINISHED)


def _show_stopped(asked: Common, *, as_json: bool) -> None:
    """What the database has; nothing where it can't be opened.

    Raises:
        OperatorError: a process that doesn't answer has it.
    """
    try:
        with connect(asked) as api:
            found = api.get("/v1/status")
    except OperatorError as error:
        if error.exit_code is ExitCode.UNREACHABLE:
            raise
    except JrcError:
        pass
    else:
        _show(found, as_json=as_json)


def _show(found: dict[str, object], *, as_json: bool) -> None:
    shown = found if as_json else {**found, **_uptime(found)}
    output.fields(shown, _STATUS, as_json=as_json)


def check_config(context: typer.Context) -> None:
    """Read the config file and what it names, change nothing, and say what is wrong.

    \b
    Example:
      jrc --config ./config.toml check-config
    """
    from jrc.cli.checks import check

    path = common(context).path
    for sentence in check(common(context).settings()):
        output.line(sentence)
    output.line(f"{path} is in order")


def _uptime(found: Mapping[str, object]) -> dict[str, str]:
    seconds = found.get("uptime_s")
    return {"uptime_s": _duration(seconds)} if isinstance(seconds, int | float) else {}


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"

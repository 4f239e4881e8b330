"""``jrc run``, ``jrc proxy``, ``jrc status``, ``jrc check-config``."""

from collections.abc import Mapping
from typing import Any

import typer

from jrc.cli import output
from jrc.cli.client import connect, daemon_answers, not_running
from jrc.cli.options import AsJson, Common, common
from jrc.cli.proxy import run as run_proxy
from jrc.cli.run import run as run_daemon
from jrc.errors import ExitCode, JrcError, OperatorError

_STATUS = {
    "version": "version",
    "pid": "process",
    "ready": "answers joins",
    "why": "because",
    "uptime_s": "up for",
    "listening": "listening on",
    "listen": "waits for the address",
    "interfaces": "interfaces of networks",
    "metrics": "metrics on",
    "database": "database",
    "schema": "schema",
    "epoch": "epoch",
    "weak_keys_allowed": "weak keys allowed (lab)",
    "networks": "networks",
    "pledges": "pledges",
    "short_ids_low": "short identifiers run low in",
    "installers": "installers",
    "joins_total": "joins",
    "joins_last_minute": "joins, last minute",
    "answers_resent": "answers sent again",
    "datagrams_received": "datagrams",
    "datagrams_dropped": "dropped",
    "proxy": "join proxy",
}


def register(app: typer.Typer) -> None:
    """Adds the commands to the root."""
    app.command()(run)
    app.command()(proxy)
    app.command()(status)
    app.command("check-config")(check_config)


def run(context: typer.Context) -> None:
    """Answer joins, in the foreground, until SIGTERM or Ctrl-C.

    \b
    Example:
      jrc --config /etc/jrc/config.toml run
    """
    raise typer.Exit(run_daemon(common(context).config))


def proxy(context: typer.Context) -> None:
    """Forward the Join Requests of this host's neighbours, in the foreground, until SIGTERM.

    It needs the section [proxy] alone, and no database; `jrc run` with [proxy] does the same.

    \b
    Example:
      jrc --config /etc/jrc/proxy.toml proxy
    """
    raise typer.Exit(run_proxy(common(context).config))


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what the daemon does. Exit code 3: it does not run; 5: degraded.

    Degraded is: it answers no joins, an installer of link-layer keys fails, or the Join Proxy waits
    for its network. Where it does not run, what is in the database is shown.

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
    if not found.get("ready", True) or _has_failed(found):
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


def _has_failed(found: Mapping[str, object]) -> bool:
    proxy = found.get("proxy")
    waits = isinstance(proxy, dict) and proxy.get("waits_for_network") is not None
    return waits or any(each["state"] == "failed" for each in _installers(found).values())


def _show(found: dict[str, object], *, as_json: bool) -> None:
    shown = found if as_json else {**found, **_uptime(found)}
    if not as_json and "installers" in found:
        shown["installers"] = [_installer(*each) for each in _installers(found).items()]
    if not as_json and "listen" in found:
        shown |= _interfaces(found)
    output.fields(shown, _STATUS, as_json=as_json)


def _interfaces(found: Mapping[str, Any]) -> dict[str, object]:
    """What of interfaces a person wants to know; the rest is in the JSON."""
    up = {True: "up", False: "down"}
    networks = {
        name: "not there" if seen is None else " ".join([up[seen["up"]], *seen["addresses"]])
        for name, seen in found["interfaces"].items()
    }
    return {"listen": found["listen"]["waiting"], "interfaces": networks}


def _installers(found: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    told = found.get("installers", {})
    assert isinstance(told, Mapping)
    return told


def _installer(name: str, told: Mapping[str, object]) -> str:
    state = f"{name} {told['state']}"
    return state if told["error"] is None else f"{state} ({told['error']})"


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

"""``jrc status``."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from jrc.cli import output
from jrc.cli.client import connect, is_served, not_running
from jrc.cli.options import AsJson, Common, common
from jrc.errors import ExitCode, JrcError, OperatorError
from jrc.service.wording import counted, duration

_STATUS = {
    "version": "version",
    "pid": "process",
    "ready": "answers joins",
    "why": "because",
    "sealed": "sealed",
    "uptime_s": "up for",
    "listening": "listening on",
    "listen": "waits for the address",
    "interfaces": "interfaces of networks",
    "metrics": "metrics on",
    "page": "page on",
    "database": "database",
    "schema": "schema",
    "epoch": "epoch",
    "condition": "condition",
    "weak_keys_allowed": "weak keys allowed (lab)",
    "conductor": "tells nodes, moves rollovers",
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
    "backups": "backups",
}


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what the daemon does. Exit code 3: it does not run; 5: degraded.

    Degraded is: it answers no joins, an installer of link-layer keys fails, or the Join Proxy waits
    for its network. Where it does not run, what is in the database is shown. Rollovers under way,
    nodes without the keys in force, and a clock that is behind have a line each, below.

    \b
    Examples:
      jrc status
      jrc status --json
    """
    asked = common(context)
    if not is_served(asked):
        found = _asked_without(asked)
        if "pid" not in found:
            if found:
                _show(found, as_json=as_json)
            raise not_running(asked)
    else:
        with connect(asked) as api:
            found = api.status()
    _show(found, as_json=as_json)
    if not found.get("ready", True) or _has_failed(found):
        raise typer.Exit(ExitCode.UNFINISHED)


def _asked_without(asked: Common) -> dict[str, object]:
    """What the database has, or a daemon that comes up meanwhile; nothing if it can't be opened.

    Raises:
        OperatorError: a process that doesn't answer has it.
    """
    try:
        with connect(asked) as api:
            return api.status()
    except OperatorError as error:
        if error.exit_code is ExitCode.UNREACHABLE:
            raise
    except JrcError:
        pass
    return {}


def _has_failed(found: Mapping[str, object]) -> bool:
    proxy = found.get("proxy")
    waits = isinstance(proxy, dict) and proxy.get("waits_for_network") is not None
    return waits or any(each["state"] == "failed" for each in _installers(found).values())


def _show(found: dict[str, object], *, as_json: bool) -> None:
    shown = found if as_json else {**found, **_uptime(found)}
    if not as_json and "installers" in found:
        shown["installers"] = [_installer(*each) for each in _installers(found).items()]
    if not as_json and "page" in found:
        shown["page"] = _page(found["page"])
    if not as_json and "listen" in found:
        shown |= _interfaces(found)
    if not as_json and "registrars" in found:
        shown |= _conductor(found)
    output.fields(shown, _STATUS, as_json=as_json)
    if not as_json:
        for sentence in _to_know(found):
            output.line(sentence)


def _to_know(found: Mapping[str, Any]) -> Iterator[str]:
    """What a person is to know beside the figures, a sentence each."""
    for notice in found.get("key_notices", ()):
        yield f"{notice['sentence']}; see: {notice['look']}"
    yield from found.get("key_warnings", ())
    lost = found.get("recovering") or {"waiting": 0}
    if lost["waiting"]:
        yield (
            f"{counted(lost['waiting'], 'pledge')} lost the security context, {lost['unable']} of"
            " them for good; see: jrc pledge list --recovering"
        )
    if found.get("backup_failed"):
        yield f"the last backup failed, at {found['backup_failed']}; see: journalctl -u jrc-backup"
    yield from _of_the_clock(found)
    given_keys = (found.get("proxy") or {}).get("given_keys")
    if given_keys is not None:
        yield f"join proxy: {given_keys}"
    yield from _of_the_file(found.get("config") or {})
    hindered = found.get("updates", {}).get("why")
    if hindered and not any(_of_the_clock(found)):
        yield f"joined nodes are told nothing: {hindered.rstrip('.')}; see the daemon's log"


def _of_the_clock(found: Mapping[str, Any]) -> Iterator[str]:
    behind = found.get("clock_behind")
    if behind is not None:
        yield f"{behind['meaning']} {behind['what_to_do']}"
    doubt = found.get("clock_doubt")
    if doubt is not None:
        yield (
            f"{doubt}: time goes on without it, and joined nodes are told nothing; see: timedatectl"
        )


def _of_the_file(told: Mapping[str, Any]) -> Iterator[str]:
    """What of the config file is not in force, as of the last time that it was read (SIGHUP)."""
    if told.get("error"):
        yield (
            f"the config file could not be used, and what was before is in force: {told['error']};"
            " see: jrc check-config"
        )
    if told.get("needs_restart"):
        names = ", ".join(told["needs_restart"])
        yield f"not in force before a restart: {names}; see: systemctl restart jrc"


def _interfaces(found: Mapping[str, Any]) -> dict[str, object]:
    """What of interfaces a person wants to know; the rest is in the JSON."""
    up = {True: "up", False: "down"}
    networks = {
        name: "not there" if seen is None else " ".join([up[seen["up"]], *seen["addresses"]])
        for name, seen in found["interfaces"].items()
    }
    return {"listen": found["listen"]["waiting"], "interfaces": networks}


def _conductor(found: Mapping[str, Any]) -> dict[str, str]:
    """Which of the registrars of a server's database does what one does for all."""
    if not found["database"].startswith("postgresql"):
        return {}
    told = found["registrars"]
    another = told["conductor"] or "nobody just now"
    return {"conductor": "this registrar" if told["is_conductor"] else another}


def _installers(found: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    told = found.get("installers", {})
    assert isinstance(told, Mapping)
    return told


def _installer(name: str, told: Mapping[str, object]) -> str:
    state = f"{name} {told['state']}"
    return state if told["error"] is None else f"{state} ({told['error']})"


def _page(told: object) -> str:
    assert isinstance(told, Mapping)
    at = told["address"] or "the admin socket alone"
    opened = counted(told["listeners"], "open page")
    return f"{at}, {opened}; `jrc page` prints a link"


def _uptime(found: Mapping[str, object]) -> dict[str, str]:
    seconds = found.get("uptime_s")
    return {"uptime_s": duration(seconds)} if isinstance(seconds, int | float) else {}

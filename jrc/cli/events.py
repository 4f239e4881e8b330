"""``jrc events``: the audit log."""

from collections.abc import Mapping
from typing import Annotated, NoReturn

import typer

from jrc.cli import output
from jrc.cli.client import Query, connect, connect_daemon
from jrc.cli.event_log import Kind, OfPledge, Since, Until, export, prune, verify, which
from jrc.cli.options import AsJson, Common, OfNetwork, common
from jrc.cli.patience import Patient
from jrc.cli.reporting import say

app = typer.Typer()
app.command()(verify)
app.command()(export)
app.command()(prune)

_COLUMNS = {
    "number": "NUMBER",
    "at": "TIME",
    "kind": "EVENT",
    "pledge": "PLEDGE",
    "network": "NETWORK",
    "actor": "BY",
    "reason": "REASON",
    "detail": "DETAIL",
}
_FOLLOWING = "/v1/events/following"
_WAIT_S = 25
"""How long the daemon may keep one question; it also notices within that who has left."""


@app.callback(invoke_without_command=True)
def events(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest.")] = 50,
    since: Since = None,
    until: Until = None,
    pledge: OfPledge = None,
    network: OfNetwork = None,
    kind: Kind = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on with new ones as they come, until Ctrl-C."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest entries of the audit log, oldest first.

    With --follow it needs the daemon, outlives its restarts without a gap, and prints one JSON
    object a line with --json. Ctrl-C is exit code 0.

    \b
    Examples:
      jrc events --limit 20
      jrc events --pledge 00124b0014b5b67e --json
      jrc events --since 2h --kind pledge.revoked
      jrc events --follow --network lab
      jrc events --follow --json | jq --unbuffered .kind
      jrc events verify
    """
    if context.invoked_subcommand is not None:
        return
    query = which(pledge=pledge, network=network, kind=kind, since=since, until=until)
    if follow:
        if since is not None or until is not None:
            raise typer.BadParameter("--follow goes on without end: leave --since and --until out")
        try:
            _follow(common(context), query, limit, as_json=as_json)
        except KeyboardInterrupt:
            return
    with connect(common(context)) as api:
        page = api.get("/v1/events", {"limit": limit, **query})
    output.listing(_events(page), _COLUMNS, as_json=as_json, empty="no events")


def _follow(asked: Common, query: Query, limit: int, *, as_json: bool) -> NoReturn:
    """Prints events as they come; only an error or Ctrl-C ends it."""
    with connect_daemon(asked) as api:
        daemon = Patient(api)
        shown = output.Stream(_COLUMNS, as_json=as_json)
        page = daemon.get(_FOLLOWING, {"limit": limit, **query})
        while True:
            shown.show(_events(page))
            after = _next(page)
            page = daemon.get(_FOLLOWING, {"after": after, "wait": _WAIT_S, **query})
            if _next(page) < after:
                say("the audit log is shorter than it was: it is another one; this goes on with it")


def _next(page: Mapping[str, object]) -> int:
    number = page["next"]
    assert isinstance(number, int)
    return number


def _events(page: Mapping[str, object]) -> list[output.Record]:
    found = page["events"]
    assert isinstance(found, list)
    return found

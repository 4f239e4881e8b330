"""``jrc window``: for a while, a network lets pledges in that have not joined it yet."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.client import connect, segment
from jrc.cli.options import AsJson, NetworkName, Reason, common
from jrc.cli.reporting import say

app = typer.Typer(help="Join windows of networks with `--admission window`.", no_args_is_help=True)

_LISTED = {
    "network": "NETWORK",
    "state": "STATE",
    "opened": "OPENED",
    "until": "UNTIL",
    "admitted": "ADMITTED",
    "max": "MAX",
    "closed": "CLOSED",
}


@app.command("open")
def open_(
    context: typer.Context,
    network: NetworkName,
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long: 90s, 10m, 2h or 1d.")
    ],
    most: Annotated[
        int, typer.Option("--max", metavar="N", help="How many new pledges may come in.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="End the window that is open, and begin a new one.")
    ] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Let new pledges into a network, until the time is over or so many have come.

    A pledge that was let in before needs no window. Who asks outside of one is refused.

    \b
    Examples:
      jrc window open lab --for 10m --max 20
      jrc window open hall --for 2h --max 200 --reason "new lamps, floor 2"
    """
    body = {"for": for_, "max": most, "replace": replace, "reason": reason}
    with connect(common(context)) as api:
        opened = api.post(_path(network), body)
    if as_json:
        output.document(opened)
    else:
        say(f"{network}: open until {opened['until']} for {opened['max']} new pledges")


@app.command()
def close(
    context: typer.Context, network: NetworkName, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Close the window of a network. Who has come in stays.

    \b
    Example:
      jrc window close lab
    """
    with connect(common(context)) as api:
        closed = api.send("DELETE", _path(network), {"reason": reason})
    if as_json:
        output.document(closed)
    else:
        say(f"{network}: closed, {closed['admitted']} of {closed['max']} came in")


@app.command("list")
def list_(
    context: typer.Context,
    with_past: Annotated[
        bool, typer.Option("--all", help="Also the last ones that are over, and why.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the open windows.

    \b
    Examples:
      jrc window list
      jrc window list --all --json
    """
    with connect(common(context)) as api:
        found = api.pages("/v1/windows", {"all": int(with_past)}, "windows")
        output.listing(found, _LISTED, as_json=as_json, empty="no open window")


def _path(network: str) -> str:
    return f"/v1/windows/{segment('the name', network)}"

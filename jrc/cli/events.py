"""``jrc events``: the audit log."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.client import connect
from jrc.cli.options import AsJson, common
from jrc.errors import ExitCode

app = typer.Typer(help="Read the audit log, and prove that nothing in it was changed.")

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


@app.callback(invoke_without_command=True)
def events(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest.")] = 50,
    pledge: Annotated[
        str | None, typer.Option("--pledge", metavar="ID", help="Those of one pledge.")
    ] = None,
    network: Annotated[
        str | None, typer.Option("--network", metavar="NAME", help="Those of one network.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Of one kind, such as pledge.revoked.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest entries of the audit log, oldest first.

    \b
    Examples:
      jrc events --limit 20
      jrc events --pledge 00124b0014b5b67e --json
      jrc events verify
    """
    if context.invoked_subcommand is not None:
        return
    query = {"limit": limit, "pledge": pledge, "network": network, "kind": kind}
    with connect(common(context)) as api:
        page = api.get("/v1/events", {k: v for k, v in query.items() if v is not None})
    found = page["events"]
    assert isinstance(found, list)
    output.listing(found, _COLUMNS, as_json=as_json, empty="no events")


@app.command()
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Compute the chain of hashes anew. Exit code 1: an entry was changed or is missing.

    \b
    Example:
      jrc events verify
    """
    with connect(common(context)) as api:
        found = api.get("/v1/events/verify")
    if as_json:
        output.document(found)
    else:
        output.line(str(found["sentence"]))
    if not found["intact"]:
        raise typer.Exit(ExitCode.FAILED)

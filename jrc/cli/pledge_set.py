"""``jrc pledge set``: what a pledge is called and what it can take."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import as_before
from jrc.cli.asking import confirm
from jrc.cli.client import connect, pledge_path
from jrc.cli.options import AsJson, Label, Pledge, Reason, Yes, common
from jrc.cli.reporting import say


def set_(
    context: typer.Context,
    pledge_id: Pledge,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", metavar="P", help="rfc9031, openwsn, join-proxy, or none: the network's."
        ),
    ] = None,
    label: Label = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Change a pledge's profile or label; its key stays. Asks, if it has to join again.

    \b
    Examples:
      jrc pledge set 00124b0014b5b67e --profile openwsn
      jrc pledge set 00124b0014b5b67e --profile none --label "node 7"
    """
    changes: dict[str, object] = {}
    if profile is not None:
        changes["profile"] = None if profile == "none" else profile
    if label is not None:
        changes["label"] = label
    if not changes:
        raise typer.BadParameter("nothing to change was given; see jrc pledge set --help")
    path = pledge_path(pledge_id)
    with connect(common(context)) as api:
        confirm(api.post(f"{path}/plan", changes), yes=yes)
        done = api.send("PATCH", path, {**changes, "reason": reason, "agreed": True})
    if as_json:
        output.document(done)
    else:
        say(f"{done['pledge_id']}: {done['state']}{as_before(done)}")

"""``jrc pledge withdraw``: a key that waits for the next firmware is taken back."""

import typer

from jrc.cli import output
from jrc.cli.asking import confirm
from jrc.cli.client import connect, pledge_path
from jrc.cli.options import AsJson, Pledge, Reason, Yes, common
from jrc.cli.reporting import say


def withdraw(
    context: typer.Context,
    pledge_id: Pledge,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete the key that waits for a pledge's next firmware; the one in force stays. Asks.

    \b
    Example:
      jrc pledge withdraw 00124b0014b5b67e --reason "firmware 2.1 was not released"
    """
    path = f"{pledge_path(pledge_id)}/withdraw"
    with connect(common(context)) as api:
        confirm(api.get(path), yes=yes)
        done = api.post(path, {"reason": reason, "agreed": True})
    if as_json:
        output.document(done)
    elif done["changed"]:
        say(f"{done['pledge_id']}: the key that waited is deleted, the one in force stays")
    else:
        say(f"{done['pledge_id']}: no key waits")

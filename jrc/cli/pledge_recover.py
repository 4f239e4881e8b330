"""``jrc pledge recover``: a device that has lost its sequence number begins anew."""

import typer

from jrc.cli import output
from jrc.cli.answers import as_before
from jrc.cli.asking import confirm
from jrc.cli.client import connect
from jrc.cli.options import AsJson, KnownPledges, Reason, Yes, common
from jrc.cli.reporting import say


def recover(
    context: typer.Context,
    pledge_ids: KnownPledges,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let devices that lost their sequence number get a new security context.

    Their next request is answered with RFC 8613 App. B.2, which gives them one, and they join as
    before. No answer is ever repeated with other content by it. A device whose firmware does not
    know App. B.2 needs a new key instead.

    \b
    Examples:
      jrc pledge recover 00124b0014b5b67e --reason "flash was erased"
      jrc pledge list --recovering
    """
    body: dict[str, object] = {"pledge_ids": pledge_ids}
    with connect(common(context)) as api:
        confirm(api.post("/v1/pledge-recoveries/plan", body), yes=yes)
        done = api.post("/v1/pledge-recoveries", {**body, "reason": reason, "agreed": True})
    if as_json:
        output.document(done)
        return
    pledges = done["pledges"]
    assert isinstance(pledges, list)
    for each in pledges:
        say(f"{each['pledge_id']}: waits for RFC 8613 App. B.2{as_before(each)}")
    say("let them ask to join: `jrc pledge explain ID` shows how far each is")

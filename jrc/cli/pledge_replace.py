"""``jrc pledge replace``: a device died, and another one takes its place."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import words
from jrc.cli.asking import confirm
from jrc.cli.client import connect, pledge_path
from jrc.cli.keyfiles import keys_from
from jrc.cli.options import AeadName, AsJson, DerivedFile, HkdfName, Reason, Yes, common, given
from jrc.cli.reporting import say


def replace(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The pledge that goes, in hex.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The one that takes its place.")],
    psk_file: Annotated[
        str | None,
        typer.Option(
            "--psk-file", metavar="FILE|-", help="The PSK of NEW in hex, if not enrolled."
        ),
    ] = None,
    derived_file: DerivedFile = None,
    aead: AeadName = None,
    hkdf: HkdfName = None,
    revoke: Annotated[
        bool,
        typer.Option("--revoke", help="OLD was stolen: block it, and change the keys it has."),
    ] = False,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let NEW take the place of OLD. Says first what that does, and asks.

    NEW gets the networks, role, label, profile and approvals of OLD, and joins with a short
    identifier of its own. OLD gets no more answers. A dead device needs no new keys; for one that
    was stolen say --revoke. `jrc pledge restore OLD` undoes it for OLD.

    \b
    Examples:
      jrc pledge replace 00124b0014b5b67e 00124b0014b5b690 --psk-file key.hex --reason "broken"
      jrc pledge replace 00124b0014b5b67e 00124b0014b5b690 --revoke --reason "stolen"
    """
    keys = keys_from(psk_file, derived_file)
    body = {"pledge_id": new, **keys, **given(aead=aead, hkdf=hkdf), "revoke": revoke}
    path = f"{pledge_path(old)}/replace"
    with connect(common(context)) as api:
        confirm(api.post(f"{path}/plan", body), yes=yes)
        done = api.post(path, {**body, "reason": reason, "agreed": True})
    if as_json:
        output.document(done)
        return
    networks = output.shown_as(done["networks"])
    say(f"{done['pledge_id']}: {done['state']}, replaced by {done['replaced_by']}")
    say(f"{done['replaced_by']}: {done['role']} in network {networks}, and may join")
    for sentence in words(done["said"]):
        say(sentence)

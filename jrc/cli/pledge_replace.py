"""``jrc pledge replace``: a device died, and another one takes its place."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.asking import confirm
from jrc.cli.client import connect, segment
from jrc.cli.keyfiles import derived_from, psk_from
from jrc.cli.options import AsJson, Reason, Yes, common
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
    derived_file: Annotated[
        str | None,
        typer.Option("--derived-file", metavar="FILE|-", help="Derived keys in place of a PSK."),
    ] = None,
    aead: Annotated[str | None, typer.Option(help="OSCORE's AEAD algorithm.")] = None,
    hkdf: Annotated[str | None, typer.Option(help="OSCORE's HKDF algorithm.")] = None,
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
    if psk_file is not None and derived_file is not None:
        raise typer.BadParameter("--psk-file and --derived-file exclude each other")
    keys: dict[str, str] = {}
    if psk_file is not None:
        keys = {"psk": psk_from(psk_file)}
    elif derived_file is not None:
        keys = derived_from(derived_file)
    given = {"aead": aead, "hkdf": hkdf}
    named = {name: value for name, value in given.items() if value is not None}
    body = {"pledge_id": new, **keys, **named, "revoke": revoke}
    path = f"/v1/pledges/{segment('the pledge identifier', old)}/replace"
    with connect(common(context)) as api:
        confirm(api.post(f"{path}/plan", body), yes=yes)
        done = api.post(path, {**body, "reason": reason, "agreed": True})
    if as_json:
        output.document(done)
        return
    networks = output.shown_as(done["networks"])
    say(f"{done['pledge_id']}: {done['state']}, replaced by {done['replaced_by']}")
    say(f"{done['replaced_by']}: {done['role']} in network {networks}, and may join")
    said = done["said"]
    assert isinstance(said, list)
    for sentence in said:
        say(str(sentence))

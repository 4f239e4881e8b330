"""``jrc pledge``: the devices that may join."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import as_before, records
from jrc.cli.asking import confirm
from jrc.cli.client import connect, pledge_path
from jrc.cli.explain import explain
from jrc.cli.import_options import OnConflict, refuse_both
from jrc.cli.imports import import_
from jrc.cli.keyfiles import keys_from, psk_from
from jrc.cli.known_names import networks
from jrc.cli.options import (
    AeadName,
    AsJson,
    DerivedFile,
    HkdfName,
    Label,
    Networks,
    OfNetwork,
    Pledge,
    Reason,
    Yes,
    common,
    given,
)
from jrc.cli.pledge_generate import generate
from jrc.cli.pledge_recover import recover
from jrc.cli.pledge_replace import replace
from jrc.cli.pledge_revoke import restore, revoke
from jrc.cli.pledge_set import set_
from jrc.cli.pledge_transfer import app as transfer
from jrc.cli.pledge_withdraw import withdraw
from jrc.cli.reporting import say

app = typer.Typer(help="Pledges: the devices that may join, and their keys.", no_args_is_help=True)
app.command("import")(import_)
app.command()(generate)
app.command()(explain)
app.command("set")(set_)
app.command()(revoke)
app.command()(restore)
app.command()(replace)
app.command()(recover)
app.command()(withdraw)
app.add_typer(transfer, name="transfer")

_LISTED = {
    "pledge_id": "PLEDGE",
    "state": "STATE",
    "networks": "NETWORKS",
    "role": "ROLE",
    "short_id": "SHORT ID",
    "last_join": "LAST JOIN",
    "address": "ADDRESS",
    "label": "LABEL",
}
_WAITING = {
    "pledge_id": "PLEDGE",
    "waiting": "WAITS FOR APPROVAL",
    "role": "ROLE",
    "last_join": "LAST JOIN",
    "label": "LABEL",
}
_RECOVERING = {
    "pledge_id": "PLEDGE",
    "recovery": "RECOVERY",
    "networks": "NETWORKS",
    "last_join": "LAST JOIN",
    "label": "LABEL",
}
_SHOWN = {
    "pledge_id": "pledge",
    "label": "label",
    "state": "state",
    "networks": "networks",
    "role": "role",
    "profile_in_force": "profile",
    "profile_means": "takes",
    "short_id": "short identifier",
    "address": "address",
    "last_join": "last join",
    "joined_network": "joined network",
    "waiting": "waits for approval",
    "replaces": "replaces",
    "replaced_by": "replaced by",
    "highest_number": "highest Partial IV",
    "created": "added",
    "updated": "changed",
    "identity": "identity",
    "damage": "damage",
    "recovery_means": "recovery",
}
_KEYS = {
    "kind": "KEY",
    "state": "STATE",
    "key_check": "KEY CHECK",
    "aead": "AEAD",
    "hkdf": "HKDF",
    "provenance": "PROVENANCE",
    "source": "SOURCE",
    "created": "ADDED",
    "retired": "RETIRED",
}
_UNSUPPORTED = {"label": "UNSUPPORTED LABEL", "code": "CODE", "addinfo": "ADDINFO"}
_EVENT = {"number": "NUMBER", "at": "TIME", "kind": "EVENT", "actor": "BY", "reason": "REASON"}


@app.command()
def add(
    context: typer.Context,
    pledge_id: Pledge,
    psk_file: Annotated[
        str | None, typer.Option("--psk-file", metavar="FILE|-", help="Its PSK in hex.")
    ] = None,
    derived_file: DerivedFile = None,
    network: Networks = None,
    role: Annotated[str | None, typer.Option(help="6ln or 6lbr. [6ln]")] = None,
    label: Label = None,
    profile: Annotated[
        str | None,
        typer.Option(metavar="P", help="rfc9031, openwsn or join-proxy. [the network's]"),
    ] = None,
    aead: AeadName = None,
    hkdf: HkdfName = None,
    used_before: Annotated[
        bool,
        typer.Option(
            "--used-before", help="Another registrar used its PSK: it gets a new context first."
        ),
    ] = False,
    on_conflict: Annotated[
        OnConflict, typer.Option("--on-conflict", help="If it is there and differs.")
    ] = OnConflict.FAIL,
    pending_firmware: Annotated[
        bool,
        typer.Option(
            "--pending-firmware", help="The key waits beside the one in force, for its first join."
        ),
    ] = False,
    provenance: Annotated[
        str | None,
        typer.Option(metavar="P", help="operator, api, handover, serial, generate. [operator]"),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Add a pledge. Without a file its key is asked for; it never stands on the command line.

    With --pending-firmware the key is that of a device's next firmware: the one in force is good
    until the device has joined with the new one. `jrc pledge withdraw` takes it back.

    \b
    Examples:
      jrc pledge add 00124b0014b5b67e --psk-file key.hex --network lab
      pass show node7 | jrc pledge add 00-12-4b-00-14-b5-b6-7e --psk-file - --label "node 7"
      jrc pledge add 00124b0014b5b67e --psk-file next.hex --pending-firmware
    """
    refuse_both(on_conflict, pending_firmware=pending_firmware)
    keys = keys_from(psk_file, derived_file) or {"psk": psk_from(None)}
    body: dict[str, object] = given(
        pledge_id=pledge_id,
        networks=network,
        role=role,
        label=label,
        profile=profile,
        aead=aead,
        hkdf=hkdf,
        used_before=used_before or None,
        on_conflict=on_conflict.value,
        pending_firmware=pending_firmware or None,
        provenance=provenance,
        reason=reason,
    )
    with connect(common(context)) as api:
        done = api.post("/v1/pledges", {**keys, **body})
    if as_json:
        output.document(done)
    else:
        _say_added(done)


def _say_added(done: output.Record) -> None:
    say(f"{done['pledge_id']}: {done['outcome']}, network {output.shown_as(done['networks'])}")
    if done["outcome"] == "pending":
        say("its first join with this key deletes the one before, which is good until then")


@app.command("list")
def list_(
    context: typer.Context,
    network: OfNetwork = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Those in one state, such as joined or damaged.")
    ] = None,
    recovering: Annotated[
        bool, typer.Option("--recovering", help="Those whose security context was lost.")
    ] = False,
    search: Annotated[
        str | None,
        typer.Option("--search", metavar="TEXT", help="A part of the label or the identifier."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List pledges, in the order of their identifiers.

    One is damaged where what the database has of it was changed past jrc: it gets no answer, and
    `jrc pledge show` says what to do.

    \b
    Examples:
      jrc pledge list --network lab
      jrc pledge list --state joined --json
      jrc pledge list --recovering
      jrc pledge list --search b67e
    """
    query = given(network=network, state=state, search=search)
    if recovering:
        query["recovering"] = "1"
    with connect(common(context)) as api:
        found = api.pages("/v1/pledges", query, "pledges")
        columns = _RECOVERING if recovering else _WAITING if state == "waiting" else _LISTED
        output.listing(found, columns, as_json=as_json, empty="no pledges")


@app.command()
def show(context: typer.Context, pledge_id: Pledge, as_json: AsJson = False) -> None:
    """Show a pledge: where it joined, where its key came from, what happened last.

    \b
    Example:
      jrc pledge show 00124b0014b5b67e
    """
    with connect(common(context)) as api:
        found = api.get(pledge_path(pledge_id))
    if as_json:
        output.document(found)
        return
    none_yet = {"highest_number": None} if found["highest_number"] == -1 else {}
    rare = ("replaces", "replaced_by", "recovery_means", "identity")
    seldom = {name for name in rare if found[name] is None}
    shown = {name: heading for name, heading in _SHOWN.items() if name not in seldom}
    identity = records([found["identity"] or {"edn": None}])[0]["edn"]
    output.fields({**found, **none_yet, "identity": identity}, shown, as_json=False)
    tables = (("credentials", _KEYS), ("unsupported", _UNSUPPORTED), ("events", _EVENT))
    both = zip(records(found["credentials"]), records(found["keys"]), strict=True)
    known = {**found, "credentials": [{**each, **key} for each, key in both]}
    for name, columns in tables:
        if rows := records(known[name]):
            output.line("")
            output.listing(rows, columns, as_json=False)
    if found["unsupported"]:
        say(f"`jrc pledge clear-reports {found['pledge_id']}` clears what it says is unsupported")


@app.command()
def approve(
    context: typer.Context,
    pledge_id: Pledge,
    network: Annotated[
        str | None,
        typer.Option(
            "--network", metavar="NAME", help="[the one it waits for]", autocompletion=networks
        ),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Let a pledge into the network it waits for; it joins at its next request.

    \b
    Examples:
      jrc pledge list --state waiting
      jrc pledge approve 00124b0014b5b67e --reason "lamp in room 12"
    """
    body: dict[str, object] = {"reason": reason, **given(network=network)}
    with connect(common(context)) as api:
        done = api.post(f"{pledge_path(pledge_id)}/approve", body)
    if as_json:
        output.document(done)
    else:
        say(f"{done['pledge_id']}: approved for {done['network']}{as_before(done)}")


@app.command("clear-reports")
def clear_reports(
    context: typer.Context, pledge_id: Pledge, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Forget what a pledge said it can't take, for example when it has new firmware.

    What it reported is left out of what it is sent; after this it gets all of it again.

    \b
    Example:
      jrc pledge clear-reports 00124b0014b5b67e --reason "firmware 2.1"
    """
    with connect(common(context)) as api:
        done = api.post(f"{pledge_path(pledge_id)}/clear-reports", {"reason": reason})
    if as_json:
        output.document(done)
    elif done["changed"]:
        labels = output.shown_as(done["labels"])
        say(f"{done['pledge_id']}: cleared its reports on label {labels}")
        say("its next join gets all parameters again, unless it reports anew")
    else:
        say(f"{done['pledge_id']}: has reported nothing that it can't take, nothing to clear")


@app.command()
def address(
    context: typer.Context,
    pledge_id: Pledge,
    given: Annotated[
        str | None, typer.Argument(metavar="ADDR", help="A global IPv6 address.")
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Go back to the one its identifier gives.")
    ] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Say where a joined node is reached, if not at prefix and EUI-64 or short identifier.

    It holds until the node joins another network or the network's prefix changes.

    \b
    Examples:
      jrc pledge address 00124b0014b5b67e 2001:db8:0:1::7 --reason "DHCPv6"
      jrc pledge address 00124b0014b5b67e --clear
    """
    if (given is None) != clear:
        raise typer.BadParameter("give an address, or --clear")
    with connect(common(context)) as api:
        done = api.post(f"{pledge_path(pledge_id)}/address", {"address": given, "reason": reason})
    if as_json:
        output.document(done)
    else:
        said = "as before" if not done["changed"] else "as given" if done["given"] else "derived"
        say(f"{done['pledge_id']}: {done['address'] or 'no address'}, {said}")


@app.command()
def remove(
    context: typer.Context,
    pledge_id: Pledge,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove a pledge and wipe its key. The key can never be used again.

    \b
    Example:
      jrc pledge remove 00124b0014b5b67e --reason "scrapped"
    """
    with connect(common(context)) as api:
        confirm(api.get(f"{pledge_path(pledge_id)}/removal"), yes=yes)
        done = api.send("DELETE", pledge_path(pledge_id), {"reason": reason, "agreed": True})
    if as_json:
        output.document(done)
    else:
        say(f"{done['pledge_id']}: {done['state']}{as_before(done)}")

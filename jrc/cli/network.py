"""``jrc network``: networks and what their nodes are told."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.asking import confirm
from jrc.cli.client import connect, segment
from jrc.cli.options import AsJson, Reason, Yes, common
from jrc.cli.reporting import say

app = typer.Typer(help="Networks: identifiers, prefix, key usage, policy.", no_args_is_help=True)

_LISTED = {
    "name": "NAME",
    "identifiers": "NETWORK ID",
    "prefix": "PREFIX",
    "key_domain": "KEY DOMAIN",
    "pledges": "PLEDGES",
    "joined": "JOINED",
}
_SHOWN = {
    "name": "name",
    "identifiers": "network identifiers",
    "prefix": "prefix",
    "jrc_address": "JRC address",
    "profile": "profile",
    "short_ids": "short identifiers",
    "short_ids_used": "short identifiers used",
    "short_ids_low": "short identifiers run low",
    "lease_hours": "lease (hours)",
    "join_rate_bytes_per_s": "join rate (bytes/s)",
    "key_domain": "key domain",
    "key_usages": "key usages",
    "generation": "key generation",
    "key_ids": "key ids",
    "pledges": "pledges",
    "joined": "joined",
    "revoked": "revoked",
}

Name = Annotated[str, typer.Argument(metavar="NAME", help="The network's name.")]
NetworkIds = Annotated[
    list[str] | None,
    typer.Option("--network-id", metavar="HEX", help="Its identifier; may be given repeatedly."),
]
ShortIds = Annotated[
    str | None, typer.Option("--short-ids", metavar="A-B", help="The range to give out, in hex.")
]
JrcAddress = Annotated[
    str | None,
    typer.Option("--jrc-address", metavar="ADDR", help="Told to nodes; else it is the 6LBR's."),
]
ProfileName = Annotated[
    str | None, typer.Option("--profile", metavar="P", help="rfc9031 or openwsn.")
]
LeaseHours = Annotated[
    str | None,
    typer.Option("--lease-hours", metavar="N", help="Of a short identifier, or `none`."),
]
JoinRate = Annotated[
    str | None,
    typer.Option("--join-rate", metavar="N", help="Bytes per second through a proxy, or `none`."),
]


@app.command()
def add(
    context: typer.Context,
    name: Name,
    network_id: Annotated[
        list[str],
        typer.Option("--network-id", metavar="HEX", help="Its identifier; may be repeated."),
    ],
    prefix: Annotated[str, typer.Option(metavar="PREFIX/64", help="The nodes' IPv6 prefix.")],
    key_usage: Annotated[
        list[int] | None,
        typer.Option("--key-usage", metavar="N", help="0..14; two keys: give it twice. [0]"),
    ] = None,
    short_ids: ShortIds = None,
    lease_hours: LeaseHours = None,
    join_rate: JoinRate = None,
    jrc_address: JrcAddress = None,
    profile: ProfileName = None,
    key_domain: Annotated[
        str | None,
        typer.Option("--key-domain", metavar="D", help="Shares keys with its other networks."),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Add a network; its link-layer keys are drawn now and never shown.

    \b
    Examples:
      jrc network add lab --network-id cafe --prefix 2001:db8:0:1::/64
      jrc network add hall --network-id beef --prefix 2001:db8:0:2::/64 --lease-hours 720
    """
    body: dict[str, object | None] = {
        "name": name,
        "identifiers": network_id,
        "prefix": prefix,
        "key_usages": key_usage,
        "short_ids": short_ids,
        "lease_hours": None if lease_hours is None else _limit("--lease-hours", lease_hours),
        "join_rate_bytes_per_s": None if join_rate is None else _limit("--join-rate", join_rate),
        "jrc_address": jrc_address,
        "profile": profile,
        "key_domain": key_domain,
        "reason": reason,
    }
    with connect(common(context)) as api:
        made = api.post("/v1/networks", {k: v for k, v in body.items() if v is not None})
    output.fields(made, _SHOWN, as_json=as_json)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the networks.

    \b
    Example:
      jrc network list --json
    """
    with connect(common(context)) as api:
        found = api.pages("/v1/networks", {}, "networks")
        output.listing(found, _LISTED, as_json=as_json, empty="no networks: jrc network add")


@app.command()
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show a network, the ids of its keys and how many have joined.

    \b
    Example:
      jrc network show lab
    """
    with connect(common(context)) as api:
        output.fields(api.get(_path(name)), _SHOWN, as_json=as_json)


@app.command("set")
def set_(
    context: typer.Context,
    name: Name,
    network_id: NetworkIds = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="PREFIX/64", help="The nodes' IPv6 prefix.")
    ] = None,
    key_usage: Annotated[
        list[int] | None, typer.Option("--key-usage", metavar="N", help="0..14.")
    ] = None,
    short_ids: ShortIds = None,
    lease_hours: LeaseHours = None,
    join_rate: JoinRate = None,
    jrc_address: JrcAddress = None,
    profile: ProfileName = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Change a network. Says first who must join again, and asks.

    \b
    Examples:
      jrc network set lab --lease-hours 720
      jrc network set lab --prefix 2001:db8:0:9::/64 --reason "new provider"
    """
    changes: dict[str, object] = {}
    if network_id:
        changes["identifiers"] = network_id
    if key_usage:
        changes["key_usages"] = key_usage
    for field, text in (("prefix", prefix), ("short_ids", short_ids), ("profile", profile)):
        if text is not None:
            changes[field] = text
    if lease_hours is not None:
        changes["lease_hours"] = _limit("--lease-hours", lease_hours)
    if join_rate is not None:
        changes["join_rate_bytes_per_s"] = _limit("--join-rate", join_rate)
    if jrc_address is not None:
        changes["jrc_address"] = None if jrc_address == "none" else jrc_address
    if not changes:
        raise typer.BadParameter("nothing to change was given; see jrc network set --help")
    with connect(common(context)) as api:
        confirm(api.post(f"{_path(name)}/plan", changes), yes=yes)
        changed = api.send("PATCH", _path(name), {**changes, "reason": reason, "agreed": True})
    output.fields(changed, _SHOWN, as_json=as_json)


@app.command()
def remove(
    context: typer.Context,
    name: Name,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove a network and retire its keys. Shows who is affected, and asks.

    \b
    Example:
      jrc network remove hall --reason "site closed"
    """
    with connect(common(context)) as api:
        confirm(api.get(f"{_path(name)}/removal"), yes=yes)
        done = api.send("DELETE", _path(name), {"reason": reason, "agreed": True})
    if as_json:
        output.document(done)
    else:
        say(f"removed {name}")


def _limit(option: str, text: str) -> int | None:
    """A number, or None for ``none``."""
    if text == "none":
        return None
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"{option} must be a whole number, or none")
    return int(text)


def _path(name: str) -> str:
    return f"/v1/networks/{segment('the name', name)}"

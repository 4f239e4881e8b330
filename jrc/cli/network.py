"""``jrc network``: networks are added, changed, given their keys, removed."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import records, words
from jrc.cli.asking import confirm
from jrc.cli.client import connect
from jrc.cli.keyfiles import take_over_from
from jrc.cli.network_show import (
    Name,
    installation,
    list_,
    path_of,
    show,
    show_network,
)
from jrc.cli.options import AsJson, Common, Reason, Yes, common, given
from jrc.cli.reporting import say
from jrc.errors import ExitCode

app = typer.Typer(help="Networks: identifiers, prefix, key usage, policy.", no_args_is_help=True)

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
JrcAddressFrom = Annotated[
    str | None,
    typer.Option(
        "--jrc-address-from",
        metavar="IFACE",
        help="Take it from an interface of this host, and follow it; or `none`.",
    ),
]
Prefix = Annotated[str | None, typer.Option(metavar="PREFIX/64", help="The nodes' IPv6 prefix.")]
PrefixFrom = Annotated[
    str | None,
    typer.Option(
        "--prefix-from",
        metavar="IFACE",
        help="Take it from an interface of this host, and follow it; or `none`.",
    ),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--profile", metavar="P", help="What its devices take: rfc9031 or openwsn."),
]
AdmissionMode = Annotated[
    str | None,
    typer.Option(
        "--admission", metavar="MODE", help="known, window (jrc window) or approval. [known]"
    ),
]
LeaseHours = Annotated[
    str | None,
    typer.Option("--lease-hours", metavar="N", help="Of a short identifier, or `none`."),
]
JoinRate = Annotated[
    str | None,
    typer.Option("--join-rate", metavar="N", help="Bytes per second through a proxy, or `none`."),
]
Quiet = Annotated[
    bool | None,
    typer.Option(
        "--quiet-outside-windows/--no-quiet-outside-windows",
        help="Nodes let no join traffic in while no join window is open.",
    ),
]


@app.command()
def add(
    context: typer.Context,
    name: Name,
    network_id: Annotated[
        list[str],
        typer.Option("--network-id", metavar="HEX", help="Its identifier; may be repeated."),
    ],
    prefix: Prefix = None,
    prefix_from: PrefixFrom = None,
    key_usage: Annotated[
        list[int] | None,
        typer.Option("--key-usage", metavar="N", help="0..14; two keys: give it twice. [0]"),
    ] = None,
    short_ids: ShortIds = None,
    lease_hours: LeaseHours = None,
    join_rate: JoinRate = None,
    quiet: Quiet = None,
    jrc_address: JrcAddress = None,
    jrc_address_from: JrcAddressFrom = None,
    profile: ProfileName = None,
    admission: AdmissionMode = None,
    key_domain: Annotated[
        str | None,
        typer.Option("--key-domain", metavar="D", help="Shares keys with its other networks."),
    ] = None,
    keys_file: Annotated[
        str | None,
        typer.Option(
            "--keys-file",
            metavar="F",
            help="Take over the keys of a network that runs (docs/take-over.md); - is stdin.",
        ),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Add a network; its link-layer keys are drawn now and never shown, or come from a file.

    \b
    Examples:
      jrc network add lab --network-id cafe --prefix 2001:db8:0:1::/64
      jrc network add hall --network-id beef --prefix 2001:db8:0:2::/64 --lease-hours 720
      jrc network add motes --network-id face --prefix 2001:db8:0:3::/64 --profile openwsn
      jrc network add mesh --network-id d00d --prefix-from lowpan0 --jrc-address-from lowpan0
      jrc network add old --network-id abcd --prefix 2001:db8:0:3::/64 --keys-file keys.json
    """
    if keys_file is not None and key_usage:
        raise typer.BadParameter("--keys-file says what its keys are for; leave --key-usage out")
    limits = _limits(lease_hours, join_rate)
    body: dict[str, object] = given(
        name=name,
        identifiers=network_id,
        prefix=prefix,
        prefix_from=prefix_from,
        key_usages=key_usage,
        short_ids=short_ids,
        **limits,
        quiet_outside_windows=quiet,
        jrc_address=jrc_address,
        jrc_address_from=jrc_address_from,
        profile=profile,
        admission=admission,
        key_domain=key_domain,
        keys_file=None if keys_file is None else take_over_from(keys_file),
        reason=reason,
    )
    with connect(common(context)) as api:
        made = api.post("/v1/networks", body)
    show_network(made, as_json=as_json)


app.command("list")(list_)
app.command()(show)


@app.command("set")
def set_(
    context: typer.Context,
    name: Name,
    network_id: NetworkIds = None,
    prefix: Prefix = None,
    prefix_from: PrefixFrom = None,
    key_usage: Annotated[
        list[int] | None, typer.Option("--key-usage", metavar="N", help="0..14.")
    ] = None,
    short_ids: ShortIds = None,
    lease_hours: LeaseHours = None,
    join_rate: JoinRate = None,
    quiet: Quiet = None,
    jrc_address: JrcAddress = None,
    jrc_address_from: JrcAddressFrom = None,
    profile: ProfileName = None,
    admission: AdmissionMode = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Change a network. Joined nodes are told; says first who must join again, and asks.

    \b
    Examples:
      jrc network set lab --lease-hours 720
      jrc network set lab --admission window --quiet-outside-windows
      jrc network set lab --network-id cafe --network-id beef
      jrc network set lab --prefix 2001:db8:0:9::/64 --reason "new provider"
      jrc network set lab --prefix-from lowpan0
    """
    changes: dict[str, object] = given(
        identifiers=network_id or None,
        key_usages=key_usage or None,
        prefix=prefix,
        short_ids=short_ids,
        profile=profile,
        admission=admission,
        quiet_outside_windows=quiet,
    )
    changes |= _limits(lease_hours, join_rate)
    texts = given(
        jrc_address=jrc_address, prefix_from=prefix_from, jrc_address_from=jrc_address_from
    )
    changes |= {field: None if text == "none" else text for field, text in texts.items()}
    if not changes:
        raise typer.BadParameter("nothing to change was given; see jrc network set --help")
    with connect(common(context)) as api:
        plan = api.post(f"{path_of(name)}/plan", changes)
        confirm(plan, yes=yes)
        changed = api.send("PATCH", path_of(name), {**changes, "reason": reason, "agreed": True})
    if not plan["needs_yes"]:
        for sentence in words(plan["sentences"]):
            say(sentence)
    show_network(changed, as_json=as_json)


@app.command()
def install(
    context: typer.Context,
    name: Name,
    restarted: Annotated[
        bool,
        typer.Option(
            "--restarted", help="A radio was restarted: change the keys first (on_6lbr_join)."
        ),
    ] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Put the keys into the radios of the network's 6LBRs now. Exit code 5: one has failed.

    `jrc run` does so by itself when it starts and when the keys change; see [[installer]]. A radio
    that was restarted may count its slots anew, and needs keys that were never in use.

    \b
    Examples:
      jrc network install lab --reason "cable replaced"
      jrc network install lab --restarted --reason "power cut"
    """
    body = {"reason": reason, "restarted": restarted}
    with connect(common(context)) as api:
        done = api.post(f"{path_of(name)}/install", body)
    found = records(done["installers"])
    if as_json:
        output.document(done)
    else:
        for each in found:
            output.line(f"{each['installer']}: {installation(each)}")
    if not all(each["installed"] for each in found):
        raise typer.Exit(ExitCode.UNFINISHED)


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
    asked = common(context)
    with connect(asked) as api:
        plan = api.get(f"{path_of(name)}/removal")
        confirm({**plan, "sentences": [*words(plan["sentences"]), *_named(asked, name)]}, yes=yes)
        done = api.send("DELETE", path_of(name), {"reason": reason, "agreed": True})
    if as_json:
        output.document(done)
    else:
        say(f"removed {name}")


def _named(asked: Common, name: str) -> list[str]:
    """What waits for a network of this name once it is gone, as far as this host knows."""
    if asked.remote is not None:
        return []
    keys = [key for key, named in asked.settings().named_networks.items() if named == name]
    return [f"The config file names it ({', '.join(keys)}), and waits for another then."] * bool(
        keys
    )


def _limits(lease_hours: str | None, join_rate: str | None) -> dict[str, int | None]:
    """Those that were given; None lifts one."""
    limits = {}
    if lease_hours is not None:
        limits["lease_hours"] = _limit("--lease-hours", lease_hours)
    if join_rate is not None:
        limits["join_rate_bytes_per_s"] = _limit("--join-rate", join_rate)
    return limits


def _limit(option: str, text: str) -> int | None:
    """A number, or None for ``none``."""
    if text == "none":
        return None
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"{option} must be a whole number, or none")
    return int(text)

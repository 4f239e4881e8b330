"""``jrc node``: what joined nodes have, and telling them what they lack."""

from collections.abc import Mapping
from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import as_before
from jrc.cli.client import connect, is_served
from jrc.cli.known_names import networks
from jrc.cli.node_wait import path_of, wait_until_told
from jrc.cli.options import AsJson, Common, KnownPledge, Reason, common
from jrc.cli.reporting import say
from jrc.cli.rollover_wait import Timeout, seconds_of
from jrc.errors import ExitCode, OperatorError

app = typer.Typer(help="Nodes that have joined: what they have, and lack.", no_args_is_help=True)

_LISTED = {
    "pledge_id": "ID",
    "network": "NETWORK",
    "role": "ROLE",
    "lacks": "LACKS",
    "attempts": "ATTEMPTS",
    "last_error": "LAST ERROR",
    "next": "NEXT TRY",
    "acknowledged": "ACKNOWLEDGED",
}
_SHOWN = {
    "pledge_id": "pledge identifier",
    "network": "network",
    "role": "role",
    "address": "address",
    "sleeps_s": "sleeps (s)",
    "short_id": "short identifier",
    "takes_updates": "takes updates",
    "throttle_bytes_per_s": "throttled to (bytes/s)",
    "lacks": "lacks",
    "must_join": "must join again",
    "attempts": "attempts",
    "last_error": "last error",
    "tried": "tried",
    "next": "next try",
    "acknowledged": "acknowledged",
    "refused": "refused settings",
    "lease_sent": "lease sent, not acknowledged",
}
_CONFIGURED = {
    "settings": "settings",
    "generation": "key generation",
    "join_rate_bytes_per_s": "join rate (bytes/s)",
    "jrc_address": "JRC address",
    "blocklist": "blocklist",
    "lease_hours": "lease (hours)",
    "lease_until": "lease until",
}

Identifiers = Annotated[
    list[str] | None, typer.Argument(metavar="ID..", help="Pledge identifiers in hex.")
]
OfNetwork = Annotated[
    str | None,
    typer.Option(
        "--network", metavar="NAME", help="All nodes of a network.", autocompletion=networks
    ),
]


@app.command("list")
def list_(
    context: typer.Context,
    network: Annotated[
        str | None,
        typer.Argument(metavar="[NETWORK]", help="Those of one network.", autocompletion=networks),
    ] = None,
    behind: Annotated[
        bool, typer.Option("--behind", help="Only those that lack something.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the nodes that have joined, and what each has not acknowledged yet.

    \b
    Examples:
      jrc node list lab --behind
      jrc node list --json
    """
    query: dict[str, str | int] = {"behind": int(behind)}
    if network is not None:
        query["network"] = network
    with connect(common(context)) as api:
        found = api.pages("/v1/nodes", query, "nodes")
        empty = "every node has all it is to have" if behind else "nobody has joined"
        output.listing(found, _LISTED, as_json=as_json, empty=empty)


@app.command()
def show(context: typer.Context, pledge_id: KnownPledge, as_json: AsJson = False) -> None:
    """Show what a node is to have and what it has acknowledged, and when it is tried next.

    \b
    Example:
      jrc node show 00124b0014b5b67e
    """
    with connect(common(context)) as api:
        found = api.get(path_of(pledge_id))
    if as_json:
        output.document(found)
        return
    output.fields(found, _SHOWN, as_json=False)
    wanted, has = _part(found, "wanted"), _part(found, "has")
    rows = [
        {"what": words, "wanted": wanted[name], "has": has[name]}
        for name, words in _CONFIGURED.items()
    ]
    output.line("")
    columns = {"what": "WHAT", "wanted": "TO HAVE", "has": "ACKNOWLEDGED"}
    output.listing(rows, columns, as_json=False)
    if found["must_join"]:
        say("no update brings it what it lacks: it has to join again")


@app.command()
def push(
    context: typer.Context,
    pledge_ids: Identifiers = None,
    network: OfNetwork = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Return when they have it. Exit code 5: some have not."),
    ] = False,
    timeout: Timeout = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Tell nodes now what they lack: settings, a lease, keys of a rollover that runs.

    Whoever has keys of the past has to join again; no update reaches it.

    \b
    Examples:
      jrc node push 00124b0014b5b67e --wait --timeout 10m
      jrc node push --network lab --reason "the mesh is up again"
    """
    asked, for_s = common(context), seconds_of(timeout, waits=wait)
    body = {"reason": reason, **_whom(pledge_ids, network)}
    with connect(asked) as api:
        done = api.post("/v1/nodes/push", body)
        if not as_json:
            _say_pushed(asked, done, network)
        code: int = ExitCode.DONE
        if wait:
            code = wait_until_told(api, pledge_ids or [], network, for_s)
    if as_json:
        output.document(done)
    if code == ExitCode.DONE and done["must_join_count"]:
        code = ExitCode.PARTLY
    if code != ExitCode.DONE:
        raise typer.Exit(code)


def _say_pushed(asked: Common, done: output.Record, network: str | None) -> None:
    if not any((done["told"], done["up_to_date"], done["must_join_count"])):
        say(f"nobody has joined network {network}, so there is nobody to tell")
        return
    if not done["told"] and not done["must_join_count"]:
        nodes = (
            "the node has all it is"
            if done["up_to_date"] == 1
            else (f"all {done['up_to_date']} nodes have all they are")
        )
        say(f"nobody is to be told anything: {nodes} to have")
        return
    say(f"{done['told']} told now, {done['up_to_date']} have all they are to have")
    if done["told"] and not is_served(asked):
        say("the daemon is not running: they are told when `jrc run` does")
    count, first = done["must_join_count"], done["must_join"]
    assert isinstance(first, list)
    if count:
        say(f"{count} must join again, no update helps them: {output.shown_as(first[:20])}")


@app.command("set")
def set_(
    context: typer.Context,
    pledge_id: KnownPledge,
    sleeps: Annotated[
        str | None,
        typer.Option("--sleeps", metavar="TIME", help="How long at a time: 90s, 10m, 2h or 1d."),
    ] = None,
    awake: Annotated[bool, typer.Option("--awake", help="It does not sleep.")] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Say how long a node sleeps: it is tried again no sooner than that.

    \b
    Examples:
      jrc node set 00124b0014b5b67e --sleeps 2h
      jrc node set 00124b0014b5b67e --awake
    """
    if (sleeps is None) != awake:
        raise typer.BadParameter("say either --sleeps TIME or --awake")
    with connect(common(context)) as api:
        done = api.send("PATCH", path_of(pledge_id), {"sleeps": sleeps, "reason": reason})
    if as_json:
        output.document(done)
    else:
        how = "is awake" if awake else f"sleeps {done['sleeps_s']} s at a time"
        say(f"{done['pledge_id']}: {how}")


@app.command()
def throttle(
    context: typer.Context,
    pledge_ids: Identifiers = None,
    network: OfNetwork = None,
    join_rate: Annotated[
        int | None,
        typer.Option("--join-rate", metavar="N", help="Bytes per second; 0 closes joining."),
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Go back to the network's own.")] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Limit the join traffic that nodes let into the network, until it is lifted.

    It is kept beside the network's join rate, and the lower one counts. Known nodes can't join
    either where it is 0.

    \b
    Examples:
      jrc node throttle --network lab --join-rate 0 --reason "flooded from room 12"
      jrc node throttle 00124b0014b5b67e --join-rate 20
      jrc node throttle --network lab --lift
    """
    if (join_rate is None) != lift:
        raise typer.BadParameter("say either --join-rate N or --lift")
    rate: dict[str, object] = {"lift": True} if lift else {"join_rate_bytes_per_s": join_rate}
    body = {"reason": reason, **_whom(pledge_ids, network), **rate}
    with connect(common(context)) as api:
        done = api.post("/v1/nodes/throttle", body)
    if as_json:
        output.document(done)
        return
    for name, now in _part(done, "join_rates_bytes_per_s").items():
        limit = "no limit" if now is None else f"{now} bytes/s"
        say(f"{name}: join rate {limit}{as_before(done)}")
    if done["changed"]:
        say("`jrc node list --behind` shows who has not heard of it yet")


def _whom(pledge_ids: list[str] | None, network: str | None) -> dict[str, object]:
    if pledge_ids and network is not None:
        raise OperatorError(
            "nodes and --network NAME are both given, and only one of them can be meant",
            "leave --network out, or the identifiers",
            exit_code=ExitCode.USAGE,
        )
    if not pledge_ids and network is None:
        raise OperatorError(
            "it is not said which nodes are meant",
            "name them by their identifiers, or say --network NAME for all of a network;"
            " `jrc node list` shows them",
            exit_code=ExitCode.USAGE,
        )
    return {"pledge_ids": pledge_ids} if pledge_ids else {"network": network}


def _part(found: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = found[name]
    assert isinstance(part, dict)
    return part

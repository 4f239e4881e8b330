"""``jrc rollover list``, ``status`` and ``watch``."""

from collections.abc import Mapping
from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.client import Api, Query, connect, connect_daemon
from jrc.cli.options import AsJson, common
from jrc.cli.patience import Patient
from jrc.cli.reporting import say
from jrc.cli.rollover_screen import on_terminal, screen
from jrc.cli.rollover_wait import Watcher, exit_code_of, path_of
from jrc.cli.rollover_words import headline, installers, nobody_begins, summary
from jrc.errors import ExitCode, OperatorError

_LISTED = {
    "network": "NETWORK",
    "phase": "PHASE",
    "cause": "CAUSE",
    "key_ids": "KEY IDS",
    "started": "STARTED",
    "ended": "ENDED",
    "wanted": "WANTED NEXT",
}
_SHOWN = {
    "phase": "phase",
    "cause": "cause",
    "actor": "started by",
    "reason": "reason",
    "key_ids": "new key ids",
    "former_key_ids": "former key ids",
    "generation": "generation",
    "started": "started",
    "begins": "begins",
    "distributing": "6LNs told since",
    "deadline": "deadline",
    "switching": "6LBRs told since",
    "guarding": "guarding since",
    "ended": "ended",
    "paused_at": "paused since",
    "paused_by": "paused by",
    "paused_reason": "reason of the pause",
    "wanted": "wanted next",
    "hindered": "hindered by",
}
_NODES = {
    "pledge_id": "NODE",
    "role": "ROLE",
    "network": "NETWORK",
    "state": "STATE",
    "attempts": "ATTEMPTS",
    "sent": "SENT",
    "reached": "REACHED",
    "next": "NEXT TRY",
    "last_error": "TROUBLE",
}
_INSTALLERS = {
    "installer": "INSTALLER",
    "installed": "HAS THE KEYS",
    "failures": "FAILURES",
    "tried": "LAST TRY",
    "next": "NEXT TRY",
    "error": "TROUBLE",
}
_STRAGGLERS = "unreachable,refused,sent,pending,must_join,reverting"

MaybeNetwork = Annotated[
    str | None,
    typer.Argument(metavar="[NETWORK]", help="[the only one, or the only one that is changed]"),
]


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the networks with the rollover that runs, or ran last.

    \b
    Examples:
      jrc rollover list
      jrc rollover list --json
    """
    with connect(common(context)) as api:
        found = api.pages("/v1/rollovers", {}, "rollovers")
        output.listing(found, _LISTED, as_json=as_json, empty="no networks")


def status(
    context: typer.Context,
    network: MaybeNetwork = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also the nodes that have the new keys.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the rollover of a network that runs, or ran last: phase, counts, who is not reached.

    With --json it has every node.

    \b
    Examples:
      jrc rollover status
      jrc rollover status lab --json | jq .counts
    """
    with connect(common(context)) as api:
        network = network or _only(api)
        path = path_of(network)
        found = api.get(path, {"limit": 0})
        which: Query = {} if all_ or as_json else {"states": _STRAGGLERS}
        nodes = list(api.pages(path, which, "nodes"))
    if as_json:
        found.pop("next")
        output.document({**found, "nodes": nodes})
        return
    output.line(headline(found))
    if found["phase"] is None:
        return
    output.line(summary(found))
    for sentence in nobody_begins(found).values():
        output.line(sentence)
    output.line("")
    output.fields({**found, **_pause(found)}, _SHOWN, as_json=False)
    radios = [{"installer": name, **each} for name, each in installers(found).items()]
    if radios:
        output.line("")
        output.listing(radios, _INSTALLERS, as_json=False)
    nodes.sort(key=_is_6ln)
    if nodes:
        output.line("")
        output.listing(nodes, _NODES, as_json=False)


def _is_6ln(node: output.Record) -> bool:
    """6LBRs stand on top: a switch waits for each of them."""
    return node["role"] != "6lbr"


def _pause(found: output.Record) -> output.Record:
    """Who has paused it and why, as fields beside the others; empty where it is not paused."""
    paused = found["paused"]
    if not isinstance(paused, Mapping):
        return {}
    return {
        "paused_at": paused["at"],
        "paused_by": paused["actor"],
        "paused_reason": paused["reason"],
    }


def _only(api: Api) -> str:
    """The network where there is one alone, or one alone with a rollover under way.

    Raises:
        OperatorError: there are more, or none.
    """
    found = list(api.pages("/v1/rollovers", {}, "rollovers"))
    if not found:
        raise OperatorError("there is no network", "`jrc network add` makes one")
    running = [each for each in found if each["phase"] and not each["ended"]]
    if len({str(each["key_domain"]) for each in running}) == 1:
        return str(running[0]["network"])
    if len(found) == 1:
        return str(found[0]["network"])
    raise OperatorError(
        f"there are {len(found)} networks, and the rollovers of {len(running)} are under way",
        "name one; `jrc rollover list` shows them",
        exit_code=ExitCode.USAGE,
    )


def watch(context: typer.Context, network: MaybeNetwork = None) -> None:
    """Show a rollover as it goes on, until it ends: a live table on a terminal, else lines.

    Those that lag behind stand on top. Where another rollover takes its place, that is shown next,
    and counts. Exit codes: 0 done, 1 aborted, 5 paused; on a terminal it stays while it is paused.
    Ctrl-C leaves it running.

    \b
    Examples:
      jrc rollover watch
      jrc rollover watch lab | tee rollover.log
    """
    with connect_daemon(common(context)) as api:
        network = network or _only(api)
        watcher = Watcher(Patient(api), network)
        if watcher.look()[0]["phase"] is None:
            raise OperatorError(
                f"network {network} has had no rollover",
                f"`jrc rollover start {network}` starts one",
                exit_code=ExitCode.REFUSED,
            )
        try:
            is_enough = watcher.is_over if on_terminal() else watcher.is_held
            with screen() as shown:
                last = watcher.show_until(shown, is_enough)
        except KeyboardInterrupt:
            say("the rollover goes on without this command")
            return
    raise typer.Exit(exit_code_of(last))

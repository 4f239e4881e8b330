"""``jrc rollover``: new link-layer keys for a whole network."""

from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import number
from jrc.cli.asking import confirm
from jrc.cli.client import Api, Query, connect, connect_daemon, is_served
from jrc.cli.options import AsJson, Common, NetworkName, Reason, Yes, common, given
from jrc.cli.patience import Patient
from jrc.cli.reporting import say
from jrc.cli.rollover_show import list_, status, watch
from jrc.cli.rollover_wait import Timeout, Wait, Watcher, path_of, seconds_of, wait_on_screen
from jrc.cli.rollover_words import headline, summary
from jrc.errors import ExitCode, OperatorError

app = typer.Typer(help="Change the link-layer keys of whole networks.", no_args_is_help=True)
app.command("list")(list_)
app.command()(status)
app.command()(watch)

AsksNothing = Annotated[
    bool, typer.Option("--yes", "-y", help="As for start and abort; nothing is asked here.")
]


@app.command()
def start(
    context: typer.Context,
    network: NetworkName,
    wait: Wait = False,
    timeout: Timeout = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Change nothing: compute how long it would take.")
    ] = False,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            "--assume",
            metavar="NAME=VALUE",
            help="With --rehearse: loss, sleepy, sleep, awake, dead or round-trip.",
        ),
    ] = None,
    quorum: Annotated[
        str | None,
        typer.Option("--quorum", metavar="SHARE", help="Of 6LNs that must have them: 0.9 to 1."),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option("--deadline", metavar="TIME", help="Then it pauses and asks: 90s, 10m, 2h."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="When it begins, such as 2026-11-22T02:00."),
    ] = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give a network new link-layer keys. Says first whom it concerns, and asks.

    The 6LNs are told first, the 6LBRs when all of them (or the quorum) have the keys; until then
    it can be aborted, then it only goes forward. It goes on by itself, also after a power cut.

    \b
    Examples:
      jrc rollover start lab --rehearse --assume loss=20% --assume dead=2%
      jrc rollover start lab --reason "yearly" --wait --timeout 2h
      jrc rollover start lab --at 2026-11-22T02:00 --quorum 0.95 --deadline 4h --yes
    """
    asked, for_s = common(context), seconds_of(timeout, waits=wait)
    _refuse_contradictions(rehearse=rehearse, assumes=bool(assume), waits=wait)
    rules = given(quorum=quorum, deadline=deadline, at=None if at is None else _in_utc(at))
    if rehearse:
        _rehearse(asked, network, rules, assume or [], as_json=as_json)
        return
    with _reached(asked, waits=wait) as api:
        confirm(api.get(f"{path_of(network)}/plan", rules), yes=yes)
        begun = api.post(path_of(network), {**rules, "reason": reason, "agreed": True})
        _finish(asked, api, network, begun, for_s if wait else None, as_json=as_json)


def _refuse_contradictions(*, rehearse: bool, assumes: bool, waits: bool) -> None:
    if assumes and not rehearse:
        raise OperatorError("--assume goes with --rehearse", exit_code=ExitCode.USAGE)
    if rehearse and waits:
        raise OperatorError(
            "--rehearse starts nothing that --wait could wait for",
            "leave one of them out",
            exit_code=ExitCode.USAGE,
        )


def _in_utc(text: str) -> str:
    """A time; one without a zone is of this host's."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise OperatorError(
            f"--at: {text[:64]!r} is no time",
            "write it as 2026-11-22T02:00 in this host's time zone, or as 2026-11-22T01:00Z",
            exit_code=ExitCode.USAGE,
        ) from None


def _rehearse(
    asked: Common, network: str, rules: Query, assume: list[str], *, as_json: bool
) -> None:
    from jrc.cli.rehearsal import rehearsal_of
    from jrc.service.rehearsal import sentences

    which = {name: value for name, value in rules.items() if name != "at"}
    with connect(asked) as api:
        size = api.get(f"{path_of(network)}/size", which)
    found = rehearsal_of(size, asked.settings().rollover, assume)
    if as_json:
        output.document(asdict(found))
    else:
        for sentence in sentences(found):
            output.line(sentence)


def _reached(asked: Common, *, waits: bool) -> AbstractContextManager[Api]:
    """Who waits needs the daemon, since nobody else tells the nodes."""
    return connect_daemon(asked) if waits else connect(asked)


def _finish(
    asked: Common,
    api: Api,
    network: str,
    done: output.Record,
    for_s: float | None,
    *,
    as_json: bool,
) -> None:
    """Says what comes next, or waits for it (``for_s``) and ends the command with its exit code."""
    code: int = ExitCode.DONE
    if for_s is None:
        say(headline(done))
        _say_what_next(asked, network, done)
    else:
        watcher = Watcher(Patient(api, for_s), network, number(done["id"]))
        code, last = wait_on_screen(watcher)
        done = last or done
    if as_json:
        output.document({name: value for name, value in done.items() if name not in _PAGE})
    if code != ExitCode.DONE:
        raise typer.Exit(code)


_PAGE = ("nodes", "next")


def _say_what_next(asked: Common, network: str, done: output.Record) -> None:
    if done["ended"]:
        return
    if is_served(asked):
        say(f"`jrc rollover watch {network}` shows how far it is")
    else:
        say("the daemon is not running: the nodes are told when `jrc run` does")


@app.command()
def pause(
    context: typer.Context,
    network: NetworkName,
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: AsJson = False,
) -> None:
    """Hold a rollover: nobody is told anything more until it is resumed.

    \b
    Example:
      jrc rollover pause lab --reason "radio noise"
    """
    with connect(common(context)) as api:
        done = api.post(f"{path_of(network)}/pause", {"reason": reason})
    if as_json:
        output.document(done)
    else:
        say(f"{headline(done)}; {summary(done)}")


@app.command()
def resume(
    context: typer.Context,
    network: NetworkName,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway",
            help="Switch with the nodes that are reached, however few, or end a switch without"
            " 6LBRs and installers that are missing; asks.",
        ),
    ] = False,
    wait: Wait = False,
    timeout: Timeout = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a paused rollover go on where it was, with a new deadline, or one that waits for 6LBRs.

    \b
    Examples:
      jrc rollover resume lab
      jrc rollover resume lab --anyway --reason "the rest is switched off" --wait
    """
    asked, for_s = common(context), seconds_of(timeout, waits=wait)
    with _reached(asked, waits=wait) as api:
        path = f"{path_of(network)}/resume"
        plan = api.get(path, {"anyway": int(anyway)})
        confirm(plan, yes=yes)
        said = {"anyway": anyway, "reason": reason, "agreed": True, "shown": plan["shown"]}
        done = api.post(path, said)
        _finish(asked, api, network, done, for_s if wait else None, as_json=as_json)


@app.command()
def abort(
    context: typer.Context,
    network: NetworkName,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Call a rollover off that has not switched yet. Says what that means, and asks.

    \b
    Example:
      jrc rollover abort lab --reason "wrong network"
    """
    asked = common(context)
    with connect(asked) as api:
        path = f"{path_of(network)}/abort"
        plan = api.get(path)
        confirm(plan, yes=yes)
        done = api.post(path, {"reason": reason, "agreed": True, "shown": plan["shown"]})
    if as_json:
        output.document(done)
    else:
        say(f"{headline(done)}; the keys in force stay")

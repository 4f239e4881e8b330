"""``jrc recover`` and ``jrc quarantine``: a database that is an old copy (RFC 9031 §8.3.3)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from jrc.cli import output
from jrc.cli.answers import number, records
from jrc.cli.asking import confirm
from jrc.cli.client import Api, connect, is_served
from jrc.cli.identifiers import identifiers_from
from jrc.cli.options import AsJson, Common, DryRun, Reason, Yes, common
from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError
from jrc.service.wording import counted

app = typer.Typer()

_AT_ONCE = 500
_NAMED_IN_PLAN = 2000
"""Identifiers of a list that are looked up for the plan at a time."""
_STATUS = {
    "condition": "database",
    "since": "since",
    "why": "because",
    "pledges": "pledges",
    "back": "back, or never gone",
    "waiting": "not back yet",
    "reprovision": "of these, to be given a new key",
    "key_domains_left": "key domains without new keys",
}
_WAITING = {
    "pledge_id": "PLEDGE",
    "sentence": "WHERE IT STANDS",
    "what_to_do": "WHAT TO DO",
}
_BORDER_ROUTERS = {
    "network": "NETWORK",
    "border_router": "6LBR",
    "by": "SET BY",
    "done": "HAS NEW KEYS",
    "what_to_do": "WHAT TO DO",
}


@app.callback(invoke_without_command=True)
def recover(
    context: typer.Context,
    confirmed: Annotated[
        bool,
        typer.Option(
            "--confirm-revocations",
            help="Everybody is revoked who has to be, but for those of --revocations.",
        ),
    ] = False,
    revocations: Annotated[
        str | None,
        typer.Option(
            "--revocations",
            metavar="FILE|-",
            help="Pledge identifiers in hex, one a line, to be revoked first.",
        ),
    ] = None,
    dry_run: DryRun = False,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring a quarantined database back. Says first what that means, and asks.

    A database is quarantined where it is older than what its registrar has said: a restored
    backup, a copy that was put back. Everything that could repeat is made anew before anybody is
    answered. It can be broken off at any moment, and goes on when it is given again.

    Revocations made after the copy are lost: confirm that everybody is revoked who has to be, or
    give a list, such as `jrc pledge list --state revoked` of another host or of your notes.

    \b
    Examples:
      jrc recover --dry-run
      jrc recover --confirm-revocations --reason "restored Monday's backup"
      jrc recover --confirm-revocations --revocations revoked.txt --yes
      jrc recover status
    """
    if context.invoked_subcommand is not None:
        return
    asked = common(context)
    named = [] if revocations is None else identifiers_from(revocations)
    with connect(asked) as api:
        plan = _plan(api, named)
        if dry_run:
            _show_plan(plan, as_json=as_json)
            return
        if not confirmed:
            _show_plan(plan, as_json=as_json)
            raise _not_confirmed()
        if not yes:
            _show_revocations(plan)
        confirm(plan, yes=yes)
        done = _carry_out(api, named, reason)
        report = api.get("/v1/recovery")
    if as_json:
        output.document({**report, **done})
    else:
        _say_next(asked, report)


def _not_confirmed() -> OperatorError:
    return OperatorError(
        "the revocations were not confirmed; nothing was changed",
        "say --confirm-revocations, with --revocations FILE for those that are missing",
        exit_code=ExitCode.REFUSED,
    )


def _plan(api: Api, named: Sequence[str]) -> dict[str, Any]:
    return api.post("/v1/recovery/plan", {"pledge_ids": list(named)[:_NAMED_IN_PLAN]})


def _show_plan(plan: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.document(plan)
        return
    for sentence in plan["sentences"]:
        say(sentence)
    _show_revocations(plan)


def _show_revocations(plan: Mapping[str, Any]) -> None:
    found = plan["revocations"]
    if found:
        say(f"The last {len(found)} revocations that this database knows:")
        for each in found:
            why = f" ({each['reason']})" if each["reason"] else ""
            say(f"  {each['at']}  {each['pledge']}  by {each['actor']}{why}")


def _carry_out(api: Api, named: Sequence[str], reason: str) -> dict[str, object]:
    """Revoke, then step by step until the database is open; what was done."""
    revoked = unknown = contexts = 0
    for at in range(0, len(named), _AT_ONCE):
        body = {"pledge_ids": named[at : at + _AT_ONCE], "reason": reason, "agreed": True}
        answer = api.post("/v1/recovery/revocations", body)
        revoked += number(answer["revoked"])
        unknown += number(answer["unknown"])
    if named:
        say(f"{counted(revoked, 'pledge')} revoked, {unknown} of the list not known here")
    renewed: list[dict[str, object]] = []
    for step in _steps(api, reason):
        if step["step"] == "contexts":
            contexts += number(step["contexts"])
            say(f"{counted(contexts, 'context')} marked as lost")
        elif step["step"] == "keys":
            renewed.append({name: step[name] for name in ("key_domain", "networks", "key_ids")})
            say(_renewed_sentence(step))
    return {"revoked": revoked, "unknown": unknown, "contexts": contexts, "renewed": renewed}


def _steps(api: Api, reason: str) -> Iterator[dict[str, Any]]:
    while True:
        step = api.post("/v1/recovery/step", {"reason": reason, "agreed": True})
        yield step
        if step["step"] == "open":
            return


def _renewed_sentence(step: Mapping[str, Any]) -> str:
    if not step["networks"]:
        return f"key domain {step['key_domain']}: no network uses it, its keys are retired"
    ids = ", ".join(str(each) for each in step["key_ids"])
    return f"key domain {step['key_domain']}: new keys, key ids {ids}, all short identifiers free"


def _say_next(asked: Common, report: Mapping[str, Any]) -> None:
    say(
        f"the database is open: {counted(number(report['waiting']), 'pledge')} can come back, at"
        f" the next request of each; {report['reprovision']} of these need a new key first"
    )
    for each in report["border_routers"]:
        if each["by"] == "join":
            say(f"next: {each['what_to_do']} ({each['network']})")
    say("`jrc recover status` shows who has come back, and what is left to do")
    if not is_served(asked):
        say("the daemon is not running: joins are answered when `jrc run` does")


@app.command()
def status(
    context: typer.Context,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="List the pledges that have not come back.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show how many pledges have come back, and which 6LBRs have no new keys yet.

    Exit code 5 where something is still to be done.

    \b
    Examples:
      jrc recover status
      jrc recover status --waiting
      jrc recover status --waiting --json
    """
    with connect(common(context)) as api:
        if waiting:
            found = api.pages("/v1/recovery/pledges", {}, "pledges")
            output.listing(found, _WAITING, as_json=as_json, empty="no pledge waits")
            return
        report = api.get("/v1/recovery")
    output.fields(report, _STATUS, as_json=as_json)
    routers = records(report["border_routers"])
    if not as_json and routers:
        output.listing(routers, _BORDER_ROUTERS, as_json=False)
    is_done = not report["waiting"] and all(each["done"] for each in routers)
    if report["condition"] != "open" or not is_done:
        raise typer.Exit(ExitCode.UNFINISHED)


def quarantine(
    context: typer.Context, reason: Reason = "", yes: Yes = False, as_json: AsJson = False
) -> None:
    """Answer nobody any more, since this database is an old copy. Says first what follows, asks.

    For what jrc can't notice by itself: a virtual machine that was set back to a snapshot, or a
    whole disk to an older state. It takes effect at once, also in a daemon that runs; `jrc recover`
    brings the database back.

    \b
    Example:
      jrc quarantine --reason "the machine was set back to Sunday's snapshot"
    """
    asked = common(context)
    with connect(asked) as api:
        confirm(api.post("/v1/quarantine/plan", {}), yes=yes)
        done = api.post("/v1/quarantine", {"reason": reason, "agreed": True})
    if as_json:
        output.document(done)
        return
    say("the database is quarantined: nobody is answered, and no node is told anything")
    say("next: `jrc recover --dry-run` says what bringing it back means")

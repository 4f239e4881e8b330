"""``jrc pledge explain``: why a device does not get in, and what to do."""

from collections.abc import Mapping
from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import records
from jrc.cli.client import Api, connect, not_running, pledge_path
from jrc.cli.options import AsJson, Common, common

_ATTEMPTS = {
    "last": "LAST",
    "first": "FIRST",
    "count": "TIMES",
    "outcome": "OUTCOME",
    "peer": "FROM",
    "authenticated": "AUTHENTICATED",
    "network": "NETWORK",
    "short_id": "SHORT ID",
    "own_proxy": "OWN PROXY",
}
_UNKNOWN = {
    "pledge_id": "IDENTIFIER",
    "count": "TIMES",
    "first": "FIRST",
    "last": "LAST",
    "peer": "FROM",
    "looks_like": "LOOKS LIKE PLEDGE",
    "own_proxy": "OWN PROXY",
}


def explain(
    context: typer.Context,
    pledge_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="The pledge identifier in hex; any that was heard."),
    ] = None,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Identifiers heard lately that nobody has.")
    ] = False,
    latest: Annotated[
        bool, typer.Option("--latest", help="What all pledges tried lately, the last first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell why a pledge does not get in: what it tried lately, what keeps it out, what to do.

    The daemon remembers attempts since its start, of the last 1,024 pledges and 256 unknown
    identifiers. Without a daemon, only what the database says is told, and the exit code is 3.

    \b
    Examples:
      jrc pledge explain 00124b0014b5b67e
      jrc pledge explain --unknown
      jrc pledge explain --latest
    """
    if (pledge_id is not None) + unknown + latest != 1:
        raise typer.BadParameter("give the identifier of a pledge, or --unknown, or --latest")
    asked = common(context)
    with connect(asked) as api:
        if latest:
            _latest(api, asked, as_json=as_json)
        elif pledge_id is None:
            _unknown(api, asked, as_json=as_json)
        else:
            _one(api, asked, pledge_id, as_json=as_json)


def _unknown(api: Api, asked: Common, *, as_json: bool) -> None:
    found = api.get("/v1/attempts/unknown")["unknown"]
    if found is None:
        raise not_running(asked)
    empty = "no unknown identifiers were heard since the daemon started"
    output.listing(records(found), _UNKNOWN, as_json=as_json, empty=empty)


def _latest(api: Api, asked: Common, *, as_json: bool) -> None:
    found = api.get("/v1/attempts")["attempts"]
    if found is None:
        raise not_running(asked)
    columns = {"last": "LAST", "pledge_id": "PLEDGE", **_ATTEMPTS}
    empty = "nothing was heard since the daemon started"
    output.listing(records(found), columns, as_json=as_json, empty=empty)


def _one(api: Api, asked: Common, pledge_id: str, *, as_json: bool) -> None:
    found = api.get(f"{pledge_path(pledge_id)}/attempts")
    if as_json:
        output.document(found)
    else:
        _print(found)
    if found["attempts"] is None:
        raise not_running(asked)


def _print(found: Mapping[str, object]) -> None:
    output.line(f"{found['pledge_id']}  {found['state']}")
    facts = records(found["facts"])
    for fact in facts:
        _paragraph(str(fact["reason"]), str(fact["sentence"]), str(fact["what_to_do"]))
    if not any(fact["blocks"] for fact in facts):
        output.line("Nothing in the database keeps it from joining.")
    if found["attempts"]:
        output.line("")
        output.listing(records(found["attempts"]), _ATTEMPTS, as_json=False)
    told = {fact["reason"] for fact in facts}
    meanings = [each for each in records(found["meanings"]) if each["outcome"] not in told]
    heard = found["heard"]
    for each in [*meanings, *([heard] if isinstance(heard, dict) else [])]:
        output.line("")
        _paragraph(str(each["outcome"]), str(each["meaning"]), str(each["what_to_do"]))


def _paragraph(code: str, sentence: str, what_to_do: str) -> None:
    output.line(f"{code}: {sentence}")
    output.line(f"  to do: {what_to_do}")

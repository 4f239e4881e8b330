"""``jrc identity``: the public credentials that devices print when they boot."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import records
from jrc.cli.asking import confirm
from jrc.cli.client import connect, segment
from jrc.cli.identity_export import STDIO, export
from jrc.cli.options import AsJson, PledgesOfNetwork, Reason, Yes, common, given
from jrc.cli.reporting import say
from jrc.cojp.credential import MAX_CREDENTIAL_BYTES, Credential, parse
from jrc.errors import ExitCode, OperatorError
from jrc.provision.console_values import item

app = typer.Typer(
    help="Identities: the public keys that devices print when they boot.", no_args_is_help=True
)
app.command()(export)

_LISTED = {
    "pledge_id": "DEVICE",
    "state": "STATE",
    "networks": "NETWORKS",
    "address": "ADDRESS",
    "curve": "CURVE",
    "thumbprint": "KEY",
    "provenance": "PROVENANCE",
    "where": "WHERE",
    "recorded": "RECORDED",
    "label": "LABEL",
}
_HISTORY = {
    "thumbprint": "KEY",
    "curve": "CURVE",
    "provenance": "PROVENANCE",
    "where": "WHERE",
    "recorded": "RECORDED",
    "superseded": "SUPERSEDED",
}
_SHOWN_DIGITS = 16
_SAID = {
    "new": "recorded",
    "same": "recorded, as before",
    "superseded": "recorded in the place of the former",
}
_MAX_FILE_BYTES = 16 * MAX_CREDENTIAL_BYTES
_MAPS = [bytes((first,)) for first in range(0xA0, 0xC0)]
"""How CBOR of a map begins, and no text (RFC 8949 §3.1)."""

Device = Annotated[
    str, typer.Argument(metavar="ID", help="The device's identifier in hex: its pledge identifier.")
]


@app.command()
def add(
    context: typer.Context,
    device: Device,
    credential: Annotated[
        str | None,
        typer.Argument(
            metavar="[CREDENTIAL]", help="As the device printed it, or its CBOR in hex."
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="FILE|-", help="It is in a file: as printed, hex or CBOR."),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Record the public credential of a device: {8: {1: COSE_Key}}, from where it was printed.

    Another one of the same device takes the place of the former, which stays in its history. A key
    that another device shows is refused. The device may be enrolled as a pledge, or not.

    \b
    Examples:
      jrc identity add 00124b0014b5b67e --file identity.txt --reason "bench 2"
      jrc identity add 00124b0014b5b67e a108a101a401...
    """
    if (credential is None) == (file is None):
        raise typer.BadParameter("give the credential, or --file")
    found = _from_text(credential) if credential is not None else _from_file(file or STDIO)
    body = {
        "pledge_id": device,
        "credential": found.value.hex(),
        "provenance": "operator" if file is None else "file",
        "where": "" if file in (None, STDIO) else str(file)[-128:],
        "reason": reason,
    }
    with connect(common(context)) as api:
        done = api.post("/v1/identities", body)
    if as_json:
        output.document(done)
        return
    key = _shortened(done)["thumbprint"]
    say(f"{done['pledge_id']}: {_SAID[str(done['outcome'])]}, key {key}")


def _from_text(text: str) -> Credential:
    """That of a line of a console, or of hex."""
    at = text.find("{")
    try:
        value = item(text[max(at, 0) :].strip())
    except ValueError as error:
        raise _unfit(f"it {error}") from None
    return _parsed(value)


def _from_file(name: str) -> Credential:
    content = _read(name)
    if content[:1] in _MAPS:
        return _parsed(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unfit("it is neither text nor a map of CBOR") from None
    return _from_text(text)


def _parsed(value: bytes) -> Credential:
    try:
        return parse(value)
    except ValueError as error:
        raise _unfit(str(error)) from None


def _read(name: str) -> bytes:
    if name == STDIO:
        return sys.stdin.buffer.read(_MAX_FILE_BYTES)
    try:
        with Path(name).open("rb") as file:
            return file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise OperatorError(f"{name} can't be read ({error.strerror})") from None


def _unfit(why: str) -> OperatorError:
    return OperatorError(
        f"this is no public credential: {why}",
        "give what the device prints as its identity, such as {8:{1:{1:2,2:h'',-1:1,-2:h'...'}}}",
        exit_code=ExitCode.USAGE,
    )


@app.command("list")
def list_(
    context: typer.Context,
    network: PledgesOfNetwork = None,
    as_json: AsJson = False,
) -> None:
    """List the credentials in force, by device. KEY is the same wherever the key is the same.

    State, networks and address are of the pledge with the device's identifier, if there is one.

    \b
    Examples:
      jrc identity list
      jrc identity list --network lab --json
    """
    with connect(common(context)) as api:
        found = api.pages("/v1/identities", given(network=network), "identities")
        shown = found if as_json else map(_shortened, found)
        output.listing(shown, _LISTED, as_json=as_json, empty="no identities")


@app.command()
def show(context: typer.Context, device: Device, as_json: AsJson = False) -> None:
    """Show the credentials that a device has and had, oldest first, and the one in force.

    \b
    Example:
      jrc identity show 00124b0014b5b67e
    """
    with connect(common(context)) as api:
        found = api.get(_path(device))
    if as_json:
        output.document(found)
        return
    now = records([found["identity"]])[0] if found["identity"] is not None else {"edn": None}
    output.fields(
        {**found, "credential": now["edn"]},
        {"pledge_id": "device", "state": "state", "credential": "credential in force"},
        as_json=False,
    )
    output.line("")
    output.listing(map(_shortened, records(found["history"])), _HISTORY, as_json=False)


@app.command()
def remove(
    context: typer.Context,
    device: Device,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a device's credential be in force no more. Its history stays.

    \b
    Example:
      jrc identity remove 00124b0014b5b67e --reason "the board was taken apart"
    """
    with connect(common(context)) as api:
        confirm(api.get(f"{_path(device)}/removal"), yes=yes)
        done = api.send("DELETE", _path(device), {"reason": reason, "agreed": True})
    if as_json:
        output.document(done)
    else:
        how = "its identity is in force no more" if done["changed"] else "none was in force"
        say(f"{done['pledge_id']}: {how}")


def _shortened(record: output.Record) -> output.Record:
    """With as much of the thumbprint as a table has room for."""
    return {**record, "thumbprint": f"{str(record['thumbprint'])[:_SHOWN_DIGITS]}..."}


def _path(device: str) -> str:
    return f"/v1/identities/{segment('the identifier', device)}"

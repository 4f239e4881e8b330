"""``jrc pledge transfer``: a device goes to another owner, or comes from one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from jrc.cli import output
from jrc.cli.answers import as_before, words
from jrc.cli.asking import confirm
from jrc.cli.client import connect, pledge_path
from jrc.cli.keyfiles import keys_from, psk_from
from jrc.cli.options import (
    AeadName,
    AsJson,
    DerivedFile,
    HkdfName,
    Networks,
    Reason,
    Yes,
    common,
    given,
)
from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError
from jrc.provision.writing import NewFile, publish

app = typer.Typer(
    help="Devices that go to another owner, or come from one; no key goes along.",
    no_args_is_help=True,
)

STDOUT: Final = "-"
_VERSION: Final = 1
"""Of a dossier (``service/transferring.py``)."""
_MAX_DOSSIER_BYTES: Final = 256 * 1024


@app.command()
def out(
    context: typer.Context,
    pledge_id: Annotated[str, typer.Argument(metavar="ID", help="The pledge that goes, in hex.")],
    dossier: Annotated[
        str,
        typer.Option("--dossier", metavar="FILE|-", help="What its next owner is given; no key."),
    ],
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Hand a device on: its key is deleted for good, and it leaves its networks. Asks first.

    The dossier has its identifier, label, role, profile, the past of its keys and the key check
    value of the last one. Who needs it again says the same once more. It can come back with a new
    key only (`jrc pledge transfer in`).

    \b
    Example:
      jrc pledge transfer out 00124b0014b5b67e --dossier lamp.json --reason "sold"
    """
    path = f"{pledge_path(pledge_id)}/transfer-out"
    _check_free(dossier)
    with connect(common(context)) as api:
        confirm(api.get(path), yes=yes)
        done = api.post(path, {"reason": reason, "agreed": True})
    _write(dossier, done["dossier"], str(done["pledge_id"]))
    if as_json and dossier != STDOUT:
        output.document(done)
        return
    say(f"{done['pledge_id']}: {done['state']}{as_before(done)}")
    for sentence in words(done["said"]):
        say(sentence)
    if dossier != STDOUT:
        say(f"its dossier is {dossier}; the next owner gives it a new key:")
        say(f"  jrc pledge transfer in {dossier} --psk-file FILE")


def _check_free(dossier: str) -> None:
    """Returns if the file can be made; before anything is changed."""
    if dossier == STDOUT:
        return
    file = Path(dossier)
    if file.exists():
        raise OperatorError(f"{dossier} is there already", "name another file with --dossier")
    if not file.resolve().parent.is_dir():
        raise OperatorError(
            f"the folder of {dossier} is not there", "make it, or name another file with --dossier"
        )


def _write(dossier: str, content: object, pledge_id: str) -> None:
    text = json.dumps(content, indent=2) + "\n"
    if dossier == STDOUT:
        output.line(text.rstrip())
        return
    try:
        publish([NewFile(Path(dossier), text)])
    except OperatorError as error:
        raise OperatorError(
            f"pledge {pledge_id} is transferred, but its dossier was not written: {error.message}",
            f"`jrc pledge transfer out {pledge_id} --dossier FILE` writes it, as often as you like",
        ) from None


@app.command("in")
def take_in(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="Its dossier, or its identifier in hex.")
    ],
    psk_file: Annotated[
        str | None, typer.Option("--psk-file", metavar="FILE|-", help="Its new PSK in hex.")
    ] = None,
    derived_file: DerivedFile = None,
    network: Networks = None,
    role: Annotated[str | None, typer.Option(help="6ln or 6lbr. [the dossier's]")] = None,
    label: Annotated[str | None, typer.Option(help="A name for people. [the dossier's]")] = None,
    profile: Annotated[
        str | None,
        typer.Option(metavar="P", help="rfc9031, openwsn or join-proxy. [the dossier's]"),
    ] = None,
    aead: AeadName = None,
    hkdf: HkdfName = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Take a device from another owner, with a new key: one that was ever used is refused.

    \b
    Examples:
      jrc pledge transfer in lamp.json --psk-file key.hex --network lab
      jrc pledge transfer in 00124b0014b5b67e --psk-file key.hex
    """
    known = _dossier(source) if Path(source).is_file() else {"pledge_id": source}
    keys = keys_from(psk_file, derived_file) or {"psk": psk_from(None)}
    body: dict[str, object] = given(
        networks=network,
        role=known.get("role") if role is None else role,
        label=known.get("label") if label is None else label,
        profile=known.get("profile") if profile is None else profile,
        aead=aead,
        hkdf=hkdf,
        former_key_check=known.get("key_check"),
        reason=reason,
    )
    path = f"{pledge_path(str(known['pledge_id']))}/transfer-in"
    with connect(common(context)) as api:
        done = api.post(path, {**keys, **body})
    if as_json:
        output.document(done)
    else:
        say(f"{done['pledge_id']}: {done['outcome']}, network {output.shown_as(done['networks'])}")


def _dossier(name: str) -> Mapping[str, object]:
    """What a dossier says.

    Raises:
        OperatorError: the file is none.
    """
    try:
        with Path(name).open("rb") as file:
            found = json.loads(file.read(_MAX_DOSSIER_BYTES))
    except OSError as error:
        raise OperatorError(f"{name} can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("pledge_id"), str):
        raise OperatorError(
            f"{name} is no dossier of `jrc pledge transfer out`",
            "name the pledge by its identifier instead",
            exit_code=ExitCode.USAGE,
        )
    if found.get("jrc_dossier") != _VERSION:
        raise OperatorError(
            f"{name} is a dossier of another version than {_VERSION}, or none",
            "name the pledge by its identifier instead",
            exit_code=ExitCode.USAGE,
        )
    return found

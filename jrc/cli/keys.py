"""``jrc keys``: which keys open the database, and changing them (docs/keys.md)."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from jrc.cli import output
from jrc.cli.answers import records
from jrc.cli.asking import confirm, plan_of
from jrc.cli.client import connect, segment
from jrc.cli.key_rotation import (
    gone_if_refused,
    new_key_file,
    place_of,
    planned,
    rotate_data,
    rotate_kek,
    say_rotated,
)
from jrc.cli.options import AsJson, Reason, Yes, common
from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError
from jrc.model import Secret

app = typer.Typer(help="Keys that open the database, and changing them.", no_args_is_help=True)
add = typer.Typer(help="Let a further key open the database.", no_args_is_help=True)
app.add_typer(add, name="add")

_SLOTS = {
    "name": "NAME",
    "kind": "KIND",
    "key_id": "KEY",
    "created": "CREATED",
    "opens_here": "OPENS HERE",
}

Name = Annotated[str, typer.Argument(metavar="NAME", help="The slot's name.")]


@app.callback()
def keys() -> None:
    """Keys that open the database, and changing them."""


@app.command()
def slots(context: typer.Context, as_json: AsJson = False) -> None:
    """List the key slots. Exit code 5: something is to be done about them.

    Each slot holds the same key encryption key, for a key of its own: a key file (or a systemd
    credential with its content), or a recovery identity that is kept offline.

    \b
    Examples:
      jrc keys slots
      jrc keys slots --json
    """
    with connect(common(context)) as api:
        found = api.get("/v1/keys")
    if as_json:
        output.document(found)
    else:
        output.listing(records(found["slots"]), _SLOTS, as_json=False, empty="no slot")
        _warn(found)
    if found["warnings"]:
        raise typer.Exit(ExitCode.UNFINISHED)


@add.command("recovery")
def add_recovery(
    context: typer.Context,
    name: Name,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the identity there (mode 0600)."),
    ] = None,
    yes: Yes = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Add a slot that a recovery identity opens, and show the identity, this once.

    It is for the day the key file is lost: write it down, or keep the file, offline and apart from
    backups. It is stored nowhere; the database has its public half.

    \b
    Examples:
      jrc keys add recovery paper
      jrc keys add recovery usb --out /media/usb/jrc-recovery
    """
    from jrc.store.keyfile import new_key
    from jrc.store.keyslots import recovery_public_key

    identity = new_key()
    body = {"name": name, "kind": "recovery", "reason": reason}
    body["public_key"] = recovery_public_key(identity).hex()
    with connect(common(context)) as api, _offered(identity, out, yes=yes):
        added = api.post("/v1/keys/slots", body)
    if as_json:
        output.document(added)
        return
    where = "what was shown" if out is None else str(out)
    say(f"{name}: a slot was added, and {where} opens it; keep that offline")
    _warn(added)


@contextmanager
def _offered(identity: Secret, out: Path | None, *, yes: bool) -> Iterator[None]:
    """The identity, in the person's hands before a slot is made for it."""
    from jrc.store.keyfile import paper_text, write_key
    from jrc.store.keyslots import recovery_key_id, recovery_public_key

    text = paper_text(identity)
    if out is not None:
        write_key(out, text + "\n")
        with gone_if_refused(out, recovery_key_id(recovery_public_key(identity))):
            yield
        return
    if not sys.stdout.isatty():
        raise OperatorError(
            "a recovery identity is shown on a terminal alone, and there is none",
            "say --out FILE to write it to a file",
            exit_code=ExitCode.USAGE,
        )
    output.line(text)
    if not yes and not typer.confirm("Have you written it down?", err=True):
        raise OperatorError(
            "nothing was changed: that identity opens nothing", exit_code=ExitCode.REFUSED
        )
    yield


@add.command("file")
def add_file(
    context: typer.Context,
    name: Name,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The key file to make (mode 0600).")
    ],
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Add a slot with a key file of its own, for another host or as a spare.

    \b
    Example:
      jrc keys add file spare --out ./spare.key
    """
    from jrc.store.keyfile import new_key

    asked, key = common(context), new_key()
    body = {"name": name, "kind": "file", "key": key.reveal().hex(), "reason": reason}
    with connect(asked) as api, new_key_file(out, key, asked.settings()):
        added = api.post("/v1/keys/slots", body)
    if as_json:
        output.document(added)
        return
    say(f"{name}: a slot was added, and {out} opens it; keep it apart from backups")
    _warn(added)


@app.command()
def remove(
    context: typer.Context,
    name: Name,
    yes: Yes = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Remove a slot: its key opens the database no more. Not the one this registrar starts with.

    \b
    Example:
      jrc keys remove spare
    """
    path = f"/v1/keys/slots/{segment('the name', name)}"
    with connect(common(context)) as api:
        # Whoever mistypes the name is told so, and not asked.
        if name in _slot_names(api.get("/v1/keys")):
            confirm(
                plan_of(
                    f"the key of the slot {name} opens the database no more; copies of the database"
                    " that were made before still open with it"
                ),
                yes=yes,
            )
        left = api.send("DELETE", path, {"reason": reason})
    if as_json:
        output.document(left)
        return
    say(f"{name}: the slot was removed")
    say("if somebody else may have its key, run `jrc keys rotate` too")
    _warn(left)


@app.command()
def rotate(
    context: typer.Context,
    kek: Annotated[
        bool, typer.Option("--kek", help="A new key encryption key. [unless --data is said]")
    ] = False,
    data: Annotated[
        bool, typer.Option("--data", help="New data keys, and all rows encrypted anew.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", metavar="NEWFILE", help="Also a new key for this host's slot, made there."
        ),
    ] = None,
    others: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="FILE", help="The key file of another slot; repeatable."),
    ] = None,
    yes: Yes = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Change the keys that seal the database, while joins go on. What was broken off goes on.

    \b
    Examples:
      jrc keys rotate
      jrc keys rotate --file ./kek.new --reason "a disk was sold"
      jrc keys rotate --kek --data --yes
    """
    asked = common(context)
    wants_kek = kek or not data or file is not None or bool(others)
    settings = asked.settings()
    with connect(asked) as api:
        confirm(plan_of(planned(wants_kek=wants_kek, data=data, file=file)), yes=yes)
        moved = rotate_data(api, reason) if data else None
        if wants_kek:
            rotate_kek(api, settings, file, others or [], reason)
        found = api.get("/v1/keys") if file is None else None
    if as_json:
        output.document({"rotation": moved, "keys": found, "new_file": file and str(file)})
        return
    say_rotated(moved, settings, file, wants_kek=wants_kek)


@app.command()
def restore(
    context: typer.Context,
    identity_file: Annotated[
        Path,
        typer.Option(
            "--identity-file", metavar="FILE", help="The recovery identity, or another key file."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The key file to make. [keys.kek_file]"),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", help="The slot that gets the new key file.")
    ] = "file",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Make a new key file in place of one that is lost. No daemon may have the database.

    The slot's old key opens the database no more.

    \b
    Example:
      jrc keys restore --identity-file /media/usb/jrc-recovery
    """
    from jrc.cli.key_restore import restore_key_file

    settings = common(context).settings()
    path = out or settings.keys.kek_file
    if path is None:
        raise OperatorError(
            "keys.credential names no file that could be made",
            "say --out FILE, and make the credential of it",
            exit_code=ExitCode.USAGE,
        )
    found = restore_key_file(settings, identity_file, path, slot=name, reason=reason)
    if as_json:
        output.document(found)
        return
    say(f"{name}: {path} opens the database now")
    if path != settings.keys.kek_file:
        say(f"put it in place: {place_of(settings, path)}")
    say("take the identity off this host again")
    say("if somebody else may have the lost file, run `jrc keys rotate` too")
    _warn(found)


def _slot_names(found: Mapping[str, Any]) -> set[str]:
    return {slot["name"] for slot in found["slots"]}


def _warn(found: Mapping[str, Any]) -> None:
    for sentence in found["warnings"]:
        say(f"warning: {sentence}")

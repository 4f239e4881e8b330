"""``jrc token``: who may use the admin API over TCP."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.client import connect, segment
from jrc.cli.known_names import tokens
from jrc.cli.options import AsJson, Reason, common
from jrc.cli.reporting import say
from jrc.errors import OperatorError
from jrc.policy.scopes import Scope

app = typer.Typer(help="Tokens of the admin API on TCP (docs/api.md).", no_args_is_help=True)

_LISTED = {
    "name": "NAME",
    "scope": "SCOPE",
    "state": "STATE",
    "created": "CREATED",
    "expires": "EXPIRES",
    "last_used": "LAST USED",
}

Name = Annotated[str, typer.Argument(metavar="NAME", help="Who has it.")]
KnownName = Annotated[
    str, typer.Argument(metavar="NAME", help="Who has it.", autocompletion=tokens)
]


@app.command()
def add(
    context: typer.Context,
    name: Name,
    scope: Annotated[Scope, typer.Option("--scope", help="What it is good for; least is best.")],
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help="After how long: 12h, 90d, or never.")
    ] = "90d",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the token there (mode 0600)."),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Make a token, and print it: it is shown this once, and kept nowhere. --out writes it to a
    new file instead, which its owner alone can read.

    read looks at everything but keys. import adds pledges from files, records identities of
    devices, and nothing else. operate changes networks, pledges, windows and rollovers, and holds
    the other two. admin does all, with keys, backups and tokens. It is good at once, and at every
    registrar of the database.

    \b
    Examples:
      jrc token add ci-firmware --scope import --expires 365d --reason "build 7" --out token
      jrc token add grafana --scope read
      jrc token add alice --scope operate --expires 12h --json
    """
    body = {"name": name, "scope": scope.value, "expires_in": expires, "reason": reason}
    with _empty(out), connect(common(context)) as api:
        added = api.post("/v1/tokens", body)
        if out is not None:
            _write(out, str(added.pop("token")), name)
            added["file"] = str(out)
    if as_json:
        output.document(added)
    elif out is None:
        output.line(str(added["token"]))
        sys.stdout.flush()
    if not as_json:
        until = f"until {added['expires']}" if added["expires"] else "until it is revoked"
        where = "it is shown this once" if out is None else f"it is in {out} alone"
        say(f"{name}: {scope.value}, {until}; {where}")


@contextmanager
def _empty(out: Path | None) -> Iterator[None]:
    """A new file, before there is a token for it; gone where nothing was put into it.

    Raises:
        OperatorError: the file exists, or can't be made.
    """
    from jrc.store.keyfile import write_key

    if out is None:
        yield
        return
    write_key(out, "")
    try:
        yield
    finally:
        with suppress(OSError):
            if not out.stat().st_size:
                out.unlink()


def _write(out: Path, token: str, name: str) -> None:
    try:
        with out.open("r+") as file:
            file.write(f"{token}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            out.unlink()
        raise OperatorError(
            f"the token was made, and {out} can't be written ({error.strerror})",
            f"end it, for nobody has it: `jrc token revoke {name}`",
        ) from None


@app.command("list")
def list_(
    context: typer.Context,
    with_past: Annotated[
        bool, typer.Option("--all", help="Those that were revoked as well.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the tokens: what they are good for, until when, and when they were used last.

    The last use is exact to the hour. void: it is from before the database was recovered, and
    counts no more.

    \b
    Examples:
      jrc token list
      jrc token list --all --json
    """
    with connect(common(context)) as api:
        found = api.pages("/v1/tokens", {"all": int(with_past)}, "tokens")
        output.listing(found, _LISTED, as_json=as_json, empty="no token")


@app.command()
def revoke(
    context: typer.Context, name: KnownName, reason: Reason = "", as_json: AsJson = False
) -> None:
    """End a token. No request with it is answered any more, whichever registrar it goes to.

    \b
    Example:
      jrc token revoke ci-firmware --reason "the build machine is gone"
    """
    with connect(common(context)) as api:
        ended = api.send("DELETE", f"/v1/tokens/{segment('the name', name)}", {"reason": reason})
    if as_json:
        output.document(ended)
    else:
        say(f"{name}: it counts no more")

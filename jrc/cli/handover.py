"""``jrc handover``: keys travel from the builder to the registrar in one sealed file.

What the commands do is loaded with them: the cryptography takes long.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.client import connect
from jrc.cli.import_options import (
    Conflicts,
    FormatName,
    KeysWait,
    OnConflict,
    Partial,
    import_query,
)
from jrc.cli.options import AsJson, Reason, common
from jrc.handover.role import Role
from jrc.service.wording import parse_role

app = typer.Typer(
    help="Keys from the builder to the registrar, in one sealed file (docs/handover.md).",
    no_args_is_help=True,
)

_LISTED = {
    "opened": "OPENED",
    "builder": "BUILDER",
    "serial": "SERIAL",
    "rows": "ROWS",
    "actor": "BY",
}

Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="One that is not there yet.")]
Sealed = Annotated[str, typer.Argument(metavar="SEALED|-", help="A sealed file.")]


@app.command()
def keygen(
    context: typer.Context,
    role: Annotated[Role, typer.Option("--for", help="Who is to have the private key.")],
    out: Out,
    as_json: AsJson = False,
) -> None:
    """Make a key, once: a registrar's to open sealed files, a builder's to sign them.

    FILE gets the private key, which nobody else may have (mode 0600); FILE.pub the public one, for
    the other side. Both compare its fingerprint by telephone. Needs no daemon and no config.

    \b
    Examples:
      jrc handover keygen --for registrar --out registrar.key
      jrc handover keygen --for builder --out builder.key
    """
    from jrc.cli.handover_seal import make_key

    make_key(common(context), role, out, as_json=as_json)


@app.command()
def seal(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="As `jrc pledge import` takes it.")],
    to: Annotated[str, typer.Option("--to", metavar="FILE", help="The registrar's public key.")],
    key: Annotated[str, typer.Option("--key", metavar="FILE", help="The builder's private key.")],
    out: Out,
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help="How long it can be opened.")
    ] = "30d",
    serial: Annotated[
        str | None,
        typer.Option("--serial", metavar="NAME", help="Never used before with this key. [random]"),
    ] = None,
    format_: FormatName = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS", help="As for `jrc pledge import`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Seal devices with their keys for one registrar, who alone can open it, once.

    Each row is checked as an import does; with a faulty one nothing is sealed. Needs no daemon, no
    config and no database.

    \b
    Examples:
      jrc handover seal pledges.csv --to registrar.key.pub --key builder.key --out batch7.sealed
      jrc handover seal pledges.csv --to registrar.key.pub --key builder.key --expires 7d \\
          --serial batch-7 --out batch7.sealed
    """
    from jrc.cli.handover_seal import Sealing, seal_file

    seal_file(
        common(context),
        Sealing(file, to, key, out, expires, serial, format_, map_ or []),
        as_json=as_json,
    )


@app.command()
def show(
    file: Sealed,
    builders: Annotated[
        list[str] | None,
        typer.Option(
            "--from", metavar="FILE", help="A builder's public key to verify it; may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show who sealed a file, for whom and until when; what is in it stays closed.

    Without --from anybody may have written what it says.

    \b
    Examples:
      jrc handover show batch7.sealed
      jrc handover show batch7.sealed --from builder.key.pub --json
    """
    from jrc.cli.handover_seal import show_file

    show_file(file, builders or [], as_json=as_json)


@app.command("open")
def open_(
    context: typer.Context,
    file: Sealed,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="FILE", help="The registrar's private key. [handover.key]"),
    ] = None,
    builders: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="The public key of a builder; may be repeated. [handover.builders]",
        ),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            "--network",
            metavar="NAME",
            help="Where the pledges may join, whatever the builder says; may be repeated.",
        ),
    ] = None,
    role: Annotated[
        str,
        typer.Option("--role", metavar="ROLE", help="6lbr lets rows be border routers, too."),
    ] = "6ln",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, store nothing; it can still be opened.")
    ] = False,
    on_conflict: Conflicts = OnConflict.FAIL,
    pending_firmware: KeysWait = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Change pledges whose keys are not this builder's, too."),
    ] = False,
    partial: Partial = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="As for `jrc pledge import`."),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Open a sealed file, and import what is in it, all or none. It can be opened once.

    The signature is verified before anything else of it is used. Where nothing was stored, by
    errors or by --dry-run, it can be opened again; with --partial it can not, though rows may be
    left. Rows are known by their numbers.

    No row makes a border router without --role 6lbr, and with --on-conflict replace and
    --pending-firmware only pledges change whose keys came from the same builder. --dry-run says
    roles, networks, and which pledges would change.

    \b
    Examples:
      jrc handover open batch7.sealed --reason "batch 7"
      jrc handover open batch7.sealed --key registrar.key --from builder.key.pub --dry-run
      jrc handover open batch7.sealed --key registrar.key --from builder.key.pub \\
          --network plant --reason "batch 7" --report batch7.csv
    """
    from jrc.cli.handover_open import Wanted, open_file

    wanted = Wanted(
        file,
        key,
        builders or [],
        networks=network or [],
        role=_highest_role(role),
        takes_over=take_over,
        query=import_query(
            on_conflict,
            dry_run=dry_run,
            partial=partial,
            pending_firmware=pending_firmware,
            reason=reason,
        ),
        report=report,
    )
    open_file(common(context), wanted, as_json=as_json)


def _highest_role(text: str) -> int:
    try:
        return parse_role(text)
    except ValueError as error:
        raise typer.BadParameter(f"--role: {error}") from None


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the sealed files that were opened, oldest first. None is opened a second time.

    \b
    Examples:
      jrc handover list
      jrc handover list --json
    """
    with connect(common(context)) as api:
        found: Iterator[dict[str, object]] = api.pages("/v1/handovers", {}, "handovers")
        output.listing(found, _LISTED, as_json=as_json, empty="no sealed file was opened")

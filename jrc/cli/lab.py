"""``jrc lab``: simulated devices. What it needs is loaded when a command of it runs."""

from pathlib import Path
from typing import Annotated

import typer

from jrc.cli.options import common

Once = Annotated[bool, typer.Option("--once", help="End after the joins.")]

app = typer.Typer(no_args_is_help=True, help="Simulated devices, to see a registrar at work.")


@app.command()
def run(
    pledges: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many simulated pledges join.")
    ] = 20,
    once: Once = False,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Keep the registrar's files here, not in a temporary folder."),
    ] = None,
) -> None:
    """Start a registrar and let simulated pledges join it through a Join Proxy.

    The registrar then keeps running until Ctrl-C, for commands of your own. With --once the exit
    code is 0 if all have joined, with the same keys and a short address each, and else 1.

    \b
    Example:
      jrc lab run --pledges 5 --once
    """
    from jrc.cli.lab_demo import demonstrate

    raise typer.Exit(demonstrate(pledges, folder, once=once))


@app.command()
def join(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Import files: whose keys they have.")
    ],
    network_id: Annotated[
        str,
        typer.Option("--network-id", metavar="HEX", help="The network in the beacons they hear."),
    ],
    once: Once = False,
) -> None:
    """Let simulated devices join the registrar that runs on this host, and stay as its nodes.

    They join through a Join Proxy on loopback, 6LBRs first, and their OSCORE is aiocoap's. Where
    the config file has `nodes` under [lab] they stay until Ctrl-C, take updates there, and say when
    all of them have switched to new keys. With --once, or without `nodes`, it ends after the
    joins, with exit code 1 if one has failed.

    \b
    Examples:
      jrc pledge generate --count 20 --format csv --out pledges.csv
      jrc pledge import pledges.csv
      jrc lab join pledges.csv --network-id cafe
    """
    from jrc.cli.lab_join import join as join_all

    try:
        identifier = bytes.fromhex(network_id)
    except ValueError:
        raise typer.BadParameter(
            "--network-id: that is no identifier of a network in hex"
        ) from None
    raise typer.Exit(join_all(common(context).settings(), files, identifier, once=once))

"""``jrc lab``: simulated pledges. What it needs is loaded when a command of it runs."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Simulated pledges, to see a registrar at work.")


@app.callback()
def _group() -> None:
    """Keeps ``run`` a command of its own while it is the only one."""


@app.command()
def run(
    pledges: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many simulated pledges join.")
    ] = 20,
    once: Annotated[bool, typer.Option("--once", help="End after the joins.")] = False,
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

"""``jrc provision``: devices on the bench."""

import typer

from jrc.cli.provision_watch import watch

app = typer.Typer(
    help="Devices while they are flashed: what they print, and what they are given.",
    no_args_is_help=True,
)
app.command()(watch)


@app.callback()
def provision() -> None:
    """Devices while they are flashed: what they print, and what they are given."""

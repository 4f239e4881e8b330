"""``jrc db``: the database's schema."""

import typer

from jrc.cli import output
from jrc.cli.client import refuse_other_owner
from jrc.cli.options import AsJson, common

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.callback()
def db() -> None:
    """The database's schema."""


@app.command()
def upgrade(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database to this version's schema. The file is copied first; no daemon may run.

    \b
    Example:
      systemctl stop jrc && sudo -u jrc jrc db upgrade && systemctl start jrc
    """
    from jrc.store.lock import StateLock
    from jrc.store.migrate import upgrade as migrate

    settings = common(context).settings()
    refuse_other_owner(settings)
    file = settings.database.file
    if file is None:
        report = migrate(settings.database.url)
    else:
        with StateLock(file):
            report = migrate(settings.database.url)
    _ = (output, as_json, report)

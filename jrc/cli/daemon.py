"""``jrc run``, ``jrc proxy``, ``jrc check-config``."""

import typer

from jrc.cli import output
from jrc.cli.options import common
from jrc.cli.proxy import run as run_proxy
from jrc.cli.run import run as run_daemon
from jrc.cli.status import status


def register(app: typer.Typer) -> None:
    """Adds the commands to the root."""
    app.command()(run)
    app.command()(proxy)
    app.command()(status)
    app.command("check-config")(check_config)


def run(context: typer.Context) -> None:
    """Answer joins, in the foreground, until SIGTERM or Ctrl-C.

    \b
    Example:
      jrc --config /etc/jrc/config.toml run
    """
    raise typer.Exit(run_daemon(common(context).config))


def proxy(context: typer.Context) -> None:
    """Forward the Join Requests of this host's neighbours, in the foreground, until SIGTERM.

    It needs the section [proxy] alone, and no database; `jrc run` with [proxy] does the same.

    \b
    Example:
      jrc --config /etc/jrc/proxy.toml proxy
    """
    raise typer.Exit(run_proxy(common(context).config))


def check_config(context: typer.Context) -> None:
    """Read the config file and what it names, change nothing, and say what is wrong.

    \b
    Example:
      jrc --config ./config.toml check-config
    """
    from jrc.cli.checks import check

    path = common(context).path
    for sentence in check(common(context).settings()):
        output.line(sentence)
    output.line(f"{path} is in order")

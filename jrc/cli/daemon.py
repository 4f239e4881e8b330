"""``jrc run``, ``jrc proxy``, ``jrc wpan``, ``jrc healthcheck``, ``jrc check-config``."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.healthcheck import run as check_health
from jrc.cli.options import common
from jrc.cli.page import page
from jrc.cli.proxy import run as run_proxy
from jrc.cli.run import run as run_daemon
from jrc.cli.status import status
from jrc.cli.wpan import REGISTRARS_USER
from jrc.cli.wpan import run as run_helper


def register(app: typer.Typer) -> None:
    """Adds the commands to the root."""
    app.command()(run)
    app.command()(proxy)
    app.command()(wpan)
    app.command()(status)
    app.command()(page)
    app.command()(healthcheck)
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


def wpan(
    interface: Annotated[
        str, typer.Argument(metavar="INTERFACE", help="The radio, such as wpan0; no other is set.")
    ],
    user: Annotated[
        str, typer.Option("--user", metavar="NAME", help="The registrar's user; root may ask, too.")
    ] = REGISTRARS_USER,
) -> None:
    """Set the link-layer keys of one radio for the registrar, which needs no privilege then.

    jrc-wpan@.service runs it with CAP_NET_ADMIN and passes the socket in on which it listens; the
    config file names that socket: helper = "/run/jrc-wpan/wpan0.sock", under [[installer]].

    \b
    Example:
      jrc wpan wpan0
    """
    raise typer.Exit(run_helper(interface, user))


def healthcheck(
    context: typer.Context,
    alive: Annotated[
        bool, typer.Option("--alive", help="Whether it works at all, answering joins or not.")
    ] = False,
) -> None:
    """Ask the daemon whether joins are answered. Exit code 0: they are; 1: they are not.

    For container engines and other watchdogs: it is quick, and never looks at the database. What
    ends daemons that fail it should ask with --alive: a registrar whose database is away, or is
    quarantined, says so and works again without a new start.

    \b
    Examples:
      jrc healthcheck
      jrc healthcheck --alive
    """
    raise typer.Exit(check_health(common(context).config, alive=alive))


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

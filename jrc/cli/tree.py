"""The tree of commands."""

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from jrc import __version__
from jrc.cli import daemon, db, doctor, events, keys, network, node, pledge, rollover, setup, window
from jrc.cli.backup import app as backup
from jrc.cli.completion import VARIABLE, completion, prepare
from jrc.cli.handover import app as handover
from jrc.cli.identity import app as identity
from jrc.cli.lab import app as lab
from jrc.cli.options import Common
from jrc.cli.provision import app as provision
from jrc.cli.recover import app as recover
from jrc.cli.recover import quarantine
from jrc.cli.remote import Remote
from jrc.cli.token import app as token

app = typer.Typer(
    name="jrc",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"jrc {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The config file; else $JRC_CONFIG, ./config.toml, /etc/jrc/config.toml.",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            envvar="JRC_URL",
            help="The API of a registrar elsewhere: https.",
        ),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(
            "--token-file",
            metavar="FILE|-",
            envvar="JRC_TOKEN_FILE",
            help="With --url: the token, in a file; else $JRC_TOKEN.",
        ),
    ] = None,
    ca: Annotated[
        str | None,
        typer.Option(
            "--ca",
            metavar="FILE",
            envvar="JRC_CA_FILE",
            help="With --url: who vouches for its certificate. [the system's]",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """A join registrar (JRC) for 6TiSCH and other IEEE 802.15.4 networks, RFC 9031.

    \b
    Begin with:
      jrc init --dir DIR
      jrc --config DIR/config.toml network add lab --network-id cafe --prefix 2001:db8::/64
      jrc --config DIR/config.toml pledge add 00124b0014b5b67e --psk-file FILE
      jrc --config DIR/config.toml run

    Exit codes: 0 done, 1 failed, 2 usage, 3 daemon not reachable, 4 partly done, 5 not finished
    or degraded, 6 refused.
    """
    context.obj = Common(config, None if url is None else Remote(url, token_file, ca))


setup.register(app)
daemon.register(app)
doctor.register(app)
app.add_typer(network.app, name="network")
app.add_typer(pledge.app, name="pledge")
app.add_typer(identity, name="identity")
app.add_typer(provision, name="provision")
app.add_typer(node.app, name="node")
app.add_typer(window.app, name="window")
app.add_typer(rollover.app, name="rollover")
app.add_typer(events.app, name="events")
app.add_typer(db.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(token, name="token")
app.add_typer(handover, name="handover")
app.add_typer(lab, name="lab")
app.add_typer(backup, name="backup")
app.add_typer(recover, name="recover")
app.command()(quarantine)
app.command()(completion)


def invoke(arguments: Sequence[str]) -> int:
    """Carries out the command that the arguments name and gives its exit code.

    Raises:
        JrcError: the command failed.
    """
    if VARIABLE in os.environ:
        prepare()
    try:
        app(args=list(arguments), prog_name="jrc")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0

"""``jrc page``: the way to the registrar's page in a browser."""

import socket
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from jrc.cli import output
from jrc.cli.client import connect_daemon
from jrc.cli.options import AsJson, common
from jrc.cli.reporting import say
from jrc.service.wording import counted, duration

_LINKS = "/page/links"
USUAL_PORT = 9632
"""Where a tunnel begins that leads to the admin socket."""


def page(
    context: typer.Context,
    end_sessions: Annotated[
        bool, typer.Option("--end-sessions", help="End every session, and void every link.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a link that opens the registrar's page in a browser, once, within ten minutes.

    The page shows networks, joins, rollovers, pledges and events, and changes nothing. It is on
    this host alone; the way to it from another machine is printed as well.

    \b
    Examples:
      jrc page
      jrc page --json
      jrc page --end-sessions
    """
    asked = common(context)
    socket_file = asked.settings().admin.socket
    with connect_daemon(asked) as api:
        if end_sessions:
            found = api.send("DELETE", _LINKS, {})
        else:
            found = {**(link := api.post(_LINKS, {})), "url": _url(link)}
    if as_json:
        output.document(found)
    elif end_sessions:
        say(f"{counted(int(str(found['ended'])), 'session')} ended; links that were open are void")
    else:
        for sentence in _way(socket_file, found):
            output.line(sentence)


def _url(link: Mapping[str, object]) -> str:
    """The link as it is opened; a tunnel to the admin socket has the usual port."""
    origin = link["origin"] or f"http://localhost:{USUAL_PORT}"
    return f"{origin}/#key={link['key']}"


def _way(socket_file: Path, found: Mapping[str, object]) -> Iterator[str]:
    yield str(found["url"])
    yield ""
    host = socket.gethostname()
    if found["origin"] is None:
        yield "There is no [page] in the config file, so the page is on the admin socket alone."
        yield f"From another machine: ssh -N -L {USUAL_PORT}:{socket_file} {host}"
        yield 'On this one: add [page] with listen = "127.0.0.1:9632", and restart the daemon.'
    else:
        to = urlsplit(str(found["origin"]))
        yield "It is for a browser on this host."
        yield f"From another machine, first: ssh -N -L {to.port}:{to.netloc} {host}"
    until = datetime.fromisoformat(str(found["until"])).astimezone()
    lasts = duration(float(str(found["session_s"])))
    yield f"The link works once, until {until:%H:%M}; the session that it opens lasts {lasts}."

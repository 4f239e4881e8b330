"""``jrc healthcheck``: one question to the daemon. Nothing here needs typer, rich or httpx."""

import json
import os
import socket
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

from jrc import config as settings_files
from jrc.errors import OperatorError

WITHIN_S = 3.0
"""A daemon that stands still takes the connection and says nothing."""
_LOOK = "`jrc status` and the daemon's log say more"


class UnixConnection(HTTPConnection):
    """HTTP over the admin socket; each step of it takes ``within_s`` at most."""

    def __init__(self, path: Path, within_s: float) -> None:
        super().__init__("jrc", timeout=within_s)
        self._path = path
        self._within_s = within_s

    def connect(self) -> None:
        """As ``HTTPConnection.connect``."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._within_s)
        self.sock.connect(str(self._path))


class _Found(NamedTuple):
    alive: bool
    ready: bool
    why: str


def run(config: str | None, *, alive: bool = False) -> int:
    """0 if the daemon answers joins, or with ``alive`` if it works at all.

    Raises:
        OperatorError: it does not, with the cause; or the settings are not in order.
    """
    settings = settings_files.load(settings_files.find(config, os.environ))
    found = _health(settings.admin.socket)
    if not found.alive:
        raise OperatorError("the daemon is ending", _LOOK)
    if not alive and not found.ready:
        raise OperatorError(f"joins are not answered: {found.why or 'not yet'}", _LOOK)
    sys.stdout.write("the daemon works\n" if alive else "joins are answered\n")
    return 0


def _health(path: Path) -> _Found:
    """What the daemon says of itself.

    Raises:
        OperatorError: it does not run, or does not answer.
    """
    connection = UnixConnection(path, WITHIN_S)
    try:
        connection.request("GET", "/v1/health")
        told = json.loads(connection.getresponse().read())
        return _Found(bool(told["alive"]), bool(told["ready"]), "; ".join(told["why"]))
    except TimeoutError:
        raise OperatorError(f"the daemon has not answered within {WITHIN_S:g} s", _LOOK) from None
    except OSError as error:
        reason = error.strerror or error
        raise OperatorError(f"no daemon answers on {path} ({reason})", _LOOK) from None
    except (HTTPException, ValueError, KeyError, TypeError):
        raise OperatorError(f"what answers on {path} is no jrc daemon", _LOOK) from None
    finally:
        connection.close()

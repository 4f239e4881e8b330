"""Names that a shell completes: networks and tokens, as the daemon has them just now."""

import json
import os
from collections.abc import Iterator
from http.client import HTTPException
from typing import Final

import typer

from jrc import config as settings_files
from jrc.cli.healthcheck import UnixConnection
from jrc.errors import OperatorError

WITHIN_S: Final = 0.25
"""Somebody waits at a prompt; a registrar that takes longer has no names to offer."""


def networks(context: typer.Context) -> list[str]:
    """The names of networks; none where no daemon answers on this host."""
    return _named(context, "networks")


def tokens(context: typer.Context) -> list[str]:
    """The names of tokens that were not revoked; none where no daemon answers on this host."""
    return _named(context, "tokens")


def _named(context: typer.Context, what: str) -> list[str]:
    said = context.find_root().params
    if said.get("url") is not None:
        return []
    try:
        return list(_told(said.get("config"), what))
    except (OperatorError, OSError, HTTPException, ValueError, KeyError, TypeError):
        return []  # there is nowhere to say why


def _told(config: str | None, what: str) -> Iterator[str]:
    settings = settings_files.load(settings_files.find(config, os.environ))
    connection = UnixConnection(settings.admin.socket, WITHIN_S)
    try:
        connection.request("GET", f"/v1/{what}")
        told = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    yield from (str(each["name"]) for each in told[what])

"""What ``jrc check-config`` looks at besides the config file itself."""

import os
import socket
from collections.abc import Iterator

from jrc.cli.client import as_user, user_name
from jrc.cli.served import refuse_unserved, unserved
from jrc.config import Endpoint, Settings
from jrc.errors import OperatorError


def check(settings: Settings) -> Iterator[str]:
    """Sentences about what is not served or could not be looked at.

    Raises:
        OperatorError: ``jrc run`` would refuse to start with these settings.
    """
    refuse_unserved(settings)
    for place in settings.coap.listen:
        _check_address("coap.listen", place, socket.SOCK_DGRAM)
    if settings.metrics is not None:
        _check_address("metrics.listen", settings.metrics.listen, socket.SOCK_STREAM)
    _check_folder("admin.socket", settings)
    yield from unserved(settings)
    yield from _check_state(settings)


def _check_address(key: str, place: Endpoint, kind: socket.SocketKind) -> None:
    """That this host has the address. The port may be in use: by the daemon that runs."""
    family = socket.AF_INET6 if place.address.version == 6 else socket.AF_INET
    with socket.socket(family, kind) as probe:
        try:
            scope = socket.if_nametoindex(place.scope) if place.scope else 0
            probe.bind((place.host, 0, 0, scope) if family == socket.AF_INET6 else (place.host, 0))
        except OSError as error:
            raise OperatorError(
                f"{key}: {place} can't be listened on ({error.strerror or error})",
                "give the address to an interface of this host, or name another",
            ) from None


def _check_folder(key: str, settings: Settings) -> None:
    folder = settings.admin.socket.parent
    if not folder.is_dir():
        raise OperatorError(f"{key}: the folder {folder} does not exist", f"run: mkdir {folder}")


def _check_state(settings: Settings) -> Iterator[str]:
    """The key and the database, without changing a file; only their owner may look."""
    from jrc.opened import key_encryption_key
    from jrc.store.engine import check_private

    owner = settings.state_dir.stat().st_uid if settings.state_dir.is_dir() else os.geteuid()
    if owner != os.geteuid():
        yield (
            f"the key encryption key and the database belong to {user_name(owner)} and were not"
            f" looked at; run: {as_user(owner)}"
        )
        return
    if settings.keys.credential is None:
        key_encryption_key(settings)
    else:
        yield "the key encryption key comes from the service manager and was not looked at"
    if settings.database.file is not None:
        check_private(settings.database.file)

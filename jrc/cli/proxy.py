"""``jrc proxy``: the Join Proxy in the foreground. Nothing here needs typer, rich or httpx."""

import os
import sys

from jrc import config as settings_files
from jrc.coap.endpoint import COAP_PORT
from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError

_SECTIONS = frozenset({"proxy", "metrics", "log"})
"""A config file that has no others is that of a Join Proxy alone."""


def run(config: str | None) -> int:
    """Runs the Join Proxy until SIGTERM or SIGINT.

    Raises:
        OperatorError: the settings are not in order.
    """
    settings = settings_files.load(settings_files.find(config, os.environ))
    if settings.proxy is None:
        raise OperatorError(
            "[proxy] is missing in the config file",
            'add it: interface = "lowpan0" and jrc = "[2001:db8::1]:5683"',
        )
    refuse_beside_wildcard(settings)
    # structlog takes rich for its tracebacks where it finds it; the program's are plain.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from jrc.app.proxy_daemon import run_proxy

    return run_proxy(settings, settings.proxy)


def is_proxy_alone(settings: Settings) -> bool:
    """Whether the config file is one for `jrc proxy`, and no registrar's."""
    return settings.proxy is not None and settings.model_fields_set <= _SECTIONS


def refuse_beside_wildcard(settings: Settings) -> None:
    """Returns if the file is not that of a registrar which is the Join Proxy itself.

    Raises:
        OperatorError: its ``coap.listen`` has the wildcard address and the proxy's port.
    """
    if "coap" not in settings.model_fields_set:
        return
    for place in settings.coap.listen:
        if place.address.is_unspecified and place.port == COAP_PORT:
            raise OperatorError(
                f"coap.listen: {place} is every address of this host, the Join Proxy's too",
                "`jrc run` with this file is registrar and Join Proxy in one; for two processes,"
                " give coap.listen the registrar's own addresses",
                exit_code=ExitCode.REFUSED,
            )

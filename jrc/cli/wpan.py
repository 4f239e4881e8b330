"""``jrc wpan``: sets the link-layer keys of one radio for the registrar. Needs neither typer nor
pydantic: it has a capability, and little else should be in its process."""

import os
import re
import sys

from jrc import servicemanager
from jrc.errors import ExitCode, OperatorError
from jrc.net.helper import Helper

REGISTRARS_USER = "jrc-daemon"
"""As jrc.service has it."""
_INTERFACE = re.compile(r"[^\s/%]{1,15}")
"""As ``installer.interface`` of the config file."""


def run(interface: str, user: str = REGISTRARS_USER) -> int:
    """Sets keys for as long as the process lives.

    Raises:
        OperatorError: no socket was passed in, or there can't be such an interface.
    """
    if not _INTERFACE.fullmatch(interface):
        raise OperatorError(
            f"{interface!r} is no name of an interface", "`iwpan dev` lists them",
            exit_code=ExitCode.USAGE,
        )  # fmt: skip
    listener = servicemanager.passed_unix_listener(os.environ)
    if listener is None:
        raise OperatorError(
            "no socket was passed in",
            f"it is started by systemd: systemctl enable --now jrc-wpan@{interface}.socket",
        )
    helper = Helper(interface, user, _say)
    servicemanager.notify(os.environ, "READY=1")
    helper.serve(listener)
    return ExitCode.DONE


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

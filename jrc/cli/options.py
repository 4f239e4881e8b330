"""Options that many commands share, and the settings a command works with."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jrc import config as settings_files
from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError


def refuse_undecoded(name: str, value: object) -> None:
    """Returns if ``value``, one text or several, has a UTF-8 form.

    Bytes of the command line that are no UTF-8 come as lone surrogates (PEP 383).

    Raises:
        OperatorError: it has none.
    """
    if isinstance(value, list | tuple):
        for item in value:
            refuse_undecoded(name, item)
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise OperatorError(
                f"{name} is not UTF-8 text", "type it anew", exit_code=ExitCode.USAGE
            ) from None


def _reason(value: str) -> str:
    """The reason, refused before a plan is shown or a key is asked for."""
    refuse_undecoded("--reason", value)
    return value


Reason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit log.", callback=_reason),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PassphraseFile = Annotated[
    str | None,
    typer.Option(
        "--passphrase-file", metavar="FILE|-", help="The passphrase: the first line of a file."
    ),
]
IdentityFile = Annotated[
    str | None,
    typer.Option(
        "--identity-file",
        metavar="FILE|-",
        help="The identity of a recipient (age-keygen).",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Carry the plan out without asking.")]


@dataclass(frozen=True, slots=True)
class Common:
    """What was said before the command's name."""

    config: str | None

    @property
    def path(self) -> Path:
        """The config file."""
        return settings_files.find(self.config, os.environ)

    def settings(self) -> Settings:
        """The settings in it.

        Raises:
            OperatorError: there is none, or it is not in order.
        """
        return settings_files.load(self.path)


def common(context: typer.Context) -> Common:
    """What was said before the command's name."""
    found = context.find_object(Common)
    assert found is not None, "the root callback sets it"
    return found

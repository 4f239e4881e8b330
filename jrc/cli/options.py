"""Options that many commands share, and the settings a command works with."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jrc import config as settings_files
from jrc.config import Settings

Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit log.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
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

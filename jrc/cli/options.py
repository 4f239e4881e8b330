"""Options that many commands share, and the settings a command works with."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from jrc import config as settings_files
from jrc.cli.known_names import networks
from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from jrc.cli.remote import Remote

T = TypeVar("T")


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
DerivedFile = Annotated[
    str | None,
    typer.Option("--derived-file", metavar="FILE|-", help="Derived keys in place of a PSK."),
]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--network",
        metavar="NAME",
        help="May be repeated. [the only one]",
        autocompletion=networks,
    ),
]
NetworkName = Annotated[
    str, typer.Argument(metavar="NETWORK", help="The network's name.", autocompletion=networks)
]
OfNetwork = Annotated[
    str | None,
    typer.Option(
        "--network", metavar="NAME", help="Those of one network.", autocompletion=networks
    ),
]
PledgesOfNetwork = Annotated[
    str | None,
    typer.Option(
        "--network", metavar="NAME", help="Of pledges of one network.", autocompletion=networks
    ),
]
Pledge = Annotated[
    str, typer.Argument(metavar="ID", help="The pledge identifier in hex, by custom an EUI-64.")
]
KnownPledge = Annotated[str, typer.Argument(metavar="ID", help="The pledge identifier in hex.")]
KnownPledges = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Pledge identifiers in hex.")
]
Label = Annotated[str | None, typer.Option(help="A name for people.")]
AeadName = Annotated[str | None, typer.Option("--aead", help="OSCORE's AEAD algorithm.")]
HkdfName = Annotated[str | None, typer.Option("--hkdf", help="OSCORE's HKDF algorithm.")]
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
BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Carry the plan out without asking.")]


def given(**options: T | None) -> dict[str, T]:
    """The options that were given, by the names of fields that the API has for them."""
    return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Common:
    """What was said before the command's name; ``remote`` is a registrar on another host."""

    config: str | None
    remote: "Remote | None" = None

    @property
    def path(self) -> Path:
        """The config file."""
        return settings_files.find(self.config, os.environ)

    def settings(self) -> Settings:
        """The settings in it.

        Raises:
            OperatorError: there is none, it is not in order, or another host's is meant.
        """
        if self.remote is not None:
            raise OperatorError(
                "this works on the registrar's own host alone, and not with --url",
                "log in there, or leave --url and $JRC_URL out if the registrar is on this one",
                exit_code=ExitCode.USAGE,
            )
        return settings_files.load(self.path)


def common(context: typer.Context) -> Common:
    """What was said before the command's name."""
    found = context.find_object(Common)
    assert found is not None, "the root callback sets it"
    return found

"""Options of what imports pledges, and what the registrar is told of them."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How the file is written."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    CBOR = "cbor"
    COSE = "cose"
    YAML = "yaml"


class OnConflict(StrEnum):
    """What becomes of a row whose pledge is there with another key or other settings."""

    FAIL = "fail"
    SKIP = "skip"
    REPLACE = "replace"


FormatName = Annotated[
    Format | None, typer.Option("--format", help="Else told by name and contents.")
]
Conflicts = Annotated[OnConflict, typer.Option("--on-conflict", help="For pledges that differ.")]
KeysWait = Annotated[
    bool,
    typer.Option(
        "--pending-firmware", help="The keys wait beside those in force, for a first join."
    ),
]
Partial = Annotated[
    bool, typer.Option("--partial", help="Store the good rows if others are wrong.")
]


def refuse_both(on_conflict: OnConflict, *, pending_firmware: bool) -> None:
    """Nothing, if keys that wait are not to replace others, too.

    Raises:
        BadParameter: they are.
    """
    if pending_firmware and on_conflict is not OnConflict.FAIL:
        raise typer.BadParameter("--pending-firmware and --on-conflict exclude each other")


def refuse_networks(names: Sequence[str]) -> None:
    """Nothing, if a row can name these networks.

    Raises:
        BadParameter: one is no name, or is there twice.
    """
    if any(not name.strip() or ";" in name or not name.isprintable() for name in names):
        raise typer.BadParameter("--network is no name of a network")
    if len(set(names)) != len(names):
        raise typer.BadParameter("--network names one twice")


def import_query(
    on_conflict: OnConflict,
    *,
    dry_run: bool,
    partial: bool,
    pending_firmware: bool,
    reason: str,
) -> dict[str, str | int]:
    """What the registrar is told of an import, whatever the file is.

    Raises:
        BadParameter: options exclude each other.
    """
    refuse_both(on_conflict, pending_firmware=pending_firmware)
    query: dict[str, str | int] = {
        "on_conflict": on_conflict.value,
        "dry_run": int(dry_run),
        "partial": int(partial),
        "reason": reason,
    }
    return query | {"pending_firmware": 1} if pending_firmware else query

"""``jrc handover open``: what is in a sealed file is imported, once."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jrc.cli import output
from jrc.cli.client import Query, connect
from jrc.cli.handover_files import private_key, public_keys, sealed_file
from jrc.cli.handover_outlook import Outlook, refuse_roles
from jrc.cli.import_options import OnConflict, refuse_networks
from jrc.cli.import_report import Outcomes, reporting
from jrc.cli.imports import helps_partly, leave, sent, shown_path, tell
from jrc.cli.options import Common, refuse_undecoded
from jrc.cli.reporting import say
from jrc.clock import SystemClock
from jrc.errors import ExitCode, OperatorError
from jrc.handover.role import Role
from jrc.handover.rows import import_file, unpacked
from jrc.handover.sealing import Opened, open_sealed
from jrc.service.examine_faults import UNDER_WAY
from jrc.service.handovers import fingerprint_text
from jrc.service.import_rows import Row
from jrc.service.wording import counted


class Wanted(NamedTuple):
    """What is to be opened and how, as it was said on the command line.

    ``query`` are options of an import. ``role`` is the highest one that rows may ask for;
    ``takes_over``: other builders' pledges may be changed.
    """

    file: str
    key: str | None
    builders: list[str]
    networks: list[str]
    role: int
    takes_over: bool
    query: Query
    report: Path | None

    @property
    def may_change(self) -> bool:
        """Whether pledges that are there may change; to learn which of them takes its time."""
        replaces = self.query["on_conflict"] == OnConflict.REPLACE
        return replaces or "pending_firmware" in self.query


def open_file(asked: Common, wanted: Wanted, *, as_json: bool) -> None:
    """The rows of a sealed file are imported, if it is one for us and was not opened before."""
    refuse_undecoded("--network", wanted.networks)
    refuse_networks(wanted.networks)
    key, builders = _keys(asked, wanted)
    trusted, own = public_keys(builders, Role.BUILDER), private_key(key, Role.REGISTRAR)
    data, name = sealed_file(wanted.file)
    now_ms = SystemClock().now_ms()
    opened = open_sealed(data, name, builders=trusted, registrar=own, now_ms=now_ms)
    _refuse_faults(opened, name)
    refuse_roles(_rows(opened), wanted.role, name)
    query = {
        **wanted.query,
        "source": shown_path(wanted.file),
        "format": "cbor",
        "rows": opened.cover.rows,
        "handover": _told(opened, takes_over=wanted.takes_over),
    }
    outlook = Outlook(_rows(opened), wanted.networks) if wanted.query["dry_run"] else None
    done = _with_options(_upload(asked, wanted, query, opened, outlook))
    if as_json or not _is_elsewhere(done):
        _tell(done, opened, name, outlook, as_json=as_json)
    is_partial = bool(wanted.query["partial"])
    _refuse_unstored(done, name, partial=is_partial)
    leave(done, partial=is_partial)


def _keys(asked: Common, wanted: Wanted) -> tuple[str, list[str]]:
    """The files with the registrar's key and those of builders: as told, else as configured."""
    key, builders = wanted.key, wanted.builders
    if asked.remote is None and (key is None or not builders):
        configured = asked.settings().handover
        if key is None and configured.key is not None:
            key = str(configured.key)
        builders = builders or [str(each) for each in configured.builders]
    if key is None or not builders:
        option, name = ("--key", "key") if key is None else ("--from", "builders")
        raise OperatorError(
            f"{option} is missing, and handover.{name} is not set",
            f"say {option} FILE, or set it under [handover] in the config file (docs/handover.md)",
            exit_code=ExitCode.USAGE,
        )
    return key, builders


def _told(opened: Opened, *, takes_over: bool) -> str:
    """What the import is told of the file."""
    return json.dumps(
        {
            "builder": opened.cover.builder.hex(),
            "serial": opened.cover.serial,
            "sha256": opened.digest.hex(),
            "expires_at_ms": opened.cover.expires_at_s * 1000,
            "take_over": takes_over,
        }
    )


def _rows(opened: Opened) -> Iterator[Row]:
    return (entry for entry in unpacked(opened.content) if isinstance(entry, Row))


def _refuse_faults(opened: Opened, name: str) -> None:
    """Nothing, if the rows are rows: what sealed them has looked at them, but who knows."""
    for entry in unpacked(opened.content):
        if not isinstance(entry, Row):
            raise OperatorError(
                f"row {entry.line} of {name}: {entry.reason}; nothing was stored",
                "have it sealed anew by `jrc handover seal`",
                exit_code=ExitCode.REFUSED,
            )


def _upload(
    asked: Common, wanted: Wanted, query: Query, opened: Opened, outlook: Outlook | None
) -> dict[str, object]:
    with reporting(wanted.report, wanted.file, asked) as outcomes, connect(asked) as api:
        body = _pieces(import_file(_rows(opened), opened.cover.rows, wanted.networks))
        listening = outlook if wanted.may_change else None
        takers = [taker for taker in (outcomes, listening) if taker is not None]
        return sent(api, query, body, _all_of(takers) if takers else None)


def _all_of(takers: Sequence[Outcomes]) -> Outcomes:
    def take(done: Mapping[str, object], lines: Sequence[bytes]) -> None:
        for taker in takers:
            taker(done, lines)

    return take


def _with_options(done: dict[str, object]) -> dict[str, object]:
    """The answer, whose hints say the options of this command too: the file can't be edited."""
    errors = done["errors"]
    assert isinstance(errors, list)
    return done | {"errors": [_with_option(error) for error in errors]}


def _with_option(error: dict[str, object]) -> dict[str, object]:
    if error["column"] != "network":
        return error
    hints = [error["hint"], "say --network NAME, whatever the builder wrote"]
    return error | {"hint": "; ".join(str(hint) for hint in hints if hint)}


async def _pieces(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _tell(
    done: dict[str, object],
    opened: Opened,
    name: str,
    outlook: Outlook | None,
    *,
    as_json: bool,
) -> None:
    cover = opened.cover
    builder = fingerprint_text(cover.builder)
    if as_json:
        seen = {} if outlook is None else outlook.as_json()
        output.document(done | {"handover": {"builder": builder, "serial": cover.serial, **seen}})
        return
    say(
        f"{name}: {counted(cover.rows, 'device')} sealed by {builder} (serial {cover.serial}); the"
        " signature is good"
    )
    tell(done)
    if outlook is not None:
        outlook.tell()
        say("it can still be opened: leave --dry-run out")
    elif not done["error_count"]:
        say("it was opened and can't be opened again; `jrc handover list` has it")
    elif done["published"]:
        say("it can't be opened again: have the rows that are left sealed anew")


def _is_elsewhere(done: dict[str, object]) -> bool:
    """Whether nothing is in the way but another import, which has the same devices."""
    errors = done["errors"]
    assert isinstance(errors, list)
    return not done["published"] and {True} == {UNDER_WAY in each["reason"] for each in errors}


def _refuse_unstored(done: dict[str, object], name: str, *, partial: bool) -> None:
    if done["published"] or not done["error_count"]:
        return
    if _is_elsewhere(done):
        raise OperatorError(
            f"somebody else is opening {name} just now, or imports its devices; nothing was stored",
            "wait for that to end; if `jrc handover list` does not have it then, open it again",
            exit_code=ExitCode.REFUSED,
        )
    raise OperatorError(
        f"{done['error_count']} of the rows can't be taken; nothing was stored",
        f"{name} can still be opened: settle here what the rows say, or have it sealed anew"
        + (
            "; --partial stores the good rows and uses it up"
            if helps_partly(done, partial=partial)
            else ""
        ),
    )

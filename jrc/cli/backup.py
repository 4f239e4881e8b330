"""``jrc backup``: copies of the database that can be anywhere, and are restored safely."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jrc.cli import backup_source, output
from jrc.cli.asking import confirm, plan_of
from jrc.cli.backup_restore import restore
from jrc.cli.backup_screen import HEADINGS, examined_fields, examined_remarks, shown_progress
from jrc.cli.backup_source import Source, Take
from jrc.cli.client import connect
from jrc.cli.keyfiles import passphrase_from
from jrc.cli.options import AsJson, BackupFile, IdentityFile, PassphraseFile, Reason, Yes, common
from jrc.cli.reporting import say
from jrc.cli.written_files import refuse_own_files
from jrc.errors import ExitCode, JrcError, OperatorError
from jrc.model import Condition

if TYPE_CHECKING:
    from jrc.service.backups import BackupWish
    from jrc.store.backup.content import Seal
    from jrc.store.backup.shelf import Shelf

app = typer.Typer(
    help="Backups of the database: make, verify, restore; docs/backup.md.", no_args_is_help=True
)
app.command()(restore)

_GO_BACK = (
    "the database may have been moved already, which `jrc status` tells: give this command again;"
    " or, to go on here in its stead, `jrc quarantine` and then `jrc recover`"
)
_FINAL_PLAN = plan_of(
    "This host's registrar ends for good: it answers nobody from now on.",
    "The backup goes on where it was, on another host, once, within a day.",
)


@app.callback()
def backup() -> None:
    """Backups of the database: make, verify, restore; docs/backup.md."""


@app.command()
def create(
    context: typer.Context,
    file: BackupFile,
    passphrase_file: PassphraseFile = None,
    recipients: Annotated[
        list[str] | None,
        typer.Option("--recipient", metavar="AGE1...", help="Seal it for them; may be repeated."),
    ] = None,
    final: Annotated[
        bool,
        typer.Option("--final", help="The last one: the registrar moves elsewhere with it."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of this name.")] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", metavar="N", min=1, help="In a folder: delete all but the newest N."
        ),
    ] = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Write the database, as it is now, into a sealed file. A daemon goes on meanwhile.

    Without --passphrase-file and --recipient it is sealed as [backup] of the config file has it;
    where that names nobody, a passphrase is asked for. The file is read back before it gets its
    name. The key that opens the keys in it is not in it: keep a copy of the key file apart.
    Where FILE is a folder, the file is named by the time; --keep deletes older ones of such names,
    but none while the database is quarantined.

    --final first ends this database for good: this host answers nobody any more. The restored
    backup goes on where it was, once, within a day.

    \b
    Examples:
      jrc backup create /mnt/stick/jrc.backup
      jrc backup create nightly.backup --passphrase-file /etc/jrc/passphrase --force
      jrc backup create /var/backups/jrc --keep 14
      jrc backup create move.backup --final --reason "a new border router"
    """
    from jrc.store.backup.output import check_free, write_backup

    asked = common(context)
    settings = asked.settings()
    shelf = _shelf(file, keep)
    if shelf is not None:
        file = shelf.place(time.time_ns() // 1_000_000)
    check_free(file, replaces=force)
    refuse_own_files(file, asked)
    sealing = backup_source.sealing(settings, passphrase_file, recipients or [], is_final=final)
    if final:
        confirm(_FINAL_PLAN, yes=yes)
    with backup_source.source(asked, settings) as gives, shown_progress("writing", None) as shown:
        pour = partial(_pour, gives, sealing.wish, reason, shown)
        with _hint_of_the_move() if final else nullcontext():
            seal = write_backup(file, sealing.header, sealing.identity, pour, replaces=force)
        _note(gives, reason)
    dropped = _dropped(shelf, keep, seal)
    _say_created(file, seal, dropped, as_json=as_json)


@contextmanager
def _hint_of_the_move() -> Iterator[None]:
    """An error says how to go on where the database may have ended with it."""
    try:
        yield
    except OperatorError as error:
        if error.exit_code is ExitCode.REFUSED:
            raise
        raise OperatorError(error.message, _GO_BACK, exit_code=error.exit_code) from None


def _shelf(folder: Path, keep: int | None) -> "Shelf | None":
    """The folder that files are named in by their time, None for a file's name.

    Raises:
        OperatorError: there is no such folder to keep some in.
    """
    from jrc.store.backup.shelf import Shelf

    if folder.is_dir():
        return Shelf(folder)
    if keep is not None:
        raise OperatorError(
            f"--keep needs a folder, and {folder} is none",
            "make the folder, or leave --keep out",
            exit_code=ExitCode.USAGE,
        )
    return None


def _dropped(shelf: "Shelf | None", keep: int | None, seal: "Seal") -> list[Path]:
    """The older ones that were deleted; those of before may hold what a quarantined one lacks."""
    if shelf is None or keep is None or seal.head.condition != Condition.OPEN:
        return []
    return shelf.drop_all_but(keep)


def _pour(
    gives: Source, wish: "BackupWish", reason: str, shown: Callable[[int], None], take: Take
) -> None:
    total = 0

    def counted(piece: bytes) -> None:
        nonlocal total
        take(piece)
        total += len(piece)
        shown(total)

    gives.fill(wish, reason, counted)


def _note(gives: Source, reason: str) -> None:
    """Have the audit log know that it is made; the file is whole whether that works or not."""
    try:
        gives.made(reason)
    except JrcError as error:
        say(f"the backup is whole, but the audit log does not have it ({error})")


def _say_created(file: Path, seal: "Seal", dropped: list[Path], *, as_json: bool) -> None:
    size, head = file.stat().st_size, seal.head
    if as_json:
        output.document(
            {
                "file": str(file),
                "size_bytes": size,
                "rows": seal.row_count,
                "commit_number": head.commit_number,
                "epoch": head.epoch.hex(),
                "final": head.is_final,
                "deleted": [str(each) for each in dropped],
            }
        )
        return
    say(f"{file}: {size} bytes, {seal.row_count} rows, written and read back")
    for each in dropped:
        say(f"{each}: deleted")
    if head.is_final:
        say("this database is moved: nobody is answered here any more")
        say(f"on the other host: put the key file there, then jrc backup restore {file.name}")


@app.command()
def failed(context: typer.Context, reason: Reason = "", as_json: AsJson = False) -> None:
    """Tell the registrar that a backup failed which a timer or script was to make.

    It is in the audit log, `jrc status`, `jrc doctor` and the metrics until the next one is made:
    alerts come of that. jrc-backup-failed.service runs it.

    \b
    Example:
      jrc backup failed --reason "cron: the stick is full"
    """
    with connect(common(context)) as api:
        told = api.post("/v1/backups/failed", {"reason": reason})
    if as_json:
        output.document(told)
    else:
        say("noted; `jrc backup create` makes another one")


@app.command()
def verify(
    context: typer.Context,
    file: BackupFile,
    passphrase_file: PassphraseFile = None,
    identity_file: IdentityFile = None,
    as_json: AsJson = False,
) -> None:
    """Read a whole backup and say what is in it. Nothing is written.

    Checksums, audit log, and whether it can be restored by this version are looked at; with the
    key file of the config file also who made it, and rows that decide about security.
    Exit code 0: all is well; 1: it can't be restored; 5: it holds rows that were damaged before.

    \b
    Examples:
      jrc backup verify /mnt/stick/jrc.backup
      jrc backup verify nightly.backup --identity-file offline.key --json
    """
    from jrc.store.backup.container import read_header

    asked = common(context)
    with backup_source.open_backup(file) as opened:
        header = read_header(opened, str(file))
        opens = backup_source.identities(header, file, passphrase_file, identity_file)
        open_keys = backup_source.key_opener(asked.settings)
        with shown_progress("reading", file.stat().st_size) as shown:
            found = backup_source.examined(opened, file, header, opens, open_keys, shown)
    output.fields(examined_fields(str(file), found), HEADINGS, as_json=as_json)
    if not as_json:
        for sentence in examined_remarks(found):
            output.line(sentence)
    if found.damaged_rows or found.broken_event is not None:
        raise typer.Exit(ExitCode.UNFINISHED)


@app.command()
def keygen(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The key file to make.")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a key for scheduled backups. Its passphrase opens them, and is not in the file.

    Name it under [backup] as key_file. It is no secret by itself, but whoever has it may guess
    at the passphrase.

    \b
    Example:
      jrc backup keygen /etc/jrc/backup.key
    """
    from jrc.store.backup.keyfile import new_backup_key

    if os.path.lexists(file):
        raise OperatorError(f"{file} exists; nothing was overwritten", exit_code=ExitCode.REFUSED)
    refuse_own_files(file, common(context), but=("key file",))
    key = new_backup_key(passphrase_from(passphrase_file, is_new=True))
    try:
        how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(file, how, 0o600), "wb") as made:
            made.write(key.encoded())
            made.flush()
            os.fsync(made.fileno())
    except OSError as error:
        raise OperatorError(f"{file} can't be made ({error.strerror})") from None
    say(f"{file}: name it under [backup] as key_file, and let the registrar's user read it")
    output.line(key.recipient)

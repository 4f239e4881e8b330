"""``jrc init``: a config file, a key file and an empty database."""

import os
import pwd
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from jrc import config as settings_files
from jrc.cli.options import Common, common
from jrc.cli.output import line
from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError

SYSTEM_CONFIG = Path("/etc/jrc/config.toml")
SERVICE_USER = "jrc"
_CONFIG_MODE = 0o640
_FOLDER_MODE = 0o750
_WHERE_ELSE = "run it as root, or say --dir DIR to put everything in a folder of your own"
_WHO_WRITES = "let this user write there, or name another place in the config file"


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    app.command()(init)


def init(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="Put everything there. [/etc/jrc/config.toml, the rest in /var/lib/jrc]",
        ),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            metavar="URL",
            help="An empty PostgreSQL database, in place of an SQLite file; without a password.",
        ),
    ] = None,
) -> None:
    """Make config.toml, the key file and the database. Overwrites nothing.

    With --config, the key file and the database that this config file names.

    \b
    Examples:
      jrc init --dir ./registrar
      sudo jrc init
      sudo jrc init --database-url postgresql+psycopg://jrc@db.example.org/jrc
      jrc --config ./config.toml init
    """
    asked = common(context)
    if asked.config is not None:
        _refuse_places(folder, database_url)
        _init_named(asked)
        return
    _refuse_password(database_url)
    config = SYSTEM_CONFIG if folder is None else folder.absolute() / "config.toml"
    _refuse_undecoded(config)
    text = settings_files.example(folder, database_url)
    settings = settings_files.parse(text, path=str(config))
    create(config, text, settings, owner=None if folder else service_user())
    _say_next(config, settings)


def _refuse_places(folder: Path | None, database_url: str | None) -> None:
    """Returns if nothing but the config file says where things are.

    Raises:
        OperatorError: an option does, too.
    """
    if folder is not None or database_url is not None:
        raise OperatorError(
            "--config names a config file, which says where the database is",
            "leave out --dir and --database-url, or leave out --config to have a new one written",
            exit_code=ExitCode.USAGE,
        )


def _init_named(asked: Common) -> None:
    settings = asked.settings()
    if settings.keys.kek_file is None and "CREDENTIALS_DIRECTORY" not in os.environ:
        raise OperatorError(
            f"{asked.path} names no key file, and no process can make a credential",
            "name keys.kek_file for now; docs/keys.md tells how its content becomes a credential;"
            " or make one of 64 random hex digits and give"
            f" `jrc-offline --config {asked.path} init`",
            exit_code=ExitCode.USAGE,
        )
    create(asked.path.absolute(), None, settings, owner=service_user())
    _say_next(asked.path.absolute(), settings)


def _refuse_password(url: str | None) -> None:
    """Returns if the URL may stand on a command line, which everybody on this host can read.

    Raises:
        OperatorError: it has a password, or is none of a server.
    """
    if url is None:
        return
    from jrc.store.engine import database_path, has_password

    if database_path(url) is not None:
        raise OperatorError(
            "--database-url names an SQLite file, which `jrc init` chooses itself",
            "leave it out, or name a database on a PostgreSQL server",
            exit_code=ExitCode.USAGE,
        )
    if has_password(url):
        raise OperatorError(
            "--database-url has a password in it, which others on this host can see",
            "leave it out, and put it into the file that PGPASSFILE names (docs/postgresql.md)",
            exit_code=ExitCode.USAGE,
        )


def _refuse_undecoded(config: Path) -> None:
    """Returns if the path can stand in a TOML file, which is UTF-8.

    Raises:
        OperatorError: it has bytes that are none.
    """
    try:
        str(config).encode()
    except UnicodeEncodeError:
        raise OperatorError(
            "the path of the folder is not UTF-8 text, and the config file that names it must be",
            "choose another folder with --dir DIR",
            exit_code=ExitCode.USAGE,
        ) from None


def create(
    config: Path, text: str | None, settings: Settings, *, owner: pwd.struct_passwd | None
) -> None:
    """Makes the files of ``settings``, all of them or none; ``owner`` gets them if it is given.

    The key is new where they name a file for it, and the service manager's where a credential.
    ``text`` is what the config file will have; None where it is there, and stays as it is.

    Raises:
        OperatorError: one exists, or can't be made.
    """
    file, kek_file = settings.database.file, settings.keys.kek_file
    database = () if file is None else (file,)
    written = () if text is None else (config,)
    key_files = () if kek_file is None else (kek_file,)
    made = (*written, *key_files, *database, settings.instance_file)
    _refuse_what_is_there(made)
    new_folders = {path.parent for path in made if not path.parent.is_dir()}
    with ExitStack() as undo:
        try:
            for folder in dict.fromkeys(path.parent for path in made):
                _make_folder(folder, undo)
            for path in key_files:
                _write_key(path, undo)
            if text is not None:
                _write(config, text, _CONFIG_MODE, undo.callback)
            _make_database(settings, file, undo)
            if owner is not None:
                folders = {settings.state_dir, *new_folders} - {config.parent}
                _give_away(owner, (*key_files, settings.instance_file, *_all_of(file)), folders)
                _let_read(owner, written)
        except OSError as error:
            hint = _WHERE_ELSE if text is not None else _WHO_WRITES
            raise OperatorError(
                f"{error.filename} can't be made ({error.strerror})", hint
            ) from None
        undo.pop_all()


def _refuse_what_is_there(paths: Iterable[Path]) -> None:
    """Returns if none of them exists.

    Raises:
        OperatorError: one does.
    """
    for path in paths:
        if path.exists() or path.is_symlink():
            raise OperatorError(
                f"{path} exists; nothing was made",
                "an existing database may hold keys: `jrc init --dir DIR` makes a new one"
                " elsewhere",
                exit_code=ExitCode.REFUSED,
            )


def _make_folder(folder: Path, undo: ExitStack) -> None:
    if folder.is_dir():
        return
    folder.mkdir(mode=_FOLDER_MODE, parents=True)
    undo.callback(shutil.rmtree, folder, ignore_errors=True)


def _write_key(kek_file: Path, undo: ExitStack) -> None:
    from jrc.store.keyfile import key_text, new_key

    _write(kek_file, key_text(new_key()), 0o600, undo.callback)


def _write(path: Path, text: str, mode: int, undo: Callable[..., object]) -> None:
    """A new file that is on disk when this returns: without the key the database is lost."""
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "w") as file:
        undo(path.unlink, missing_ok=True)
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _make_database(settings: Settings, file: Path | None, undo: ExitStack) -> None:
    from jrc.opened import slot_key
    from jrc.store import instancefile
    from jrc.store.bootstrap import create_database
    from jrc.store.database import Database

    key = slot_key(settings)
    for path in _all_of(file):
        undo.callback(path.unlink, missing_ok=True)
    create_database(settings.database.url, key, time.time_ns() // 1_000_000, secrets.token_bytes)
    database = Database.open(settings.database.url, key)
    try:
        undo.callback(settings.instance_file.unlink, missing_ok=True)
        instancefile.write(settings.instance_file, database.instance)
    finally:
        database.close()


def _all_of(file: Path | None) -> list[Path]:
    """A database's file, and what may be beside it; nothing where it is on a server."""
    if file is None:
        return []
    return [file, *(file.with_name(file.name + end) for end in ("-wal", "-shm", ".lock"))]


def _give_away(owner: pwd.struct_passwd, state: Sequence[Path], folders: Collection[Path]) -> None:
    """Gives the state to the service's user, whom files of root's would hinder."""
    for path in (*folders, *(path for path in state if path.exists())):
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _let_read(owner: pwd.struct_passwd, written: Sequence[Path]) -> None:
    """A config file stays root's, readable for the service."""
    for path in written:
        os.chown(path, 0, owner.pw_gid)


def service_user() -> pwd.struct_passwd | None:
    """The user that the service runs as, if root sets it up and the user exists."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None


def _say_next(config: Path, settings: Settings) -> None:
    from jrc.cli.users import quoted

    jrc = "jrc" if config == SYSTEM_CONFIG else f"jrc --config {quoted(str(config))}"
    line(f"config file          {config}")
    line(f"database             {settings.database.file or settings.database.url}")
    _say_key(settings)
    line("stored keys are lost, so make a recovery identity for the day it is:")
    line("")
    line(f"  {jrc} keys add recovery paper")
    line("")
    line("Next:")
    line("")
    line(f"  {jrc} network add lab --network-id cafe --prefix 2001:db8:0:1::/64")
    line(f"  {jrc} pledge add 00124b0014b5b67e --psk-file FILE")
    line(f"  {jrc} run")


def _say_key(settings: Settings) -> None:
    keys = settings.keys
    if keys.kek_file is None:
        line(f"key                  the credential {keys.credential}")
        line("")
        line("The service manager opens the credential for this host alone. Without it the")
        return
    line(f"key file             {keys.kek_file}")
    line("")
    line(
        "Keep the key file apart from the database: whoever has both has every key. Without it the"
    )

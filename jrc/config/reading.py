"""From a file to settings, and the example file."""

import json
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from jrc.config.sentences import operator_error
from jrc.config.settings import Settings
from jrc.errors import OperatorError

SEARCHED = (Path("config.toml"), Path("/etc/jrc/config.toml"))
"""Where a config file is looked for if neither ``--config`` nor ``$JRC_CONFIG`` names one."""

_HINTS: Mapping[type[OSError], str] = {
    FileNotFoundError: "`jrc init` writes one",
    PermissionError: "give the command as a user who may read it, such as root: sudo jrc ...",
}


def parse(text: str, *, path: str = "config.toml") -> Settings:
    """The settings that ``text`` holds; ``path`` is where it came from.

    Raises:
        OperatorError: it is no TOML, or a key is unknown or has a value that can't be.
    """
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise OperatorError(f"{path} is not valid TOML: {what}", "mend that line") from None
    try:
        return Settings.model_validate(data, context={"folder": Path(path).absolute().parent})
    except ValidationError as error:
        raise operator_error(path, error.errors(include_url=False)) from None


def load(path: Path) -> Settings:
    """The settings in the file ``path``.

    Raises:
        OperatorError: it can't be read, or see ``parse``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise OperatorError(f"{path} is not UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        hint = _HINTS.get(type(error), "")
        raise OperatorError(f"{path} can't be read: {error.strerror}", hint) from None
    return parse(text, path=str(path))


def find(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """The config file: ``--config``, ``$JRC_CONFIG``, ``./config.toml``, ``/etc/jrc/config.toml``.

    Raises:
        OperatorError: none of the last two exists; a file that was named is not looked for.
    """
    named = explicit or environ.get("JRC_CONFIG")
    if named:
        return Path(named)
    for candidate in SEARCHED:
        if _is_there(candidate):
            return candidate
    places = " and ".join(str(p.absolute()) for p in SEARCHED)
    raise OperatorError(
        f"no config file: looked for {places}", "`jrc init` writes one, `--config FILE` names one"
    )


def _is_there(path: Path) -> bool:
    """Whether there is such a file, or whoever asks may not know: then ``load`` says so."""
    try:
        return path.is_file()
    except PermissionError:
        return True


def example(folder: Path | None = None, database_url: str | None = None) -> str:
    """The commented config file, for the system's folders or with all files in ``folder``.

    ``database_url`` is that of a server, None for an SQLite file.
    """
    state, run = (folder.absolute(),) * 2 if folder else (Path("/var/lib/jrc"), Path("/run/jrc"))
    places = {
        "url": database_url or f"sqlite:///{state / 'jrc.db'}",
        "kek": str(state / "kek"),
        "socket": str(run / "admin.sock"),
        "instance": str(state / "jrc.instance"),
    }
    text = files("jrc.config").joinpath("config.toml.in").read_text(encoding="utf-8")
    for name, value in places.items():
        text = text.replace(f"@{name}@", json.dumps(value, ensure_ascii=False))
    return text

"""The ports that `jrc provision watch` was told to follow, and what it looks for on them."""

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jrc import config
from jrc.cli.options import Common, refuse_undecoded
from jrc.cli.reporting import clean
from jrc.errors import ExitCode, OperatorError
from jrc.provision.console_patterns import SHIPPED, Pattern, pattern
from jrc.provision.console_stream import SOURCE, Stream
from jrc.provision.ports import STDIN, Port
from jrc.provision.serial_line import NO_CONSOLE
from jrc.provision.watching import MAX_PORTS, Watch, Watched, is_glob, matching

MAX_LABEL_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """What was said of ports; ``only_new`` leaves those out that globs match at the start."""

    ports: Sequence[str]
    baud: int
    once: bool
    only_new: bool
    is_written_to: bool = False


def watch_of(asked: Asked, new_stream: Callable[[], Stream]) -> Watch:
    """A watch of the ports.

    Raises:
        OperatorError: two have one name, or one can't be followed in this way.
    """
    globs = [each for each in asked.ports if is_glob(each)]
    _refuse_contradictions(asked, globs)

    labels: set[str] = set()

    def new_port(path: str, label: str = "") -> Watched:
        label = label or _usual_label(path)
        if path not in asked.ports and label in labels:
            label = _whole_label(path)
        labels.add(label)
        port = Port(path, label, asked.baud, asked.once, asked.is_written_to)
        return Watched(port, new_stream())

    watched = [new_port(*_split(each)) for each in asked.ports if each not in globs]
    _check(watched, asked)
    already = matching(globs) if asked.only_new else ()
    return Watch(watched, globs, new_port, but=already)


def patterns_of(common: Common, names: Sequence[str]) -> list[Pattern]:
    """What is looked for: the patterns by these names, or all that ship and that the config has.

    Raises:
        OperatorError: there is none of that name, or the config is not in order.
    """
    known = {each.name: each for each in SHIPPED}
    for each in _configured(common):
        known[each.name] = pattern(
            each.name, boot=each.boot, device_id=each.device_id, identity=each.identity
        )
    for name in names:
        if name not in known:
            raise _usage(
                f"there is no pattern {name!r}",
                f"known are {', '.join(known)}; others go into [[provision.pattern]] of the config",
            )
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def split_of(text: str | None) -> re.Pattern[str] | None:
    """The expression of ``--split``.

    Raises:
        OperatorError: it is none, or lacks its group.
    """
    if text is None:
        return None
    refuse_undecoded("--split", text)
    try:
        found = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise _usage(
            f"--split is no regular expression: {error}", r"such as '^\[(?P<source>\w+)\] '"
        ) from None
    if SOURCE not in found.groupindex:
        raise _usage(
            "--split lacks the group that says whose line it is",
            r"put (?P<source>...) round it, as in '^\[(?P<source>[\w-]+)\] '",
        )
    return found


def _configured(common: Common) -> Sequence[config.ConsolePattern]:
    """Those of the config; with a registrar elsewhere it need not be there."""
    if common.remote is None:
        return common.settings().provision.pattern
    return config.load(common.path).provision.pattern if common.config is not None else ()


def _refuse_contradictions(asked: Asked, globs: Sequence[str]) -> None:
    if not asked.ports:
        raise _usage("there is no port to watch", "such as /dev/ttyACM0, or '/dev/ttyACM*'")
    if len(asked.ports) > MAX_PORTS:
        raise _usage(f"more than {MAX_PORTS} ports", "watch them with several commands")
    for each in globs:
        label = each.rpartition("=")[2]
        if "/" not in label and label != each and not is_glob(label):
            raise _usage(
                f"{each!r}: a pattern takes no label",
                "leave it out: a port that appears is called as its file is",
            )
    if asked.only_new and not globs:
        raise _usage("--new is of ports that appear", "give a pattern in quotes: '/dev/ttyACM*'")
    if asked.once and globs:
        raise _usage("--once reads what is there", "leave the quotes of the pattern out")


def _split(given: str) -> tuple[str, str]:
    """Path and label of ``PORT`` or ``PORT=LABEL``."""
    refuse_undecoded("PORT", given)
    path, equals, label = given.rpartition("=")
    if not equals or Path(given).exists():
        return given, ""
    return path, label


def _usual_label(path: str) -> str:
    return "stdin" if path == STDIN else clean(Path(path).name or path)


def _whole_label(path: str) -> str:
    """What tells a port that appeared from another one of the same name."""
    return path[-MAX_LABEL_CHARACTERS:].strip("/")


def _check(watched: Sequence[Watched], asked: Asked) -> None:
    seen: dict[str, str] = {}
    for each in watched:
        label, path = each.port.label, each.port.path
        if len(label) > MAX_LABEL_CHARACTERS or not label.isprintable() or "/" in label:
            raise _usage(
                f"{label[:MAX_LABEL_CHARACTERS]!r} is no label",
                f"up to {MAX_LABEL_CHARACTERS} printable characters without a slash",
            )
        if label in seen:
            raise _usage(
                f"{seen[label]} and {path} are both called {label}", f"name one: {path}=LABEL"
            )
        seen[label] = path
        _check_kind(path)
        if asked.once and path != STDIN:
            _check_once(path)
    # Twice, as a device may have gone and its number to another one between two paths.
    if all(_is_one_named_twice(watched) for _ in range(2)):
        raise _usage("one port is named twice", "name each once")


def _is_one_named_twice(watched: Sequence[Watched]) -> bool:
    places = [os.path.realpath(each.port.path) for each in watched]
    return len(set(places)) != len(places)


def _check_kind(path: str) -> None:
    """What is there already has to be what can have a console; what is to come is waited for."""
    try:
        mode = 0 if path == STDIN else os.stat(path).st_mode
    except OSError:
        return
    if mode and not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
        raise _usage(f"{path}: {NO_CONSOLE}", "name the port of a console, such as /dev/ttyACM0")


def _check_once(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}", "--once reads what is there") from None
    if not os.access(path, os.R_OK):
        raise OperatorError(f"{path}: this user may not read it", "use `sudo`, or a copy of it")
    if stat.S_ISCHR(mode):
        raise _usage(f"{path} has no end that --once could wait for", "leave --once out")


def _usage(message: str, hint: str) -> OperatorError:
    return OperatorError(message, hint, exit_code=ExitCode.USAGE)

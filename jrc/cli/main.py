"""The entry point ``jrc``. Daemons and what looks after them need not load what commands do."""

import os
import sys
from collections.abc import Sequence

from jrc import coredumps
from jrc.cli.reporting import INTERRUPTED, report, report_doubt
from jrc.errors import CommitError, ExitCode, JrcError


def main(argv: Sequence[str] | None = None) -> int:
    """Carries out one command and gives its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    coredumps.forbid()
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except JrcError as error:
        return report(error)
    except CommitError as error:
        return report_doubt(error)
    except BrokenPipeError:
        _drop_stdout()
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(arguments: list[str]) -> int:
    verb, config = _plain(arguments)
    if verb == "run":
        from jrc.cli.run import run

        return run(config)
    if verb == "proxy":
        from jrc.cli.proxy import run as run_proxy

        return run_proxy(config)
    if arguments[:1] == ["wpan"] and len(arguments) == 2 and not arguments[1].startswith("-"):
        from jrc.cli.wpan import run as run_helper

        return run_helper(arguments[1])
    if verb == "healthcheck":
        from jrc.cli.healthcheck import run as check_health

        return check_health(config)
    from jrc.cli.tree import invoke

    return invoke(arguments)


def _plain(arguments: Sequence[str]) -> tuple[str, str | None]:
    """The command and the file of ``[--config FILE] COMMAND`` with nothing after it."""
    match arguments:
        case [verb]:
            return verb, None
        case ["--config", config, verb]:
            return verb, config
        case [option, verb] if option.startswith("--config="):
            return verb, option.removeprefix("--config=")
    return "", None


def _drop_stdout() -> None:
    """Whoever read our output has gone; the interpreter must not complain when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())

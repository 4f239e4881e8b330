"""The entry point ``jrc``. ``jrc run`` starts here without loading what other commands need."""

import os
import sys
from collections.abc import Sequence

from jrc.cli.reporting import INTERRUPTED, report
from jrc.errors import ExitCode, JrcError


def main(argv: Sequence[str] | None = None) -> int:
    """Carries out one command and gives its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except JrcError as error:
        return report(error)
    except BrokenPipeError:
        _drop_stdout()
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(arguments: list[str]) -> int:
    is_run, config = _plain_run(arguments)
    if is_run:
        from jrc.cli.run import run

        return run(config)
    from jrc.cli.tree import invoke

    return invoke(arguments)


def _plain_run(arguments: Sequence[str]) -> tuple[bool, str | None]:
    """Whether this is ``[--config FILE] run`` and nothing else, and the file."""
    match arguments:
        case ["run"]:
            return True, None
        case ["--config", config, "run"]:
            return True, config
        case [option, "run"] if option.startswith("--config="):
            return True, option.removeprefix("--config=")
    return False, None


def _drop_stdout() -> None:
    """Whoever read our output has gone; the interpreter must not complain when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())

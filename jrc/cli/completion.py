"""``jrc completion SHELL``."""

from enum import StrEnum

import typer
from typer.completion import (  # type: ignore[attr-defined]  # not in its __all__
    completion_init,
    get_completion_script,
)

VARIABLE = "_JRC_COMPLETE"
"""Set by the shell when it asks for completions."""


class Shell(StrEnum):
    """The shells that completion is written for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Shell) -> None:
    """Print what makes SHELL complete commands and options.

    \b
    Example:
      jrc completion bash > ~/.local/share/bash-completion/completions/jrc
    """
    typer.echo(get_completion_script(prog_name="jrc", complete_var=VARIABLE, shell=shell.value))


def prepare() -> None:
    """Makes the answers to a shell that asks for completions available."""
    completion_init()

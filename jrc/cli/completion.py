"""``jrc completion SHELL``."""

from enum import StrEnum

import typer
from typer.completion import get_completion_script


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
    typer.echo(
        get_completion_script(prog_name="jrc", complete_var="_JRC_COMPLETE", shell=shell.value)
    )

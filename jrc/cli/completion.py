"""``jrc completion SHELL``."""

from enum import StrEnum

import typer
from typer.completion import (  # type: ignore[attr-defined]  # not in its __all__
    completion_init,
    get_completion_script,
)

VARIABLE = "_JRC_COMPLETE"
"""Set by the shell when it asks for completions."""


_COMPDEF = "compdef _jrc_completion jrc"
_COMPDEF_OR_ANSWER = f"""\
if [ "$funcstack[1]" = _jrc ]; then
  _jrc_completion "$@"
else
  {_COMPDEF}
fi"""


class Shell(StrEnum):
    """The shells that completion is written for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Shell) -> None:
    """Print what makes SHELL complete commands and options, and names that the daemon knows: of
    networks, and of tokens.

    \b
    Example:
      jrc completion bash > ~/.local/share/bash-completion/completions/jrc
    """
    typer.echo(script(shell))


def script(shell: Shell) -> str:
    """What a shell has to read.

    zsh reads it as a file of its ``fpath`` too, at the first completion, which it has to answer.
    """
    text: str = get_completion_script(prog_name="jrc", complete_var=VARIABLE, shell=shell.value)
    return text.replace(_COMPDEF, _COMPDEF_OR_ANSWER) if shell is Shell.ZSH else text


def prepare() -> None:
    """Makes the answers to a shell that asks for completions available."""
    completion_init()

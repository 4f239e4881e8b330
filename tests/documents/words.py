"""The words of `jrc` in a line of shell, and whether the program knows them."""

import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import typer.main
from typer._click.exceptions import UsageError

from jrc.cli.tree import app

_TREE: Any = typer.main.get_command(app)
_SEPARATORS = {"|", "&&", ";", "||", "&"}
_REDIRECTIONS = {"<", ">", ">>"}


def simple_commands(text: str) -> Iterator[list[str]]:
    """The words of each `jrc` in a line of shell, without where its files go.

    It may be carried out by another user (`sudo`) or on another host (`ssh`).
    """
    parts = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    parts.whitespace_split = True
    for is_end, group in groupby(parts, lambda word: word in _SEPARATORS):
        words = [] if is_end else list(group)
        if words[:1] == ["sudo"]:
            words = words[3 if words[1] == "-u" else 1 :]
        elif words[:1] == ["ssh"]:
            words = words[2:]
        if words[:1] == ["jrc"]:
            yield list(_without_files(words[1:]))


def _without_files(words: Sequence[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word in _REDIRECTIONS:
            next(rest, None)
        else:
            yield word


def parse(words: Sequence[str], *, whole: bool = True) -> None:
    """Whether `jrc` knows the command and each of its options; ``whole`` with all its arguments.

    Raises:
        UsageError: it does not.
    """
    command, context, left, name = _TREE, None, list(words), "jrc"
    while True:
        if not whole and not hasattr(command, "commands"):
            known = {
                each for option in command.params for each in option.opts + option.secondary_opts
            }
            unknown = {word for word in left if word.startswith("--")} - known - {"--help"}
            if unknown:
                raise UsageError(f"{name}: no {unknown}")
            return
        context = command.make_context(name, left, parent=context, resilient_parsing=not whole)
        left = [*context._protected_args, *context.args]
        if not hasattr(command, "commands") or not left:
            return
        name = left.pop(0)
        if name not in command.commands:
            raise UsageError(f"there is no command {name}")
        command = command.commands[name]

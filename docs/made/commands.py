"""The tree of commands as data: what ``--help`` says of each of them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import typer.main
from typer._click.core import Context

from jrc.cli.tree import app

_VERBATIM = "\b"
_EXAMPLES = ("Example:", "Examples:", "Begin with:")
_HELP = "--help"


class Entry(NamedTuple):
    """An argument or option: how it is written, and what it is for."""

    name: str
    text: str


class Block(NamedTuple):
    """A paragraph; the lines of one that is verbatim stand as they are."""

    lines: Sequence[str]
    is_verbatim: bool

    @property
    def examples(self) -> Sequence[str]:
        """The lines of examples, without their indentation; empty for anything else."""
        if not self.is_verbatim or self.lines[0] not in _EXAMPLES:
            return ()
        return [line.removeprefix("  ") for line in self.lines[1:]]


class Command(NamedTuple):
    """One command or group; ``name`` is all of its words."""

    name: str
    usage: str
    blocks: Sequence[Block]
    arguments: Sequence[Entry]
    options: Sequence[Entry]
    commands: Sequence["Command"]

    @property
    def summary(self) -> str:
        """The first sentence."""
        first = self.blocks[0].lines[0] if self.blocks else ""
        return first.partition(". ")[0].rstrip(".")

    @property
    def examples(self) -> Sequence[str]:
        """The commands that the help shows, a line each."""
        return [line for block in self.blocks for line in block.examples]

    def walk(self) -> Iterator["Command"]:
        """This one and all below it."""
        yield self
        for each in self.commands:
            yield from each.walk()


def tree() -> Command:
    """`jrc` itself, with everything below it."""
    return _described(typer.main.get_command(app), "jrc", None)


def _described(command: Any, name: str, parent: Context | None) -> Command:
    context = Context(command, info_name=name, parent=parent)
    arguments: list[Entry] = []
    options: list[Entry] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or _HELP in parameter.opts:
            continue
        kind = arguments if parameter.param_type_name == "argument" else options
        kind.append(Entry(*(_one_line(text) for text in record)))
    below = getattr(command, "commands", {})
    return Command(
        context.command_path,
        " ".join([context.command_path, *command.collect_usage_pieces(context)]),
        list(_blocks(command.help or "")),
        arguments,
        options,
        [_described(each, word, context) for word, each in below.items() if not each.hidden],
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _blocks(text: str) -> Iterator[Block]:
    for part in text.strip().split("\n\n"):
        lines = [line for line in part.split("\n") if line.strip() != _VERBATIM]
        if _VERBATIM in part:
            yield Block(lines, is_verbatim=True)
        else:
            yield Block([_one_line(part)], is_verbatim=False)

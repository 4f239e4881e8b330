"""Man pages, in the macros of man(7): one for each first word of a command, one for the config."""

import re
from collections.abc import Iterator, Sequence

from docs.made import config
from docs.made.command_page import EXIT_CODES
from docs.made.commands import Command, Entry, tree
from jrc import __version__
from jrc.config import SEARCHED

_TITLE = "jrc manual"
_ENVIRONMENT = [
    Entry("JRC_CONFIG", "The config file, if --config does not name it."),
    Entry("NO_COLOR", "If set, nothing is coloured."),
]


def files() -> Iterator[tuple[str, str]]:
    """Name and text of each."""
    root = tree()
    yield "man1/jrc.1", _page(root, 1, _of_root(root))
    for top in root.commands:
        yield f"man1/{_dashed(top)}.1", _page(top, 1, _of_command(top))
    yield "man5/jrc-config.5", _config_page()


def _dashed(command: Command) -> str:
    return command.name.replace(" ", "-")


def _page(command: Command, section: int, body: Iterator[str]) -> str:
    name = _dashed(command)
    head = [_heading(name, section), ".SH NAME", f"{_plain(name)} \\- {_plain(command.summary)}"]
    return _joined([*head, ".SH SYNOPSIS", *_usage(command), *body])


def _heading(name: str, section: int) -> str:
    return f'.TH {_plain(name.upper())} {section} "" "jrc {__version__}" "{_TITLE}"'


def _joined(lines: Sequence[str]) -> str:
    """The lines of a page; a heading begins a paragraph by itself."""
    text = "\n".join(line for line in lines if line) + "\n"
    return re.sub(r"(?m)(^\.S[HS] .*\n)\.PP\n", r"\1", text)


def _usage(command: Command) -> Iterator[str]:
    yield ".nf"
    for each in (command, *command.commands) if command.name != "jrc" else (command,):
        words, _, rest = each.usage.partition(f"{each.name} ")
        yield f"\\fB{_plain(words + each.name)}\\fR {_plain(rest)}"
    yield ".fi"


def _of_root(root: Command) -> Iterator[str]:
    yield from _description(root)
    yield from _entries(".SH OPTIONS", root.options)
    below = [Entry(f"{_dashed(each)}(1)", each.summary + ".") for each in root.commands]
    yield from _entries(".SH COMMANDS", below)
    yield from _ending(["jrc-config(5)"])


def _of_command(command: Command) -> Iterator[str]:
    yield from _description(command)
    yield from _entries(".SH OPTIONS", [*command.arguments, *command.options])
    yield from _examples(".SH EXAMPLES", command.examples)
    if command.commands:
        yield ".SH COMMANDS"
        for each in list(command.walk())[1:]:
            yield f".SS {_plain(each.name)}"
            yield from _paragraphs(each)
            yield from _entries("", [*each.arguments, *each.options])
            yield from _examples(".PP\nExamples:", each.examples)
    yield from _ending(["jrc(1)", "jrc-config(5)"])


def _description(command: Command) -> Iterator[str]:
    yield ".SH DESCRIPTION"
    yield from _paragraphs(command)


def _paragraphs(command: Command) -> Iterator[str]:
    for block in command.blocks:
        if block.examples and command.name != "jrc":
            continue
        yield ".PP"
        if block.is_verbatim:
            yield from (".nf", *map(_plain, block.lines), ".fi")
        else:
            yield _plain(block.lines[0])


def _entries(heading: str, entries: Sequence[Entry]) -> Iterator[str]:
    if entries:
        yield heading
    for entry in entries:
        yield from (".TP", f"\\fB{_plain(entry.name)}\\fR", _plain(entry.text or "."))


def _examples(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from (heading, ".PP", ".nf", ".RS 4", *map(_plain, lines), ".RE", ".fi")


def _ending(others: Sequence[str]) -> Iterator[str]:
    yield from _entries(
        ".SH EXIT STATUS", [Entry(str(int(code)), f"{text}.") for code, text in EXIT_CODES.items()]
    )
    yield from _entries(".SH ENVIRONMENT", _ENVIRONMENT)
    yield from (".SH SEE ALSO", _plain(", ".join(others)))


def _config_page() -> str:
    found = ", ".join(str(path) for path in SEARCHED)
    lines = [
        _heading("jrc-config", 5), ".SH NAME", "jrc\\-config \\- settings of jrc, in TOML",
        ".SH DESCRIPTION",
        _plain("The file that --config or $JRC_CONFIG names, else the first that there is of"
               f" {found}. Relative paths start at its folder. An unknown key is an error."),
        _plain("`jrc check-config` reads it and starts nothing."),
        ".SH SECTIONS",
    ]  # fmt: skip
    for section in config.sections():
        lines += [f".SS {_plain(section.title)}", _plain(section.text)]
        for key in section.keys:
            name = f"\\fB{_plain(key.name)}\\fR ({_plain(key.kind)}; default {_plain(key.default)})"
            lines += [".TP", name, _plain(key.text)]
    lines += [".SH SEE ALSO", _plain("jrc(1), jrc-check-config(1)")]
    return _joined(lines)


def _plain(text: str) -> str:
    """Text that troff takes for nothing else."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    escaped = escaped.replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{escaped}" if escaped.startswith((".", "\\(aq")) else escaped

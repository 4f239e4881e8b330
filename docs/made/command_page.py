"""``docs/commands.md``: every command with its options, as ``--help`` has them."""

from collections.abc import Iterator, Sequence

from docs.made.commands import Block, Command, Entry, tree
from docs.made.pages import MADE, cell, joined, table
from jrc.errors import ExitCode

EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed: the sentence on standard error says why, and what to do",
    ExitCode.USAGE: "usage: the command line is wrong, nothing was tried",
    ExitCode.UNREACHABLE: "the daemon is needed and can't be reached",
    ExitCode.PARTLY: "partly done: the rest is named",
    ExitCode.UNFINISHED: "not finished, or degraded: it works, and somebody should look",
    ExitCode.REFUSED: "refused by policy, or for want of a yes; nothing was changed",
}

_HEAD = f"""\
# Commands

{MADE}
Each command says the same with `--help`. `jrc --config FILE COMMAND` names the config file; else it is `$JRC_CONFIG`,
`./config.toml` or `/etc/jrc/config.toml`, the first that there is ([config.md](config.md)). With a running daemon commands talk
to it over the admin socket; without one they work on the database themselves, where they can.

What destroys, re-keys or revokes says its plan and asks, or takes `--yes`. Listings take `--json`. `--reason` is kept in the
[audit log](audit-log.md).

## Exit codes
"""


def page() -> str:
    """The whole page."""
    root = tree()
    codes = [(str(int(code)), text) for code, text in EXIT_CODES.items()]
    parts = [_HEAD, table(("code", "meaning"), codes), "\n## All commands\n"]
    parts.append(table(("command", "what it does"), _overview(root)))
    for top in root.commands:
        parts += _chapter(top)
    return joined(parts)


def _overview(root: Command) -> list[tuple[str, str]]:
    return [
        (f"[`{each.name}`](#{each.name.replace(' ', '-')})", cell(each.summary))
        for top in root.commands
        for each in top.walk()
    ]


def _chapter(top: Command) -> Iterator[str]:
    for each in top.walk():
        yield f"\n{'##' if each is top else '###'} {each.name}\n"
        yield from _section(each)


def _section(command: Command) -> Iterator[str]:
    yield f"```text\n{command.usage}\n```\n"
    for block in command.blocks:
        yield _text(block)
    rows = [(f"`{entry.name}`", cell(entry.text)) for entry in _entries(command)]
    if rows:
        yield table(("argument or option", "meaning"), rows)


def _entries(command: Command) -> Sequence[Entry]:
    return [*command.arguments, *command.options]


def _text(block: Block) -> str:
    if block.examples:
        return "```sh\n" + "\n".join(block.examples) + "\n```\n"
    if block.is_verbatim:
        return "```text\n" + "\n".join(block.lines) + "\n```\n"
    return block.lines[0].replace("<", "&lt;") + "\n"

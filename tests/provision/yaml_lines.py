"""The part of YAML that our files are written in: indented maps, lists and scalars on one line."""

from collections.abc import Sequence

Node = str | list["Node"] | dict[str, "Node"]


class NotPlainError(ValueError):
    """The text goes beyond that part, or is no YAML."""


def parse(text: str) -> Node:
    """What the document says; scalars stay text.

    Raises:
        NotPlainError: a tab, an indentation or a value that is not understood.
    """
    lines = []
    for line in text.splitlines():
        bare = line.strip()
        if bare and not bare.startswith("#"):
            if "\t" in line or line != line.rstrip():
                raise NotPlainError(line)
            lines.append((len(line) - len(bare), bare))
    node, rest = _node(lines)
    if rest:
        raise NotPlainError(str(rest[0]))
    return node


Lines = Sequence[tuple[int, str]]


def _node(lines: Lines) -> tuple[Node, Lines]:
    if not lines:
        raise NotPlainError("nothing")
    indent, first = lines[0]
    return _list(lines, indent) if first.startswith("- ") else _map(lines, indent)


def _list(lines: Lines, indent: int) -> tuple[Node, Lines]:
    found: list[Node] = []
    while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
        item = lines[0][1][2:]
        if _is_pair(item):
            node, lines = _node([(indent + 2, item), *lines[1:]])
            found.append(node)
        else:
            found.append(_scalar(item))
            lines = lines[1:]
    return found, lines


def _map(lines: Lines, indent: int) -> tuple[Node, Lines]:
    found: dict[str, Node] = {}
    while lines and lines[0][0] == indent and not lines[0][1].startswith("- "):
        if not _is_pair(lines[0][1]):
            raise NotPlainError(lines[0][1])
        key, _, value = lines[0][1].partition(":")
        if key in found:
            raise NotPlainError(f"{key} is there twice")
        lines = lines[1:]
        if value:
            found[key] = _scalar(value.strip())
        else:
            if not lines or lines[0][0] < indent + (not lines[0][1].startswith("- ")):
                raise NotPlainError(f"{key} has no value")
            found[key], lines = _node(lines)
    return found, lines


def _is_pair(text: str) -> bool:
    key, colon, value = text.partition(":")
    return (
        bool(colon) and key.replace("-", "").replace("_", "").isalnum() and value[:1] in ("", " ")
    )


def _scalar(text: str) -> Node:
    if text == "[]":
        return []
    if text[0] == '"':
        inner = text[1:-1]
        if len(text) < 2 or text[0] != text[-1] or '"' in inner or "\\" in inner:
            raise NotPlainError(text)
        return inner
    if text[0] in "&*!|>%@`{}['?," or ": " in text or " #" in text:
        raise NotPlainError(text)
    return text

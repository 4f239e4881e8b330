"""The config file as data: sections and keys, with types and defaults from the code.

What a key is for stands in ``jrc/config/config.toml.in``, in the comment above it and behind it;
of one that is alone in its section, in that of the section.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from jrc import config
from jrc.config import Endpoint, Settings

_HEADER = re.compile(r"#?\[+([a-z_.]+)\]+")
_KEY = re.compile(r"#?([a-z0-9_]+) = [^#]*(?:# (.*))?")
_COMMENT = re.compile(r"# (.*)")
_WORDS: Mapping[object, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    Endpoint: "address and port",
}
_BOUNDS: Mapping[type, tuple[str, str]] = {
    Ge: ("at least {}", "ge"),
    Gt: ("more than {}", "gt"),
    Le: ("at most {}", "le"),
    Lt: ("less than {}", "lt"),
}


class Key(NamedTuple):
    """One key; ``kind`` and ``default`` are words for people."""

    name: str
    kind: str
    default: str
    text: str


class Section(NamedTuple):
    """One section; ``title`` in brackets, ``example`` as it stands in the file."""

    name: str
    title: str
    text: str
    example: str
    keys: Sequence[Key]


class _Part(NamedTuple):
    """What the template has of a section: its comment, its keys' comments, all of its lines."""

    comment: str
    comments: Mapping[str, str]
    lines: str

    def place(self, key: str) -> int:
        """Where a key stands among those of its section; one that is missing is told later."""
        return [*self.comments, key].index(key)


def sections() -> Iterator[Section]:
    """Those of the config file, in their order.

    Raises:
        KeyError: the template lacks a section or a key, or says nothing of it.
    """
    parts = dict(_parts(config.example()))
    for name, model, repeated in _tables(Settings):
        part = parts[name]
        fields = sorted(model.model_fields.items(), key=lambda each: part.place(each[0]))
        keys = [_key(each, info, part) for each, info in fields]
        title = f"[[{name}]]" if repeated else f"[{name}]"
        yield Section(name, title, part.comment, part.lines, keys)


def _tables(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, type[BaseModel], bool]]:
    """Sections by their dotted names; one that has nothing but tables stands for these."""
    for name, field in model.model_fields.items():
        inner, repeated = _model_of(field.annotation)
        if all(_has_model(each.annotation) for each in inner.model_fields.values()):
            yield from _tables(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}", inner, repeated


def _has_model(annotation: Any) -> bool:
    return any(
        isinstance(each, type) and issubclass(each, BaseModel)
        for each in (annotation, *get_args(annotation))
    )


def _key(name: str, info: FieldInfo, part: _Part) -> Key:
    kind = ", ".join(_kinds(info.annotation, info.metadata))
    text = part.comments.get(name) or (part.comment if len(part.comments) == 1 else "")
    if not text:
        raise KeyError(f"config.toml.in has no comment above or behind {name}")
    return Key(name, kind, _default(info), text)


def _model_of(annotation: Any) -> tuple[type[BaseModel], bool]:
    """The model of a section, and whether there may be several."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each, get_origin(annotation) is tuple
    raise KeyError(f"no section: {annotation}")


def _kinds(annotation: Any, metadata: Sequence[object] = ()) -> Iterator[str]:
    """What a value is, then its bounds."""
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = [*more, *metadata]
    yield _word(annotation)
    yield from _bounds(metadata)


def _word(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f'"{each}"' for each in arguments)
    if origin in (Union, UnionType):
        (kept,) = [each for each in arguments if each is not NoneType]
        return ", ".join(_kinds(kept))
    if origin is tuple:
        return f"list of: {', '.join(_kinds(arguments[0]))}"
    if origin is dict:
        return f"table of: {' = '.join(_word(_bare(each)) for each in arguments)}"
    return _WORDS[annotation]


def _bare(annotation: Any) -> Any:
    """The type itself, without what is said of it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _bounds(metadata: Sequence[object]) -> Iterator[str]:
    for each in _flat(metadata):
        if type(each) in _BOUNDS:
            words, name = _BOUNDS[type(each)]
            yield words.format(getattr(each, name))
        elif isinstance(each, MinLen) and each.min_length == 1:
            yield "not empty"
        elif isinstance(each, MaxLen):
            yield f"at most {each.max_length} long"


def _flat(metadata: Sequence[object]) -> Iterator[object]:
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from each.metadata
        else:
            yield each


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "none, it must be given"
    return _written(info.default)


def _written(value: object) -> str:
    """A value as TOML has it."""
    if value is None:
        return "left out"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple) and not isinstance(value, Endpoint):
        return f"[{', '.join(_written(each) for each in value)}]"
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def _parts(template: str) -> Iterator[tuple[str, _Part]]:
    """The sections of the template by name; an empty line ends each."""
    for chunk in (block.rstrip().split("\n") for block in template.split("\n\n")[1:]):
        name, comment, comments = "", "", {}
        above: list[str] = []
        for line in chunk:
            if header := _HEADER.fullmatch(line):
                name, comment, above = header[1], " ".join(above), []
            elif key := _KEY.fullmatch(line):
                comments[key[1]] = " ".join([*above, key[2] or ""]).strip()
                above = []
            elif text := _COMMENT.fullmatch(line):
                above.append(text[1])
        yield name, _Part(comment, comments, "\n".join(chunk))

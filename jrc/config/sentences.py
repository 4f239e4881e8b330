"""What is wrong with a config file, as one sentence that names the key and never its value."""

import difflib
import re
from collections.abc import Iterable, Iterator
from datetime import date, time
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from jrc.config.settings import Settings
from jrc.errors import OperatorError

_WANTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "is_instance_of": "a string with a path",
    "model_type": "a section",
    "model_attributes_type": "a section",
    "finite_number": "a finite number",
}
_MALFORMED = {
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "holds characters that are not allowed there, or too many",
}
_GIVEN: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "a whole number"),
    (float, "a number with a fraction"),
    (list, "a list"),
    (tuple, "a list"),
    (dict, "a section"),
    ((date, time), "a date or time"),
)


def operator_error(path: str, errors: list[ErrorDetails]) -> OperatorError:
    """The first error as a sentence; the hint says how many follow.

    An unknown key comes first: a mistyped one is also the reason why another is missing.
    """
    message, hint = _sentence(min(errors, key=lambda e: e["type"] != "extra_forbidden"))
    if len(errors) > 1:
        hint = "; ".join(filter(None, (hint, f"{len(errors) - 1} more beside this one")))
    return OperatorError(f"{path}: {message}", hint)


def _sentence(error: ErrorDetails) -> tuple[str, str]:
    """What is wrong with which key, and what to do about it."""
    key = _dotted(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key} is not a known key", _nearest(key)
    if kind == "missing":
        return f"{key} is missing", "add it"
    if kind == "value_error":
        reason = str(context["error"])
        own = reason.split(" ", 1)[0].startswith(f"{key}.") or not key or "." not in key
        return (reason if own else f"{key} {reason}"), ""
    if kind == "literal_error":
        return f"{key} must be one of {context['expected']}, not {_given(error)}", ""
    if kind in _WANTED:
        return f"{key} must be {_WANTED[kind]}, not {_given(error)}", ""
    if kind in _MALFORMED:
        return f"{key} {_MALFORMED[kind]}", ""
    return f"{key} is out of bounds: {error['msg'][:1].lower()}{error['msg'][1:]}", ""


def _dotted(location: Iterable[int | str]) -> str:
    """The key as an operator writes it: ``coap.listen[0]``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _given(error: ErrorDetails) -> str:
    value = error["input"]
    other = "another " if error["type"] == "literal_error" and isinstance(value, str) else ""
    name = next((name for kind, name in _GIVEN if isinstance(value, kind)), "something else")
    return f"another {name.split(' ', 1)[1]}" if other else name


def _nearest(key: str) -> str:
    """A hint with the known key that is most like ``key``."""
    plain = re.sub(r"\[\d+\]", "", key)
    known = list(_known(Settings))
    last = plain.rpartition(".")[2]
    named = [name for name in known if name.rpartition(".")[2] == last]
    close = (named if plain == last else ()) or difflib.get_close_matches(plain, known, 1, 0.6)
    close = close or named
    return f"did you mean {close[0]}?" if close else "remove it; config.example.toml has all keys"


def _known(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted names of all keys."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for section in _sections(field.annotation):
            yield from _known(section, f"{prefix}{name}.")


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections(inner)

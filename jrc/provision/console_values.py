"""Bytes as consoles print them: hex, lists of hex, and diagnostic notation (RFC 8949 §8).

Of diagnostic notation there is what loggers make of a credential: maps, arrays, whole numbers, byte
strings in hex or quotes, plain text. What follows a value is left alone: loggers add where the line
comes from.
"""

import re
from typing import Final

import cbor2

MAX_DEPTH: Final = 8
MAX_DIGITS: Final = 18
"""Of a whole number: it fits CBOR's 64 bits."""

_LISTED = re.compile(r"\[\s*([0-9A-Fa-f]{2}(?:[\s,]+[0-9A-Fa-f]{2})*)[\s,]*\]")
_SPACED = re.compile(r"([0-9A-Fa-f]{2}(?:[:\- ]?[0-9A-Fa-f]{2})*)(?=\s|$)")
_NUMBER = re.compile(rf"-?\d{{1,{MAX_DIGITS}}}(?![\w.])")
_HEX_STRING = re.compile(r"h'((?:[0-9A-Fa-f]{2}|\s)*)'")
_QUOTED = re.compile(r"'([^'\\]*)'")
_TEXT = re.compile(r'"([^"\\]*)"')
_WORD = re.compile(r"(true|false|null)\b")
_WORDS: Final[dict[str, object]] = {"true": True, "false": False, "null": None}
_SPACE = re.compile(r"\s*")


def identifier(text: str) -> bytes:
    """The bytes at the beginning of ``text``: ``[80, 6a]``, ``80:6a``, ``80 6a`` or ``806a``.

    Raises:
        ValueError: there are none, or they may go on.
    """
    found = _LISTED.match(text) or _SPACED.match(text)
    if found is None:
        raise ValueError("is neither hex nor a list of bytes in hex")
    return _hex(found[1])


def item(text: str) -> bytes:
    """One CBOR item, printed as its bytes or in diagnostic notation.

    Raises:
        ValueError: it is in another form, or cut.
    """
    if text.startswith("{"):
        value, _ = _value(text, 0, MAX_DEPTH)
        return cbor2.dumps(value)
    return identifier(text)


def _hex(digits: str) -> bytes:
    return bytes.fromhex(re.sub(r"[^0-9A-Fa-f]", "", digits))


def _value(text: str, at: int, depth: int) -> tuple[object, int]:
    """The value that begins at ``at``, and where it ends."""
    if not depth:
        raise ValueError("is nested too deeply")
    opening = text[at : at + 1]
    if opening == "{":
        return _map(text, at + 1, depth)
    if opening == "[":
        return _array(text, at + 1, depth)
    if found := _HEX_STRING.match(text, at):
        return _hex(found[1]), found.end()
    if found := _QUOTED.match(text, at):
        return found[1].encode(), found.end()
    if found := _TEXT.match(text, at):
        return found[1], found.end()
    if found := _NUMBER.match(text, at):
        return int(found[0]), found.end()
    if found := _WORD.match(text, at):
        return _WORDS[found[1]], found.end()
    raise ValueError("is no diagnostic notation that is known, or is cut")


def _map(text: str, at: int, depth: int) -> tuple[object, int]:
    found: dict[object, object] = {}
    at = _after_space(text, at)
    while not text.startswith("}", at):
        key, at = _value(text, at, depth - 1)
        if isinstance(key, bool) or not isinstance(key, int | str) or key in found:
            raise ValueError("has a label twice, or one that is neither a number nor text")
        at = _after(":", text, at)
        found[key], at = _value(text, at, depth - 1)
        at = _next(text, at, "}")
    return found, at + 1


def _array(text: str, at: int, depth: int) -> tuple[object, int]:
    found: list[object] = []
    at = _after_space(text, at)
    while not text.startswith("]", at):
        value, at = _value(text, at, depth - 1)
        found.append(value)
        at = _next(text, at, "]")
    return found, at + 1


def _next(text: str, at: int, closing: str) -> int:
    """Where the next element begins, or ``closing`` is."""
    at = _after_space(text, at)
    return at if text.startswith(closing, at) else _after(",", text, at)


def _after(mark: str, text: str, at: int) -> int:
    at = _after_space(text, at)
    if not text.startswith(mark, at):
        raise ValueError(f"lacks a {mark!r}, or is cut")
    return _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None, "it matches nothing, too"
    return found.end()

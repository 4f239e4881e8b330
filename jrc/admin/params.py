"""Parameters of a request, taken one by one; what is wrong is one sentence with the name."""

import difflib
import json
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from ipaddress import IPv6Address
from typing import TypeVar

from starlette.requests import Request

from jrc.admin.problems import MAX_BODY_BYTES
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId, Secret

T = TypeVar("T")
ChoiceT = TypeVar("ChoiceT", bound=StrEnum)
MAX_PAGE = 500
MAX_REASON_CHARACTERS = 1000
_MIN_NUMBER, _MAX_NUMBER = -(2**63), 2**63 - 1
"""What an integer column of the database takes."""


class Params:
    """The named parameters of one request. Values never appear in messages: one may be a key.

    Raises:
        OperatorError: a name is unknown; each method: the value is missing or of the wrong type.
    """

    def __init__(self, given: Mapping[str, object], known: Collection[str]) -> None:
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise _wrong(
                    f"{name[:64]!r} is not a known parameter",
                    f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}",
                )
        self._given = given

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def maybe_text(self, name: str) -> str | None:
        """A string, or ``None`` where it was left out."""
        value = self._given.get(name)
        if value is not None and not isinstance(value, str):
            raise _wrong(f"{name} must be a string")
        return None if value is None else _encodable(name, value)

    def text(self, name: str) -> str:
        """A string that must be there."""
        value = self.maybe_text(name)
        if value is None:
            raise _wrong(f"{name} is missing")
        return value

    def maybe_texts(self, name: str) -> tuple[str, ...] | None:
        """A list of strings, or ``None``."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _wrong(f"{name} must be a list of strings")
        return tuple(_encodable(name, item) for item in value)

    def maybe_numbers(self, name: str) -> tuple[int, ...] | None:
        """A list of whole numbers, or ``None``."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(type(item) is int for item in value):
            raise _wrong(f"{name} must be a list of whole numbers")
        return tuple(_in_range(name, item) for item in value)

    def maybe_number(self, name: str) -> int | None:
        """A whole number, also one written as a string (in a query), or ``None``."""
        value = self._given.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if value is None:
            return None
        if type(value) is not int:
            raise _wrong(f"{name} must be a whole number")
        return _in_range(name, value)

    def number(self, name: str) -> int:
        """A whole number that must be there."""
        value = self.maybe_number(name)
        if value is None:
            raise _wrong(f"{name} is missing")
        return value

    def maybe_object(self, name: str) -> Mapping[str, object] | None:
        """A JSON object, or ``None``; what is in it is for whoever takes it."""
        value = self._given.get(name)
        if value is not None and not isinstance(value, dict):
            raise _wrong(f"{name} must be a JSON object")
        return value

    def maybe_objects(self, name: str) -> tuple[Mapping[str, object], ...] | None:
        """A list of JSON objects, or ``None``; what is in them is for whoever takes them."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise _wrong(f"{name} must be a list of JSON objects")
        return tuple(value)

    def flag(self, name: str) -> bool:
        """True or false (in a query: ``1`` or ``0``); false where it was left out."""
        value = self._given.get(name, False)
        if value in ("0", "1"):
            return value == "1"
        if not isinstance(value, bool):
            raise _wrong(f"{name} must be true or false")
        return value

    def secret(self, name: str) -> Secret | None:
        """Key material in hex, or ``None``."""
        value = self.maybe_text(name)
        if value is None:
            return None
        try:
            return Secret(bytes.fromhex(value))
        except ValueError:
            raise _wrong(f"{name} must be bytes in hex") from None

    def parsed(self, name: str, parse: Callable[[str], T], hint: str = "") -> T | None:
        """What ``parse`` makes of a string, or ``None``; it raises ValueError with a sentence."""
        value = self.maybe_text(name)
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise _wrong(f"{name}: {error}", hint) from None

    def reason(self) -> str:
        """Why the operator does this, for the audit log; may be empty."""
        value = self.maybe_text("reason") or ""
        if len(value) > MAX_REASON_CHARACTERS:
            raise _wrong(f"reason is longer than {MAX_REASON_CHARACTERS} characters")
        return value


def hex_bytes(text: str) -> bytes:
    """Bytes written as hex, with or without ``0x``, ``:`` or ``-``.

    Raises:
        ValueError: it is something else.
    """
    digits = text.strip().removeprefix("0x").replace(":", "").replace("-", "")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError("must be bytes in hex, such as cafe") from None


def ipv6_address(text: str) -> IPv6Address:
    """An IPv6 address.

    Raises:
        ValueError: it is none.
    """
    try:
        return IPv6Address(text)
    except ValueError:
        raise ValueError(f"{text[:64]!r} is no IPv6 address") from None


def choice(kind: type[ChoiceT]) -> Callable[[str], ChoiceT]:
    """A parser for the words of ``kind``; it raises ValueError with all of them."""

    def parse(text: str) -> ChoiceT:
        try:
            return kind(text.strip().lower())
        except ValueError:
            words = ", ".join(item.value for item in kind)
            raise ValueError(f"{text[:64]!r} is none of {words}") from None

    return parse


def page_limit(params: "Params", most: int = MAX_PAGE) -> int:
    """How many elements a page of a listing has; 1 to ``most``, which is also the default."""
    limit = params.maybe_number("limit")
    if limit is not None and not 1 <= limit <= most:
        raise _wrong(f"limit must be 1 to {most}")
    return limit or most


def pledge_id(text: str) -> PledgeId:
    """The pledge identifier in a path or a parameter.

    Raises:
        OperatorError: it is none.
    """
    try:
        value = hex_bytes(text)
    except ValueError:
        raise _wrong(
            f"{text[:64]!r} is not a pledge identifier", "write it in hex: 00124b0014b5b67e"
        ) from None
    try:
        return PledgeId(value)
    except ValueError as error:
        raise _wrong(str(error)) from None


async def json_params(request: Request, known: Collection[str] | None = None) -> Params:
    """The parameters in the JSON object of the request's body; no body is no parameters.

    ``known`` are those that the route's contract names.

    Raises:
        OperatorError: it is too long, or no JSON object.
    """
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise _wrong(f"the body is longer than {MAX_BODY_BYTES} bytes")
    try:
        given = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        raise _wrong("the body is not JSON") from None
    if not isinstance(given, dict):
        raise _wrong("the body must be a JSON object")
    if known is None:
        known = [field.name for field in request.scope["operation"].body]
    return Params(given, known)


def query_params(request: Request) -> Params:
    """The parameters in the request's query: those that the route's contract names.

    Raises:
        OperatorError: there are others.
    """
    known = [field.name for field in request.scope["operation"].query]
    return Params(dict(request.query_params), known)


def _encodable(name: str, text: str) -> str:
    """``text``; JSON may hold halves of surrogate pairs, which no database takes (RFC 8259 §8.2).

    Raises:
        OperatorError: it has no UTF-8 form.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _wrong(f"{name} holds characters that UTF-8 can't write") from None
    return text


def _in_range(name: str, number: int) -> int:
    if not _MIN_NUMBER <= number <= _MAX_NUMBER:
        raise _wrong(f"{name} is out of bounds: a number has at most 63 bits")
    return number


def _wrong(message: str, hint: str = "") -> OperatorError:
    return OperatorError(message, hint, exit_code=ExitCode.USAGE)

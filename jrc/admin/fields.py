"""Parameters that the contract of the API is made of, and those that many routes share."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from jrc.admin.contract import Field, Plain

_BYTES: Final = r"^[0-9A-Fa-f]*$"
DURATION: Final = r"^[0-9]{1,7} *[smhd]$"
_NUMBER: Final = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}


def text(name: str, note: str = "", **more: object) -> Field:
    """A string; ``more`` are keywords of its JSON schema."""
    return Field(name, {"type": "string", **more}, note)


def number(name: str, note: str = "", **more: object) -> Field:
    """A whole number."""
    return Field(name, {**_NUMBER, **more}, note)


def flag(name: str, note: str = "") -> Field:
    """True or false; in a query 1 or 0."""
    return Field(name, {"type": "boolean"}, note)


def word(name: str, of: type[StrEnum], note: str = "") -> Field:
    """One of the words of an enum."""
    return Field(name, {"type": "string", "enum": [each.value for each in of]}, note)


def texts(name: str, note: str = "", item: Mapping[str, object] | None = None) -> Field:
    """A list of strings."""
    return Field(name, {"type": "array", "items": item or {"type": "string"}}, note)


def numbers(name: str, note: str = "") -> Field:
    """A list of whole numbers."""
    return Field(name, {"type": "array", "items": dict(_NUMBER)}, note)


def hexed(name: str, note: str = "", octets: int | None = None) -> Field:
    """Bytes in hex; ``octets`` of them."""
    if octets is None:
        return text(name, note, pattern=_BYTES)
    return text(name, note, pattern=f"^[0-9A-Fa-f]{{{2 * octets}}}$")


def duration(name: str, note: str = "") -> Field:
    """A time such as 90s, 10m, 2h or 1d."""
    return text(name, note, pattern=DURATION, examples=["10m"])


def address(name: str, note: str = "") -> Field:
    """An IPv6 address."""
    return text(name, note, format="ipv6", examples=["2001:db8:0:1::7"])


def obliged(field: Field) -> Field:
    """The parameter, which can't be left out."""
    return replace(field, required=True)


def or_null(field: Field) -> Field:
    """The parameter, where null has a meaning of its own."""
    return replace(field, schema={**field.schema, "type": [field.schema["type"], "null"]})


IDENTIFIER_SCHEMA: Final[Mapping[str, object]] = {
    "type": "string",
    "pattern": r"^([0-9A-Fa-f]{2}){1,248}$",
    "examples": ["00124b0014b5b67e"],
}
REASON: Final = text("reason", "Why; kept in the audit log.", maxLength=1000)
AGREED: Final = flag("agreed", "The yes to what the plan of it says.")
PLEDGE_IDS: Final = obliged(
    Field(
        "pledge_ids",
        {"type": "array", "items": IDENTIFIER_SCHEMA, "minItems": 1},
        "Pledge identifiers in hex.",
    )
)
NETWORK: Final = text("network", "The name of a network.")
NULL: Final = Plain({"type": "null"})
ANY_OBJECT: Final = Plain({"type": "object", "additionalProperties": True})
WHOLE: Final = Plain({"type": "integer"})
TEXT: Final = Plain({"type": "string"})
TRUTH: Final = Plain({"type": "boolean"})

PLAN: Final = {
    "sentences": Plain({"type": "array", "items": {"type": "string"}}),
    "pledges": Plain({"type": "array", "items": {"type": "string"}}),
    "count": WHOLE,
    "needs_yes": TRUTH,
}
"""What ``plans.plan_json`` gives."""


def limit(most: int) -> Field:
    """How many elements a page has."""
    return number("limit", "Elements of a page.", minimum=1, maximum=most, default=most)


def identifier(name: str, note: str = "") -> Field:
    """A pledge identifier in hex."""
    return Field(name, IDENTIFIER_SCHEMA, note)

"""Finding pledges by a part of the label or of the identifier, as it is printed on a device."""

from sqlalchemy import ColumnElement, func, or_

from jrc.store.schema import pledge

_BETWEEN = str.maketrans("", "", ":- ")
_HEX = frozenset("0123456789abcdef")


def looks_like(text: str, dialect: str) -> ColumnElement[bool]:
    """Whether ``text`` is in a pledge's label, or its digits in the identifier; a row at a time."""
    labelled = pledge.c.label.icontains(text, autoescape=True)
    digits = text.lower().removeprefix("0x").translate(_BETWEEN)
    if not digits or not _HEX.issuperset(digits):
        return labelled
    if dialect == "postgresql":
        written = func.encode(pledge.c.identifier, "hex")
    else:
        written, digits = func.hex(pledge.c.identifier), digits.upper()
    return or_(labelled, written.contains(digits))

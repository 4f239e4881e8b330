"""The two ends of a hand-over."""

from enum import StrEnum


class Role(StrEnum):
    """Whose a key is."""

    REGISTRAR = "registrar"
    BUILDER = "builder"

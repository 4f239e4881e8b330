"""Rows as COSE_Keys: symmetric ones, with the pledge identifier as key identifier (RFC 9052 §7)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Pairs = Sequence[tuple[Any, object]]

KTY: Final = 1
"""The label that every COSE_Key has (RFC 9052 §7.1)."""
_SYMMETRIC: Final = 4
"""The key type (RFC 9053 §6.2)."""
_KID: Final = 2
_ALG: Final = 3
_KEY_OPS: Final = 4
_K: Final = -1
_DERIVING: Final = frozenset((7, 8))
"""Operations of keys that others are derived from (RFC 9052 §7.1, Table 5)."""
_KDFS: Final = frozenset((-10, -11))
"""Direct key agreement with HKDF, in the place of which OSCORE has the HKDF (RFC 9053 §6.1.2)."""
_NAMES: Final[Mapping[int, str]] = {
    KTY: "kty", _KID: "kid", _ALG: "alg", _KEY_OPS: "key_ops", 5: "Base IV", _K: "k",
}  # fmt: skip
_COLUMNS: Final[Mapping[int, str]] = {_KID: "pledge_id", _K: "psk"}


def is_cose_key(pairs: Pairs) -> bool:
    """Whether a map is a COSE_Key, and no row with names."""
    return any(type(name) is int and name == KTY for name, _ in pairs)


def columns_of(pairs: Pairs) -> list[tuple[str, object]] | str:
    """The columns and values of a COSE_Key, or what is wrong with it.

    Labels that are text are columns already; every other label but those of a symmetric key is
    refused by name.
    """
    found: list[tuple[str, object]] = []
    for label, value in pairs:
        if isinstance(label, str):
            found.append((label, value))
        elif type(label) is not int:
            return "a label of the COSE_Key is neither a number nor text"
        elif (fault := _fault(label, value)) is not None:
            return fault
        elif label in _COLUMNS:
            found.append((_COLUMNS[label], value))
        elif label == _ALG:
            found.append(("hkdf" if value in _KDFS else "aead", value))
    return found


def _fault(label: int, value: object) -> str | None:
    if label not in _NAMES:
        return f"label {label} of the COSE_Key is not known"
    shown = f"label {label} ({_NAMES[label]})"
    if label == KTY:
        good = value == _SYMMETRIC and type(value) is int
        return None if good else f"{shown} is not 4: it is no symmetric key"
    if label in _COLUMNS:
        return None if isinstance(value, bytes) else f"{shown} is no byte string"
    if label == _ALG:
        return None if type(value) is int else f"{shown} is no number"
    if label == _KEY_OPS:
        good = isinstance(value, list) and all(type(e) is int and e in _DERIVING for e in value)
        return None if good else f"{shown} has others than 7 and 8: no key is derived from it"
    return f"{shown} has no meaning for a PSK"

"""What callers of the admin API may do: four scopes, each route needs one."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What a route needs, and what a caller holds."""

    READ = "read"
    IMPORT = "import"
    OPERATE = "operate"
    ADMIN = "admin"


MEANINGS: Final[Mapping[Scope, str]] = {
    Scope.READ: "look at everything but keys, and at what a command would do",
    Scope.IMPORT: "add pledges from a file, get that file's report, and record what devices print"
    " of themselves; nothing else",
    Scope.OPERATE: "as read and import, and change networks, pledges, windows and rollovers",
    Scope.ADMIN: "as operate, and change what seals the database, back it up, recover it, remove"
    " events, and give and take tokens",
}

EVERYTHING: Final = frozenset(Scope)
"""What whoever may write to the admin socket holds, where the config file does not say less."""

_HOLDS: Final[Mapping[Scope, frozenset[Scope]]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.IMPORT: frozenset({Scope.IMPORT}),
    Scope.OPERATE: frozenset({Scope.READ, Scope.IMPORT, Scope.OPERATE}),
    Scope.ADMIN: EVERYTHING,
}


def held_with(*scopes: Scope) -> frozenset[Scope]:
    """All that who was given these scopes holds."""
    return frozenset().union(*(_HOLDS[scope] for scope in scopes))


def may(held: Collection[Scope], needed: Scope | None) -> bool:
    """Whether who holds ``held`` may use a route that needs ``needed``; None needs nothing."""
    return needed is None or needed in held

"""Rows of API tokens, as the store gives them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from jrc.policy.scopes import Scope


class TokenRecord(NamedTuple):
    """A row; times in ms since 1970. The order is that of its columns."""

    id: int
    name: str
    scope: Scope
    hash: bytes
    incarnation: int
    created_at_ms: int
    expires_at_ms: int | None
    used_at_ms: int | None
    revoked_at_ms: int | None
    version: int


class TokenStore(Protocol):
    """The rows of tokens."""

    def all(self) -> Sequence[TokenRecord]:
        """Every token there was, oldest first.

        Raises:
            StateError: a row does not authenticate.
        """
        ...

    def live(self, name: str) -> TokenRecord | None:
        """The token of this name that was not revoked.

        Raises:
            StateError: its row does not authenticate.
        """
        ...

    def by_hash(self, value: bytes) -> TokenRecord | None:
        """The token with this hash; None where its row does not authenticate, which is logged."""
        ...

    def add(self, draft: TokenRecord) -> TokenRecord:
        """Write a new one; what comes back has its number."""
        ...

    def save(self, record: TokenRecord) -> None:
        """Write a changed one; its version goes up by one."""
        ...

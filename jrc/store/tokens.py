"""The tokens of the admin API."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update

from jrc.policy.scopes import Scope as TokenScope
from jrc.service.token_store import TokenRecord
from jrc.store.schema import api_token
from jrc.store.scope import Scope, draw_ids


class Tokens:
    """As ``service.token_store.TokenStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def all(self) -> Sequence[TokenRecord]:
        """Every token there was, oldest first.

        Raises:
            StateError: a row does not authenticate.
        """
        query = select(api_token).order_by(api_token.c.id)
        return [self._record(row) for row in self._connection.execute(query).mappings()]

    def live(self, name: str) -> TokenRecord | None:
        """The token of this name that was not revoked.

        Raises:
            StateError: its row does not authenticate.
        """
        query = select(api_token).where(
            api_token.c.name == name, api_token.c.revoked_at_ms.is_(None)
        )
        row = self._connection.execute(query).mappings().first()
        return None if row is None else self._record(row)

    def by_hash(self, value: bytes) -> TokenRecord | None:
        """The token with this hash; None where its row does not authenticate, which is logged."""
        query = select(api_token).where(api_token.c.hash == value)
        row = self._connection.execute(query).mappings().first()
        if row is None or not self._scope.mac.is_usable(api_token, row):
            return None
        return _of(row)

    def add(self, draft: TokenRecord) -> TokenRecord:
        """Write a new one; what comes back has its number."""
        (number,) = draw_ids(self._connection, api_token, 1)
        record = draft._replace(id=number)
        self._connection.execute(insert(api_token), self._sealed(record))
        return record

    def save(self, record: TokenRecord) -> None:
        """Write a changed one; its version goes up by one."""
        changed = self._sealed(record._replace(version=record.version + 1))
        self._connection.execute(
            update(api_token).where(api_token.c.id == record.id).values(changed)
        )

    def _record(self, row: Mapping[Any, Any]) -> TokenRecord:
        self._scope.mac.check(api_token, row)
        return _of(row)

    def _sealed(self, record: TokenRecord) -> dict[str, object]:
        row = record._asdict() | {"scope": record.scope.value}
        return self._scope.mac.seal(api_token, row)


def _of(row: Mapping[Any, Any]) -> TokenRecord:
    values = {name: value for name, value in row.items() if name != "mac"}
    return TokenRecord(**values | {"scope": TokenScope(row["scope"])})

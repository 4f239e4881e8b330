"""What installers have put into radios: a row for each installer of a network."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update

from jrc.service.records import InstallationRecord
from jrc.store.schema import installation
from jrc.store.scope import Scope


class Installations:
    """As ``service.registry.InstallationStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def of(self, network_id: int) -> list[InstallationRecord]:
        """The installers of a network that were ever run, by name.

        Raises:
            StateError: a row does not authenticate.
        """
        query = (
            select(installation)
            .where(installation.c.network_id == network_id)
            .order_by(installation.c.installer)
        )
        return [self._record(row) for row in self._connection.execute(query).mappings()]

    def _record(self, row: Mapping[Any, Any]) -> InstallationRecord:
        self._scope.mac.check(installation, row)
        return InstallationRecord(**{name: value for name, value in row.items() if name != "mac"})

    def save(self, record: InstallationRecord) -> None:
        """Write a row; its version goes up by one."""
        row = {
            "network_id": record.network_id,
            "installer": record.installer,
            "generation": record.generation,
            "installed_at_ms": record.installed_at_ms,
            "tried_at_ms": record.tried_at_ms,
            "failures": record.failures,
            "error": record.error,
            "version": record.version + 1,
        }
        sealed = self._scope.mac.seal(installation, row)
        if record.version == 0:
            self._connection.execute(insert(installation), sealed)
            return
        self._connection.execute(
            update(installation)
            .where(installation.c.network_id == record.network_id)
            .where(installation.c.installer == record.installer)
            .values(sealed)
        )

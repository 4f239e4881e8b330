"""Networks: rows sealed together with their identifiers; removed ones stay as tombstones."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from jrc.model import Network
from jrc.store.policy import load_networks
from jrc.store.schema import network, network_identifier
from jrc.store.scope import Scope, draw_ids


class Networks:
    """As ``service.registry.NetworkStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def all(self) -> dict[int, Network]:
        """Every network by its number.

        Raises:
            StateError: a row does not authenticate.
        """
        return load_networks(self._connection, self._scope.mac)

    def sound(self) -> tuple[dict[int, Network], set[int]]:
        """As ``NetworkStore.sound``."""
        damaged: set[int] = set()
        return load_networks(self._connection, self._scope.mac, damaged), damaged

    def by_name(self, name: str) -> Network | None:
        """The network of this name."""
        return next((found for found in self.all().values() if found.name == name), None)

    def add(self, draft: Network) -> Network:
        """Write a new network; what comes back has its number."""
        (number,) = draw_ids(self._connection, network, 1)
        row = {
            "id": number,
            "name": draft.name,
            "domain_id": draft.domain_id,
            **_settings(draft),
            "addresses_changed_at_ms": None,
            "created_at_ms": self._scope.now_ms,
            "removed_at_ms": None,
            "version": 1,
        }
        self._connection.execute(insert(network), self._seal(row, draft.identifiers))
        self._write_identifiers(number, draft.identifiers, {})
        found = self.by_name(draft.name)
        assert found is not None
        return found

    def change(self, changed: Network) -> None:
        """Write what changed; name and domain stay."""
        row = self._row(changed.id)
        settings = _settings(changed)
        if any(row[name] != settings[name] for name in ("prefix", "jrc_address")):
            row["addresses_changed_at_ms"] = self._scope.now_ms
        row.update(settings, version=row["version"] + 1)
        since = self.identifiers_since(changed.id)
        self._connection.execute(
            delete(network_identifier).where(network_identifier.c.network_id == changed.id)
        )
        self._write_identifiers(changed.id, changed.identifiers, since)
        self._save(row, changed.identifiers)

    def identifiers_since(self, network_id: int) -> dict[bytes, int]:
        """As ``NetworkStore.identifiers_since``."""
        query = select(network_identifier.c.identifier, network_identifier.c.since_ms)
        rows = self._connection.execute(query.where(network_identifier.c.network_id == network_id))
        return {row.identifier: row.since_ms for row in rows}

    def remove(self, network_id: int) -> None:
        """Make the row a tombstone; its name is free again."""
        row = self._row(network_id)
        row.update(removed_at_ms=self._scope.now_ms, version=row["version"] + 1)
        self._save(row, self.all()[network_id].identifiers)

    def _row(self, network_id: int) -> dict[str, Any]:
        query = select(network).where(network.c.id == network_id).with_for_update()
        return dict(self._connection.execute(query).mappings().one())

    def _save(self, row: dict[str, Any], identifiers: tuple[bytes, ...]) -> None:
        sealed = self._seal(row, identifiers)
        self._connection.execute(update(network).where(network.c.id == row["id"]).values(sealed))

    def _seal(self, row: dict[str, Any], identifiers: tuple[bytes, ...]) -> dict[str, object]:
        return self._scope.mac.seal(network, row, list(identifiers))

    def _write_identifiers(
        self, network_id: int, identifiers: tuple[bytes, ...], since: Mapping[bytes, int]
    ) -> None:
        now_ms = self._scope.now_ms
        rows = [
            {
                "network_id": network_id,
                "identifier": value,
                "position": position,
                "since_ms": since.get(value, now_ms),
            }
            for position, value in enumerate(identifiers)
        ]
        self._connection.execute(insert(network_identifier), rows)


def _settings(draft: Network) -> dict[str, object]:
    """The columns that an operator may change."""
    return {
        "prefix": str(draft.prefix),
        "prefix_from": draft.prefix_from,
        "jrc_address_from": draft.jrc_address_from,
        "jrc_address": None if draft.jrc_address is None else str(draft.jrc_address),
        "short_id_first": draft.short_ids.first,
        "short_id_last": draft.short_ids.last,
        "lease_hours": draft.lease_hours,
        "join_rate": draft.join_rate_bytes_per_s,
        "throttle": draft.throttle_bytes_per_s,
        "quiet": int(draft.quiet_outside_windows),
        "profile": draft.profile.value,
        "admission": draft.admission.value,
    }

"""What the nodes of each network are told besides keys, by number (RFC 9031 §8.4.2).

A row that was damaged keeps nobody from joining or from being told: what it said is not known, and
whoever may have been told it is told the whole of what is written next.
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address
from typing import Any

from sqlalchemy import Connection, func, insert, select

from jrc.cojp import cbor
from jrc.errors import StateError
from jrc.policy.settings import Settings
from jrc.store.rowmac import RowMac
from jrc.store.schema import network_settings
from jrc.store.scope import Scope

_ARRAY = 4
_MOST_NUMBER = 1 << 62
"""Far more changes than there can be; the next number has to fit as well."""

HIGHEST = select(
    network_settings.c.network_id, func.max(network_settings.c.number).label("number")
).group_by(network_settings.c.network_id)
"""The highest number of each network, whatever else the row says."""


class ToldSettings:
    """The part of ``service.push_records.PushStore`` that is about networks."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def latest(self, network_id: int) -> Settings | None:
        """As ``PushStore.latest``."""
        query = select(network_settings).where(network_settings.c.network_id == network_id)
        last = query.order_by(network_settings.c.number.desc()).limit(1)
        row = self._connection.execute(last).mappings().first()
        if row is None or not self._scope.mac.is_usable(network_settings, row):
            return None
        return _settings(row)

    def next_number(self, network_id: int) -> int:
        """As ``PushStore.next_number``."""
        query = select(func.max(network_settings.c.number))
        highest = self._connection.scalar(query.where(network_settings.c.network_id == network_id))
        if highest is None:
            return 0
        if not isinstance(highest, int) or not -1 <= highest < _MOST_NUMBER:
            raise StateError(f"network_settings {network_id}: number {highest!r} was damaged")
        return highest + 1

    def since(self, network_id: int, number: int) -> list[Settings]:
        """As ``PushStore.since``."""
        query = (
            select(network_settings)
            .where(network_settings.c.network_id == network_id)
            .where(network_settings.c.number >= number)
            .order_by(network_settings.c.number)
        )
        found: list[Settings] = []
        for row in self._connection.execute(query).mappings().all():
            if not self._scope.mac.is_usable(network_settings, row):
                found.clear()
                continue
            if found and found[-1].number + 1 != row["number"]:
                found.clear()
            found.append(_settings(row))
        return found

    def add_settings(self, network_id: int, settings: Settings) -> None:
        """As ``PushStore.add_settings``."""
        address = settings.jrc_address
        blocked = b"".join(map(cbor.encode_bytes, settings.blocked))
        row = {
            "network_id": network_id,
            "number": settings.number,
            "join_rate": settings.join_rate_bytes_per_s,
            "jrc_address": None if address is None else str(address),
            "blocked": cbor.head(_ARRAY, len(settings.blocked)) + blocked,
            "since_ms": self._scope.now_ms,
            "version": 1,
        }
        self._connection.execute(
            insert(network_settings), self._scope.mac.seal(network_settings, row)
        )


def latest_settings(
    connection: Connection, mac: RowMac
) -> tuple[dict[int, Settings], frozenset[int]]:
    """What the nodes of each network are told now, by the network's number.

    With it, the numbers of networks of which that is not known: their row was damaged.
    """
    highest = HIGHEST.subquery()
    query = select(network_settings).join(
        highest,
        (highest.c.network_id == network_settings.c.network_id)
        & (highest.c.number == network_settings.c.number),
    )
    rows: Sequence[Mapping[Any, Any]] = connection.execute(query).mappings().all()
    found = {
        row["network_id"]: _settings(row) for row in rows if mac.is_usable(network_settings, row)
    }
    return found, frozenset(row["network_id"] for row in rows) - found.keys()


def _settings(row: Mapping[Any, Any]) -> Settings:
    address = row["jrc_address"]
    return Settings(
        row["number"],
        row["join_rate"],
        None if address is None else IPv6Address(address),
        _identifiers(row["blocked"]),
    )


def _identifiers(encoded: bytes) -> tuple[bytes, ...]:
    count, pos = cbor.read_container(encoded, 0, _ARRAY)
    found = []
    for _ in range(count):
        identifier, pos = cbor.read_bytes(encoded, pos)
        found.append(identifier)
    return tuple(found)

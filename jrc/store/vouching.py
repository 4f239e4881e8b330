"""Rows of networks and key domains that do not authenticate, and a person who vouches for them.

Such a row is never used, and hinders a recovery: nobody but the operator knows what it should say.
What it says is shown; where it makes sense, and the operator agrees, it is sealed as it is. No
nonce and no key hangs on these rows: link-layer keys are rows of their own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Table, select, update

from jrc.model import Event
from jrc.service.recover import require_quarantined
from jrc.store.policy import network_of
from jrc.store.registry import StoreRegistry
from jrc.store.rowmac import RowMac
from jrc.store.schema import key_domain, network, network_identifier
from jrc.store.transaction import Transaction

ACCEPTED = "database.rows_accepted"
"""The event of ``vouch``."""
_UNSHOWN = ("mac", "version")

Row = Mapping[str, Any]


class Doubtful(NamedTuple):
    """A row that does not authenticate. ``nonsense`` says what of it can't be, None for nothing."""

    table: Table
    row: Row
    details: tuple[list[bytes], ...]
    nonsense: str | None
    key_domain: object = None

    @property
    def name(self) -> str:
        """As the operator knows it."""
        return f"{self.table.name.replace('_', ' ')} {self.row['name']}"

    @property
    def shown(self) -> dict[str, object]:
        """What it says, column by column; its identifiers in hex."""
        told = {name: value for name, value in self.row.items() if name not in _UNSHOWN}
        if self.key_domain is not None:
            told["key_domain"] = self.key_domain
        for identifiers in self.details:
            told["identifiers"] = [_plain(each) for each in identifiers]
        return {name: _plain(value) for name, value in told.items()}


def doubtful(connection: Connection, mac: RowMac) -> list[Doubtful]:
    """Rows that do not authenticate, of key domains and of networks that were not removed."""
    domains = _rows(connection, key_domain)
    found = [
        Doubtful(key_domain, row, (), _nonsense(key_domain, row))
        for row in domains.values()
        if not mac.is_intact(key_domain, row)
    ]
    for number, row in _rows(connection, network).items():
        names = _identifiers(connection, number)
        if row["removed_at_ms"] is None and not mac.is_intact(network, row, names):
            why = _nonsense(network, row) or _no_network(row, domains, names)
            domain = domains.get(row["domain_id"], {}).get("name")
            found.append(Doubtful(network, row, (names,), why, domain))
    return found


def vouch(tx: Transaction, actor: str, reason: str) -> Sequence[Doubtful]:
    """Seal such rows as they are, but for those that make no sense; all that were found.

    Of a key domain nothing says that the recovery has given it fresh keys.

    Raises:
        OperatorError: the database is not quarantined.
    """
    require_quarantined(StoreRegistry(tx))
    found = doubtful(tx.connection, tx.mac)
    good = [each for each in found if each.nonsense is None]
    for table, row, details, *_ in good:
        anew = {name: value for name, value in row.items() if name != "mac"}
        anew["version"] += 1
        if table is key_domain:
            anew["incarnation"] = tx.ledger.instance.incarnation - 1
        sealed = tx.mac.seal(table, anew, *details)
        tx.connection.execute(update(table).where(table.c.id == row["id"]).values(sealed))
    if good:
        tx.ledger.policy_changed()
        detail = {"rows": {each.name: each.shown for each in good}}
        tx.record(Event(ACCEPTED, actor, reason=reason, detail=detail))
    return found


def _rows(connection: Connection, table: Table) -> dict[int, Row]:
    found = connection.execute(select(table).order_by(table.c.id)).mappings()
    return {row["id"]: dict(row) for row in found}


def _identifiers(connection: Connection, number: int) -> list[bytes]:
    of = network_identifier.c
    query = select(of.identifier).where(of.network_id == number).order_by(of.position)
    return list(connection.scalars(query))


def _nonsense(table: Table, row: Row) -> str | None:
    wrong = [column.name for column in table.c if not _may_be(column, row[column.name])]
    if table is key_domain and not wrong and not _are_usages(row["key_usages"]):
        wrong = ["key_usages"]
    return f"its {', '.join(wrong)} can't be" if wrong else None


def _may_be(column: Column[Any], value: object) -> bool:
    if value is None:
        return bool(column.nullable)
    return type(value) is column.type.python_type


def _are_usages(text: str) -> bool:
    return all(part.isascii() and part.isdigit() for part in text.split(","))


def _no_network(row: Row, domains: Mapping[int, Row], names: list[bytes]) -> str | None:
    domain = domains.get(row["domain_id"])
    if domain is None or _nonsense(key_domain, domain) is not None:
        return "its key domain can't be"
    try:
        network_of(row, domain, names)
    except (ValueError, TypeError) as error:
        return f"it can't be a network: {error}"
    return None


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value

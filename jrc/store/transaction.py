"""What the operator's use cases are given: a transaction that writes, or one that only reads."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from jrc.model import Event
from jrc.store.keyring import Keyring
from jrc.store.keyslots import RandomBytes
from jrc.store.ledger import Ledger
from jrc.store.rowmac import RowMac


@dataclass(slots=True)
class Transaction:
    """A write transaction of the operator's use cases; closed and committed by ``Database``."""

    connection: Connection
    ledger: Ledger
    keyring: Keyring
    mac: RowMac
    now_ms: int
    random: RandomBytes
    learned: list[bytes] = field(default_factory=list)

    def record(self, *events: Event) -> None:
        """Add to the audit log."""
        self.ledger.record(*events)


@dataclass(slots=True)
class ReadTransaction:
    """A consistent view of the database that can't write."""

    connection: Connection
    keyring: Keyring
    mac: RowMac
    now_ms: int

"""A real database in a temporary folder, and the operator's use cases on it."""

import os
from collections.abc import Callable
from ipaddress import IPv6Network
from pathlib import Path
from typing import TypeVar

from sqlalchemy import text

from jrc.model import PledgeId, Secret
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge
from jrc.service.network_reports import NetworkReport
from jrc.service.networks import AddNetwork, add_network
from jrc.service.registry import Registry
from jrc.store.bootstrap import create_database
from jrc.store.database import Database
from jrc.store.registry import StoreRegistry

T = TypeVar("T")

KEK = Secret(bytes(range(1, 33)))
NOW_MS = 1_796_000_000_000
ACTOR = "cli:uid=1000"


class Desk:
    """One database with its writer; ``now_ms`` is the time that the next transaction has."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "jrc.db"
        self.url = f"sqlite:///{self.path}"
        self.now_ms = NOW_MS
        self._prefixes: dict[object, int] = {}
        self.epoch = create_database(self.url, KEK, self.now_ms)
        self.database = Database.open(self.url, KEK)

    def write(self, work: Callable[[Registry], T]) -> T:
        """``work`` in a transaction of its own."""
        return self.database.write(lambda tx: work(StoreRegistry(tx)), self.now_ms)

    def read(self, work: Callable[[Registry], T]) -> T:
        """``work`` in a transaction that can't write."""
        with self.database.read(self.now_ms) as tx:
            return work(StoreRegistry(tx))

    def sql(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        """Rows of a statement given as text; what it changes is committed past the program."""
        with self.database._connection.begin():
            result = self.database._connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def network(
        self, name: str = "lab", identifier: bytes = b"\xca\xfe", **more: object
    ) -> NetworkReport:
        """A network of this name."""
        prefix = more.pop("prefix", None) or self._prefix_of(more.get("key_domain") or name)
        command = network_command(name, identifier, str(prefix), **more)
        return self.write(lambda tx: add_network(tx, command, actor=ACTOR))

    def _prefix_of(self, domain: object) -> str:
        """One for each key domain, as nodes of two must not get the same address."""
        number = self._prefixes.setdefault(domain, len(self._prefixes))
        return f"2001:db8:0:{number:x}::/64"

    def pledge(
        self, number: int = 1, key: bytes | None = None, **more: object
    ) -> tuple[PledgeId, bytes]:
        """An enrolled pledge and its PSK."""
        identifier, psk = pledge_id(number), key or os.urandom(16)
        who = Applicant(identifier=identifier, keys=Secret(psk), **more)  # type: ignore[arg-type]
        self.write(lambda tx: add_pledge(tx, who, actor=ACTOR))
        return identifier, psk


def network_command(
    name: str = "lab",
    identifier: bytes = b"\xca\xfe",
    prefix: str = "2001:db8::/64",
    **more: object,
) -> AddNetwork:
    """What adds a network."""
    return AddNetwork(
        name=name,
        identifiers=(identifier,),
        prefix=IPv6Network(prefix),
        **more,  # type: ignore[arg-type]
    )


def pledge_id(number: int) -> PledgeId:
    """An EUI-64 that differs by ``number``."""
    return PledgeId(bytes.fromhex("00124b00") + number.to_bytes(4))

"""A real database in a temporary folder, and the operator's use cases on it."""

import os
import re
from collections.abc import Callable
from functools import cache
from ipaddress import IPv6Network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from sqlalchemy import make_url, text

from jrc.config import Settings, parse
from jrc.model import PledgeId, Secret
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge
from jrc.service.network_reports import NetworkReport
from jrc.service.networks import AddNetwork, add_network
from jrc.service.registry import Registry
from jrc.store.bootstrap import create_database
from jrc.store.database import Database
from jrc.store.engine import writer_engine
from jrc.store.ledger import Ledger
from jrc.store.registry import StoreRegistry
from jrc.store.sealing import open_keys
from jrc.store.server import server_of
from tests.postgresql import shared_server

T = TypeVar("T")

_OF_SQLITE = "is about SQLite"
_BYTES = re.compile(r"\bx'([0-9a-f]*)'", re.IGNORECASE)

KEK = Secret(bytes(range(1, 33)))
NOW_MS = 1_796_000_000_000
ACTOR = "cli:uid=1000"
ON_SERVER = os.environ.get("JRC_TEST_DATABASE") == "postgresql"
"""Whether desks are on a PostgreSQL server of the tests' own: `make test-postgresql`."""


ON_FILE = pytest.mark.skipif(ON_SERVER, reason=_OF_SQLITE)


def settings_at(folder: Path, url: str) -> Settings:
    """The settings of a host that has its files in ``folder``; the key file is made."""
    key = folder / "kek"
    key.write_text(KEK.reveal().hex())
    key.chmod(0o600)
    return parse(
        f'[database]\nurl = "{url}"\n[keys]\nkek_file = "{key}"\n'
        f'[instance]\nfile = "{folder / "jrc.instance"}"\n',
        path=str(folder / "config.toml"),
    )


class Desk:
    """One database with its writer; ``now_ms`` is the time that the next transaction has."""

    on_server = ON_SERVER

    def __init__(self, folder: Path, *, on_server: bool = ON_SERVER) -> None:
        self.on_server = on_server
        self._path = folder / "jrc.db"
        self.url = f"sqlite:///{self._path}"
        self.now_ms = NOW_MS
        self._prefixes: dict[object, int] = {}
        if on_server:
            self.url, self.epoch = copied()
        else:
            self.epoch = copied_to(self._path)
        self.database = Database.open(self.url, KEK)

    @property
    def path(self) -> Path:
        """The file; a test that wants it is skipped where there is none."""
        if self.on_server:
            pytest.skip(_OF_SQLITE)
        return self._path

    @path.setter
    def path(self, path: Path) -> None:
        self._path = path

    def write(self, work: Callable[[Registry], T]) -> T:
        """``work`` in a transaction of its own."""
        return self.database.write(lambda tx: work(StoreRegistry(tx)), self.now_ms)

    def read(self, work: Callable[[Registry], T]) -> T:
        """``work`` in a transaction that can't write."""
        with self.database.read(self.now_ms) as tx:
            return work(StoreRegistry(tx))

    def sql(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        """Rows of a statement given as text; what it changes is committed past the program."""
        with self.database.writer.connection.begin():
            result = self.database.writer.connection.execute(text(self._spoken(statement)), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def _spoken(self, statement: str) -> str:
        """A statement of a test, with SQLite's literals for bytes, as the database takes it."""
        if self.on_server and "PRAGMA" in statement:
            pytest.skip(_OF_SQLITE)
        return _BYTES.sub(r"'\\\\x\1'::bytea", statement) if self.on_server else statement

    def close(self) -> None:
        """Close the database."""
        self.database.close()
        if self.on_server:
            shared_server().drop(self.url)

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


@cache
def _original() -> tuple[str, bytes]:
    """The name of a database that is just made, and its epoch."""
    url = shared_server().new_database()
    return make_url(url).database or "", create_database(url, KEK, NOW_MS)


def copied() -> tuple[str, bytes]:
    """The URL of a new database on the server, and its epoch; it says that it is where it is."""
    name, epoch = _original()
    url = shared_server().new_database(like=name)
    with writer_engine(url).connect() as connection, connection.begin():
        ledger = Ledger(connection, open_keys(connection, KEK).mac, NOW_MS)
        ledger._write(ledger.instance._replace(server=server_of(connection)))
    return url, epoch


@cache
def _original_file() -> tuple[bytes, bytes]:
    """The same of SQLite: the file, and its epoch; to make one takes a tenth of a second."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "jrc.db"
        epoch = create_database(f"sqlite:///{path}", KEK, NOW_MS)
        return path.read_bytes(), epoch


def copied_to(path: Path) -> bytes:
    """A database in this new file, which is for its owner alone; its epoch."""
    content, epoch = _original_file()
    with path.open("xb") as file:
        path.chmod(0o600)
        file.write(content)
    return epoch


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

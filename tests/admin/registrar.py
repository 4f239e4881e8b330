"""A registrar without a daemon for tests: a real database, the real API, no socket."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx

from jrc.admin.api import build_api
from jrc.admin.peers import as_this_process
from jrc.admin.services import Health
from jrc.model import Secret
from jrc.policy.interface import Interface
from jrc.service.attempts import Attempts
from jrc.service.backups import BackupWish
from jrc.service.installers import InstallationReport, InstallerId
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverSettings
from jrc.store.backup.dump import sealed_dump
from jrc.store.backup.seal import check_recipients
from jrc.store.backup.streamed import streamed
from jrc.store.database import Database
from jrc.store.registry import StoreRegistry
from tests.admin import conforming
from tests.desk import KEK, copied_to

T = TypeVar("T")
NOW_MS = 1_800_000_000_000


@dataclass
class OfflineServices:
    """As ``admin.services.Services`` over a database; ``writes`` counts transactions."""

    database: Database
    writes: int = 0
    interfaces: dict[str, Interface] = field(default_factory=dict)
    answers: Mapping[str, object] = field(default_factory=lambda: {"ready": True})
    attempts: Attempts | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    installed: Sequence[InstallationReport] = ()
    allows_weak_keys: bool = False
    rollover_settings: RolloverSettings = field(default_factory=RolloverSettings)
    installers: Collection[InstallerId] = ()
    installer_waits_s: Mapping[InstallerId, float] = field(default_factory=dict)
    updates_hindered: str | None = None
    disk: Path | None = None

    @property
    def spool_folder(self) -> Path:
        return Path(tempfile.gettempdir())

    @property
    def newest_event(self) -> int:
        return self.database.instance.event_number

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        self.writes += 1
        return self.database.write(lambda tx: work(StoreRegistry(tx)), NOW_MS)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        with self.database.read(NOW_MS) as tx:
            return work(StoreRegistry(tx))

    def check_recipients(self, recipients: Sequence[str]) -> None:
        check_recipients(recipients)

    def dump(self, wish: BackupWish) -> AsyncIterator[bytes]:
        return streamed(lambda take: sealed_dump(self.database, take, wish, NOW_MS))

    def slot_key(self) -> Secret:
        return KEK

    def distrust(self) -> None:
        """Nothing is in memory."""

    async def interface(self, name: str) -> Interface | None:
        return self.interfaces.get(name)

    async def install(
        self, network: str, *, actor: str, reason: str
    ) -> Sequence[InstallationReport]:
        self.asked.append((network, actor, reason))
        return self.installed

    async def status(self, *, anew: bool = True) -> Mapping[str, object]:
        return self.answers

    def metrics(self) -> tuple[bytes, ...]:
        return (b"jrc_ready 1\n", b"jrc_sealed 0\n")

    def health(self) -> Health:
        ready = bool(self.answers["ready"])
        return Health(alive=True, ready=ready, why=() if ready else ("quarantined",))


class Registrar(AbstractContextManager["Registrar"]):
    """A new database in ``folder`` and a client of its API."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'jrc.db'}"
        self.file = folder / "jrc.db"
        copied_to(self.file)
        self.services = OfflineServices(Database.open(url, KEK))

    def __exit__(self, *_error: object) -> None:
        self.services.database.close()

    def run(self, work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
        """``work`` with a client."""

        async def session() -> T:
            transport = httpx.ASGITransport(as_this_process(build_api(self.services)))
            hooks = {"response": [conforming.check]}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://jrc", event_hooks=hooks
            ) as client:
                return await work(client)

        return asyncio.run(session())

    def call(self, method: str, path: str, **content: object) -> httpx.Response:
        """The answer to one request."""
        return self.run(lambda client: client.request(method, path, **content))  # type: ignore[arg-type]

    def add_lab(self) -> None:
        """A network called lab."""
        body = {"name": "lab", "identifiers": ["cafe"], "prefix": "2001:db8:0:1::/64"}
        self.call("POST", "/v1/networks", json=body).raise_for_status()

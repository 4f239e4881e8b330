"""How much an import may bring, and who is held to it."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from jrc.admin import import_room
from jrc.admin.api import build_api
from jrc.admin.import_room import FREE_BYTES, ImportRoom, free_bytes_of
from jrc.errors import OperatorError
from jrc.policy.scopes import Scope
from tests.admin.registrar import Registrar
from tests.admin.test_scopes import Somebody, as_caller

IMPORTER = Somebody(frozenset({Scope.IMPORT}), "token=build")
OPERATOR = Somebody(frozenset({Scope.READ, Scope.IMPORT, Scope.OPERATE}), "token=op")
DISK = Path("/somewhere")


async def body(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield bytes(size)


async def drained(room: ImportRoom, who: Somebody, *sizes: int, disk: Path | None = None) -> int:
    with room.held(who, disk) as held:
        return sum([len(piece) async for piece in held.within(body(*sizes))])


def test_an_import_ends_before_the_disk_is_full() -> None:
    """Whoever sends it: what is taken can still be published, and joins have the rest."""
    free = [FREE_BYTES + 200, FREE_BYTES + 199, FREE_BYTES + 150]
    room = ImportRoom(lambda _folder: free.pop(0))
    taken = 0

    async def work() -> None:
        nonlocal taken
        with room.held(OPERATOR, DISK) as held:
            async for piece in held.within(body(100, 99, 1)):
                taken += len(piece)

    with pytest.raises(OperatorError, match="64 MiB are free on the disk of /somewhere"):
        asyncio.run(work())
    assert taken == 199


def test_what_imports_take_beside_each_other_fits_on_the_disk() -> None:
    """Also what has arrived and is being published; what has ended needs nothing more."""
    room = ImportRoom(lambda _folder: FREE_BYTES + 100)

    async def work() -> None:
        with room.held(IMPORTER, DISK) as first:
            assert [60] == [len(piece) async for piece in first.within(body(60))]
            with pytest.raises(OperatorError, match="beside those under way"):
                await drained(room, OPERATOR, 41, disk=DISK)
            assert await drained(room, OPERATOR, 40, disk=DISK) == 40
        assert await drained(room, OPERATOR, 100, disk=DISK) == 100

    asyncio.run(work())


@pytest.mark.parametrize("disk", [None, DISK])
def test_a_disk_that_tells_nothing_holds_nobody(disk: Path | None) -> None:
    """A server's, or a file system that does not say."""
    room = ImportRoom(lambda _folder: None)
    assert asyncio.run(drained(room, OPERATOR, 5, 6, disk=disk)) == 11


def test_the_disk_of_a_folder_is_looked_at(tmp_path: Path) -> None:
    """As far as the kernel says."""
    assert free_bytes_of(tmp_path)
    assert free_bytes_of(tmp_path / "missing") is None


def test_one_token_has_so_many_bytes_under_way_and_as_many_again_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over all its imports at a time; others, and who may do more, are not held up."""
    monkeypatch.setattr(import_room, "MAX_UNDER_WAY_BYTES", 100)

    async def work() -> None:
        room = ImportRoom()
        with room.held(IMPORTER, None) as held:
            assert len(await anext(held.within(body(60, 1)))) == 60
            with pytest.raises(OperatorError, match="token=build has 0 MiB of imports under way"):
                await drained(room, IMPORTER, 40, 1)
            assert await drained(room, Somebody(IMPORTER.scopes, "token=other"), 100) == 100
            assert await drained(room, OPERATOR, 400) == 400
        for _ in range(3):
            assert await drained(room, IMPORTER, 60, 40) == 100
        assert not vars(room)["_under_way"]

    asyncio.run(work())


@pytest.mark.parametrize("outcomes", ["0", "1"])
def test_an_import_that_finds_no_room_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcomes: str
) -> None:
    """Over HTTP, with the sentence and what to do; the same token may come again."""
    monkeypatch.setattr(import_room, "MAX_UNDER_WAY_BYTES", 10_000)
    keys = [sha256(bytes([number % 256, number >> 8])).hexdigest()[:32] for number in range(400)]
    rows = [f"{number:016x},{key}\n" for number, key in enumerate(keys)]
    file = ("pledge_id,psk\n" + "".join(rows)).encode()
    with Registrar(tmp_path) as registrar:
        registrar.add_lab()

        async def sent(content: bytes) -> httpx.Response:
            app = as_caller(build_api(registrar.services), Scope.IMPORT)
            transport = httpx.ASGITransport(app)
            pieces = [content[at : at + 1000] for at in range(0, len(content), 1000)]

            async def streamed() -> AsyncIterator[bytes]:
                for piece in pieces:
                    yield piece

            async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
                url = f"/v1/imports?format=csv&outcomes={outcomes}"
                return await client.post(url, content=streamed())

        answer = asyncio.run(sent(file))
        assert (409, True) == (answer.status_code, "under way" in answer.json()["error"])
        assert registrar.call("GET", "/v1/pledges").json()["pledges"] == []
        assert asyncio.run(sent(file[: file.index(rows[100].encode())])).status_code == 200
        assert len(registrar.call("GET", "/v1/pledges?limit=500").json()["pledges"]) == 100

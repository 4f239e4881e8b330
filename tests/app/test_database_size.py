"""How large the database on a server is, as the daemon asks now and then."""

import asyncio
from collections.abc import Awaitable, Callable

from structlog.testing import capture_logs

from jrc.app.database_size import LOOK_EVERY_S, DatabaseSize
from jrc.errors import StoreError


class Server:
    """Tells a size, or fails."""

    def __init__(self) -> None:
        self.fails = False
        self.works: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        self.part = DatabaseSize(self.look, lambda s, work: self.works.append((s, work)))

    def look(self) -> int:
        if self.fails:
            raise StoreError("permission denied for database jrc")
        return 8192


def test_the_server_is_asked_now_and_then() -> None:
    """As a part of the daemon."""
    server = Server()
    asyncio.run(server.part.start())
    ((period_s, work),) = server.works
    assert (LOOK_EVERY_S, {"bytes": None}) == (period_s, server.part.status())
    asyncio.run(work())  # type: ignore[arg-type]
    assert (8192, {"bytes": 8192}) == (server.part.size_bytes, server.part.status())


def test_a_server_that_does_not_tell_is_said_once() -> None:
    """Nothing is made up meanwhile, and the next look may work again."""
    server = Server()
    asyncio.run(server.part.look())
    server.fails = True
    with capture_logs() as logs:
        asyncio.run(server.part.look())
        asyncio.run(server.part.look())
    assert server.part.size_bytes is None
    (said,) = logs
    assert ("database_size_unknown", "warning") == (said["event"], said["log_level"])
    assert "permission denied" in said["error"]
    server.fails = False
    asyncio.run(server.part.look())
    assert 8192 == server.part.size_bytes

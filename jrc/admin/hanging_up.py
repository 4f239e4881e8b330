"""How an application leaves a client that does not read."""

from starlette.types import Receive, Scope


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Abort the connection of a request, and return once it is gone.

    A server logs an application that returns before the end of its answer as faulty, unless the
    client has left.
    """
    scope["state"]["hang_up"]()
    while (await receive())["type"] != "http.disconnect":
        pass

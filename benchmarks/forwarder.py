"""The Join Proxy alone: ``python -m benchmarks.forwarder PORT JRC_PORT`` on loopback.

The program's own core and sockets without an interface to wait for, with no rate in the way;
``--default-rate`` leaves the rate that nobody has set.
"""

import asyncio
import secrets
import sys
import time

from jrc.coap.proxy import JoinProxy
from jrc.coap.proxy_endpoint import ProxyEndpoint, open_jrc_socket, open_pledge_socket
from jrc.coap.rate import JoinRate
from jrc.coap.token import TokenSealer

_HOST = "::1"
_FAST_BYTES_PER_S = 1_000_000_000


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


async def _serve(port: int, jrc_port: int, rate: int | None) -> None:
    now_ms = _now_ms()
    sealer = TokenSealer(secrets.token_bytes, now_ms)
    proxy = JoinProxy(sealer, secrets.randbelow(1 << 16), JoinRate(rate, now_ms))
    endpoint = ProxyEndpoint(proxy, _now_ms)
    endpoint.connect(open_jrc_socket((_HOST, jrc_port, 0, 0)))
    endpoint.listen(open_pledge_socket(_HOST, port))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    given = None if "--default-rate" in sys.argv else _FAST_BYTES_PER_S
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), given))

"""How much a Join Proxy forwards, and for whom not: what it is told, and what its config says."""

import time
from collections.abc import Iterable

from jrc.coap.blocklist import Blocklist
from jrc.coap.proxy import JoinProxy
from jrc.config import Proxy


class ProxyLimits:
    """Rate and blocklist of ``proxy`` (RFC 9031 §8.4.2).

    The rate of the config file counts where it is the smaller one; its blocklist is added.
    """

    def __init__(self, proxy: JoinProxy, settings: Proxy) -> None:
        self._proxy = proxy
        self._settings = settings
        self._rate: int | None = None
        self._told: tuple[bytes, ...] = ()
        self.block(())

    def use(self, settings: Proxy) -> None:
        """Another config file, and what was told before."""
        self._settings = settings
        self.set_rate(self._rate)
        self.block(self._told)

    def set_rate(self, rate: int | None) -> None:
        """This one was told; None is the default."""
        self._rate = rate
        known = [each for each in (rate, self._settings.join_rate_bytes_per_s) if each is not None]
        self._proxy.rate.set(min(known, default=None), time.monotonic_ns() // 1_000_000)

    def block(self, told: Iterable[bytes]) -> None:
        """These were told."""
        self._told = tuple(told)
        ours = map(bytes.fromhex, self._settings.blocklist)
        self._proxy.blocklist = Blocklist.of((*ours, *self._told))

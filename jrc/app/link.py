"""Networks follow the interfaces that they name: prefix, and the registrar's address."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from jrc.admin.services import Transactions
from jrc.app.tasks import CatchUp
from jrc.policy.interface import Interface
from jrc.service.following import Clash, Followed, follow_interfaces, followed_interfaces, outlook
from jrc.service.ports import InterfaceWatcher, WatchInterface

_log = structlog.get_logger("jrc")


class Link:
    """As ``app.part.Part``: watches the interfaces of the networks, and writes what changes."""

    name = "interfaces"

    def __init__(
        self,
        transactions: Transactions,
        watch: WatchInterface,
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._transactions = transactions
        self._watch = watch
        self._watches: dict[str, InterfaceWatcher] = {}
        self._clashes: Sequence[Clash] = ()
        self._conducts = True
        self._catching_up = CatchUp(self._catch_up, "interfaces_not_followed", fatal)

    async def start(self) -> None:
        """As ``Part.start``: when it returns, no network says what is known to be no longer so."""
        await self._catching_up.now()
        self._catching_up.start()

    async def stop(self) -> None:
        """As ``Part.stop``."""
        await self._catching_up.stop()
        for watch in self._watches.values():
            await watch.stop()
        self._watches.clear()

    def changed(self) -> None:
        """As ``Part.changed``: networks may name other interfaces now."""
        self._catching_up.news()

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``: each interface that a network names, null where it is not there."""
        return {name: _shown(watch.current) for name, watch in sorted(self._watches.items())}

    def conduct(self, is_conductor: bool) -> None:
        """Follow the interfaces of this host, or leave that to another registrar's host."""
        self._conducts = is_conductor
        self._catching_up.news()

    async def _catch_up(self) -> None:
        if not self._conducts:
            return
        await self._watch_all(await self._transactions.run_read(followed_interfaces))
        watches = self._watches.items()
        seen = {name: watch.current for name, watch in watches if watch.is_known}
        ahead = await self._transactions.run_read(lambda tx: outlook(tx, seen))
        self._tell_clashes(ahead.clashes)
        if not ahead.due:
            return
        for done in await self._transactions.run_write(lambda tx: follow_interfaces(tx, seen)):
            _tell(done)

    def _tell_clashes(self, clashes: Sequence[Clash]) -> None:
        for clash in clashes:
            if clash not in self._clashes:
                _log.warning(
                    "prefix_not_followed",
                    network=clash.network,
                    interface=clash.interface,
                    prefix=str(clash.prefix),
                    holder=clash.holder,
                    hint="the network keeps its prefix; nodes of both could get the same address",
                )
        self._clashes = clashes

    async def _watch_all(self, names: frozenset[str]) -> None:
        for name in self._watches.keys() - names:
            await self._watches.pop(name).stop()
        for name in sorted(names - self._watches.keys()):
            watch = self._watch(name, self._heard)
            await watch.start()
            self._watches[name] = watch

    def _heard(self, _interface: Interface | None) -> None:
        self._catching_up.news()


def _tell(done: Followed) -> None:
    before, after = done.before, done.after
    address = None if after.jrc_address is None else str(after.jrc_address)
    _log.info(
        "network_follows_interface",
        network=after.name,
        prefix=str(after.prefix),
        jrc_address=address,
    )
    if done.joined:
        _log.warning(
            "prefix_changed",
            network=after.name,
            before=str(before.prefix),
            after=str(after.prefix),
            nodes=done.joined,
            hint="they have to join again; until then nothing can be sent to them",
        )
    if after.jrc_address is None and after.jrc_address_from is not None:
        _log.warning(
            "no_jrc_address",
            network=after.name,
            interface=after.jrc_address_from,
            hint="joins of this network get no answer until the interface has an address",
        )


def _shown(interface: Interface | None) -> dict[str, object] | None:
    if interface is None:
        return None
    return {
        "up": interface.is_up,
        "kind": interface.kind.value,
        "link_local": None if interface.link_local is None else str(interface.link_local),
        "addresses": [str(entry.address) for entry in interface.addresses],
        "prefixes": [str(prefix) for prefix in interface.prefixes],
    }

"""Who keeps the old keys alive after a switch: 6LBRs and radios without the new ones (§8.4.3.1-2).

6LNs go on with the old keys until they hear the new ones (RFC 9031 §8.4.3.2), so a network in which
nobody begins does so for ever.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from jrc.service.installers import GIVEN_UP, InstallerId, record_of
from jrc.service.registry import Registry
from jrc.service.rollover_course import counts_of, networks_of, radios
from jrc.service.rollover_records import RolloverRecord
from jrc.service.wording import counted, listed

NOBODY_BEGINS = (
    "network {0} has no 6LBR that is told the new keys, and no installer: its 6LNs go on with the"
    " old ones"
)
LET_ONE_JOIN = "let a 6LBR join (`jrc pledge add ID --role 6lbr --network {0}`)"
BRING_ONE = f"{LET_ONE_JOIN}, or go on without with `jrc rollover resume {{0}} --anyway`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Those who have not got the new keys; ``without_router`` are names of networks."""

    radios: tuple[InstallerId, ...] = ()
    routers: int = 0
    without_router: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.radios) + self.routers + len(self.without_router)

    def sentences(self) -> list[str]:
        """What it means to retire the old keys all the same."""
        named = [f"installer {radio}" for radio in self.radios]
        if self.routers:
            named.append(counted(self.routers, "6LBR"))
        found = []
        if named:
            is_one = len(self.radios) + self.routers == 1
            has, goes, it = ("has", "goes", "it") if is_one else ("have", "go", "them")
            found.append(
                f"{listed(named)} {has} not got the new keys, and {goes} on with the old ones; so"
                f" do 6LNs that hear nobody but {it}."
            )
        for name in self.without_router:
            nobody = NOBODY_BEGINS.format(name).replace("network", "Network", 1)
            found.append(
                f"{nobody} until one joins; a 6LN that joins later gets the new ones alone, and"
                " hears nobody there."
            )
        return found


def missing(
    tx: Registry, record: RolloverRecord, installers: Collection[InstallerId] | None = None
) -> Missing:
    """Who has not got a rollover's keys; ``installers`` as for ``counts_of``."""
    waiting, _ = radios(tx, record, installers)
    routers = tx.rollovers.counts(record.id).border_routers
    return Missing(
        radios=tuple(waiting),
        routers=routers.counted - routers.reached + routers.must_join,
        without_router=without_router(tx, record, installers),
    )


def without_router(
    tx: Registry, record: RolloverRecord, installers: Collection[InstallerId] | None = None
) -> tuple[str, ...]:
    """The networks, by name, in which nobody begins to send with the new keys."""
    found = counts_of(tx, record, installers).without_router
    return tuple(each.name for each in networks_of(tx, record.domain_id) if each.id in found)


def give_up_elsewhere(
    tx: Registry, radios: Collection[InstallerId], installers: Collection[InstallerId]
) -> None:
    """Wait no more for radios of installers that this host's config file does not name.

    A host that still has one runs it, and is waited for again.
    """
    networks = {network.name: network.id for network in tx.networks.all().values()}
    for each in radios:
        if each not in installers:
            record = record_of(tx, networks[each.network], each.name)
            tx.installations.save(replace(record, error=GIVEN_UP))

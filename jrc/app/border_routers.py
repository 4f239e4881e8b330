"""6LBRs that join, between the join path and the operator's use cases (row E7)."""

from collections.abc import Callable

from jrc.model import Network, Pledge
from jrc.service.border_routers import joins_as_border_router
from jrc.service.rollover_records import RolloverSettings
from jrc.store.registry import StoreRegistry
from jrc.store.transaction import Transaction


def look_at_border_routers(
    settings: RolloverSettings,
) -> Callable[[Transaction, Network, Pledge], bool]:
    """What ``Database.on_border_router`` takes."""

    def look(transaction: Transaction, network: Network, device: Pledge) -> bool:
        tx = StoreRegistry(transaction)
        return joins_as_border_router(tx, network, device.id, device.identifier, settings)

    return look

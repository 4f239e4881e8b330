"""What tellings look up again and again, kept for as long as nobody has changed it."""

from collections.abc import Collection, Mapping

import structlog

from jrc.cojp import codec
from jrc.cojp.objects import Configuration
from jrc.errors import StateError
from jrc.model import Network
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverRecord

ODD = (StateError, TypeError, ValueError, OverflowError)
"""What a damaged row raises where it is read or worked with; many rows have no MAC."""

_log = structlog.get_logger("jrc")


class Facts:
    """Networks, rollovers and keys as of one policy revision; each is read once.

    Whoever changes one of them raises the revision (``Registry.policy_changed``).
    """

    def __init__(self) -> None:
        self._revision = -1
        self._networks: Mapping[int, Network] | None = None
        self._damaged: Collection[int] = ()
        self._rollovers: dict[int, RolloverRecord] = {}
        self._keys: dict[tuple[int, bool], tuple[int, bytes]] = {}
        self._odd: set[str] = set()

    def look(self, tx: Registry) -> None:
        """Forget what is of another revision than this transaction's."""
        if tx.policy_revision != self._revision:
            self._revision = tx.policy_revision
            self._networks = None
            self._rollovers.clear()
            self._keys.clear()

    def say_odd(self, whose: str, who: int, error: Exception) -> None:
        """Let the log tell, once, why a node or network is left out of what is told."""
        if str(error) not in self._odd:
            self._odd.add(str(error))
            kind = type(error).__name__
            _log.warning("not_told", whose=whose, number=who, error=str(error), kind=kind)

    def networks(self, tx: Registry) -> Mapping[int, Network]:
        """Every network by its number, but for those whose rows were damaged."""
        if self._networks is None:
            self._networks, self._damaged = tx.networks.sound()
        return self._networks

    def damaged(self, tx: Registry) -> Collection[int]:
        """The numbers of networks whose rows were damaged: nobody there is told anything."""
        self.networks(tx)
        return self._damaged

    def rollover(self, tx: Registry, rollover_id: int) -> RolloverRecord:
        """One by its number."""
        found = self._rollovers.get(rollover_id)
        if found is None:
            found = self._rollovers[rollover_id] = tx.rollovers.by_id(rollover_id)
        return found

    def keys(self, tx: Registry, generation_id: int, *, explicit_usage: bool) -> tuple[int, bytes]:
        """A generation's number, and the Configuration that has its keys alone.

        Raises:
            StateError: nobody may be told it any more.
        """
        found = self._keys.get((generation_id, explicit_usage))
        if found is None:
            number, keys = tx.keysets.of_generation(generation_id)
            told = codec.encode_configuration(
                Configuration(keys=keys), explicit_usage=explicit_usage
            )
            found = self._keys[generation_id, explicit_usage] = (number, told)
        return found

"""What tellings look up again and again, kept for as long as nobody has changed it."""

from jrc.cojp import codec
from jrc.cojp.objects import Configuration
from jrc.model import Network
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverRecord


class Facts:
    """Networks, rollovers and keys as of one policy revision; each is read once.

    Whoever changes one of them raises the revision (``Registry.policy_changed``).
    """

    def __init__(self) -> None:
        self._revision = -1
        self._networks: dict[int, Network] | None = None
        self._rollovers: dict[int, RolloverRecord] = {}
        self._keys: dict[tuple[int, bool], tuple[int, bytes]] = {}

    def look(self, tx: Registry) -> None:
        """Forget what is of another revision than this transaction's."""
        if tx.policy_revision != self._revision:
            self._revision = tx.policy_revision
            self._networks = None
            self._rollovers.clear()
            self._keys.clear()

    def networks(self, tx: Registry) -> dict[int, Network]:
        """Every network by its number."""
        if self._networks is None:
            self._networks = dict(tx.networks.all())
        return self._networks

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

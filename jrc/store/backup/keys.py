"""Opening the data keys in a backup with the slot key of this host, before anything is written."""

from collections.abc import Callable, Collection, Mapping, Sequence

from jrc.errors import StateError
from jrc.model import Secret
from jrc.service.key_records import SlotKind
from jrc.store.backup.content import Value
from jrc.store.keyring import Keyring, Purpose, WrappedDataKey, open_keyring
from jrc.store.keyslots import WrappedSlot, open_slots

Record = Mapping[str, Value]
Records = Mapping[str, Sequence[Record]]
"""Rows of the tables in ``dump.KEY_TABLES``, by table."""
OpenKeys = Callable[[Records], Keyring]
"""What opens the data keys; raises OperatorError where the key is another's."""


def opener(
    key: Secret,
    *,
    kinds: Collection[SlotKind] = (SlotKind.FILE,),
    setting: str = "keys.kek_file",
) -> OpenKeys:
    """What opens the data keys of a backup by the slot key ``key`` of one of ``kinds``.

    Raises (when it is called):
        OperatorError: it opens no slot of the backup; the error names those that there are.
        StateError: the rows are none, or do not authenticate.
    """

    def opened(tables: Records) -> Keyring:
        try:
            slots = [_slot(row) for row in tables.get("key_slot", ())]
            keys = [_data_key(row) for row in tables.get("data_key", ())]
        except (KeyError, TypeError, ValueError):
            raise StateError("its data keys or their slots are not rows of ours") from None
        return open_keyring(open_slots(key, slots, kinds=kinds, setting=setting), keys)

    return opened


def _slot(row: Record) -> WrappedSlot:
    public_key = row["public_key"]
    return WrappedSlot(
        name=str(row["name"]),
        kind=SlotKind(str(row["kind"])),
        key_id=_bytes(row["key_id"]),
        public_key=None if public_key is None else _bytes(public_key),
        kek_id=_bytes(row["kek_id"]),
        wrapped=_bytes(row["wrapped"]),
    )


def _data_key(row: Record) -> WrappedDataKey:
    number = row["id"]
    if not isinstance(number, int):
        raise TypeError("an id is a number")
    return WrappedDataKey(
        number, Purpose(str(row["purpose"])), _bytes(row["kek_id"]), _bytes(row["wrapped"])
    )


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a key is bytes")
    return value
